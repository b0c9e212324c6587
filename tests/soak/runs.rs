//! `execenv run`: no process is left, the record is right after `doctor --fix`, and the next run goes through.

use std::fs;
use std::path::PathBuf;

use libtest_mimic::Trial;

use crate::support::escaping;
use crate::support::fake_claude::{GOOD, INIT, RESULT, SAYS, World};
use crate::support::repository::{git_out, make_repository};
use crate::support::{KEY, Snapshot, TestEnv, assert_same};
use crate::sweep::{Fault, Start, sweep, trial};

const TASK: &str = r#"{"id":"11111111-2222-4333-8444-555555abcdef","workspace_id":"w","provider":"claude",
 "agent":{"name":"A","mcp_config":{"mcpServers":{"m":{"command":"c"}}}}}"#;

pub fn trials() -> Vec<Trial> {
    let rows = [
        ("run::killed", Fault::Kill, false),
        ("run_local::killed", Fault::Kill, true),
        ("run::full_disk", Fault::Errno("ENOSPC"), false),
        ("run::no_permission", Fault::Errno("EACCES"), false),
        ("run::broken_disk", Fault::Errno("EIO"), false),
    ];
    let runs =
        rows.map(|(name, fault, is_local)| trial(name.to_owned(), move |name| run(name, fault, is_local)));
    let cleanup = trial("run_cleanup_after::killed".to_owned(), cleanup_after);
    let new = trial("run_new_local::killed".to_owned(), |name| run_new(name, Fault::Kill));
    let full = trial("run_new_local::full_disk".to_owned(), |name| run_new(name, Fault::Errno("ENOSPC")));
    let task = trial("run_task_local::killed".to_owned(), run_task);
    let escaping = Trial::test("run_escaping::killed", || {
        escaping::no_process_survives(50);
        Ok(())
    });
    let saving = trial("run_saving::killed".to_owned(), run_saving);
    let doctors = [("doctor_of_result::killed", true), ("doctor_of_beginning::killed", false)]
        .map(|(name, is_whole)| trial(name.to_owned(), move |name| doctor_of_dead_run(name, is_whole)));
    let publishing = trial("run_publishing::killed".to_owned(), run_publishing);
    let autonomous = trial("run_autonomous::killed".to_owned(), run_autonomous);
    let others = [cleanup, new, full, task, escaping, saving, publishing, autonomous];
    runs.into_iter().chain(others).chain(doctors).collect()
}

/// An environment with a worktree.
fn worktree() -> World {
    let t = TestEnv::new();
    let source = t.tmp.join("source");
    make_repository(&t, &source, &[]);
    let env = t.prepare(["--task-id", crate::support::TASK, "--provider", "claude", "--repo", "source"]);
    World::around(t, env)
}

/// What an agent does that works in it, and is sent a message by what it has started.
fn works(w: &World) -> [String; 4] {
    let send = format!("{} send \"$EXECENV_ROOT\" hello", env!("CARGO_BIN_EXE_execenv"));
    [
        "pid @/agent".to_owned(),
        format!("write-file {} work", w.env.join("workdir/new").display()),
        INIT.to_owned(),
        format!("shell {send}"),
    ]
}

