//! `execenv run` through the built binary, with an agent that follows a script and speaks Claude's stream.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Child;

use serde_json::Value;

use crate::support::fake_claude::{FAILURE, GOOD, INIT, REFUSAL, RESULT, SAYS, World};
use crate::support::process::{is_gone, wait_until, wait_until_free};
use crate::support::{Done, KEY, TASK, TestEnv, assert_same, snapshot};

fn send(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// The last event, as the result's file has it.
fn last_event(done: &Done) -> Value {
    let line = done.stdout.lines().last().unwrap_or_else(|| panic!("no event: {done}"));
    let mut event: Value = serde_json::from_str(line).unwrap();
    event.as_object_mut().unwrap().retain(|name, _| !matches!(name.as_str(), "time" | "schema"));
    event
}

#[test]
fn the_agent_speaks_and_is_recorded() {
    let w = World::new();
    let done = w.asked(&[INIT, "read @/prompt", SAYS, RESULT, "expect-eof"], &[]).ok();
    assert_eq!(done.stdout, "hällo\n");
    assert!(w.read("prompt").contains(r#""text":"go""#));
    let meta = w.meta().to_string();
    assert!(meta.contains(r#""s1""#) && meta.contains(r#""completed""#), "{meta}");
    assert_eq!(w.result()["text"], "done");
    assert_eq!(w.result()["usage"]["m"]["input_tokens"], 3);

    let events = w.asked(GOOD, &["-o", "json"]).ok();
    let kinds: Vec<Value> = events
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].take())
        .collect();
    assert_eq!(kinds, ["session", "text", "usage", "result"]);
    assert_eq!(last_event(&events), w.result());
}

#[test]
fn an_event_is_out_while_the_agent_still_works() {
    for (arguments, expected) in [(&[][..], "hällo\n"), (&["-o", "json"][..], "\"hällo\"}\n")] {
        let w = World::new();
        let mut child = w.asked(&[INIT, SAYS, "sleep-until-file @/go", RESULT], arguments).start();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.ends_with(expected) {
            line.clear();
            assert!(
                std::io::BufRead::read_line(&mut out, &mut line).unwrap() > 0,
                "ended without {expected}"
            );
        }
        w.t.write("go", "");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn every_end_has_its_status() {
    let broke: &[&str] = &["agent_error.unknown", "it broke"];
    type Words<'a> = &'a [&'a str];
    // The script, the arguments, the status, what the reason and the error say.
    let cases: &[(Words<'_>, Words<'_>, i32, Words<'_>)] = &[
        (GOOD, &[], 0, &["null"]),
        (&[INIT, FAILURE, "expect-eof"], &[], 1, broke),
        (&[INIT, FAILURE, "exit 7"], &[], 7, broke),
        (&[INIT, "exit 3"], &[], 3, &["exit status 3"]),
        (&[INIT, "signal 9"], &[], 137, &["signal 9"]),
        (&[INIT, "hang"], &["--timeout", "1s", "--kill-grace", "1s"], 124, &["timeout", "--timeout"]),
        (&[INIT, "hang"], &["--idle-timeout", "1s"], 124, &["idle_watchdog"]),
        (&["sleep-until-file @/no"], &["--cancel-file", "script"], 143, &["cancelled"]),
    ];
    for (script, arguments, status, parts) in cases {
        let w = World::new();
        let all: Vec<&str> = arguments.iter().chain(&["-o", "json"]).copied().collect();
        let done = w.asked(script, &all).run().status(*status);
        let event = last_event(&done);
        assert_eq!(event, w.result(), "{done}");
        assert_eq!(event["exit_code"], *status, "{done}");
        let text = format!("{} {}", event["failure_reason"], event["error"]);
        assert!(parts.iter().all(|part| text.contains(part)), "{parts:?} in {done}");
        w.wait_until_free();
        w.assert_agent_gone("at the end");
        w.asked(GOOD, &[]).ok();
    }
}

#[test]
fn a_start_that_fails_has_its_status() {
    let w = World::new();
    w.start(GOOD, &[]).fails(2, &["there is no prompt", "hint: "]);
    w.asked(GOOD, &["--agent-bin", "./no-such"]).run().status(2);
    let at = |program: &str| {
        w.t.execenv(["run", KEY, "--prompt", "x", "--agent-bin", program]).var("IS_SANDBOX", "1")
    };
    at("./no-such").fails(127, &["no-such"]);
    w.t.write("text", "no program");
    at("./text").fails(126, &["text"]);
    w.program(&["no-such-program"]).fails(127, &["no-such-program"]);
    w.t.write("stub", "no program");
    fs::set_permissions(w.t.tmp.join("stub"), fs::Permissions::from_mode(0o755)).unwrap();
    w.program(&[w.t.tmp.join("stub").to_str().unwrap()]).fails(126, &["stub"]);
    assert_eq!(w.result()["exit_code"], 126);
    // A path is one in the work dir, where it runs, as for its arguments; not one where the caller is.
    w.program(&["./stub"])
        .fails(127, &["workdir/stub does not exist", "looked for in the work dir", "there is [TMP]/stub"]);
    let script = w.env.join("workdir/prog.sh");
    w.t.write(&script, "#!/bin/sh\necho \"of the work dir: $0\"\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    for words in [&["run", KEY, "--", "./prog.sh"][..], &["shell", KEY, "--", "./prog.sh"]] {
        let done = w.t.execenv(words).run().status(0);
        assert!(done.stdout.starts_with("of the work dir: "), "{done}");
    }
    w.program(&["sh", "-c", "exit 9"]).run().status(9);
    w.program(&["sh", "-c", "kill -TERM $$"]).run().status(143);
    assert_eq!(w.program(&["sh", "-c", "echo out; exit 0"]).ok().stdout, "out\n");
    fs::remove_dir_all(w.env.join("workdir")).unwrap();
    w.asked(GOOD, &[]).fails(3, &["workdir"]);

    let w = World::with(&["-q", "--task-id", TASK, "--provider", "nobody"]);
    w.asked(GOOD, &[]).fails(2, &["nobody", "hint: ", "-- PROGRAM"]);
    let w = World::with(&["--task-id", TASK]);
    w.asked(GOOD, &[]).fails(2, &["no provider", "hint: ", "-- PROGRAM"]);
}

/// A run whose agent did not start has no logs and no result: the record tells of it, until a run begins.
#[test]
fn a_start_that_failed_is_seen_by_the_commands_that_look() {
    let w = World::new();
    let json = |words: &[&str]| w.t.execenv(words.iter().chain(&["-o", "json"])).json();
    w.program(&["no-such-program", "TOKEN=hidden"]).fails(127, &["no-such-program"]);
    let start = json(&["show", KEY])["failed_start"].clone();
    assert_eq!(start["code"], "agent_not_found", "{start}");
    assert!(
        start["at"].is_string() && start["message"].as_str().unwrap().contains("no-such-program"),
        "{start}"
    );
    assert_eq!(json(&["list"])["environments"][0]["failed_start"], start);
    let shown = w.t.execenv(["show", KEY]).ok().stdout;
    assert!(shown.contains("last start      failed at ") && shown.contains("(agent_not_found)"), "{shown}");
    assert!(w.t.execenv(["list"]).ok().stdout.contains("prepared (start failed)"));
    let why = "nothing has run in";
    w.t.execenv(["logs", KEY]).fails(3, &[why, "the last start failed at ", "no-such-program"]);
    w.t.execenv(["report", KEY]).fails(3, &[why, "the last start failed at "]);
    // A start that is refused because another process is at work is none.
    w.program(&["true"]).ok();
    assert!(json(&["show", KEY]).get("failed_start").is_none());
    // The run before is not taken for the one that failed.
    w.t.write("task.json", format!(r#"{{"id": "{TASK}", "provider": "claude", "prompt": "go"}}"#));
    w.t.execenv(["run", "--task", "task.json", "--agent-bin", "./no-such"]).run().status(1);
    assert_eq!(json(&["show", KEY])["failed_start"]["code"], "agent_not_found");
    let done = w.t.execenv(["logs", KEY]).run().status(0);
    assert!(done.stderr.starts_with("note: this is the run before: the last start failed at "), "{done}");
    w.t.execenv(["reuse", KEY]).ok();
    assert!(json(&["show", KEY]).get("failed_start").is_none());
}

/// One form for every end: a script that reads one result reads all.
#[test]
fn every_result_has_the_same_fields() {
    let kinds = |result: &Value| -> Vec<(String, &str)> {
        let kind = |value: &Value| match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "text",
            Value::Array(_) => "list",
            Value::Object(_) => "object",
        };
        result.as_object().unwrap().iter().map(|(name, value)| (name.clone(), kind(value))).collect()
    };
    let w = World::new();
    w.asked(GOOD, &[]).ok();
    let completed = w.result();
    w.t.write("stub", "no program");
    fs::set_permissions(w.t.tmp.join("stub"), fs::Permissions::from_mode(0o755)).unwrap();
    let stub = w.t.tmp.join("stub");
    let not_started = w.t.execenv(["run", KEY, "-o", "json", "--", stub.to_str().unwrap()]).run().status(126);
    let event = last_event(&not_started);
    assert_eq!(event, w.result(), "{not_started}");
    w.asked(&[INIT, "exit 3"], &[]).run().status(3);
    let failed = w.result();
    for other in [event, failed] {
        for ((name, kind), (other_name, other_kind)) in kinds(&completed).into_iter().zip(kinds(&other)) {
            assert_eq!(name, other_name, "{other:#}");
            let is_optional = ["failure_reason", "error", "session_id", "cost_usd"].contains(&name.as_str());
            assert!(kind == other_kind || is_optional, "{name}: {kind}, {other_kind}");
        }
        assert_eq!(kinds(&completed).len(), kinds(&other).len(), "{other:#}");
    }
}

#[test]
fn a_session_is_resumed_or_replaced() {
    let w = World::new();
    let done = w.asked(GOOD, &["--resume"]).run().status(0);
    assert_eq!(done.stderr, "warning: there is no session to resume; the agent starts a new one\n");
    assert!(!w.read("args0").contains("--resume"));
    w.asked(GOOD, &["--resume"]).ok();
    assert!(w.read("args1").contains("--resume\ns1\n"));
    w.asked(GOOD, &["--resume=other"]).run().status(0);
    assert!(w.read("args2").contains("--resume\nother\n"));

    let w = World::new();
    w.asked(GOOD, &[]).ok();
    w.script("script1", &[REFUSAL, "exit 1"]);
    let fresh: Vec<String> = GOOD.iter().map(|line| line.replace("s1", "s2")).collect();
    let fresh: Vec<&str> = fresh.iter().map(String::as_str).collect();
    let done = w.asked(&fresh, &["--resume"]).run().status(0);
    assert_eq!(done.stderr, "warning: the agent cannot resume its session; it starts a new one\n");
    assert!(w.read("args1").contains("--resume\ns1\n"));
    assert!(!w.read("args2").contains("--resume"));
    assert!(!w.t.tmp.join("args3").exists(), "one fresh attempt, not more");
    assert!(w.meta().to_string().contains(r#""s2""#));

    let w = World::new();
    w.asked(GOOD, &[]).ok();
    for n in [1, 2] {
        w.script(&format!("script{n}"), &[REFUSAL, "exit 1"]);
    }
    w.asked(GOOD, &["--resume"]).run().status(1);
    assert!(!w.t.tmp.join("args3").exists(), "one fresh attempt, not more");
}

/// What Claude Code 2.1.332 prints when the model's server answers 400: nothing in its words says so.
const SPOILED: &str = r#"print {"type":"result","subtype":"success","is_error":true,"api_error_status":400,"api_error_type":"invalid_request_error","terminal_reason":"api_error","result":"API Error: 400 messages differ","session_id":"s1"}"#;

#[test]
fn a_session_that_the_server_refuses_is_not_resumed() {
    let w = World::new();
    w.asked(&[INIT, SAYS, SPOILED, "expect-eof"], &[]).run().status(1);
    let result = w.result();
    assert_eq!(
        (&result["failure_reason"], &result["text"]),
        (&"api_invalid_request".into(), &"hällo".into())
    );
    let done = w.asked(GOOD, &["--resume"]).run().status(0);
    assert!(done.stderr.contains("cannot be resumed (api_invalid_request)"), "{done}");
    assert!(!w.read("args1").contains("--resume"));
    // A busy server spoils nothing.
    let busy = SPOILED.replace("400", "529").replace("invalid_request_error", "overloaded_error");
    w.asked(&[INIT, &busy, "expect-eof"], &[]).run().status(1);
    w.asked(GOOD, &["--resume"]).ok();
    assert!(w.read("args3").contains("--resume\ns1\n"));
}

#[test]
fn a_failed_result_has_the_last_text() {
    let w = World::new();
    w.asked(&[INIT, SAYS, RESULT, "exit 1"], &[]).run().status(1);
    assert_eq!((&w.result()["status"], &w.result()["text"]), (&"failed".into(), &"done".into()));
    let done = w.asked(&[INIT, SAYS, "exit 0"], &["-o", "json"]).run().status(1);
    assert_eq!((&w.result()["status"], &w.result()["text"]), (&"failed".into(), &"hällo".into()));
    assert_eq!(last_event(&done), w.result());
}

#[test]
fn the_agent_gets_its_variables() {
    let w = World::new();
    w.t.write("vars", "# a remark\nFROM_FILE=file\nBOTH=file\n");
    let arguments = ["--env", "BOTH=flag", "--env", "EMPTY=", "--env-file", "vars"];
    w.asked(GOOD, &arguments).var("INHERITED", "yes").var("MULTICA_TOKEN", "another task's").ok();
    let is = |start, name: &str, value: &str| {
        assert_eq!(w.variable(start, name).as_deref(), Some(value), "{name}")
    };
    is(0, "FROM_FILE", "file");
    is(0, "BOTH", "flag");
    is(0, "EMPTY", "");
    is(0, "INHERITED", "yes");
    is(0, "EXECENV_ROOT", w.env.to_str().unwrap());
    is(0, "EXECENV_WORKDIR", w.env.join("workdir").to_str().unwrap());
    is(0, "EXECENV_TASK_ID", TASK);
    is(0, "EXECENV_PROVIDER", "claude");
    is(0, "EXECENV_ITERATION", "1");
    assert_eq!(w.variable(0, "EXECENV_RUN_ID").unwrap().len(), 36);
    assert_eq!(w.variable(0, "MULTICA_TOKEN"), None);
    assert_eq!(w.variable(0, "EXECENV_TEST_NOW"), None);
    assert_eq!(w.read("cwd").trim_end(), w.env.join("workdir").to_str().unwrap());
    let temporary = w.variable(0, "TMPDIR").unwrap();
    assert_eq!(w.read("tmpdir-mode"), "700\n");
    assert!(!Path::new(&temporary).exists(), "{temporary} is left");

    w.asked(GOOD, &["--clear-env", "--env", "IS_SANDBOX=1", "--env", "MINE=1"]).var("INHERITED", "yes").ok();
    assert_eq!(w.variable(1, "INHERITED"), None);
    is(1, "MINE", "1");
    is(1, "HOME", w.t.home.to_str().unwrap());

    w.asked(GOOD, &["--env", "sesame"]).fails(2, &["`--env` number 1"]);
    let done = w.asked(GOOD, &["--env", "EXECENV_RUN_ID=sesame"]).run().status(0);
    assert_eq!(done.stderr, "warning: ignored variable EXECENV_RUN_ID: execenv sets it for each run\n");
}

#[test]
fn a_long_root_gets_a_short_temporary_folder() {
    let mut t = TestEnv::new();
    t.root = t.tmp.join("a-root-with-a-name-that-is-longer-than-a-socket-may-be");
    let env = t.prepare(["--task-id", TASK, "--provider", "claude"]);
    let w = World::around(t, env);
    w.asked(GOOD, &[]).ok();
    let temporary = w.variable(0, "TMPDIR").unwrap();
    assert!(temporary.starts_with("/tmp/execenv-") && temporary.len() < 60, "{temporary}");
    assert_eq!(w.read("tmpdir-mode"), "700\n");
    assert!(!Path::new(&temporary).exists(), "{temporary} is left");
}

#[test]
fn the_prompt_comes_from_a_file_or_standard_input() {
    let w = World::new();
    let script = ["read @/prompt", INIT, RESULT, "expect-eof"];
    w.start(&script, &["--prompt-file", "-"]).input("from \"stdin\"").ok();
    assert!(w.read("prompt").contains(r#"from \"stdin\""#));
    w.t.write("prompt.md", "from a file");
    w.start(&script, &["--prompt-file", "prompt.md"]).ok();
    assert!(w.read("prompt").contains("from a file"));
    w.start(&script, &["--prompt-file", "no-such"]).fails(2, &["no-such", "hint: "]);
    w.start(&script, &["--prompt-file", "-"]).input(" \n").fails(2, &["there is no prompt"]);
}

#[test]
fn secrets_stay_where_they_are() {
    let t = TestEnv::new();
    t.write(
        "task.json",
        format!(
            r#"{{"id":"{TASK}","workspace_id":"w","provider":"claude","agent":{{"name":"A","custom_env":{{"API_KEY":"sesame-env","HOME":"sesame-home"}},
            "custom_args":["--x","sesame-arg","--resume=sesame-dropped"],"mcp_config":{{"mcpServers":{{"m":{{"command":"c","env":{{"T":"sesame-mcp"}}}}}}}}}}}}"#
        ),
    );
    let env = t.prepare(["-q", "--task", "task.json"]);
    let w = World::around(t, env);
    let done =
        w.asked(&[INIT, "error api_key=sesame-error", "exit 3"], &["-v", "-o", "json"]).run().status(3);
    assert_eq!(w.variable(0, "API_KEY").as_deref(), Some("sesame-env"));
    assert_eq!(w.variable(0, "HOME").as_deref(), w.t.home.to_str());
    assert!(done.stdout.contains("ignored variable HOME of the task"), "{done}");
    assert!(!done.stdout.contains("sesame") && !done.stderr.contains("sesame"), "{done}");
    let arguments = w.read("args0");
    assert!(arguments.contains("sesame-arg"), "the agent's own arguments are its own");
    for part in ["sesame-env", "sesame-mcp", "sesame-dropped"] {
        assert!(!arguments.contains(part), "{part}");
    }
    assert!(arguments.contains("--strict-mcp-config"));
    for (path, text) in snapshot(&w.t.root) {
        let below_launch = path.components().any(|part| part.as_os_str() == "launch");
        if below_launch || path.ends_with("mcp-config.json") {
            let private = if text.contains("dir") { "0700" } else { "0600" };
            assert!(text.starts_with(private), "{} is {text}", path.display());
        } else if !path.ends_with("logs/agent.stderr.log") {
            // That log is what the agent itself printed, byte for byte.
            assert!(!text.contains("sesame"), "a secret in {}: {text}", path.display());
        }
    }
    assert!(!w.env.join("launch/mcp.json").exists());
}

#[test]
fn one_run_at_a_time() {
    let w = World::new();
    let child = w.asked(&["pid @/agent", "sleep-until-file @/go", INIT, RESULT], &[]).start();
    w.wait_for("agent");
    w.asked(&["pid @/agent", "sleep-until-file @/go", INIT, RESULT], &[]).fails(4, &["is in use", "hint: "]);
    let cleanup = w.t.execenv(["cleanup", KEY]).run().status(4);
    let why = format!("[ROOT]/default/555555abcdef: a live process has it (pid {}, execenv)", child.id());
    let hint = "hint: wait for its run to end, then repeat the command";
    assert_eq!(cleanup.stderr, format!("warning: kept {why}\nerror: {why}\n{hint}\n"));
    w.t.execenv(["doctor", "--fix"]).ok();
    w.t.write("go", "");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_polite_end_takes_the_agent_along() {
    use rustix::process::Signal;
    for (signal, status) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let w = World::new();
        w.script("child", &["enter-session", "ignore-term", "pid @/child.pid", "hang"]);
        let script = ["double-fork @/child", "sleep-until-file @/child.pid", "pid @/agent", INIT, "hang"];
        let child = w.asked(&script, &["-o", "json"]).start();
        w.wait_for("agent");
        let inner = w.wait_for("child.pid");
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        w.assert_agent_gone("after the signal");
        assert!(is_gone(&inner));
        assert_eq!(w.result()["status"], "interrupted");
        w.asked(GOOD, &["--resume"]).run().status(0);
    }
}

#[test]
fn an_engine_that_signals_every_process_is_no_failure_of_the_agents() {
    use rustix::process::{Pid, Signal, kill_process, kill_process_group};
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    for (trap, signal, status) in [
        ("exit 143", Signal::TERM, 143),
        ("-", Signal::TERM, 143),                 // it dies of the signal
        ("sleep 0.1; exit 0", Signal::TERM, 143), // 0 tells of no request: execenv must see its own signal before
        ("exit 130", Signal::INT, 130),
        ("-", Signal::HUP, 129),
    ] {
        let (trap, name) = (trap.replace('-', ""), signal.as_raw());
        let trap = if trap.is_empty() { String::new() } else { format!("trap '{trap}' {name}; ") };
        let script = format!("{trap}echo $$ >pid.new; mv pid.new pid; while :; do sleep 0.01; done");
        let child = t.execenv(["run", KEY, "--", "sh", "-c", &script]).start();
        let pid_file = env.join("workdir/pid");
        let agent = wait_until("the agent", || fs::read_to_string(&pid_file).ok());
        let pid = |number: u32| Pid::from_raw(number.try_into().unwrap()).unwrap();
        kill_process_group(pid(agent.trim().parse().unwrap()), signal).unwrap();
        kill_process(pid(child.id()), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{trap} {signal:?}: {output:?}");
        let result: Value =
            serde_json::from_slice(&fs::read(env.join("output/result.json")).unwrap()).unwrap();
        assert_eq!(
            (&result["status"], &result["failure_reason"]),
            (&"interrupted".into(), &"cancelled".into())
        );
        fs::remove_file(&pid_file).unwrap();
    }
}

#[test]
fn the_agents_temporary_folder_is_below_tmpdir_where_the_roots_path_is_long() {
    let t = TestEnv::new();
    let workspace = "a-workspace-with-a-name-that-is-much-too-long-for-sockets";
    t.prepare(["--task-id", TASK, "--workspace-id", workspace]);
    let scratch = t.tmp.join("scratch");
    fs::create_dir(&scratch).unwrap();
    let run = || t.execenv(["run", TASK, "--", "sh", "-c", "echo $TMPDIR"]);
    let inside = run().var("TMPDIR", &scratch).ok().stdout;
    assert!(inside.starts_with(&format!("{}/execenv-", scratch.display())), "{inside}");
    let elsewhere = run().var("TMPDIR", "/nonexistent").ok().stdout;
    assert!(elsewhere.starts_with("/tmp/execenv-"), "{elsewhere}");
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0);
}

/// The agent's parent is the guard, and the guard's is execenv.
const EXECENV: &str = "$(sed -n 's/^PPid:[^0-9]*//p' /proc/$PPID/status)";

#[test]
fn an_agent_that_stops_execenv_or_the_guard_stops_neither_for_long() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    let guard = "kill -STOP $PPID";
    let execenv = format!("kill -STOP {EXECENV}");
    for script in [
        format!("{guard}; exit 3"),
        format!("{guard}; sleep 1; exit 3"),
        format!("{execenv}; exit 3"),
        format!("{execenv}; sleep 1; {execenv}; exit 3"),
    ] {
        let child = t.execenv(["run", KEY, "--", "sh", "-c", &script]).start();
        let output = child.wait_with_output().unwrap(); // without the other's help it would never end
        assert_eq!(output.status.code(), Some(3), "{script}: {output:?}");
    }
}

#[test]
fn a_run_whose_guard_is_killed_goes_on_and_leaves_no_process() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let script = "env -i PATH=\"$PATH\" setsid sh -c 'echo $$ >pid.new; mv pid.new pid; exec sleep 1000' </dev/null >/dev/null 2>&1 & \
                  while ! [ -e pid ]; do sleep 0.01; done; kill -9 $PPID; sleep 0.1; echo after; exit 3";
    let done = t.execenv(["run", KEY, "--", "sh", "-c", script]).run().status(3);
    assert_eq!(done.stdout, "after\n", "{done}");
    assert!(done.stderr.contains("something has killed the guard of this run"), "{done}");
    assert!(is_gone(fs::read_to_string(env.join("workdir/pid")).unwrap().trim()), "{done}");
}

#[test]
fn whatever_a_process_leaves_or_drops_it_does_not_survive_a_killed_run() {
    crate::support::escaping::no_process_survives(3);
}

#[test]
fn a_child_without_the_mark_and_outside_of_the_group_does_not_survive_a_killed_run() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let script = "env -i PATH=\"$PATH\" setsid sh -c 'echo $$ >pid.new; mv pid.new pid; exec sleep 1000' & \
                  while ! [ -e pid ]; do sleep 0.01; done; touch seen; exec sleep 1000";
    let mut child = t.execenv(["run", KEY, "--", "sh", "-c", script]).start();
    wait_until("the agent", || env.join("workdir/seen").exists().then_some(()));
    let escaped = fs::read_to_string(env.join("workdir/pid")).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("its end", || is_gone(escaped.trim()).then_some(()));
    wait_until_free(&env.join(".task_lock"));
}

#[test]
fn doctor_names_what_works_in_the_folders_of_a_run_that_died_with_its_guard() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let script = format!(
        "env -i PATH=\"$PATH\" setsid sh -c 'echo $$ >pid.new; mv pid.new pid; exec sleep 1000' </dev/null >/dev/null 2>&1 & \
         while ! [ -e pid ]; do sleep 0.01; done; kill -9 $PPID {EXECENV}"
    );
    let done = t.execenv(["run", KEY, "--", "sh", "-c", &script]).run();
    assert!(done.was_killed(), "{done}");
    let escaped = fs::read_to_string(env.join("workdir/pid")).unwrap();
    let named = format!("perhaps of that run: {} (sleep)", escaped.trim());
    wait_until_free(&env.join(".task_lock"));
    for arguments in [&["doctor"][..], &["doctor", "--fix"]] {
        let done = t.execenv(arguments).run();
        let says_limit = done.stdout.contains("has dropped its variables cannot be found");
        assert!(done.stdout.contains(&named) && says_limit, "{done}");
        assert!(!is_gone(escaped.trim()), "it may be the user's own");
    }
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(escaped.trim().parse().unwrap()).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
}

fn killed_hard(w: &World) {
    w.script("child", &["enter-session", "ignore-term", "pid @/child.pid", "hang"]);
    let script = [
        "double-fork @/child",
        "sleep-until-file @/child.pid",
        INIT,
        SAYS,
        "ignore-term",
        "pid @/agent",
        "hang",
    ];
    let mut child = w.asked(&script, &["--kill-grace", "1s"]).start();
    w.wait_for("agent");
    // The agent is ahead of its reader: the kill is for a run that has read what was said.
    wait_until("the session", || w.meta()["execenv"]["session"]["id"].as_str().map(str::to_owned));
    child.kill().unwrap();
    child.wait().unwrap();
    w.wait_until_free();
    w.assert_agent_gone("the guard let go of the lock");
    assert!(is_gone(&w.wait_for("child.pid")));
}

#[test]
fn a_record_that_names_another_environments_run_ends_nothing_of_it() {
    let t = TestEnv::new();
    let victim = t.prepare(["--task-id", "victim"]);
    let forged = t.prepare(["--task-id", "forged"]);
    let meta = |env: &Path| -> Value {
        serde_json::from_slice(&fs::read(env.join(".gc_meta.json")).unwrap()).unwrap()
    };
    let mut run = t.execenv(["run", "victim", "--", "sleep", "60"]).start();
    wait_until("the run", || (meta(&victim)["execenv"]["status"] == "running").then_some(()));
    let mut claim = meta(&forged);
    claim["execenv"]["status"] = "running".into();
    claim["execenv"]["run"] = meta(&victim)["execenv"]["run"].clone();
    t.write(forged.join(".gc_meta.json"), claim.to_string());
    let done = t.execenv(["doctor", "--fix"]).ok();
    assert!(
        done.stdout.contains("crashed_run") && done.stdout.contains("no process of it was left"),
        "{done}"
    );
    assert!(run.try_wait().unwrap().is_none(), "the other run goes on");
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
fn a_killed_run_leaves_no_process_and_the_next_one_says_so() {
    let w = World::new();
    killed_hard(&w);
    let done = w.asked(GOOD, &[]).run().status(0);
    assert_eq!(done.stderr, "warning: the last run here died; no process of it was left\n");
    w.asked(GOOD, &[]).ok();

    let w = World::new();
    killed_hard(&w);
    w.t.execenv(["doctor"]).run().status(1);
    let done = w.t.execenv(["doctor", "--fix"]).ok();
    assert!(done.stdout.contains("crashed_run"), "{done}");
    assert!(w.meta().to_string().contains(r#""crashed""#));
    w.assert_nothing_temporary("after doctor");
    w.asked(GOOD, &["--resume"]).ok();
    assert!(w.read("args1").contains("--resume\ns1\n"), "the session outlived the crash");
}

#[test]
fn a_session_that_a_power_cut_took_from_the_record_is_in_the_log() {
    for is_fixed in [false, true] {
        let w = World::new();
        killed_hard(&w);
        let mut meta = w.meta();
        assert_eq!(meta["execenv"]["session"]["id"], "s1");
        meta["execenv"].as_object_mut().unwrap().remove("session");
        fs::write(w.env.join(".gc_meta.json"), meta.to_string()).unwrap();
        if is_fixed {
            w.t.execenv(["doctor", "--fix"]).ok();
        }
        w.asked(GOOD, &["--resume"]).run().status(0);
        assert!(w.read("args1").contains("--resume\ns1\n"), "after doctor: {is_fixed}");
    }
    // A session of an earlier run is not that of the one that died.
    let w = World::new();
    killed_hard(&w);
    let mut meta = w.meta();
    meta["execenv"]["session"]["id"] = "s0".into();
    meta["execenv"]["session"]["updated_at"] = "2020-01-01T00:00:00Z".into();
    fs::write(w.env.join(".gc_meta.json"), meta.to_string()).unwrap();
    w.asked(GOOD, &["--resume"]).run().status(0);
    assert!(w.read("args1").contains("--resume\ns1\n"));
}

#[test]
fn the_agents_standard_error_is_an_event_and_the_result_names_the_logs() {
    let w = World::new();
    let script = [INIT, "error oops \u{9b}31m \u{202e}", SAYS, RESULT, "expect-eof"];
    let done = w.asked(&script, &["-o", "json"]).ok();
    let events: Vec<Value> = done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // It may come before the first line of standard output, and then has the schema's number.
    let errors = events.iter().filter(|event| event["type"] == "stderr");
    let errors: Vec<(&Value, &Value)> = errors.map(|event| (&event["time"], &event["text"])).collect();
    assert_eq!(errors, [(&"2026-06-01T12:00:00.000Z".into(), &"oops 31m \u{202e}".into())]);
    assert!(!done.stdout.contains(['\u{9b}', '\u{202e}']), "{done}");
    let result = w.result();
    let stderr = fs::read_to_string(result["logs"]["stderr"].as_str().unwrap()).unwrap();
    assert_eq!(stderr, "oops \u{9b}31m \u{202e}\n");
    for log in ["output", "run"] {
        assert!(Path::new(result["logs"][log].as_str().unwrap()).is_file(), "{log}");
    }
    // As text it is not printed: the log has it.
    let done = w.asked(&script, &[]).ok();
    assert!(!done.stdout.contains("oops"), "{done}");

    let program = "echo out; echo whole >&2; printf part >&2";
    let done = w.t.execenv(["run", KEY, "-o", "json", "--", "sh", "-c", program]).ok();
    let texts = |kind: &str| -> Vec<String> {
        let events = done.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let chosen = events.filter(|event| event["type"] == kind);
        chosen.map(|event| event["text"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (texts("text"), texts("stderr")),
        (vec!["out".to_owned()], vec!["whole".into(), "part".into()])
    );
}

#[test]
fn an_agent_that_locks_the_record_delays_the_limits_once_and_loses_no_session() {
    let w = World::new();
    let again = |id: &str| INIT.replace("s1", id);
    let (second, third, last) = (again("s2"), again("s3"), RESULT.replace("s1", "s3"));
    let script = ["pid @/agent", "sleep-until-file @/go", INIT, &second, &third, &last, "expect-eof"];
    let child = w.asked(&script, &[]).start();
    w.wait_for("agent");
    wait_until("the run", || w.meta()["execenv"]["run"]["agent_pid"].as_u64());
    let record = fs::File::open(w.env.join(".gc_meta.json")).unwrap();
    record.lock().unwrap();
    let begun = std::time::Instant::now();
    w.t.write("go", "");
    wait_until("the end of the agent", || is_gone(&w.read("agent")).then_some(()));
    assert!(begun.elapsed() < std::time::Duration::from_secs(18), "each session waited for the lock");
    drop(record);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.matches("the session could not be recorded").count(), 1, "{stderr}");
    assert_eq!(w.meta()["execenv"]["session"]["id"], "s3");
    assert_eq!(w.meta()["execenv"]["status"], "completed");
}

#[test]
fn a_cleanup_follows_every_end() {
    let ends: &[(&[&str], i32)] =
        &[(GOOD, 0), (&[INIT, FAILURE, "exit 7"], 7), (&[INIT, "hang"], 124), (&["signal 9"], 137)];
    for (script, status) in ends {
        let w = World::local();
        fs::write(w.t.project.join("mine"), "mine").unwrap();
        let timeout = if *status == 124 { "1s" } else { "0" };
        w.asked(script, &["--cleanup-after", "--timeout", timeout]).run().status(*status);
        let left: Vec<PathBuf> = w.t.project_now().into_keys().collect();
        assert_eq!(left, [PathBuf::from("mine")]);
    }
    let w = World::local();
    let gone = w.t.tmp.join("no-such");
    w.t.execenv(["run", KEY, "--cleanup-after", "--", gone.to_str().unwrap()]).fails(127, &["no-such"]);
    assert!(w.t.project_now().is_empty(), "{:?}", w.t.project_now());
}

#[test]
fn a_local_folder_is_where_the_agent_works() {
    let w = World::local();
    let before = w.t.project_now();
    w.asked(GOOD, &[]).ok();
    assert_eq!(w.read("cwd").trim_end(), w.t.project.to_str().unwrap());
    assert_same(&before, &w.t.project_now(), "a run leaves nothing of its own in the work dir");
}

#[test]
fn the_result_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let w = World::new();
    w.program(&["true"]).run();
    let file = w.env.join("output/result.json");
    assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o7777, 0o600);
}
