//! A run that died, and what `doctor --fix`, `run` and `reuse` make of what it left. The agent kills execenv when all that the
//! case needs is on the disk.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::fake_claude::{FAILURE, GOOD, INIT, RESULT, SAYS, World};
use crate::support::process::{is_gone, wait_until};
use crate::support::repository::{commit_files, git, git_out, make_repository};
use crate::support::spoken::SPOKEN;
use crate::support::{Done, KEY, TASK, TestEnv};

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
    // Each run of the loop keeps the logs of two before.
    for _ in 0..2 {
        assert_eq!(run(&w), Some(7));
        fs::remove_file(w.env.join("output/result.json")).unwrap();
    }
    let counted = w.asked(&[INIT, FAILURE, "exit 7"], &[]).var("EXECENV_TEST_COUNT", &count).run().status(7);
    drop(counted);
    let changes = fs::read_to_string(&count).unwrap().lines().count();
    let mut written = 0;
    for point in changes - 9..=changes {
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
    assert!(written > 0 && written < 10, "{written}");
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

/// Kills the guard of a run, and execenv.
const BOTH: &str = "execenv=$(cut -d' ' -f4 /proc/$PPID/stat); kill -9 $PPID $execenv";

/// A run of a program that goes on without its guard, without execenv and without the mark; its process.
fn abandoned(w: &World) -> String {
    let script = format!(
        "echo $$ >pid; while ! grep -q agent_start ../.gc_meta.json; do sleep 0.01; done; {BOTH}; exec env -i PATH=\"$PATH\" sleep 1000 </dev/null >/dev/null 2>&1"
    );
    let done = w.program(&["sh", "-c", &script]).run();
    assert!(done.was_killed(), "{done}");
    let pid = fs::read_to_string(w.env.join("workdir/pid")).unwrap().trim().to_owned();
    wait_until("the program without its variables", || {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sleep").then_some(())
    });
    w.wait_until_free();
    assert_eq!(w.meta()["execenv"]["run"]["agent_pid"].to_string(), pid);
    pid
}

fn kill(pid: &str) {
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn the_agents_group_is_ended_only_where_the_record_names_it_beyond_doubt() {
    let w = World::new();
    let pid = abandoned(&w);
    let (done, json) = doctor(&w);
    assert_eq!(json["problems"][0]["killed"], 1, "{done}");
    wait_until("its end", || is_gone(&pid).then_some(()));

    type Change = (&'static str, fn(&mut Value));
    let changes: [Change; 4] = [
        ("another start of the system", |run| run["boot_id"] = json!("11111111-1111-4111-8111-111111111111")),
        ("another namespace", |run| run["pid_namespace"] = json!(1)),
        ("another process of this number", |run| run["agent_start"] = json!(1)),
        ("no process", |run| drop(run.as_object_mut().unwrap().remove("agent_pid"))),
    ];
    for (what, change) in changes {
        let w = World::new();
        let pid = abandoned(&w);
        edit_record(&w, |own| change(&mut own["run"]));
        let done = doctor(&w).0;
        assert!(!is_gone(&pid), "{what}");
        assert!(done.stdout.contains(&format!("perhaps of that run: {pid} (sleep)")), "{what}: {done}");
        kill(&pid);
    }
    // A process of the user's that a record claims, and that works elsewhere.
    let w = World::new();
    die(&w, &[INIT], &[]);
    let mut users = w.t.command("sleep").arg("1000").spawn().unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", users.id())).unwrap();
    let start: u64 = stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().parse().unwrap();
    edit_record(&w, |own| {
        own["run"]["agent_pid"] = json!(users.id());
        own["run"]["agent_start"] = json!(start);
    });
    doctor(&w).0.status(0);
    assert!(users.try_wait().unwrap().is_none(), "it goes on");
    users.kill().unwrap();
    users.wait().unwrap();
}

/// An environment with a worktree of a repository that has two commits.
fn worktree() -> World {
    let t = TestEnv::new();
    let source = t.tmp.join("source");
    make_repository(&t, &source, &[]);
    let files = [("tracked", "before\n"), ("other", "other\n"), (".gitattributes", "s* filter=held\n")];
    commit_files(&t, &source, "two", &files);
    let env = t.prepare(["--task-id", TASK, "--provider", "claude", "--repo", "source"]);
    World::around(t, env)
}

fn work_dir(w: &World) -> PathBuf {
    w.env.join("workdir")
}

fn git_dir(w: &World) -> PathBuf {
    git_out(&w.t, &work_dir(w), &["rev-parse", "--absolute-git-dir"]).into()
}

fn problem(json: &Value) -> &Value {
    assert_eq!(json["problems"].as_array().unwrap().len(), 1, "{json}");
    &json["problems"][0]
}

#[test]
fn the_work_of_a_dead_run_is_saved_and_the_next_command_is_named() {
    let w = worktree();
    let (work, newest) = (work_dir(&w), format!("refs/execenv/{KEY}/wip"));
    let write = format!("write-file {} work", work.join("new").display());
    die(&w, &[&write, INIT], &[]);
    let head = git_out(&w.t, &work, &["rev-parse", "HEAD"]);
    let (done, json) = doctor(&w);
    let found = problem(&json);
    assert_eq!((&found["recoverable"], &found["status"]), (&json!("resume"), &json!("crashed")), "{done}");
    assert_eq!(git_out(&w.t, &work, &["show", &format!("{newest}:new")]), "work");
    assert_eq!(
        git_out(&w.t, &work, &["rev-parse", &newest]),
        found["checkpoint"]["commit"].as_str().unwrap()
    );
    assert_eq!(git_out(&w.t, &work, &["rev-parse", "HEAD"]), head);
    assert_eq!(w.result()["commits"], json!([found["checkpoint"]["commit"]]));
    let next = format!("execenv run {} --resume --prompt 'Go on.'", w.env.display());
    assert_eq!(found["next"], next);
    assert!(found["note"].as_str().unwrap().contains(&format!("resume: `{next}`")), "{found}");
    // It can be typed.
    w.script("script", GOOD);
    let typed = format!("{next} --agent-bin ./fake-claude");
    w.t.sh(&typed).var("IS_SANDBOX", "1").run().status(0);
    assert!(w.read("args1").contains("--resume\ns1\n"));
    // What is saved already is not saved again.
    die(&w, &[INIT], &[]);
    let (_, json) = doctor(&w);
    assert_eq!(problem(&json)["checkpoint"], Value::Null, "{json}");
    assert_eq!(w.meta()["execenv"]["checkpoints"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_there_decides_on_the_way_back() {
    let w = worktree();
    let write = format!("write-file {} work", work_dir(&w).join("new").display());
    die(&w, &[&write, INIT], &[]);
    w.t.execenv(["checkpoint", KEY, "-m", "m"]).run().status(0);
    fs::remove_dir_all(work_dir(&w)).unwrap();
    let (_, json) = doctor(&w);
    let found =
        json["problems"].as_array().unwrap().iter().find(|it| it["complaint"] == "crashed_run").unwrap();
    assert_eq!(found["recoverable"], "restore", "{json}");
    w.t.sh(found["next"].as_str().unwrap()).run().status(0);
    assert_eq!(fs::read_to_string(work_dir(&w).join("new")).unwrap(), "work");

    let w = World::new();
    die(&w, &[INIT], &[]);
    fs::remove_dir_all(work_dir(&w)).unwrap();
    let (_, json) = doctor(&w);
    let found =
        json["problems"].as_array().unwrap().iter().find(|it| it["complaint"] == "crashed_run").unwrap();
    assert_eq!(found["recoverable"], "lost", "{json}");
    w.t.sh(found["next"].as_str().unwrap()).run().status(0);
    assert!(!w.env.exists());
}

#[test]
fn an_operation_of_git_in_progress_is_named_and_stays() {
    let w = worktree();
    let work = work_dir(&w);
    die(&w, &[INIT], &[]);
    git(&w.t, &work, &["checkout", "-q", "-b", "aside", "HEAD~1"]);
    fs::write(work.join("aside"), "aside").unwrap();
    git(&w.t, &work, &["add", "aside"]);
    git(&w.t, &work, &["commit", "-qm", "aside"]);
    git(&w.t, &work, &["merge", "-q", "--no-commit", "--no-ff", "-"]);
    let merging = fs::read(git_dir(&w).join("MERGE_HEAD")).unwrap();
    let (_, json) = doctor(&w);
    assert_eq!(problem(&json)["operations"], json!(["a merge"]), "{json}");
    assert!(problem(&json)["note"].as_str().unwrap().contains("git is in the middle of a merge"), "{json}");
    assert_eq!(fs::read(git_dir(&w).join("MERGE_HEAD")).unwrap(), merging);
}

#[test]
fn a_lock_that_a_killed_git_has_left_goes_and_any_other_stays() {
    let later = SystemTime::now() + Duration::from_secs(3600);
    for (what, is_open, time, is_left) in [
        ("a killed git's", false, None, false),
        ("one that a process has open", true, None, true),
        ("one that was made after the run", false, Some(later), true),
    ] {
        let w = worktree();
        die(&w, &[INIT], &[]);
        let lock = git_dir(&w).join("index.lock");
        let file = fs::File::create(&lock).unwrap();
        if let Some(time) = time {
            file.set_modified(time).unwrap();
        }
        let open = is_open.then_some(file);
        let (_, json) = doctor(&w);
        assert_eq!(lock.exists(), is_left, "{what}: {json}");
        assert!(problem(&json)["note"].as_str().unwrap().contains("index.lock"), "{what}: {json}");
        drop(open);
    }
    // In a folder of the user's it may be anyone's.
    let t = TestEnv::new();
    make_repository(&t, &t.project, &[]);
    let env = t.prepare(["--task-id", TASK, "--provider", "claude", "--local-dir", "project"]);
    let w = World::around(t, env);
    die(&w, &[INIT], &[]);
    w.t.write("project/work", "work");
    w.t.write("project/.git/index.lock", "");
    let before = git_out(&w.t, &w.t.project, &["for-each-ref"]);
    let (_, json) = doctor(&w);
    assert!(w.t.project.join(".git/index.lock").exists());
    assert_eq!(problem(&json)["checkpoint"], Value::Null, "{json}");
    assert_eq!(git_out(&w.t, &w.t.project, &["for-each-ref"]), before, "no refs that nobody asked for");
}

#[test]
fn files_that_were_half_switched_are_taken_back_by_doctor() {
    let w = worktree();
    let (work, files) = (work_dir(&w), 1..=9);
    git(&w.t, &w.t.tmp.join("source"), &["checkout", "-q", "-b", "next"]);
    let texts: Vec<(String, String)> = files.map(|n| (format!("s{n}"), format!("{n}\n"))).collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    commit_files(&w.t, &w.t.tmp.join("source"), "next", &texts);
    let head = git_out(&w.t, &work, &["rev-parse", "HEAD"]);
    let own = git_dir(&w);
    let mut named = 0;
    for point in (1..).step_by(3) {
        let branch = || w.t.execenv(["branch", KEY, "other", "--from", "next"]);
        let done = branch().var("EXECENV_TEST_CRASH_AT", point.to_string()).run();
        if !done.was_killed() {
            break;
        }
        let was_left = own.join("index.execenv").exists();
        let when = format!("killed at change {point}");
        let looked = w.t.execenv(["doctor", "-o", "json"]).run();
        assert_eq!(looked.stdout.contains("half_switched"), was_left, "{when}: {looked}");
        named += usize::from(was_left);
        w.t.execenv(["doctor", "--fix"]).run().status(0);
        assert!(!own.join("index.execenv").exists() && !own.join("index.lock").exists(), "{when}");
        let status = ["status", "--porcelain", "--", ".", ":!.agent_context", ":!CLAUDE.md"];
        let status = git_out(&w.t, &work, &status);
        assert_eq!(status, "", "{when}");
        git(&w.t, &work, &["checkout", "-q", "--detach", &head]);
        let task = format!("agent/agent/{KEY}");
        git(&w.t, &work, &["checkout", "-q", &task]);
        let _ = w.t.command("git").arg("-C").arg(&work).args(["branch", "-qD", "other"]).output().unwrap();
    }
    assert!(named > 1, "{named}");
}

#[test]
fn a_work_dir_that_was_moved_by_hand_is_gone() {
    let w = World::new();
    die(&w, &[INIT], &[]);
    fs::rename(work_dir(&w), w.t.tmp.join("moved")).unwrap();
    w.asked(GOOD, &[]).fails(3, &["does not exist"]);
}

#[test]
fn a_prepare_that_is_repeated_after_a_kill_gets_the_branch_of_the_killed_one() {
    let t = TestEnv::new();
    let source = t.tmp.join("source");
    make_repository(&t, &source, &[]);
    let prepare = || t.execenv(["prepare", "--task-id", TASK, "--repo", "source"]);
    let branches = || git_out(&t, &source, &["branch", "--list", "agent/*", "--format=%(refname:short)"]);
    let first = format!("agent/agent/{KEY}");
    let mut had_branch = 0;
    for point in (1..).step_by(4) {
        let done = prepare().var("EXECENV_TEST_CRASH_AT", point.to_string()).run();
        if !done.was_killed() {
            break;
        }
        let when = format!("killed at change {point}");
        // A whole environment without its name goes to the trash, and keeps its branch.
        let is_left = branches() == first;
        let workspace = fs::read_dir(t.root.join("default")).into_iter().flatten().flatten();
        let is_whole = workspace.into_iter().any(|entry| entry.path().join(".gc_meta.json").exists());
        had_branch += usize::from(is_left && !is_whole);
        let done = prepare().run().sane(&[0]);
        if !is_whole {
            assert_eq!(branches(), first, "{when}\n{done}");
        }
        t.execenv(["cleanup", "--all", "--force", KEY]).run().status(0);
        t.execenv(["doctor", "--fix"]).run();
        t.execenv(["trash", "empty", "--yes"]).run();
        assert_eq!(branches(), "", "{when}");
    }
    assert!(had_branch > 1, "{had_branch}");
    // One on which something was committed is no one's to delete.
    let count = t.tmp.join("count");
    prepare().var("EXECENV_TEST_COUNT", &count).run().status(0);
    t.execenv(["cleanup", "--all", "--force", KEY]).run().status(0);
    let changes = fs::read_to_string(&count).unwrap().lines().count();
    for point in 1..changes {
        prepare().var("EXECENV_TEST_CRASH_AT", point.to_string()).run();
        if branches() == first {
            git(&t, &source, &["update-ref", &format!("refs/heads/{first}"), "HEAD^{commit}"]);
            let made = git_out(&t, &source, &["commit-tree", "-p", "HEAD", "-m", "work", "HEAD^{tree}"]);
            git(&t, &source, &["update-ref", &format!("refs/heads/{first}"), &made]);
            prepare().run().sane(&[0]);
            assert_eq!(git_out(&t, &source, &["rev-parse", &first]), made, "killed at change {point}");
            return;
        }
    }
    panic!("no branch was left");
}

/// Holds git at the first file that it writes, until a line comes.
const HOLD: &str = "[ \"$1\" = s1 ] && read -r _ <\"$T/fifo\"\nexec cat\n";

#[test]
fn no_git_of_a_killed_command_writes_on() {
    let w = worktree();
    let (t, work) = (&w.t, work_dir(&w));
    let source = t.tmp.join("source");
    git(t, &source, &["checkout", "-q", "-b", "next"]);
    let texts: Vec<(String, String)> = (1..=9).map(|n| (format!("s{n}"), format!("{n}\n"))).collect();
    let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    commit_files(t, &source, "next", &texts);
    let script = t.write("hold", HOLD);
    let filter = format!(
        "[filter \"held\"]\n\tsmudge = sh {} %f\n\tclean = cat\n\trequired = true\n",
        script.display()
    );
    let config = t.write("gitconfig", filter);
    t.sh("mkfifo fifo").ok();
    let branch = t.execenv(["branch", KEY, "other", "--from", "next"]);
    let mut child = branch.var("GIT_CONFIG_GLOBAL", &config).var("T", &t.tmp).start();
    // It can be opened so as soon as something reads it.
    let open = || {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        fs::OpenOptions::new().write(true).custom_flags(flags).open(t.tmp.join("fifo")).ok()
    };
    let mut fifo = wait_until("git at the first file", || {
        assert!(child.try_wait().unwrap().is_none(), "it has ended before");
        open()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let written = |work: &PathBuf| {
        let names =
            fs::read_dir(work).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    let before = written(&work);
    fifo.write_all(b"go on\n").unwrap();
    // Git has a handle on the lock as long as it lives.
    w.wait_until_free();
    assert_eq!(written(&work), before, "git has gone on");
    assert!(!work.join("s9").exists());
    w.t.execenv(["doctor", "--fix"]).run().status(0);
    assert!(!git_dir(&w).join("index.lock").exists());
    t.execenv(["branch", KEY, "other", "--from", "next"]).run().status(0);
    assert_eq!(fs::read_to_string(work.join("s9")).unwrap(), "9\n");
}

#[test]
fn between_any_two_steps_a_run_can_die() {
    let w = World::new();
    let arguments = ["--kill-grace", "1s", "--max-concurrent", "1"];
    let mut rows = std::collections::BTreeMap::<&str, u32>::new();
    // It says no more before its session is recorded.
    let wait = format!("sleep-until-said {} s1", w.env.join(".gc_meta.json").display());
    let script = ["pid @/agent", INIT, &wait, SAYS, RESULT, "expect-eof"];
    for point in 1.. {
        let run = w.asked(&script, &arguments).var("EXECENV_TEST_CRASH_AT", point.to_string());
        if !run.run().was_killed() {
            break;
        }
        w.wait_until_free();
        w.assert_agent_gone("the guard let go of the lock");
        let own = w.meta()["execenv"].clone();
        let is_active = ["starting", "running"].iter().any(|status| own["status"] == *status);
        let log = fs::read_to_string(log(&w)).unwrap_or_default();
        let has_result = w.env.join("output/result.json").exists();
        let has_process = own["run"]["agent_pid"].is_u64();
        let row = match (is_active, has_result, has_process) {
            (false, false, _) => "the lock is taken",
            (false, true, _) => "all is recorded",
            (true, true, _) => "the result is written",
            (true, false, false) if log.is_empty() => "the record says `starting`",
            (true, false, false) => "the agent is started",
            (true, false, true) if log.contains(r#""type":"result""#) => "the result is seen",
            (true, false, true) if log.contains("s1") && own["session"]["id"] != "s1" => {
                "the session is named"
            }
            (true, false, true) => "the agent is recorded",
        };
        *rows.entry(row).or_default() += 1;
        let when = format!("killed at change {point}, when {row}");
        let (done, json) = doctor(&w);
        let found = json["problems"].as_array().unwrap();
        assert_eq!(found.len(), usize::from(is_active), "{when}: {done}");
        let is_over = log.contains(r#""type":"result""#);
        if is_active {
            assert_recorded(&w, if is_over { "completed" } else { "crashed" }, &when);
            assert_eq!(found[0]["recoverable"], "resume", "{when}: {done}");
            let session = if log.contains("s1") { json!("s1") } else { own["session"]["id"].clone() };
            assert_eq!(w.meta()["execenv"]["session"]["id"], session, "{when}: {done}");
            let is_rebuilt = w.meta()["execenv"]["last_result"]["recovered"] == true;
            assert_eq!(is_rebuilt, !has_result, "{when}: {done}");
        }
        // The slot is free, and nothing is in the way.
        w.asked(GOOD, &arguments).run().sane(&[0]);
        w.t.assert_nothing_half_made(&when);
        for name in ["output/result.json", "logs/agent.ndjson", "logs/run.log"] {
            let _ = fs::remove_file(w.env.join(name));
        }
        edit_record(&w, |own| {
            for key in ["session", "run", "last_result"] {
                own.remove(key);
            }
            own.insert("status".into(), json!("prepared"));
        });
    }
    let seen: Vec<&str> = rows.keys().copied().collect();
    for row in [
        "the lock is taken",
        "the record says `starting`",
        "the session is named",
        "the result is seen",
        "the result is written",
    ] {
        assert!(seen.contains(&row), "{row}: {rows:?}");
    }
}

#[test]
fn what_makes_an_environment_ready_recovers_its_dead_run_first() {
    let w = World::new();
    die(&w, &[INIT, SAYS, RESULT], &[]);
    w.t.write("task.json", json!({"id": TASK, "provider": "claude"}).to_string());
    w.script("script", GOOD);
    let run = ["run", "--task", "task.json", "--agent-bin", "./fake-claude", "--prompt", "go", "--resume"];
    let done = w.t.execenv(run).var("IS_SANDBOX", "1").run().status(0);
    assert!(done.stderr.contains("its result was rebuilt from its log: completed"), "{done}");
    assert!(w.read("args1").contains("--resume\ns1\n"), "{done}");

    // The checkpoint that was there is restored, not the one that the recovery makes.
    let w = worktree();
    let file = work_dir(&w).join("new");
    let [first, second] = ["one", "two"].map(|text| format!("write-file {} {text}", file.display()));
    die(&w, &[&first, INIT], &[]);
    doctor(&w).0.status(0);
    die(&w, &[&second, INIT], &[]);
    w.t.execenv(["restore", KEY]).fails(5, &["new"]);
    assert_eq!(w.meta()["execenv"]["last_result"]["status"], "crashed");
    assert_eq!(fs::read_to_string(&file).unwrap(), "two");
    let saved = git_out(&w.t, &work_dir(&w), &["show", &format!("refs/execenv/{KEY}/wip:new")]);
    assert_eq!(saved, "two");
}