/// A run with heartbeats, an order and a slot.
fn run_saving(name: &str) {
    let w = worktree();
    let works = works(&w);
    let script: Vec<&str> = works.iter().map(String::as_str).chain([SAYS, RESULT, "expect-eof"]).collect();
    let arguments = ["--kill-grace", "1s", "--heartbeat", "1h", "--max-concurrent", "1"];
    let start = Start::new(&w.t);
    sweep(
        name,
        Fault::Kill,
        &start,
        || w.asked(&script, &arguments),
        |_, when| {
            w.wait_until_free();
            w.assert_agent_gone(when);
            let is_active = w.meta()["execenv"]["run"].is_object()
                && ["starting", "running"].iter().any(|status| w.meta()["execenv"]["status"] == *status);
            let log = fs::read_to_string(w.env.join("logs/agent.ndjson")).unwrap_or_default();
            let has_worked = w.env.join("workdir/new").exists();
            let done = w.t.execenv(["doctor", "--fix"]).run().sane(&[0]);
            assert_eq!(done.stdout.contains("crashed_run"), is_active, "{when}\n{done}");
            assert_saved(&w, has_worked && is_active, when);
            let status = w.meta()["execenv"]["status"].clone();
            let is_whole = log.contains(r#""type":"result""#);
            match is_active {
                true => assert_eq!(status, if is_whole { "completed" } else { "crashed" }, "{when}"),
                false => {
                    assert!(["prepared", "completed"].iter().any(|word| status == *word), "{when}: {status}")
                }
            }
            assert_goes_on(&w, &arguments, log.contains("s1"), has_worked, when);
        },
    );
}

/// A run whose work is merged when its agent has completed. It never counts as completed while the work is not there, and a second
/// delivery brings it there.
fn run_publishing(name: &str) {
    let w = worktree();
    let new = format!("write-file {} work", w.env.join("workdir/new").display());
    let script = ["pid @/agent", &new, INIT, SAYS, RESULT, "expect-eof"];
    let arguments = ["--kill-grace", "1s", "--once", "--on-success", "merge", "--into", "main"];
    let published = |w: &World| {
        let source = w.t.tmp.join("source");
        git_out(&w.t, &source, &["ls-tree", "--name-only", "main", "new"]) == "new"
            && source.join("new").exists()
    };
    let start = Start::new(&w.t);
    sweep(
        name,
        Fault::Kill,
        &start,
        || w.asked(&script, &arguments),
        |_, when| {
            assert_recovered(&w, when);
            if w.meta()["execenv"]["status"] == "completed" {
                assert!(published(&w), "{when}");
            }
            let done = w.asked(&script, &arguments).run();
            assert_eq!(done.status, Some(0), "{when}, then again\n{done}");
            assert!(published(&w), "{when}, then again");
            assert_eq!(w.result()["status"], "completed", "{when}");
        },
    );
}

/// A run of two turns goes on where it was.
fn run_autonomous(name: &str) {
    const READY: &str = r#"print {"type":"assistant","session_id":"s1","message":{"id":"b","model":"m","content":[{"type":"text","text":"<COMPLETION_GATE>\nready: true\n</COMPLETION_GATE>"}]}}"#;
    let w = worktree();
    w.script("script0", &["pid @/agent", INIT, SAYS, RESULT, "expect-eof"]);
    let script = ["pid @/agent", INIT, READY, RESULT, "expect-eof"];
    let arguments = ["--kill-grace", "1s", "--autonomous"];
    let start = Start::new(&w.t);
    sweep(
        name,
        Fault::Kill,
        &start,
        || w.asked(&script, &arguments),
        |_, when| {
            assert_recovered(&w, when);
            let has_session = w.meta()["execenv"]["session"]["id"] == "s1";
            let resume: &[&str] = if has_session { &["--resume"] } else { &[] };
            let again: Vec<&str> = arguments.iter().chain(resume).copied().collect();
            let done = w.asked(&script, &again).run();
            assert_eq!(done.status, Some(0), "{when}, then again\n{done}");
            assert_eq!(w.result()["status"], "completed", "{when}");
            w.assert_nothing_temporary(when);
        },
    );
}

/// No process is left, and the environment is recovered.
fn assert_recovered(w: &World, when: &str) {
    w.wait_until_free();
    w.assert_agent_gone(when);
    w.t.execenv(["doctor", "--fix"]).run().sane(&[0]);
}

/// The work is in the work dir, and where a run has died, in a ref.
fn assert_saved(w: &World, is_in_ref: bool, when: &str) {
    let newest = format!("refs/execenv/{KEY}/wip:new");
    if is_in_ref {
        assert_eq!(git_out(&w.t, &w.env.join("workdir"), &["show", &newest]), "work", "{when}");
    }
}

/// The next run goes through, in the session if there is one, and the work is there.
fn assert_goes_on(w: &World, arguments: &[&str], has_session: bool, has_worked: bool, when: &str) {
    let begun = fs::read_dir(&w.t.tmp).unwrap().flatten();
    let begun = begun.filter(|entry| entry.file_name().to_string_lossy().starts_with("args")).count();
    let resume: &[&str] = if has_session { &["--resume"] } else { &[] };
    let again: Vec<&str> = arguments.iter().chain(resume).copied().collect();
    let done = w.asked(GOOD, &again).run();
    assert_eq!(done.status, Some(0), "{when}, then again\n{done}");
    let told = w.read(&format!("args{begun}"));
    assert_eq!(told.contains("--resume\ns1\n"), has_session, "{when}\n{told}");
    let work = fs::read_to_string(w.env.join("workdir/new")).ok();
    assert_eq!(work.as_deref(), has_worked.then_some("work"), "{when}");
    w.assert_nothing_temporary(when);
    // What git must not show of execenv's files in the worktree.
    w.t.assert_nothing_half_made_but(".execenv.excludes", when);
}

/// The recovery of a run that died is killed itself.
fn doctor_of_dead_run(name: &str, is_whole: bool) {
    let w = worktree();
    let works = works(&w);
    let last = if is_whole { RESULT } else { SAYS };
    let text = last.strip_prefix("print ").unwrap();
    let wait = format!("sleep-until-said {} {text}", w.env.join("logs/agent.ndjson").display());
    let end = [SAYS, last, &wait, "kill-execenv", "hang"];
    let script: Vec<&str> = works.iter().map(String::as_str).chain(end).collect();
    assert!(w.asked(&script, &["--kill-grace", "1s", "--heartbeat", "1h"]).run().was_killed());
    w.wait_until_free();
    let lock = git_out(&w.t, &w.env.join("workdir"), &["rev-parse", "--absolute-git-dir"]);
    fs::write(PathBuf::from(lock).join("index.lock"), "").unwrap();
    let start = Start::new(&w.t);
    sweep(
        name,
        Fault::Kill,
        &start,
        || w.t.execenv(["doctor", "--fix"]),
        |_, when| {
            w.t.execenv(["doctor", "--fix"]).run().sane(&[0]);
            let meta = w.meta();
            let status = if is_whole { "completed" } else { "crashed" };
            assert_eq!([&meta["execenv"]["status"], &w.result()["status"]], [status; 2], "{when}");
            assert_eq!([&meta["execenv"]["session"]["id"], &w.result()["session_id"]], ["s1"; 2], "{when}");
            assert_eq!(w.result()["commits"].as_array().unwrap().len(), 1, "{when}");
            assert_saved(&w, true, when);
            git_out(&w.t, &w.env.join("workdir"), &["add", "-A"]); // nothing has the index locked
            assert_goes_on(&w, &[], true, true, when);
        },
    );
}

fn run(name: &str, fault: Fault, is_local: bool) {
    let t = TestEnv::new();
    t.write("task.json", TASK);
    let local: &[&str] = if is_local { &["--local-dir", "project"] } else { &[] };
    let env = t.prepare(["--task", "task.json"].iter().chain(local).copied());
    let w = World::around(t, env);
    w.asked(GOOD, &[]).ok();
    fs::remove_file(w.t.tmp.join("agent")).unwrap();
    let before = w.t.project_now();
    let start = Start::new(&w.t);
    sweep(
        name,
        fault,
        &start,
        || w.asked(GOOD, &["--kill-grace", "1s"]),
        |done, when| {
            if fault == Fault::Kill {
                w.wait_until_free();
                w.t.execenv(["doctor", "--fix"]).run().sane(&[0]);
                w.assert_nothing_temporary(when);
            } else {
                done.assert_sane(&[0, 4, 125]);
                let errors = done.stderr.lines().filter(|line| line.starts_with("error: ")).count();
                assert!(errors <= 1, "{when}\n{done}");
                w.assert_agent_gone(when);
            }
            assert_settled(&w, &before, when);
        },
    );
}

fn assert_settled(w: &World, before: &Snapshot, when: &str) {
    assert_recovered(w, when);
    let meta = w.meta().to_string();
    assert!(!meta.contains(r#""starting""#) && !meta.contains(r#""running""#), "{when}: {meta}");
    assert_same(before, &w.t.project_now(), when);
    let done = w.asked(GOOD, &[]).run();
    assert!(done.status == Some(0) && done.stderr.is_empty(), "{when}, then again\n{done}");
    assert_eq!(w.result()["status"], "completed", "{when}");
    w.assert_nothing_temporary(when);
    w.t.assert_nothing_half_made(when);
}

/// The user's folder holds what it held before.
fn cleanup_after(name: &str) {
    let w = World::local();
    w.t.write("project/mine", "mine");
    let start = Start::new(&w.t);
    let command = || w.asked(GOOD, &["--kill-grace", "1s", "--cleanup-after"]);
    sweep(name, Fault::Kill, &start, command, |_, when| {
        assert_recovered(&w, when);
        w.t.execenv(["cleanup", KEY]).run().sane(&[0]);
        let left: Vec<PathBuf> = w.t.project_now().into_keys().collect();
        assert_eq!(left, [PathBuf::from("mine")], "{when}");
        w.assert_nothing_temporary(when);
    });
}

/// From the first change of `prepare` to the last of `cleanup`, in a folder of the user's.
fn run_new(name: &str, fault: Fault) {
    let t = TestEnv::new();
    t.write("project/mine", "mine");
    t.write("task.json", TASK);
    let env = t.root.join("w").join(KEY);
    let w = World::around(t, env);
    let before = w.t.project_now();
    let start = Start::new(&w.t);
    let new = ["--new", "--task", "task.json", "--local-dir", "project", "--kill-grace", "1s"];
    sweep(
        name,
        fault,
        &start,
        || own(&w, &new),
        |done, when| {
            if fault != Fault::Kill {
                done.assert_sane(&[0, 1, 4, 5, 125]);
            }
            assert_taken_back(&w, &before, when);
        },
    );
}

/// The same for an environment that is refreshed first.
fn run_task(name: &str) {
    let t = TestEnv::new();
    t.write("project/mine", "mine");
    t.write("task.json", TASK);
    let before = t.project_now();
    let env = t.prepare(["--task", "task.json", "--local-dir", "project"]);
    let w = World::around(t, env);
    let start = Start::new(&w.t);
    let task = ["--task", "task.json", "--kill-grace", "1s"];
    sweep(name, Fault::Kill, &start, || own(&w, &task), |_, when| assert_taken_back(&w, &before, when));
}

fn own<'a>(w: &'a World, arguments: &[&str]) -> crate::support::Run<'a> {
    w.script("script", GOOD);
    let fixed = ["run", "--agent-bin", "./fake-claude", "--prompt", "go"];
    w.t.execenv(fixed.iter().chain(arguments)).var("IS_SANDBOX", "1")
}

/// No process is left, and after the repair and a clean-up the user's folder is as it was.
fn assert_taken_back(w: &World, before: &Snapshot, when: &str) {
    if w.env.join(".task_lock").exists() {
        w.wait_until_free();
    }
    w.assert_agent_gone(when);
    w.t.execenv(["doctor", "--fix"]).run().sane(&[0]);
    w.t.execenv(["cleanup", KEY]).run().sane(&[0, 3]);
    assert_same(before, &w.t.project_now(), when);
    w.t.assert_nothing_half_made(when);
    let done = own(w, &["--new", "--task", "task.json", "--local-dir", "project"]).run();
    assert_eq!(done.status, Some(0), "{when}, then again\n{done}");
    assert_same(before, &w.t.project_now(), when);
}
