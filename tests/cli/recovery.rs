//! A run that died, and what `doctor --fix`, `run` and `reuse` make of what it left. The agent kills execenv when all that the
//! case needs is on the disk.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::fake_claude::{FAILURE, GOOD, INIT, RESULT, SAYS, World};
use crate::support::spoken::SPOKEN;
use crate::support::{Done, KEY};

/// The last lines of a script: execenv is killed once its log has this text.
fn killed_at(w: &World, text: &str) -> [String; 3] {
    let log = log(w);
    [format!("sleep-until-said {} {text}", log.display()), "kill-execenv".to_owned(), "hang".to_owned()]
}

fn log(w: &World) -> PathBuf {
    w.env.join("logs/agent.ndjson")
}

/// Lets a run die when its log has the last of these lines.
fn die(w: &World, lines: &[&str], arguments: &[&str]) {
    let last = lines.last().unwrap().strip_prefix("print ").unwrap();
    let end = killed_at(w, last);
    let script: Vec<&str> = lines.iter().copied().chain(end.iter().map(String::as_str)).collect();
    let done = w.asked(&script, arguments).run();
    assert!(done.was_killed(), "{done}");
    w.wait_until_free();
}

fn doctor(w: &World) -> (Done, Value) {
    let done = w.t.execenv(["doctor", "--fix", "-o", "json"]).run();
    let json = serde_json::from_str(&done.stdout).unwrap();
    (done, json)
}

#[track_caller]
fn assert_recorded(w: &World, status: &str, when: &str) {
    let meta = w.meta();
    let own = &meta["execenv"];
    assert_eq!([&own["status"], &own["last_result"]["status"]], [status, status], "{when}: {own}");
    let shown = w.t.execenv(["show", KEY, "-o", "json"]).json();
    assert_eq!([&shown["status"], &shown["last_result"]["status"]], [status, status], "{when}");
    let listed = w.t.execenv(["list", "-o", "json"]).json();
    assert_eq!(listed["environments"][0]["status"], status, "{when}");
}

