use std::time::{Duration, Instant};

use serde_json::Value;

use super::*;
use crate::protocol::{FailureReason, GiveUp, Permission};

/// A conversation under test: what it wrote, told and asked for.
struct Scene {
    server: AppServer,
    written: Vec<Value>,
    events: Vec<String>,
    step: Step,
    now: Instant,
}

impl Scene {
    fn new(resume: Option<&str>, permission: Permission) -> Scene {
        let setup = Setup {
            prompt: "fix it".into(),
            work_dir: "/work".into(),
            model: Some("asked".into()),
            resume: resume.map(str::to_owned),
            permission,
            ..Setup::default()
        };
        let mut server = AppServer::new(setup);
        let Opening::Frames(frames) = server.open() else { panic!("frames") };
        let mut scene = Scene {
            server,
            written: Vec::new(),
            events: Vec::new(),
            step: Step::default(),
            now: Instant::now(),
        };
        scene.step.frames = frames;
        scene.collect();
        scene
    }

    /// One whose turn `u` runs in thread `t`.
    fn running() -> Scene {
        let mut scene = Scene::new(None, Permission::Allow);
        scene.hears(r#"{"id":1,"result":{}}"#);
        scene.hears(r#"{"id":2,"result":{"thread":{"id":"t"},"model":"m"}}"#);
        scene.hears(r#"{"id":4,"result":{"turn":{"id":"u"}}}"#);
        scene
    }

    fn hears(&mut self, line: &str) -> &mut Scene {
        let events = &mut self.events;
        let mut sink = |event: Event<'_>| {
            events.push(serde_json::to_string(&event).unwrap());
            Ok(())
        };
        for piece in format!("{line}\n").as_bytes().chunks(64 << 10) {
            self.server.output(piece, &mut sink, &mut self.step).unwrap();
        }
        self.collect();
        self
    }

    fn collect(&mut self) {
        let frames = std::mem::take(&mut self.step.frames);
        self.written
            .extend(frames.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()));
    }

    /// Whether that line is a sign of work.
    fn is_progress(&mut self, line: &str) -> bool {
        self.step.is_progress = false;
        self.hears(line);
        self.step.is_progress
    }

    /// Waits in silence; what is given up then.
    fn waits(&mut self, seconds: u64) -> Option<GiveUp> {
        for _ in 0..=seconds {
            self.server.tick(self.now, &mut self.step);
            self.now += Duration::from_secs(1);
        }
        self.collect();
        self.step.give_up.take()
    }

    fn methods(&self) -> Vec<&str> {
        self.written.iter().map(|frame| frame["method"].as_str().unwrap_or("(answer)")).collect()
    }
}

fn item(method: &str, item: &str) -> String {
    format!(r#"{{"method":"item/{method}","params":{{"threadId":"t","turnId":"u","item":{item}}}}}"#)
}

const DONE: &str =
    r#"{"method":"turn/completed","params":{"threadId":"t","turn":{"id":"u","status":"completed"}}}"#;

#[test]
fn a_turn_with_tools() {
    let mut scene = Scene::running();
    assert_eq!(
        scene.methods(),
        ["initialize", "initialized", "thread/start", "thread/name/set", "turn/start"]
    );
    assert_eq!(scene.written[4]["params"]["input"][0]["text"], "fix it");
    assert_eq!(scene.written[4]["jsonrpc"], Value::Null);
    let command = r#""type":"commandExecution","id":"c","command":"ls","cwd":"/work""#;
    scene.hears(&item("completed", r#"{"type":"reasoning","id":"r","summary":["hm","well"],"content":[]}"#));
    scene.hears(&item("started", r#"{"type":"agentMessage","id":"a","text":""}"#));
    scene.hears(r#"{"method":"item/agentMessage/delta","params":{"threadId":"t","turnId":"u","itemId":"a","delta":"I lo"}}"#);
    scene.hears(r#"{"method":"item/agentMessage/delta","params":{"threadId":"t","turnId":"u","itemId":"a","delta":"ok"}}"#);
    scene.hears(&item("completed", r#"{"type":"agentMessage","id":"a","text":"I look","phase":null}"#));
    scene.hears(&item("started", &format!("{{{command}}}")));
    assert!(scene.server.has_open_tool());
    scene.hears(&item("completed", &format!(r#"{{{command},"aggregatedOutput":"x\n","exitCode":2}}"#)));
    scene.hears(&item(
        "completed",
        r#"{"type":"mcpToolCall","id":"d","server":"s","tool":"t","arguments":{"q":1},"status":"completed","result":{"content":[{"type":"text","text":"42"}]}}"#,
    ));
    scene.hears(&item("completed", r#"{"type":"agentMessage","id":"b","text":"done"}"#));
    scene.hears(DONE);
    assert_eq!(
        scene.events,
        [
            r#"{"type":"session","session_id":"t","model":"m"}"#,
            r#"{"type":"thinking","text":"hm\nwell"}"#,
            r#"{"type":"text","text":"I lo","partial":true}"#,
            r#"{"type":"text","text":"ok","partial":true}"#,
            r#"{"type":"text","text":""}"#,
            r#"{"type":"tool_use","id":"c","tool":"exec_command","input":{"command":"ls","cwd":"/work"}}"#,
            r#"{"type":"tool_result","id":"c","tool":"exec_command","output":"x\n","is_error":true}"#,
            r#"{"type":"tool_use","id":"d","tool":"s.t","input":{"q":1}}"#,
            r#"{"type":"tool_result","id":"d","tool":"s.t","output":"42","is_error":false}"#,
            r#"{"type":"text","text":"done"}"#,
        ]
    );
    assert!(scene.step.is_turn_over && scene.step.close_input);
    let ending = scene.server.end();
    assert_eq!((ending.fallback.as_str(), ending.tool_calls), ("done", 2));
    assert_eq!(ending.result.unwrap().failure, None);
}

#[test]
fn the_answer_is_the_final_one_where_it_is_called_so() {
    let mut scene = Scene::running();
    scene
        .hears(&item("completed", r#"{"type":"agentMessage","id":"a","text":"yes","phase":"final_answer"}"#));
    scene.hears(&item(
        "completed",
        r#"{"type":"agentMessage","id":"b","text":"by the way","phase":"commentary"}"#,
    ));
    scene.hears(DONE);
    assert_eq!(scene.server.end().result.unwrap().text, "yes");
}

#[test]
fn tokens_are_those_of_this_run() {
    let usage = |turn: &str, total: u64, last: u64| {
        format!(
            r#"{{"method":"thread/tokenUsage/updated","params":{{"threadId":"t","turnId":"{turn}","tokenUsage":{{
            "total":{{"inputTokens":{total},"cachedInputTokens":2,"outputTokens":{total}}},
            "last":{{"inputTokens":{last},"cachedInputTokens":2,"outputTokens":{last}}}}}}}}}"#
        )
        .replace('\n', " ")
    };
    for (lines, input, turns) in [
        (vec![usage("u", 10, 10), usage("u", 10, 10), usage("u", 25, 15)], 23, 2),
        (vec![usage("old", 100, 7), usage("u", 110, 10)], 10, 1),
        (vec![usage("u", 110, 10)], 10, 1), // the last request had all that came from the cache
    ] {
        let mut scene = Scene::running();
        for line in &lines {
            scene.hears(line);
        }
        let spent = scene.server.spent();
        assert_eq!(spent.turns, turns);
        let usage = scene.server.end().usage["m"];
        assert_eq!(usage.input_tokens + usage.cache_read_tokens, if turns == 2 { input + 2 } else { input });
    }
}

#[test]
fn other_threads_and_the_past_are_not_told() {
    let mut scene = Scene::new(Some("t"), Permission::Allow);
    scene.hears(r#"{"id":1,"result":{}}"#);
    assert_eq!(scene.written[2]["method"], "thread/resume");
    assert_eq!(scene.written[2]["params"]["excludeTurns"], true);
    let old = r#"{"method":"item/completed","params":{"threadId":"t","turnId":"old","item":{"type":"agentMessage","id":"o","text":"old"}}}"#;
    assert!(!scene.is_progress(old), "the past is no work");
    scene.hears(r#"{"id":2,"result":{"thread":{"id":"t"}}}"#);
    scene.hears(old);
    scene.hears(r#"{"method":"turn/started","params":{"threadId":"t","turn":{"id":"u"}}}"#);
    scene.hears(old);
    let helper = r#"{"method":"item/completed","params":{"threadId":"sub","turnId":"x","item":{"type":"agentMessage","id":"s","text":"sub"}}}"#;
    assert!(scene.is_progress(helper), "a helper works");
    scene.hears(&DONE.replace(r#""threadId":"t""#, r#""threadId":"sub""#));
    assert!(!scene.step.is_turn_over);
    scene.hears(DONE);
    assert!(scene.step.is_turn_over);
    assert_eq!(scene.events, [r#"{"type":"session","session_id":"t"}"#]);
    assert_eq!(scene.methods(), ["initialize", "initialized", "thread/resume", "turn/start"]);
}

#[test]
fn answers_may_come_in_any_order() {
    let mut scene = Scene::new(None, Permission::Allow);
    scene.hears(r#"{"id":99,"result":{}}"#);
    scene.hears(r#"{"id":1,"result":{}}"#);
    scene.hears(r#"{"id":2,"result":{"thread":{"id":"t"}}}"#);
    scene.hears(r#"{"method":"turn/started","params":{"threadId":"t","turn":{"id":"u"}}}"#);
    scene.hears(&item("completed", r#"{"type":"agentMessage","id":"a","text":"early"}"#));
    assert_eq!(scene.waits(59), None, "its answer is not missed any more");
    scene.hears(DONE);
    scene.hears(r#"{"id":4,"result":{"turn":{"id":"u"}}}"#);
    scene.hears(r#"{"id":3,"error":{"code":-32600,"message":"no names"}}"#);
    scene.hears(r#"{"id":4,"result":{"turn":{"id":"v"}}}"#);
    let ending = scene.server.end();
    assert_eq!((ending.fallback.as_str(), ending.result.unwrap().failure), ("early", None));
}

#[test]
fn every_request_is_answered() {
    let mut scene = Scene::new(None, Permission::Deny);
    scene.hears(r#"{"id":7,"method":"item/commandExecution/requestApproval","params":{"command":"rm"}}"#);
    scene.hears(r#"{"id":"x","method":"not/known","params":[]}"#);
    scene.hears(r#"{"id":"y","method":"account/chatgptAuthTokens/refresh"}"#);
    let answers: Vec<String> = scene.written[1..].iter().map(Value::to_string).collect();
    assert_eq!(answers[0], r#"{"id":7,"result":{"decision":"decline"}}"#);
    assert!(answers[1].starts_with(r#"{"id":"x","error":{"code":-32601,"#), "{}", answers[1]);
    assert!(answers[2].starts_with(r#"{"id":"y","error":{"code":-32601,"#), "{}", answers[2]);
    assert_eq!(scene.events[0], r#"{"type":"permission","request":"exec_command","decision":"deny"}"#);
    assert!(scene.events[1].contains("`not/known`"));
}

#[test]
fn failures_of_each_step() {
    let initialize = r#"{"id":1,"error":{"code":-32600,"message":"no"}}"#;
    let thread = r#"{"id":2,"error":{"code":-32600,"message":"no rollout found for thread id t"}}"#;
    let greeted = r#"{"id":1,"result":{}}"#;
    for (resume, lines, error, is_refused) in [
        (None, vec![initialize], "initialize failed: no", false),
        (None, vec![greeted, thread], "thread/start failed: no rollout found for thread id t", false),
        (Some("t"), vec![greeted, thread], "thread/resume failed: no rollout found for thread id t", true),
        (
            Some("t"),
            vec![greeted, r#"{"id":2,"result":{}}"#],
            "the answer to the request for a thread names none",
            true,
        ),
    ] {
        let mut scene = Scene::new(resume, Permission::Allow);
        for line in lines {
            scene.hears(line);
        }
        assert!(scene.step.is_turn_over && scene.step.close_input, "{error}");
        let failure = scene.server.end().result.unwrap().failure.unwrap();
        assert_eq!((failure.error.as_str(), failure.is_resume_refused), (error, is_refused));
    }
}

const RETRY: &str = r#"{"method":"error","params":{"threadId":"t","turnId":"u","willRetry":true,"error":{"message":"Reconnecting... waiting for network","codexErrorInfo":{"responseStreamConnectionFailed":{}}}}}"#;
const REFUSED: &str = r#"{"method":"error","params":{"threadId":"t","turnId":"u","willRetry":false,"error":{"message":"401","codexErrorInfo":{"httpConnectionFailed":{"httpStatusCode":401}}}}}"#;

#[test]
fn a_failed_turn_has_its_reason() {
    let failed = r#"{"method":"turn/completed","params":{"threadId":"t","turn":{"id":"u","status":"failed","error":{"message":"401","codexErrorInfo":{"httpConnectionFailed":{"httpStatusCode":401}}}}}}"#;
    // By the turn's end; by the end of an idle thread; by the end of the output.
    for lines in [
        vec![REFUSED, failed],
        vec![
            REFUSED,
            r#"{"method":"thread/status/changed","params":{"threadId":"t","status":{"type":"systemError"}}}"#,
        ],
        vec![REFUSED],
    ] {
        let mut scene = Scene::running();
        for line in &lines {
            scene.hears(line);
        }
        let is_over = scene.step.is_turn_over;
        assert_eq!(is_over, lines[1..] == [failed]);
        assert_eq!(scene.waits(6), None);
        assert_eq!(scene.step.is_turn_over, lines.len() == 2);
        scene.server.output_ended(&mut |_| Ok(()), &mut scene.step).unwrap();
        let failure = scene.server.end().result.unwrap().failure.unwrap();
        assert_eq!(failure.reason, Some(FailureReason::AuthOrAccess));
    }
    let mut scene = Scene::running();
    scene.server.output_ended(&mut |_| Ok(()), &mut scene.step).unwrap();
    assert_eq!(scene.server.end().result, None, "an end without a word is no result");
}

#[test]
fn retries_are_no_sign_of_work() {
    let mut scene = Scene::running();
    assert!(!scene.is_progress(RETRY));
    assert!(!scene.is_progress(RETRY));
    assert_eq!(scene.events.iter().filter(|event| event.contains("waiting for network")).count(), 1);
    assert!(!scene.is_progress(r#"{"method":"account/rateLimits/updated","params":{}}"#));
    assert!(!scene.is_progress(r#"{"method":"warning","params":{"threadId":"t","message":"w"}}"#));
    assert!(scene.is_progress(&item("started", r#"{"type":"reasoning","id":"r"}"#)));
}

#[test]
fn silence_has_limits_of_its_own() {
    let mut scene = Scene::new(None, Permission::Allow);
    let gives_up = |given: Option<GiveUp>| given.map(|given| (given.reason, given.error));
    assert_eq!(gives_up(scene.waits(29)), None);
    let (reason, error) = gives_up(scene.waits(2)).unwrap();
    assert_eq!(
        (reason, error.as_str()),
        (FailureReason::AgentTimeout, "Codex did not answer initialize within 30s")
    );

    let mut scene = Scene::running();
    let (reason, error) = gives_up(scene.waits(61)).unwrap();
    assert_eq!(reason, FailureReason::CodexInactivity);
    assert!(error.contains("codex app-server no progress timeout"), "{error}");

    let mut scene = Scene::running();
    scene.hears(&item("completed", r#"{"type":"userMessage","id":"q"}"#));
    assert_eq!(gives_up(scene.waits(599)), None);
    assert!(gives_up(scene.waits(2)).unwrap().1.contains("codex semantic inactivity timeout"));
    scene.hears(RETRY);
    let (reason, error) = gives_up(scene.waits(601)).unwrap();
    assert_eq!(reason, FailureReason::Network, "the session is sound");
    assert!(error.contains("waiting for network"), "{error}");
    scene.hears(&item("started", r#"{"type":"commandExecution","id":"c","command":"make"}"#));
    assert_eq!(gives_up(scene.waits(2000)), None, "a tool may be silent");
    scene.hears(RETRY);
    assert!(!scene.server.has_open_tool(), "its model is waited for, whatever runs in the background");
    assert_eq!(gives_up(scene.waits(601)).unwrap().0, FailureReason::Network);
}

#[test]
fn messages_go_into_the_turn_or_into_the_next_one() {
    let mut scene = Scene::new(None, Permission::Allow);
    assert_eq!(scene.server.send("early", &mut scene.step), Delivery::Queued);
    scene.hears(r#"{"id":1,"result":{}}"#).hears(r#"{"id":2,"result":{"thread":{"id":"t"}}}"#);
    scene.hears(r#"{"id":4,"result":{"turn":{"id":"u"}}}"#);
    assert_eq!(scene.server.send("taken", &mut scene.step), Delivery::Written);
    assert_eq!(scene.server.send("missed", &mut scene.step), Delivery::Written);
    scene.collect();
    assert_eq!(scene.methods()[5..], ["turn/steer", "turn/steer"]);
    assert_eq!(scene.written[5]["params"]["expectedTurnId"], "u");
    scene.hears(r#"{"id":5,"result":{"turnId":"u"}}"#);
    scene.hears(DONE);
    assert!(!scene.step.is_turn_over, "an answer is missing");
    scene.hears(r#"{"id":6,"error":{"code":-32600,"message":"no active turn to steer"}}"#);
    for (at, text) in [(7, "early"), (8, "missed")] {
        assert!(!scene.step.is_turn_over);
        let frame = &scene.written[at];
        assert_eq!(
            (&frame["method"], &frame["params"]["input"][0]["text"]),
            (&"turn/start".into(), &text.into())
        );
        let id = &frame["id"].to_string();
        scene.hears(&format!(r#"{{"id":{id},"result":{{"turn":{{"id":"u"}}}}}}"#)).hears(DONE);
    }
    assert!(scene.step.is_turn_over);
    assert_eq!(scene.server.send("late", &mut scene.step), Delivery::TooLate);
}

#[test]
fn a_turn_is_interrupted_in_words() {
    let mut scene = Scene::new(None, Permission::Allow);
    assert_eq!(scene.server.cancel(&mut scene.step), Duration::ZERO, "there is no turn yet");
    let mut scene = Scene::running();
    scene.server.send("more", &mut scene.step);
    assert!(scene.server.cancel(&mut scene.step) > Duration::ZERO);
    scene.collect();
    assert_eq!(scene.written.last().unwrap()["method"], "turn/interrupt");
    scene.hears(r#"{"id":6,"result":{}}"#);
    scene.hears(&DONE.replace("completed\"}}}", "interrupted\"}}}"));
    assert!(scene.step.is_turn_over && scene.step.close_input, "nothing follows, whoever waits");
    assert!(scene.server.end().result.unwrap().failure.is_some());
}

#[test]
fn odd_output_breaks_nothing() {
    let mut scene = Scene::running();
    for line in [
        "garbage",
        "[1]",
        "{}",
        r#"{"id":7}"#,
        r#"{"method":"item/completed","params":7}"#,
        r#"{"method":"item/completed","params":{"threadId":"t","turnId":"u","item":[]}}"#,
        r#"{"method":"item/completed","params":{"threadId":"t","turnId":"u","item":{"type":"newThing"}}}"#,
        r#"{"method":"item/completed","params":{"threadId":"t","turnId":"u","item":{"type":"commandExecution","id":7,"command":[1],"aggregatedOutput":{},"exitCode":"x"}}}"#,
        r#"{"method":"turn/completed","params":{"threadId":"t","turn":"u"}}"#,
        r#"{"method":"error","params":{"threadId":"t","error":"text","willRetry":"yes"}}"#,
        r#"{"method":"brandNew/thing","params":{}}"#,
        r#"{"method":"thread/tokenUsage/updated","params":{"threadId":"t","turnId":"u","tokenUsage":3}}"#,
    ] {
        scene.hears(line);
    }
    let remarks = scene.server.end().remarks;
    assert!(remarks[0].starts_with("4 lines"), "{remarks:?}");
    assert_eq!(
        remarks[1],
        "skipped output of unknown types: (none) (1), brandNewthing (1), itemcompleted (1), newThing (1)"
    );
}

#[test]
fn an_answer_that_is_too_long_refuses_the_resume() {
    let mut scene = Scene::new(Some("t"), Permission::Allow);
    scene.hears(r#"{"id":1,"result":{}}"#);
    scene.hears(&format!(r#"{{"id":2,"result":[{}0]}}"#, "0,".repeat(5 << 20)));
    let result = scene.server.end().result.unwrap();
    assert!(result.failure.unwrap().is_resume_refused);
    assert_eq!(result.poisoned, Some(FailureReason::CodexResumeOversized));
}
