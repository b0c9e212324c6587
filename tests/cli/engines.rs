//! Engines that start a job twice, end it, or put it on another machine: `run --once`, `--cleanup-after`, what a result says of
//! the job, and a run as the first process of a container.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::process::wait_until;
use crate::support::{KEY, Run, TASK, TestEnv};

/// An agent that counts its runs and answers.
const AGENT: &str = "echo run >> ../../../../count; printf 'the answer\\n'";

fn document(t: &TestEnv) -> PathBuf {
    t.write(
        "tasks.jsonl",
        format!("{}\n{}\n", json!({"id": "other"}), json!({"id": TASK, "provider": "command"})),
    )
}

fn task<'a>(t: &'a TestEnv, options: &[&str], script: &str) -> Run<'a> {
    let fixed = ["run", "--task", "tasks.jsonl", "--line", "2"];
    t.execenv(fixed.iter().chain(options).chain(&["--", "sh", "-c", script]))
}

fn env(t: &TestEnv) -> PathBuf {
    t.root.join("default").join(KEY)
}

/// How often the agent ran.
fn runs(t: &TestEnv) -> usize {
    fs::read_to_string(t.tmp.join("count")).unwrap_or_default().lines().count()
}

fn file(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_task_that_is_done_gives_its_result_and_does_not_run_again() {
    let t = TestEnv::new();
    document(&t);
    task(&t, &["--once"], AGENT).ok();
    let before = fs::read(env(&t).join(".gc_meta.json")).unwrap();
    for command in [
        &["--task", "tasks.jsonl", "--line", "2"][..],
        &[KEY],
        &["--task", "tasks.jsonl", "--line", "2", "--wait", "1m"],
    ] {
        let once = |format: &str| {
            let fixed = ["run", "--once", "-o", format];
            let all = fixed.iter().chain(command).chain(&["--", "sh", "-c", AGENT]);
            t.execenv(all).run().status(0)
        };
        let text = once("text");
        // What a program prints is no answer of an agent's: it is in the log.
        let log = "its output is in [ROOT]/default/555555abcdef/logs/agent.ndjson";
        let says = text.stderr.contains(&format!("note: the task {TASK} completed at "))
            && text.stderr.contains(log);
        assert!(text.stdout.is_empty() && says, "{text}");
        let stdout = once("json").stdout;
        let mut event: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((event["schema"].take(), event["time"].is_string()), (1.into(), true));
        event.as_object_mut().unwrap().retain(|name, _| name != "schema" && name != "time");
        assert_eq!(event, file(&env(&t).join("output/result.json")));
    }
    assert_eq!(runs(&t), 1);
    assert_eq!(before, fs::read(env(&t).join(".gc_meta.json")).unwrap(), "nothing is changed");
}

#[test]
fn whatever_else_happened_last_the_task_runs() {
    let t = TestEnv::new();
    document(&t);
    let mut expected = 0;
    let mut once = |options: &[&str], script: &str, status: i32| {
        task(&t, &[&["--once"], options].concat(), script).run().status(status);
        expected += 1;
        assert_eq!(runs(&t), expected, "{script}");
    };
    once(&[], &format!("{AGENT}; exit 3"), 3);
    once(&["--timeout", "1s"], &format!("{AGENT}; sleep 60"), 124);
    once(&[], &format!("{AGENT}; kill -9 $$"), 137);
    // A run that dies itself: the guard is the agent's parent, and the run that of the guard.
    let died =
        task(&t, &["--once"], &format!("{AGENT}; kill -9 $(cut -d' ' -f4 /proc/$PPID/stat); sleep 60")).run();
    assert!(died.was_killed(), "{died}");
    expected += 1;
    let mut once = |options: &[&str], script: &str, status: i32| {
        task(&t, &[&["--wait", "1m", "--once"], options].concat(), script).run().status(status);
        expected += 1;
        assert_eq!(runs(&t), expected, "{script}");
    };
    once(&["--cleanup-after=completed"], AGENT, 0);
    // It is done, and cleaned up.
    assert!(!env(&t).join("workdir").exists());
    task(&t, &["--once"], AGENT).run().status(0);
    t.execenv(["run", "--once", KEY, "--", "sh", "-c", AGENT]).run().status(0);
    // Whoever asks for it by another command gets it done again.
    task(&t, &[], AGENT).run().status(0);
    expected += 1;
    t.execenv(["reuse", KEY]).ok();
    let mut once = |script: &str, status: i32| {
        task(&t, &["--once"], script).run().status(status);
        expected += 1;
        assert_eq!(runs(&t), expected, "{script}");
    };
    once(&format!("{AGENT}; exit 3"), 3);
    once(AGENT, 0);
    t.execenv(["cleanup", "--all", KEY]).ok();
    once(AGENT, 0);
}

#[test]
fn of_many_deliveries_at_once_one_runs() {
    let t = TestEnv::new();
    document(&t);
    let start = |_| task(&t, &["--once", "--wait", "5m", "-q"], &format!("{AGENT}; sleep 0.2")).start();
    let deliveries: Vec<_> = (0..8).map(start).collect();
    let mut answers = 0;
    for delivery in deliveries {
        let done = delivery.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{said}");
        answers += usize::from(done.stdout == b"the answer\n");
    }
    assert_eq!((runs(&t), answers), (1, 1));
    t.assert_nothing_half_made("after all");
}

#[test]
fn a_result_that_is_lost_or_forged_is_printed_as_far_as_the_record_has_it() {
    let t = TestEnv::new();
    document(&t);
    task(&t, &[], AGENT).ok();
    let result = env(&t).join("output/result.json");
    let once = || task(&t, &["--once", "-o", "json"], AGENT).run().status(0);
    let forged = json!({"type": "result", "status": "completed", "exit_code": 7, "time": "x", "logs": {"output": "/etc/passwd"},
        "text": "\u{1b}[31mred\n"});
    fs::write(&result, forged.to_string()).unwrap();
    let done = once();
    assert!(!done.stdout.contains('\u{1b}') && done.stdout.lines().count() == 1, "{done}");
    let event: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&event["exit_code"], &event["text"]), (&0.into(), &"\u{1b}[31mred\n".into()));
    assert!(event["logs"]["output"].as_str().unwrap().ends_with("/logs/agent.ndjson"));
    for bad in [Some(r#"{"type":"result","status":"failed","text":"no"}"#), Some("[]"), Some("{"), None] {
        match bad {
            Some(text) => fs::write(&result, text).unwrap(),
            None => fs::remove_file(&result).unwrap(),
        }
        let done = once();
        assert!(done.stderr.contains("is not there or is no result of a completed run"), "{done}");
        let event: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!((&event["status"], &event["text"]), (&"completed".into(), &"".into()), "{bad:?}");
    }
    assert_eq!(runs(&t), 1);
}