/// What a run that dies has printed, and the result that is rebuilt from that.
type Case = (&'static str, &'static [&'static str], Value);

fn cases() -> Vec<Case> {
    let usage = json!({"m": {"input_tokens": 3, "output_tokens": 2, "cache_read_tokens": 0, "cache_write_tokens": 0}});
    let facts = |status: &str, exit: u8, reason: Value, text: &str, usage: &Value| {
        json!({"status": status, "exit_code": exit, "failure_reason": reason, "text": text, "session_id": "s1",
            "usage": usage, "recovered": true, "iterations": 1, "commits": []})
    };
    vec![
        ("a result", &[INIT, SAYS, RESULT], facts("completed", 0, Value::Null, "done", &usage)),
        (
            "a failure",
            &[INIT, SAYS, FAILURE],
            facts("failed", 1, json!("agent_error.unknown"), "hällo", &usage),
        ),
        ("a beginning", &[INIT, SAYS], facts("crashed", 125, json!("crashed"), "hällo", &usage)),
        ("a session", &[INIT], facts("crashed", 125, json!("crashed"), "", &json!({}))),
    ]
}

#[test]
fn what_the_log_says_becomes_the_result_whoever_comes_next() {
    for (what, script, expected) in cases() {
        for next in [&["doctor", "--fix"][..], &["reuse", KEY], &["run", KEY]] {
            let when = format!("{what}, then {next:?}");
            let w = World::new();
            die(&w, script, &[]);
            let status = expected["status"].as_str().unwrap();
            let is_run = next[0] == "run";
            let done = match is_run {
                // The new run's own result takes the place of the other one.
                true => w.asked(&[INIT, FAILURE, "expect-eof"], &["--resume"]).run().status(1),
                false => w.t.execenv(next).run().status(0),
            };
            if status != "crashed" {
                let said = format!("its result was rebuilt from its log: {status}");
                assert!(format!("{}{}", done.stdout, done.stderr).contains(&said), "{when}\n{done}");
            }
            if !is_run {
                let result = w.result();
                for (key, value) in expected.as_object().unwrap() {
                    assert_eq!(&result[key], value, "{when}: {key} of {result}");
                }
                assert!(result["run_id"].as_str().is_some_and(|id| id == w.meta()["execenv"]["run"]["id"]));
                assert_eq!(w.meta()["execenv"]["last_result"]["recovered"], true, "{when}");
                w.asked(GOOD, &["--resume"]).ok();
            }
            assert!(w.read("args1").contains("--resume\ns1\n"), "{when}");
            if next[0] == "doctor" {
                w.t.execenv(["doctor"]).ok();
            }
        }
    }
}

#[test]
fn a_recovered_run_is_recorded_shown_and_listed() {
    for (what, script, expected) in cases() {
        let w = World::new();
        die(&w, script, &[]);
        doctor(&w);
        assert_recorded(&w, expected["status"].as_str().unwrap(), what);
        let text = w.t.execenv(["show", KEY]).ok().stdout;
        assert!(text.contains("rebuilt from its log"), "{text}");
        w.assert_nothing_temporary(what);
    }
}

/// A change to what a run with a whole result has left, and what is made of that: the status, and whether the session is known.
type Edit = (&'static str, fn(&World), &'static str, bool);

const EDITS: &[Edit] = &[
    ("as it was", |_| (), "completed", true),
    ("the end of its last line cut off", |w| rewrite(w, |log| log.truncate(log.len() - 10)), "crashed", true),
    ("empty", |w| rewrite(w, Vec::clear), "crashed", false),
    ("missing", |w| fs::remove_file(log(w)).unwrap(), "crashed", false),
    (
        "a FIFO in its place",
        |w| {
            fs::remove_file(log(w)).unwrap();
            w.t.sh("mkfifo \"$LOG\"").var("LOG", log(w)).ok();
        },
        "crashed",
        false,
    ),
    (
        "a link in its place",
        |w| {
            fs::rename(log(w), w.t.tmp.join("elsewhere")).unwrap();
            std::os::unix::fs::symlink(w.t.tmp.join("elsewhere"), log(w)).unwrap();
        },
        "crashed",
        false,
    ),
    (
        "bytes in it that are no text",
        |w| insert_after_first_line(w, b"\xff\xfe{\"type\":\"x\"}\n\0\0\0\n"),
        "completed",
        true,
    ),
    (
        "its middle left out",
        |w| insert_after_first_line(w, b"{\"type\":\"execenv\",\"left_out_bytes\":123456              }\n"),
        "completed",
        true,
    ),
    (
        "another run's, as run.log says",
        |w| {
            let id = w.meta()["execenv"]["run"]["id"].as_str().unwrap().to_owned();
            let path = w.env.join("logs/run.log");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.replace(&id, "11111111-1111-4111-8111-111111111111")).unwrap();
        },
        "crashed",
        false,
    ),
    (
        "beside a run.log that a power cut has emptied",
        |w| fs::write(w.env.join("logs/run.log"), "").unwrap(),
        "completed",
        true,
    ),
];

fn rewrite(w: &World, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(log(w)).unwrap();
    change(&mut bytes);
    fs::write(log(w), bytes).unwrap();
}

fn insert_after_first_line(w: &World, bytes: &[u8]) {
    rewrite(w, |log| {
        let at = log.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        log.splice(at..at, bytes.iter().copied());
    });
}

/// Changes the record as an agent could.
fn edit_record(w: &World, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
    let mut meta = w.meta();
    change(meta["execenv"].as_object_mut().unwrap());
    fs::write(w.env.join(".gc_meta.json"), meta.to_string()).unwrap();
}

#[test]
fn any_log_is_read_as_far_as_it_goes() {
    for (what, edit, status, has_session) in EDITS {
        let w = World::new();
        die(&w, &[INIT, SAYS, RESULT], &[]);
        edit_record(&w, |own| drop(own.remove("session")));
        edit(&w);
        doctor(&w).0.status(0);
        assert_recorded(&w, status, what);
        let session = if *has_session { json!("s1") } else { Value::Null };
        assert_eq!(w.meta()["execenv"]["session"]["id"], session, "{what}");
        assert_eq!(w.result()["session_id"], session, "{what}");
    }
}

#[test]
fn a_log_of_200_megabytes_is_read_in_little_memory() {
    let w = World::new();
    die(&w, &[INIT, SAYS, RESULT], &[]);
    let whole = fs::read(log(&w)).unwrap();
    let line = format!(
        "{{\"type\":\"user\",\"message\":{{\"content\":[{{\"type\":\"tool_result\",\"content\":\"{}\"}}]}}}}\n",
        "x".repeat(200 << 10)
    );
    let begin = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let mut long = fs::File::create(log(&w)).unwrap();
    long.write_all(&whole[..begin]).unwrap();
    (0..1024).for_each(|_| long.write_all(line.as_bytes()).unwrap());
    long.write_all(&whole[begin..]).unwrap();
    let done = w.t.sh("ulimit -v 300000; execenv doctor --fix").run().status(0);
    assert!(done.stdout.contains("rebuilt from its log: completed"), "{done}");
    // A file without end: what lies between its beginning and its end is left out.
    let w = World::new();
    die(&w, &[INIT, SAYS, RESULT], &[]);
    let whole = fs::read(log(&w)).unwrap();
    let mut file = fs::OpenOptions::new().write(true).open(log(&w)).unwrap();
    file.set_len(1 << 40).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).unwrap();
    file.write_all(&[b"\n", &whole[..]].concat()).unwrap();
    let done = w.t.sh("ulimit -v 300000; execenv doctor --fix").run().status(0);
    assert!(done.stdout.contains("rebuilt from its log"), "{done}");
    assert_eq!(w.result()["session_id"], "s1");
}

