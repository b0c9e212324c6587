//! Runs of agents that speak Codex' dialects, through the built binary: a script plays the program.

use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::fake_claude::World;
use crate::support::{TASK, TestEnv};

const GREETED: &str = r#"print {"id":1,"result":{}}"#;
const THREAD: &str = r#"print {"id":2,"result":{"thread":{"id":"t"},"model":"m"}}"#;
const TURN: &str = r#"print {"id":4,"result":{"turn":{"id":"u"}}}"#;
const SAYS: &str = r#"print {"method":"item/completed","params":{"threadId":"t","turnId":"u","item":{"type":"agentMessage","id":"a","text":"hällo"}}}"#;
const DONE: &str =
    r#"print {"method":"turn/completed","params":{"threadId":"t","turn":{"id":"u","status":"completed"}}}"#;
/// A server that reads what it is told before it answers.
const BEGUN: [&str; 8] = [
    "read @/initialize",
    GREETED,
    "read @/initialized",
    "read @/thread",
    THREAD,
    "read @/name",
    "read @/turn",
    TURN,
];

fn world() -> World {
    let t = TestEnv::new();
    // It warns that in a folder for temporary files there is no sandbox.
    let done = t.execenv(["prepare", "--task-id", TASK, "--provider", "codex"]).run().status(0);
    let env = PathBuf::from(done.stdout.trim_end_matches('\n'));
    World::around(t, env)
}

fn script<'a>(parts: &[&'a str]) -> Vec<&'a str> {
    BEGUN.iter().chain(parts).copied().collect()
}

/// What the agent was told in a line.
fn told(w: &World, name: &str) -> Value {
    serde_json::from_str(&w.read(name)).unwrap()
}

#[test]
fn a_turn_of_the_app_server() {
    let w = world();
    w.asked(&script(&[SAYS, DONE, "expect-eof"]), &["--model", "asked"]).ok();
    assert_eq!(w.read("args0"), "app-server\n--listen\nstdio://\n");
    assert_eq!(told(&w, "thread")["params"]["model"], "asked");
    assert_eq!(told(&w, "turn")["params"]["input"][0]["text"], "go");
    let result = w.result();
    assert_eq!((&result["status"], &result["text"]), (&"completed".into(), &"hällo".into()));
    assert_eq!(w.meta()["execenv"]["session"]["id"], "t");
}

