//! `execenv run`: no process is left, the record is right after `doctor --fix`, and the next run goes through.

use std::fs;
use std::path::PathBuf;

use libtest_mimic::Trial;

use crate::support::escaping;
use crate::support::fake_claude::{GOOD, World};
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
    runs.into_iter().chain([cleanup, new, full, task, escaping]).collect()
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
    w.wait_until_free();
    w.assert_agent_gone(when);
    w.t.execenv(["doctor", "--fix"]).run().sane(&[0]);
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
        w.wait_until_free();
        w.assert_agent_gone(when);
        w.t.execenv(["doctor", "--fix"]).run().sane(&[0]);
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
