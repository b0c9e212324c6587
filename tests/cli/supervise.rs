//! Runs against real children: an agent that follows a script, watched by `run-host`, guarded by `guard-host`.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::process::{example, is_gone, wait_until, wait_until_free};

const INIT: &str = r#"print {"type":"system","subtype":"init","session_id":"s1","model":"m"}"#;
const RESULT: &str =
    r#"print {"subtype":"success","is_error":false,"result":"done","type":"result","session_id":"s1"}"#;

struct Bench {
    folder: tempfile::TempDir,
}

struct Report {
    events: Vec<Value>,
    outcome: Value,
    log: Vec<u8>,
}

impl Report {
    fn status(&self) -> &str {
        self.outcome["status"].as_str().unwrap()
    }
    fn text_of(&self, kind: &str) -> String {
        let of_kind = self.events.iter().filter(|event| event["type"] == kind);
        of_kind.map(|event| event["text"].as_str().unwrap_or("")).collect::<Vec<_>>().join("|")
    }
    fn assert(&self, status: &str, exit: u64) {
        assert_eq!(self.status(), status, "{:#}", self.outcome);
        assert_eq!(self.outcome["exit_status"], exit, "{:#}", self.outcome);
    }
}

impl Bench {
    fn new() -> Self {
        crate::support::signals::heed();
        Self { folder: tempfile::tempdir().unwrap() }
    }
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    /// Writes a script; `@` stands for the folder.
    fn script(&self, name: &str, lines: &[&str]) -> PathBuf {
        let text = lines.join("\n").replace("@", self.folder.path().to_str().unwrap());
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }
    fn start(&self, lines: &[&str], options: &[&str]) -> Child {
        let script = self.script("script", lines);
        Command::new(example("run-host"))
            .arg(self.folder.path())
            .args([example("guard-host"), example("scripted-agent"), script])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }
    fn run(&self, lines: &[&str], options: &[&str]) -> Report {
        self.finish(self.start(lines, options))
    }
    fn finish(&self, child: Child) -> Report {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{:?}", output.status);
        let text = String::from_utf8(output.stdout).unwrap();
        let mut events: Vec<Value> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let outcome = events.pop().unwrap();
        let log = std::fs::read(self.path("agent.ndjson")).unwrap_or_default();
        self.assert_lock_free();
        Report { events, outcome, log }
    }
    fn wait_for(&self, name: &str) -> String {
        wait_until(name, || std::fs::read_to_string(self.path(name)).ok().filter(|text| !text.is_empty()))
    }
    fn assert_lock_free(&self) {
        wait_until_free(&self.path("lock"));
    }
    fn assert_gone(&self, name: &str) {
        let pid = self.wait_for(name);
        wait_until(&format!("the end of {name}"), || is_gone(&pid).then_some(()));
    }
}

fn state(pid: &str) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next().unwrap().chars().next()
}

fn send(child: &Child, number: i32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::from_named_raw(number).unwrap()).unwrap();
}

const ASSISTANT: &str = r#"print {"type":"assistant","session_id":"s1","message":{"id":"a","model":"m","content":[{"type":"text","text":"hällo"}],"usage":{"input_tokens":3,"output_tokens":2}}}"#;
const TOOL: &str = r#"print {"type":"assistant","message":{"content":[{"type":"tool_use","id":"t","name":"Bash","input":{"command":"ls"}}]}}"#;
const TOOL_RESULT: &str =
    r#"print {"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t","content":"x"}]}}"#;

