//! `execenv run`: no process is left, the record is right after `doctor --fix`, and the next run goes through.

use std::fs;
use std::path::PathBuf;

use libtest_mimic::Trial;

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
    runs.into_iter().chain([cleanup]).collect()
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