#[test]
fn whatever_the_server_says_and_asks() {
    let ask = r#"print {"id":"r","method":"item/fileChange/requestApproval","params":{}}"#;
    let unknown = r#"print {"id":9,"method":"made/up","params":{}}"#;
    let long = r#"long-line 64000000 {"method":"item/completed","params":{"threadId":"t","turnId":"u","item":{"type":"commandExecution","id":"c","command":"make","aggregatedOutput":"…","exitCode":0}}}"#;
    let odd = "print garbage";
    let scripts: [&[&str]; 4] = [
        &[ask, "read @/yes", unknown, "read @/no", SAYS, DONE, "expect-eof"],
        &[long, SAYS, DONE, "expect-eof"],
        &[odd, "invalid-utf8", SAYS, odd, DONE, "expect-eof"],
        // Its last answers come when everything is over.
        &[SAYS, DONE, r#"print {"id":3,"result":{}}"#, r#"print {"id":77,"result":{}}"#, "expect-eof"],
    ];
    for lines in scripts {
        let w = world();
        let run = w.asked(&script(lines), &["--permission", "deny"]);
        if lines[0] == ask {
            run.ok_saying("warning: Codex asked for `made/up`, which execenv does not know\n");
        } else if lines[0] == long {
            run.ok_saying("warning: shortened the long strings of 1 very long lines\n");
        } else {
            run.run().status(0);
        }
        assert_eq!(w.result()["text"], "hällo", "{}", lines[0]);
        if lines[0] == ask {
            assert_eq!(told(&w, "yes")["result"]["decision"], "decline");
            assert_eq!(told(&w, "no")["error"]["code"], -32601);
        }
    }
}

#[test]
fn a_server_that_ends_in_the_middle() {
    let half = r#"print-part {"method":"item/completed","params":{"threadId":"t","tur"#;
    for (end, words) in
        [("signal 9", "died of signal 9"), ("exit 3", "exit status 3"), ("exit 0", "without a result")]
    {
        let w = world();
        let done = w.asked(&script(&[SAYS, half, end]), &[]).run();
        done.status(if end == "exit 3" {
            3
        } else if end == "exit 0" {
            1
        } else {
            137
        });
        let result = w.result();
        assert_eq!(result["status"], "failed");
        assert!(result["error"].as_str().unwrap().contains(words), "{result}");
        assert_eq!(result["session_id"], "t");
    }
}

#[test]
fn a_thread_that_cannot_be_resumed_is_begun_anew() {
    let w = world();
    w.asked(&script(&[SAYS, DONE, "expect-eof"]), &[]).ok();
    let refusal = r#"print {"id":2,"error":{"code":-32600,"message":"no rollout found for thread id t"}}"#;
    w.script("script1", &["read @/x", GREETED, "read @/x", "read @/resume", refusal, "expect-eof"]);
    let lines: Vec<String> =
        script(&[SAYS, DONE, "expect-eof"]).iter().map(|line| line.replace("\"t\"", "\"new\"")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    w.script("script2", &lines);
    w.t.execenv(["run", crate::support::KEY, "--agent-bin", "./fake-claude", "--prompt", "go", "--resume"])
        .ok_saying("warning: the agent cannot resume its session; it starts a new one\n");
    assert_eq!(told(&w, "resume")["params"]["threadId"], "t");
    assert_eq!(w.result()["status"], "completed");
    assert_eq!(w.meta()["execenv"]["session"]["id"], "new");
}

#[test]
fn ctrl_c_interrupts_the_turn_in_words() {
    let w = world();
    let interrupted = DONE.replace("\"completed\"}}}", "\"interrupted\"}}}");
    let child = w
        .asked(&script(&["touch @/on", "read @/interrupt", &interrupted, "expect-eof", "exit 0"]), &[])
        .start();
    crate::support::process::wait_until("the turn", || w.t.tmp.join("on").exists().then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(100)); // until the answer is read: only then it has a name
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(told(&w, "interrupt")["method"], "turn/interrupt");
    assert_eq!(w.result()["status"], "interrupted");
}

#[test]
fn turns_of_exec() {
    let begun = r#"print {"type":"thread.started","thread_id":"t"}"#;
    let says = r#"print {"type":"item.completed","item":{"id":"a","type":"agent_message","text":"hällo"}}"#;
    let done = r#"print {"type":"turn.completed","usage":{"input_tokens":9,"cached_input_tokens":4,"output_tokens":2}}"#;
    let long = r#"long-line 64000000 {"type":"item.completed","item":{"id":"c","type":"command_execution","command":"make","aggregated_output":"…","exit_code":0}}"#;
    let half = r#"print-part {"type":"item.comp"#;
    let retry = r#"print {"type":"error","message":"Reconnecting... waiting for network"}"#;
    for (lines, status, word, text) in [
        (&["read @/prompt", "expect-eof", begun, says, done][..], 0, "completed", "hällo"),
        (&[begun, long, says, done], 0, "completed", "hällo"),
        (&[begun, says, half, "signal 9"], 137, "failed", "hällo"),
        (&[begun, says, half], 1, "failed", "hällo"),
        (&[begun, retry, retry, "hang"], 124, "timeout", ""),
    ] {
        let w = world();
        w.asked(lines, &["--dialect", "exec", "--idle-timeout", "3s"]).run().status(status);
        let result = w.result();
        assert_eq!((&result["status"], &result["text"]), (&word.into(), &text.into()), "{lines:?}");
        assert_eq!(result["session_id"], "t");
        if lines[0] == "read @/prompt" {
            assert_eq!(w.read("prompt"), "go");
            assert_eq!(w.read("args0"), "exec\n--json\n--skip-git-repo-check\n-\n");
        }
    }
}