#[test]
fn success_with_tools() {
    let bench = Bench::new();
    let report = bench.run(
        &[
            "read @/prompt",
            "env EXECENV_RUN_ID > @/mark",
            INIT,
            TOOL,
            TOOL_RESULT,
            ASSISTANT,
            RESULT,
            "expect-eof",
        ],
        &[],
    );
    report.assert("completed", 0);
    let kinds: Vec<_> = report.events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["session", "tool_use", "tool_result", "text", "usage"]);
    assert_eq!(report.outcome["text"], "done");
    assert_eq!(report.outcome["session_id"], "s1");
    assert_eq!(report.outcome["usage"]["m"]["input_tokens"], 3);
    assert!(bench.wait_for("prompt").contains(r#""text":"xxxxx""#));
    assert!(bench.wait_for("mark").starts_with("run-"));
    assert_eq!(report.log.iter().filter(|byte| **byte == b'\n').count(), 5);
}

#[test]
fn success_without_text_and_failures_of_every_kind() {
    let error = r#"print {"type":"result","is_error":true,"result":"API Error: 401"}"#;
    let cases: [(&[&str], &str, u64, &str, &str); 7] = [
        (&[INIT, r#"print {"type":"result","subtype":"success"}"#], "completed", 0, "null", ""),
        (&[INIT, ASSISTANT, error, "expect-eof"], "failed", 1, "agent_error.provider_auth_or_access", "401"),
        (&[INIT, ASSISTANT, error, "exit 7"], "failed", 7, "agent_error.provider_auth_or_access", "401"),
        (&[INIT, ASSISTANT], "failed", 1, "agent_error.unknown", "ended without a result"),
        (
            &[INIT, r#"print-part {"type":"resu"#],
            "failed",
            1,
            "agent_error.unknown",
            "ended without a result",
        ),
        (
            &["read @/prompt", INIT, "error api_key=sesame", "exit 3"],
            "failed",
            3,
            "agent_error.process_failure",
            "claude ended with exit status 3; its last words: api_key=<redacted>",
        ),
        (&["signal 9"], "failed", 137, "agent_error.process_failure", "died of signal 9"),
    ];
    for (script, status, exit, reason, error) in cases {
        let report = Bench::new().run(script, &[]);
        report.assert(status, exit);
        assert_eq!(report.outcome["failure_reason"].as_str().unwrap_or("null"), reason, "{script:?}");
        assert!(report.outcome["error"].as_str().unwrap_or("").contains(error), "{:#}", report.outcome);
        // A run that failed has the agent's last words, and never the error message of the CLI.
        let said = if status == "failed" && script.contains(&ASSISTANT) { "hällo" } else { "" };
        assert_eq!(report.outcome["text"], said, "{script:?}");
    }
}

#[test]
fn odd_bytes_do_not_matter() {
    let bytes = ASSISTANT.replace("print ", "print-bytes ");
    let crlf = ASSISTANT.replace("print ", "print-crlf ");
    let report = Bench::new().run(
        &[
            "print hello",
            "invalid-utf8",
            &bytes,
            &crlf,
            r#"print {"type":"newui"}"#,
            &RESULT.replace("print ", "print-part "),
        ],
        &[],
    );
    report.assert("completed", 0);
    assert_eq!(report.text_of("text"), "a\u{fffd}b|hällo|hällo");
    assert_eq!(
        report.text_of("notice"),
        "2 lines of output are not JSON; they are in the log only|skipped output of unknown types: newui (1)"
    );
}

#[test]
fn huge_lines_pass_in_little_memory() {
    for size in [33 << 20, 64 << 20] {
        let report = Bench::new().run(&[&format!("big-line {size}"), RESULT], &["quiet"]);
        report.assert("completed", 0);
        assert!(report.log.len() > size);
        assert!(report.outcome["peak_kib"].as_u64().unwrap() < 32 << 10, "{}", report.outcome["peak_kib"]);
    }
    let report = Bench::new().run(&[&format!("hopeless-line {}", 16 << 20), RESULT], &["quiet"]);
    report.assert("failed", 1);
    assert!(report.outcome["error"].as_str().unwrap().contains("too long: more than 8 MiB"));
    assert!(report.outcome["peak_kib"].as_u64().unwrap() < 32 << 10, "{}", report.outcome["peak_kib"]);
}

#[test]
fn a_result_counts_even_if_the_agent_stays() {
    let bench = Bench::new();
    let report = bench.run(&["pid @/agent", INIT, RESULT, "hang"], &["grace-ms=500"]);
    report.assert("completed", 0);
    bench.assert_gone("agent");
    let stubborn = bench.run(&["ignore-term", INIT, RESULT, "hang"], &["grace-ms=300"]);
    stubborn.assert("completed", 0);
}

#[test]
fn a_grandchild_that_holds_the_output_delays_nobody() {
    let bench = Bench::new();
    bench.script("child", &["pid @/child.pid", "hang"]);
    let report = bench.run(
        &["fork-holding-stdout @/child", "sleep-until-file @/child.pid", INIT, RESULT],
        &["grace-ms=2000"],
    );
    report.assert("completed", 0);
    bench.assert_gone("child.pid");
}

#[test]
fn nobody_survives_a_regular_end() {
    let bench = Bench::new();
    bench.script("a", &["enter-session", "child @/b", "pid @/a.pid", "hang"]);
    bench.script("b", &["enter-session", "ignore-term", "pid @/b.pid", "hang"]);
    bench.script("c", &["enter-session", "child @/d", "pid @/c.pid", "exit 0"]);
    bench.script("d", &["ignore-term", "pid @/d.pid", "hang"]);
    let report = bench.run(
        &[
            "child @/a",
            "bare-child @/c",
            "sleep-until-file @/a.pid",
            "sleep-until-file @/b.pid",
            "sleep-until-file @/c.pid",
            "sleep-until-file @/d.pid",
            INIT,
            RESULT,
        ],
        &[],
    );
    report.assert("completed", 0);
    assert_eq!(report.outcome["survivors_killed"], 3);
    for name in ["a.pid", "b.pid", "c.pid", "d.pid"] {
        assert!(is_gone(&bench.wait_for(name)), "{name}");
    }
}

#[test]
fn a_prompt_that_is_never_read_blocks_nothing() {
    let options = ["prompt-bytes=1048576", "grace-ms=500"];
    Bench::new().run(&[INIT, RESULT, "never-read"], &options).assert("completed", 0);
    Bench::new().run(&[INIT, "exit 0"], &options).assert("failed", 1);
    let bytes = ["prompt-bytes=1048576", "input=bytes", "raw"];
    Bench::new().run(&["print a", "expect-eof"], &bytes).assert("completed", 0);
}

#[test]
fn silence_and_time_have_their_limits() {
    let idle = Bench::new().run(&[INIT, "hang"], &["idle-ms=300", "tool-ms=60000"]);
    idle.assert("timeout", 124);
    assert_eq!(idle.outcome["failure_reason"], "idle_watchdog");
    let tool = Bench::new().run(&[INIT, TOOL, "hang"], &["idle-ms=50", "tool-ms=400"]);
    tool.assert("timeout", 124);
    assert!(tool.outcome["error"].as_str().unwrap().contains("tool call"));
    let wall = Bench::new().run(&["ignore-term", "hang"], &["timeout-ms=300", "grace-ms=200"]);
    wall.assert("timeout", 124);
    assert_eq!(wall.outcome["exit"]["signal"], 9);
    let closed = Bench::new();
    closed.script("rest", &["hang"]);
    closed.run(&[INIT, "close-stdout @/rest"], &["grace-ms=300"]).assert("failed", 143);
}

#[test]
fn an_agent_that_does_not_begin_to_speak_is_told_at_each_time_once() {
    let told = |script: &[&str], options: &[&str]| {
        let report =
            Bench::new().run(script, &[&["timeout-ms=900", "grace-ms=100", "mute-ms=100"], options].concat());
        let is_it = |event: &&serde_json::Value| {
            event["text"].as_str().is_some_and(|text| text.starts_with("the agent has printed nothing"))
        };
        report.events.iter().filter(is_it).count()
    };
    assert_eq!(told(&["hang"], &[]), 2, "after one and two times the time, and no more");
    assert_eq!(told(&[INIT, "hang"], &[]), 0, "it has begun");
    assert_eq!(told(&["hang"], &["raw"]), 0, "a program may be silent");
}

#[test]
fn requests_are_answered() {
    let bench = Bench::new();
    let report = bench.run(
        &[
            "read @/prompt",
            r#"print {"type":"control_request","request_id":"r1","request":{"subtype":"can_use_tool","input":{"command":"ls"}}}"#,
            "read @/answer",
            RESULT,
            "expect-eof",
        ],
        &[],
    );
    report.assert("completed", 0);
    assert!(bench.wait_for("answer").contains(r#""request_id":"r1","response":{"behavior":"allow""#));
}

#[test]
fn signals_and_the_cancel_file_end_the_run() {
    for (stubborn, number, status, exit) in
        [(false, 15, "interrupted", 143), (false, 2, "interrupted", 130), (true, 15, "killed", 137)]
    {
        let bench = Bench::new();
        let first = if stubborn { "ignore-term" } else { INIT };
        let child = bench.start(&[first, "pid @/agent", "hang"], &["grace-ms=300"]);
        bench.wait_for("agent");
        send(&child, number);
        bench.finish(child).assert(status, exit);
    }
    let bench = Bench::new();
    let child = bench.start(&["ignore-term", "pid @/agent", "hang"], &["grace-ms=3600000"]);
    bench.wait_for("agent");
    send(&child, 15);
    // The second one must not be taken together with the first; an impatient person goes on pressing.
    let mut child = Some(child);
    let report = wait_until("the second signal", || {
        std::thread::sleep(Duration::from_millis(100));
        let mut running = child.take().unwrap();
        if running.try_wait().unwrap().is_none() {
            send(&running, 15);
            child = Some(running);
            return None;
        }
        Some(bench.finish(running))
    });
    report.assert("killed", 137);

    let bench = Bench::new();
    let option = format!("cancel={}", bench.path("stop").display());
    let child = bench.start(&["pid @/agent", "hang"], &[&option]);
    bench.wait_for("agent");
    std::fs::write(bench.path("stop"), "").unwrap();
    bench.finish(child).assert("interrupted", 143);
}

#[test]
fn nobody_hides_in_a_session_of_its_own() {
    for end in ["exit 0", "hang"] {
        let bench = Bench::new();
        bench.script("a", &["enter-session", "ignore-term", "session @/leads", "pid @/a.pid", "hang"]);
        let options = ["idle-ms=300", "grace-ms=200"];
        let report =
            bench.run(&["double-fork @/a", "sleep-until-file @/a.pid", "pid @/agent", INIT, end], &options);
        assert_eq!(bench.wait_for("leads"), "true");
        assert_eq!(report.outcome["survivors_killed"], 1);
        assert!(is_gone(&bench.wait_for("a.pid")) && is_gone(&bench.wait_for("agent")));
    }
}

#[test]
fn a_full_disk_stops_only_the_log() {
    let report = Bench::new()
        .run(&[INIT, ASSISTANT, "error something", "read @/prompt", ASSISTANT, RESULT], &["logs=/dev/full"]);
    report.assert("completed", 0);
    assert_eq!(report.text_of("text"), "hällo|hällo");
    let notices = report.text_of("notice");
    let mut notices: Vec<_> = notices.split('|').collect();
    notices.sort_unstable();
    let full = ", it is incomplete from here on: No space left on device (os error 28)";
    let expected = ["agent.ndjson", "agent.stderr.log"].map(|log| format!("cannot write {log}{full}"));
    assert_eq!(notices, expected);
}

#[test]
fn a_start_that_cannot_be_recorded_is_undone() {
    let bench = Bench::new();
    let report = bench.run(&["read @/prompt", "hang"], &["refuse"]);
    assert_eq!(report.outcome["error"], "the start is refused");
    for pid in bench.wait_for("started").split(' ') {
        assert!(is_gone(pid), "{pid}");
    }
    assert!(!bench.path("prompt").exists(), "the agent has learned its task");
}

#[test]
fn a_pause_holds_the_agent_and_its_clock() {
    let bench = Bench::new();
    let options = ["idle-ms=1500"];
    let child = bench.start(&[INIT, "pid @/agent", "sleep-until-file @/go", RESULT], &options);
    let agent = bench.wait_for("agent");
    send(&child, signal_hook::consts::SIGTSTP);
    let own = child.id().to_string();
    wait_until("the pause", || (state(&own) == Some('T') && state(&agent) == Some('T')).then_some(()));
    let paused = Instant::now();
    wait_until("more than the limit", || (paused.elapsed() > Duration::from_millis(1600)).then_some(()));
    assert_eq!(state(&own), Some('T'), "the guard does not continue what its user has paused");
    std::fs::write(bench.path("go"), "").unwrap();
    send(&child, signal_hook::consts::SIGCONT);
    bench.finish(child).assert("completed", 0);
}

#[test]
fn a_reader_that_leaves_stops_the_agent() {
    let bench = Bench::new();
    let mut child =
        bench.start(&["pid @/agent", "sleep-until-file @/go", "print a", "hang"], &["raw", "grace-ms=1000"]);
    drop(child.stdout.take());
    bench.wait_for("agent");
    std::fs::write(bench.path("go"), "").unwrap();
    assert!(child.wait().unwrap().success());
    bench.assert_gone("agent");
    bench.assert_lock_free();
}

#[test]
fn raw_programs_are_passed_through_and_judged_by_their_status() {
    let report = Bench::new().run(&["print {\"a\":1}", "exit 5"], &["raw", "input=none"]);
    report.assert("failed", 5);
    assert_eq!(report.events, [serde_json::json!({"a": 1})]);
    assert_eq!(report.log, b"{\"a\":1}\n");
}

#[test]
fn the_guard_ends_the_agent_of_a_killed_run() {
    for first in ["read @/prompt", "ignore-term"] {
        let bench = Bench::new();
        bench.script("a", &["enter-session", "ignore-term", "pid @/a.pid", "hang"]);
        let mut child = bench.start(
            &[first, "child @/a", "sleep-until-file @/a.pid", "pid @/agent", "hang"],
            &["grace-ms=300"],
        );
        bench.wait_for("agent");
        let started = bench.wait_for("started");
        let lock = std::fs::File::open(bench.path("lock")).unwrap();
        assert!(lock.try_lock().is_err());
        child.kill().unwrap();
        child.wait().unwrap();
        wait_until_free(&bench.path("lock"));
        assert!(is_gone(&bench.wait_for("agent")) && is_gone(&bench.wait_for("a.pid")));
        let guard = started.split(' ').nth(1).unwrap().to_owned();
        wait_until("the guard's end", || is_gone(&guard).then_some(()));
    }
}

#[test]
fn a_guard_without_an_agent_ends_with_its_run_and_kills_nobody() {
    let mut bystander = Command::new("sleep").arg("60").spawn().unwrap();
    let (orders, theirs) = UnixStream::pair().unwrap();
    let mut guard = Command::new(example("guard-host")).stdin(OwnedFd::from(theirs)).spawn().unwrap();
    drop(orders);
    guard.wait().unwrap();
    assert!(bystander.try_wait().unwrap().is_none(), "what is below the guard's parent is not the run's");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[test]
fn a_program_that_cannot_start_says_why() {
    let bench = Bench::new();
    let stub: &Path = &bench.path("stub");
    std::fs::write(stub, "no program").unwrap();
    std::fs::set_permissions(stub, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let output = Command::new(example("run-host"))
        .arg(bench.folder.path())
        .args([example("guard-host"), stub.into(), "x".into()])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("AgentNotStarted") || text.contains("not a program that this system"), "{text}");
    bench.assert_lock_free();
}

const INITIALIZED: &str = r#"print {"acp":"2.0","id":1,"result":{"protocolVersion":1}}"#;
const SESSION: &str = r#"print {"acp":"2.0","id":2,"result":{"sessionId":"s1"}}"#;
const SAID: &str = r#"print {"acp":"2.0","method":"session/update","params":{"sessionId":"s1","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"hi"}}}}"#;
const TURN_OVER: &str = r#"print {"acp":"2.0","id":3,"result":{"stopReason":"end_turn","usage":{"inputTokens":3,"outputTokens":2}}}"#;

fn frame(bench: &Bench, name: &str) -> Value {
    serde_json::from_str(&bench.wait_for(name)).unwrap()
}

/// Both directions through the whole supervision: requests of ours, requests and notifications of the agent's.
#[test]
fn an_acp_conversation() {
    let bench = Bench::new();
    let report = bench.run(
        &[
            "read @/initialize",
            INITIALIZED,
            "read @/new",
            SESSION,
            "read @/prompt",
            r#"print {"acp":"2.0","method":"session/update","params":{"update":{"sessionUpdate":"tool_call","toolCallId":"t","title":"ls"}}}"#,
            r#"print {"acp":"2.0","id":"p1","method":"session/request_permission","params":{"options":[{"optionId":"no","kind":"reject_once"},{"optionId":"yes","kind":"allow_once"}]}}"#,
            "read @/permission",
            r#"print {"acp":"2.0","method":"session/update","params":{"update":{"sessionUpdate":"tool_call_update","toolCallId":"t","status":"completed"}}}"#,
            r#"print {"acp":"2.0","id":7,"method":"craft/unknown","params":{}}"#,
            "read @/unknown",
            SAID,
            TURN_OVER,
            "expect-eof",
        ],
        &["acp"],
    );
    report.assert("completed", 0);
    let kinds: Vec<_> = report.events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let expected = ["session", "tool_use", "permission", "tool_result", "text", "notice", "usage"];
    assert_eq!(kinds, expected, "the notice is about the request that nobody knows");
    assert_eq!((&report.outcome["text"], &report.outcome["session_id"]), (&"hi".into(), &"s1".into()));
    assert_eq!(frame(&bench, "initialize")["method"], "initialize");
    assert_eq!(frame(&bench, "prompt")["params"]["prompt"][0]["text"], "xxxxx");
    assert_eq!(frame(&bench, "permission")["id"], "p1");
    assert_eq!(frame(&bench, "permission")["result"]["outcome"]["optionId"], "yes");
    assert_eq!(frame(&bench, "unknown")["error"]["code"], -32601);
}

#[test]
fn an_acp_error_is_a_failure() {
    let error =
        r#"print {"acp":"2.0","id":3,"error":{"code":-32603,"message":"Internal error: 401 unauthorized"}}"#;
    let script = ["read @/1", INITIALIZED, "read @/2", SESSION, "read @/3", error, "expect-eof"];
    let report = Bench::new().run(&script, &["acp"]);
    report.assert("failed", 1);
    assert_eq!(report.outcome["failure_reason"], "agent_error.provider_auth_or_access");
}

#[test]
fn a_message_from_outside_becomes_a_further_turn() {
    let second = r#"print {"acp":"2.0","id":4,"result":{"stopReason":"end_turn"}}"#;
    let bench = Bench::new();
    let report = bench.run(
        &[
            "read @/1",
            INITIALIZED,
            "read @/2",
            "sleep-until-file @/delivered",
            SESSION,
            "read @/3",
            TURN_OVER,
            "read @/further",
            SAID,
            second,
            "expect-eof",
        ],
        &["acp", "send=and the docs"],
    );
    report.assert("completed", 0);
    assert_eq!(bench.wait_for("delivered"), "Queued");
    assert_eq!(frame(&bench, "further")["params"]["prompt"][0]["text"], "and the docs");
    assert_eq!(report.outcome["text"], "hi");
}

/// The dialect has words for "stop": the agent hears them before a signal, and may end its turn.
#[test]
fn an_acp_agent_is_cancelled_in_its_own_words() {
    let bench = Bench::new();
    let cancelled = r#"print {"acp":"2.0","id":3,"result":{"stopReason":"cancelled"}}"#;
    let cancel = format!("cancel={}", bench.path("cancel").display());
    let script = [
        "read @/1",
        INITIALIZED,
        "read @/2",
        SESSION,
        "read @/3",
        "touch @/cancel",
        "read @/cancelled",
        cancelled,
        "expect-eof",
        "touch @/whole",
    ];
    let report = bench.run(&script, &["acp", &cancel]);
    report.assert("interrupted", 143);
    assert_eq!(frame(&bench, "cancelled")["method"], "session/cancel");
    assert!(bench.path("whole").exists(), "the agent ended by itself");
}

/// An agent that still loads has no turn that could be cancelled, and may not have read a byte.
#[test]
fn ctrl_c_before_an_acp_agent_answers_ends_the_run_at_once() {
    let before = ["touch @/loading", "hang"];
    let between = ["read @/1", INITIALIZED, "read @/2", "touch @/loading", "hang"];
    for script in [before.as_slice(), &between] {
        let bench = Bench::new();
        let script: Vec<_> = ["pid @/agent"].iter().chain(script).copied().collect();
        let child = bench.start(&script, &["acp", "grace-ms=60000"]);
        wait_until("the agent", || bench.path("loading").exists().then_some(()));
        let begin = Instant::now();
        send(&child, 2);
        bench.finish(child).assert("interrupted", 130);
        assert!(begin.elapsed() < Duration::from_secs(20), "{script:?}");
        bench.assert_gone("agent");
    }
}

#[test]
fn a_dialect_has_limits_of_its_own() {
    let bench = Bench::new();
    let report = bench.run(&["read @/1", "hang"], &["acp", "handshake-ms=200", "grace-ms=500"]);
    report.assert("timeout", 124);
    assert!(report.outcome["error"].as_str().unwrap().contains("did not answer initialize"));
}

/// What it is, the agent's script, the options of the run, and how that ends: status, exit status, a part of the error.
type Misbehaviour<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a str, u64, &'a str);

/// What agents do that they should not, between the lines of a good conversation.
#[test]
fn an_acp_agent_that_misbehaves() {
    let stray = r#"print {"jsonrpc":"2.0","id":99,"result":{"sessionId":"wrong"}}"#;
    let early = r#"print {"jsonrpc":"2.0","id":3,"result":{"stopReason":"end_turn"}}"#;
    let refused =
        r#"print {"jsonrpc":"2.0","id":2,"error":{"code":-32000,"message":"Authentication required"}}"#;
    let unknown = r#"print {"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"unknown session s0"}}"#;
    let able = r#"print {"jsonrpc":"2.0","id":1,"result":{"agentCapabilities":{"loadSession":true}}}"#;
    let question = r#"print {"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{}}"#;
    let cases: &[Misbehaviour<'_>] = &[
        (
            "answers out of order, garbage, and arrays",
            &[
                "print [1]",
                stray,
                "print garbage",
                "read @/1",
                INITIALIZED,
                early,
                "read @/2",
                stray,
                SESSION,
                "read @/3",
                SAID,
                TURN_OVER,
                "expect-eof",
            ],
            &[],
            "completed",
            0,
            "",
        ),
        (
            "a line in single bytes, one without an end, and an exit",
            &[
                "read @/1",
                INITIALIZED,
                "read @/2",
                SESSION,
                "read @/3",
                SAID,
                "print-part {\"jsonrpc\":\"2.0\",\"method\":\"sess",
            ],
            &[],
            "failed",
            1,
            "ended without a result",
        ),
        (
            "a question to a person",
            &[
                "read @/1",
                INITIALIZED,
                "read @/2",
                SESSION,
                "read @/3",
                question,
                "read @/q",
                SAID,
                TURN_OVER,
                "expect-eof",
            ],
            &[],
            "completed",
            0,
            "",
        ),
        (
            "a login that is missing",
            &["read @/1", INITIALIZED, "read @/2", refused, "expect-eof"],
            &[],
            "failed",
            1,
            "Authentication required",
        ),
        (
            "no session of that name",
            &["read @/1", able, "read @/2", unknown, "expect-eof"],
            &["resume=s0"],
            "failed",
            1,
            "unknown session",
        ),
        (
            "nothing to resume with",
            &["read @/1", INITIALIZED, "expect-eof"],
            &["resume=s0"],
            "failed",
            1,
            "cannot resume sessions",
        ),
        (
            "no ACP at all",
            &["print I am no more.", "exit 0"],
            &[],
            "failed",
            1,
            "does not speak ACP; it said: I am no more.",
        ),
        (
            "an agent that stays after the end of its input",
            &[
                "ignore-term",
                "read @/1",
                INITIALIZED,
                "read @/2",
                SESSION,
                "read @/3",
                SAID,
                TURN_OVER,
                "hang",
            ],
            &["grace-ms=100"],
            "completed",
            0,
            "",
        ),
    ];
    std::thread::scope(|scope| {
        for (what, script, options, status, exit, error) in cases {
            scope.spawn(move || {
                let options: Vec<&str> = ["acp"].iter().chain(*options).copied().collect();
                let report = Bench::new().run(script, &options);
                report.assert(status, *exit);
                let told = report.outcome["error"].as_str().unwrap_or_default();
                assert!(told.contains(error), "{what}: {told}");
                let is_refused = options.contains(&"resume=s0");
                assert_eq!(report.outcome["resume_refused"], is_refused, "{what}");
                let asks = report.events.iter().any(|event| event["type"] == "auth_required");
                assert_eq!(asks, what.contains("login"), "{what}");
            });
        }
    });
}