#[test]
fn each_dialect_tells_what_it_told_when_it_died() {
    for spoken in SPOKEN {
        let name = spoken.name();
        for is_whole in [true, false] {
            let w = spoken.world();
            let mut script = spoken.turn(&[]);
            if !is_whole {
                script.truncate(spoken.begin.len());
            }
            let last = script.iter().rev().find_map(|line| line.strip_prefix("print ")).unwrap_or_default();
            let end = killed_at(&w, last);
            script.extend(end);
            let done = spoken.asked(&w, &script).run();
            assert!(done.was_killed(), "{name}: {done}");
            w.wait_until_free();
            edit_record(&w, |own| drop(own.remove("session")));
            doctor(&w).0.status(0);
            let result = w.result();
            // Where the end of the process is that of the turn, nothing says that the agent ended it itself.
            let ends_by_process =
                ["grok", "opencode json", "hermes chat", "antigravity"].contains(&name.trim());
            let status = if is_whole && !ends_by_process { "completed" } else { "crashed" };
            assert_eq!(result["status"], status, "{name}, whole: {is_whole}: {result}");
            let text = result["text"].as_str().unwrap().trim();
            assert_eq!(text, if is_whole { "hällo" } else { "" }, "{name}: {result}");
            let is_named = !spoken.session.is_empty() || is_whole && spoken.provider == "openclaw";
            let session = if is_named { json!("s") } else { Value::Null };
            assert_eq!(result["session_id"], session, "{name}: {result}");
            assert_eq!(w.meta()["execenv"]["session"]["id"], session, "{name}");
        }
    }
}