#[test]
fn once_does_the_clean_up_that_a_killed_run_has_not_done() {
    let t = TestEnv::new();
    document(&t);
    task(&t, &["--once"], AGENT).ok();
    task(&t, &["--once", "--cleanup-after"], AGENT).run().status(0);
    assert!(!env(&t).join("workdir").exists() && runs(&t) == 1);
}

#[test]
fn once_needs_the_id_of_a_task() {
    let t = TestEnv::new();
    t.write("task.json", r#"{"provider":"command"}"#);
    t.execenv(["run", "--once", "--task", "task.json", "--", "true"]).fails(2, &["--once", "--task-id"]);
    t.execenv(["run", "--once", "--task", "task.json", "--task-id", TASK, "--", "true"]).ok();
    t.execenv(["run", "--once", "--new", "--", "true"]).fails(2, &["--once", "--new"]);
    t.execenv(["run", "--once", "none", "--", "true"]).fails(3, &["none"]);
}

#[test]
fn after_which_runs_the_environment_is_cleaned_up() {
    for (option, script, status, stays) in [
        ("--cleanup-after", "true", 0, false),
        ("--cleanup-after", "exit 3", 3, false),
        ("--cleanup-after=always", "exit 3", 3, false),
        ("--cleanup-after=completed", "true", 0, false),
        ("--cleanup-after=completed", "exit 3", 3, true),
        ("--cleanup-after=completed", "kill -9 $$", 137, true),
    ] {
        let t = TestEnv::new();
        document(&t);
        let done = task(&t, &[option], script).run().status(status);
        assert_eq!(env(&t).join("workdir").exists(), stays, "{option} {script}: {done}");
        let says = done.stderr.contains("the environment stays, as the run did not complete");
        assert_eq!(says, stays, "{done}");
    }
    let t = TestEnv::new();
    t.execenv(["run", KEY, "--cleanup-after=sometimes", "--", "true"]).fails(2, &["sometimes"]);
}

#[test]
fn a_result_and_the_list_name_the_machine_and_the_job() {
    let t = TestEnv::new();
    document(&t);
    let run = task(&t, &["-o", "json"], "exit 3")
        .var("SLURM_JOB_ID", "17")
        .var("SLURM_ARRAY_TASK_ID", "2\u{1b}[0m")
        .var("SLURM_JWT", "secret")
        .run()
        .status(3);
    let event: Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let engine = json!({"SLURM_ARRAY_TASK_ID": "2\\u{1b}[0m", "SLURM_JOB_ID": "17"});
    let result = file(&env(&t).join("output/result.json"));
    for said in [&event, &result] {
        assert_eq!((&said["host"], &said["engine"]), (&host.clone().into(), &engine), "{said}");
    }
    t.prepare(["--task-id", "new"]);
    let listed = t.execenv(["list", "-o", "json"]).json();
    let row = |task: &str| {
        let all = listed["environments"].as_array().unwrap();
        all.iter().find(|row| row["task_id"] == task).unwrap().clone()
    };
    let expected = json!({"status": "failed", "exit_code": 3, "failure_reason": result["failure_reason"],
        "ended_at": result["ended_at"]});
    assert_eq!((&row(TASK)["last_result"], &row(TASK)["run"]), (&expected, &json!({"host": host})));
    assert_eq!((&row("new")["last_result"], &row("new")["run"]), (&Value::Null, &Value::Null));
    // Without an engine there is no such object.
    let plain = task(&t, &["-o", "json"], "true").ok();
    let event: Value = serde_json::from_str(plain.stdout.lines().last().unwrap()).unwrap();
    assert!(event.get("engine").is_none() && event["host"] == host.as_str(), "{event}");
}

/// A container as an engine makes it: execenv is the first process, the user has no name and no home, and nothing can be written
/// but the volume (`$PWD`).
const CONTAINER: &str = r#"
exec unshare --user --map-root-user --mount --pid --fork --kill-child --mount-proc sh -euc '
    mount --bind "$PWD" "$PWD"
    mount -o remount,bind,ro /
    cd "$PWD"
    export HOME=/ EXECENV_KEY_FILE=/none
    exec unshare --user --map-user=12345 --map-group=12345 "$@"' sh "#;

/// Whether this user may make one; says so if not.
#[expect(clippy::print_stderr, reason = "a test that does not run says so")]
fn may_contain(t: &TestEnv) -> bool {
    let may = t.sh(&format!("{CONTAINER} true")).run().status == Some(0);
    if !may {
        eprintln!("not run: this user may not make name spaces");
    }
    may
}

#[test]
fn in_a_hardened_container_a_run_ends_by_a_signal_and_its_task_goes_on() {
    let t = TestEnv::new();
    if !may_contain(&t) {
        return;
    }
    document(&t);
    let words = "execenv run --task tasks.jsonl --line 2 --once --wait 3m --kill-grace 5s -- sh -c";
    // An agent that is asked to end, and what it has left in a session of its own.
    let script =
        "trap 'exit 0' TERM; setsid sleep 300 & touch \"$TMPDIR/x\" ready; while :; do sleep 0.05; done";
    let script = format!("'{}'", script.replace('\'', r"'\''"));
    let child = t.sh(&format!("{CONTAINER} {words} {script}")).start();
    wait_until("the agent", || env(&t).join("workdir/ready").exists().then_some(()));
    // `unshare` passes nothing on: its child is the first process.
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let first: i32 = fs::read_to_string(children).unwrap().trim().parse().unwrap();
    let first = rustix::process::Pid::from_raw(first).unwrap();
    rustix::process::kill_process(first, rustix::process::Signal::TERM).unwrap();
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(143), "{}", String::from_utf8_lossy(&done.stderr));
    let result = file(&env(&t).join("output/result.json"));
    assert_eq!((&result["status"], &result["failure_reason"]), (&"interrupted".into(), &"cancelled".into()));
    let again = t.sh(&format!("{CONTAINER} {words} 'test -e ready && id -u'")).run().status(0);
    assert_eq!(again.stdout, "12345\n", "{again}");
}