#[test]
fn an_autonomous_run_is_over_only_if_its_agent_has_said_so() {
    let gate = |ready: bool| {
        SAYS.replace(
            "hällo",
            &format!("hällo <COMPLETION_GATE>ready: {ready}\\nprogress: some</COMPLETION_GATE>"),
        )
    };
    for (second, status, text) in [
        (vec![INIT.to_owned(), gate(true), RESULT.to_owned()], "completed", "done"),
        (vec![INIT.to_owned(), gate(false), RESULT.to_owned()], "crashed", "done"),
        (vec![INIT.to_owned(), gate(true)], "crashed", ""),
    ] {
        let w = World::new();
        let first: Vec<String> = [INIT.into(), gate(false), RESULT.into(), "expect-eof".into()].into();
        w.script("script0", &first.iter().map(String::as_str).collect::<Vec<_>>());
        // The last line of the second turn stands in the log of the first one already.
        let mark = r#"print {"type":"system","subtype":"mark","session_id":"s1"}"#;
        let mut lines: Vec<&str> = second.iter().map(String::as_str).collect();
        lines.push(mark);
        die(&w, &lines, &["--autonomous"]);
        doctor(&w).0.status(0);
        assert_recorded(&w, status, text);
        let result = w.result();
        assert_eq!((&result["iterations"], &result["usage"]["m"]["input_tokens"]), (&json!(2), &json!(6)));
        assert!(result["text"].as_str().unwrap().contains(text), "{result}");
    }
}

#[test]
fn a_program_that_is_no_agent_has_only_its_processes_and_its_output() {
    let w = World::new();
    // It prints what an agent would.
    let script = format!(
        "echo '{}'; kill -9 $(ps -o ppid= -p $PPID); exec sleep 1000",
        RESULT.strip_prefix("print ").unwrap()
    );
    let done = w.program(&["sh", "-c", &script]).run();
    assert!(done.was_killed(), "{done}");
    w.wait_until_free();
    doctor(&w).0.status(0);
    assert_recorded(&w, "crashed", "a program");
    assert_eq!(w.meta()["execenv"]["session"], Value::Null);
}

#[test]
fn a_result_that_the_run_wrote_itself_counts() {
    let w = World::new();
    let count = w.t.tmp.join("count");
    let run = |w: &World| w.asked(&[INIT, FAILURE, "exit 7"], &[]).run().status;
    let counted = w.asked(&[INIT, FAILURE, "exit 7"], &[]).var("EXECENV_TEST_COUNT", &count).run().status(7);
    drop(counted);
    let changes = fs::read_to_string(&count).unwrap().lines().count();
    let mut written = 0;
    for point in changes - 12..=changes {
        let _ = fs::remove_file(w.env.join("output/result.json"));
        w.asked(&[INIT, FAILURE, "exit 7"], &[]).var("EXECENV_TEST_CRASH_AT", point.to_string()).run();
        w.wait_until_free();
        let is_written = w.env.join("output/result.json").exists();
        doctor(&w).0.status(0);
        assert_recorded(&w, "failed", &format!("killed at change {point}"));
        // The log does not say how the agent's process ended.
        let last = &w.meta()["execenv"]["last_result"];
        assert_eq!(last["exit_code"], if is_written { 7 } else { 1 }, "killed at change {point}: {last}");
        written += usize::from(is_written);
    }
    assert!(written > 0 && written < 12, "{written}");
    assert_eq!(run(&w), Some(7));
    // That of the run before is none of it.
    die(&w, &[INIT, SAYS], &[]);
    doctor(&w).0.status(0);
    assert_recorded(&w, "crashed", "with the result of the run before");
    assert_eq!(w.result()["status"], "crashed");
}

#[test]
fn a_claim_in_a_result_or_a_record_is_no_more_than_one() {
    let huge = "x".repeat(5 << 20);
    let w = World::new();
    die(&w, &[INIT, SAYS], &[]);
    let id = w.meta()["execenv"]["run"]["id"].as_str().unwrap().to_owned();
    for (what, result) in [
        ("no object", "[]".to_owned()),
        ("another status", json!({"run_id": id, "status": "cleaned", "exit_code": 0, "ended_at": "2026-01-01T00:00:00Z"}).to_string()),
        ("a long reason", json!({"run_id": id, "status": "failed", "exit_code": 0, "failure_reason": huge, "ended_at": "2026-01-01T00:00:00Z"}).to_string()),
    ] {
        edit_record(&w, |own| own["status"] = json!("running"));
        w.t.write(w.env.join("output/result.json"), result);
        doctor(&w).0.status(0);
        assert_recorded(&w, "crashed", what);
    }
}
