//! Homes of providers: they are the old ones or the new ones, and what the agent and the user keep in them stays.

use std::fs;
use std::path::PathBuf;

use libtest_mimic::Trial;
use serde_json::json;

use crate::support::homes::{SECRET, approvals, codex_world, cursor_world, prepare, work};
use crate::support::{Done, KEY, TASK, TestEnv, assert_same, snapshot};
use crate::sweep::{Fault, Start, sweep, trial};

const PREPARE: &[&str] = &["prepare", "-q", "--task", "one.json"];
const REUSE: &[&str] = &["reuse", "-q", KEY, "--task", "two.json"];
const DOCTOR: &[&str] = &["doctor", "--fix"];

pub fn trials() -> Vec<Trial> {
    let prepares = [
        ("prepare_cursor::killed_then_doctor", Fault::Kill, DOCTOR),
        ("prepare_cursor::full_disk", Fault::Errno("ENOSPC"), PREPARE),
    ];
    let reuses = [
        ("reuse_cursor::killed_then_doctor", Fault::Kill, DOCTOR),
        ("reuse_cursor::killed", Fault::Kill, REUSE),
        ("reuse_cursor::no_permission", Fault::Errno("EACCES"), REUSE),
        ("reuse_cursor::broken_disk", Fault::Errno("EIO"), REUSE),
    ];
    let cleanups =
        [("cleanup_copilot::killed", Fault::Kill), ("cleanup_copilot::full_disk", Fault::Errno("ENOSPC"))];
    let mut trials = vec![trial("reuse_codex::killed_then_doctor".to_owned(), reuse_codex)];
    trials.extend(prepares.map(|(name, fault, remedy)| {
        trial(name.to_owned(), move |name| prepare_cursor(name, fault, remedy))
    }));
    trials.extend(
        reuses.map(|(name, fault, remedy)| {
            trial(name.to_owned(), move |name| reuse_cursor(name, fault, remedy))
        }),
    );
    trials.extend(
        cleanups.map(|(name, fault)| trial(name.to_owned(), move |name| cleanup_copilot(name, fault))),
    );
    trials
}

fn repair(t: &TestEnv, remedy: &[&str], when: &str) {
    // 1: a doctor finds a root that died before it was marked.
    let repaired = t.execenv(remedy).run();
    assert!(matches!(repaired.status, Some(0 | 1 | 3)), "{when}\n{repaired}");
    t.execenv(["gc"]).run().sane(&[0, 2]); // 2: the root that died before it was marked
    t.assert_nothing_half_made(when);
}

fn prepare_cursor(name: &str, fault: Fault, remedy: &[&str]) {
    let t = cursor_world();
    let start = Start::new(&t);
    sweep(
        name,
        fault,
        &start,
        || t.execenv(PREPARE),
        |_, when| {
            repair(&t, remedy, when);
            if t.root.join("default").join(KEY).exists() {
                t.execenv(["run", KEY, "--", "true"]).ok();
            }
        },
    );
}

fn reuse_cursor(name: &str, fault: Fault, remedy: &[&str]) {
    let t = cursor_world();
    let env = prepare(&t, &[]);
    let session = work(&env);
    let old = fs::read(approvals(&env)).unwrap();
    let start = Start::new(&t);
    sweep(
        name,
        fault,
        &start,
        || t.execenv(REUSE),
        |_, when| {
            if t.execenv(["run", KEY, "--", "true"]).run().status == Some(0) {
                // An environment that may be run in is of one piece: all old or all new.
                let servers = fs::read_to_string(env.join("workdir/.cursor/mcp.json")).unwrap();
                let has_old_approvals = fs::read(approvals(&env)).unwrap() == old;
                assert_eq!(servers.contains("another"), !has_old_approvals, "{when}");
            }
            repair(&t, remedy, when);
            assert_eq!(fs::read_to_string(&session).unwrap(), "a long conversation", "{when}");
            let log = approvals(&env).with_file_name("terminal.log");
            assert_eq!(fs::read_to_string(log).unwrap(), "beside our files", "{when}");
            let now = fs::read(approvals(&env)).unwrap();
            t.execenv(REUSE).ok();
            let new = fs::read(approvals(&env)).unwrap();
            assert!(now == old || now == new, "{when}: neither old nor new");
        },
    );
}

fn reuse_codex(name: &str) {
    let (t, env, session) = codex_world();
    t.write("home/.codex/config.toml", "model = \"two\"\n");
    fs::remove_file(t.home.join(".codex/instructions.md")).unwrap();
    let stray = t.write(env.join("codex-home/skills/review/stray.txt"), "stray");
    let users = snapshot(&t.home);
    let start = Start::new(&t);
    let reuse = || t.execenv(["reuse", "-q", KEY, "--task", "task.json"]);
    let read = |path: &str| fs::read_to_string(env.join("codex-home").join(path)).unwrap();
    sweep(name, Fault::Kill, &start, reuse, |_, when| {
        t.execenv(DOCTOR).run();
        t.assert_nothing_half_made(when);
        let now = read("config.toml");
        assert!(now.contains("\"one\"") || now.contains("\"two\""), "{when}: {now}");
        assert_eq!(env.join("codex-home/instructions.md").exists(), now.contains("\"one\""), "{when}");
        reuse().ok();
        assert!(read("config.toml").contains("\"two\"") && !stray.exists(), "{when}");
        assert_eq!(fs::read_to_string(&session).unwrap(), "a long conversation", "{when}");
        assert_eq!(read("history.jsonl"), "what was typed", "{when}");
        assert_same(&users, &snapshot(&t.home), when);
    });
}

/// The second clean-up removes the secrets that the first one left.
fn cleanup_copilot(name: &str, fault: Fault) {
    let t = TestEnv::new();
    let document = json!({"id": TASK, "provider": "copilot", "issue_id": "i-1", "agent": {
        "id": "agent-1",
        "skills": [{"name": "one", "content": "body\n"}],
        "mcp_config": {"mcpServers": {"s": {"command": "serve", "env": {"KEY": SECRET}}}}}});
    t.write("task.json", document.to_string());
    let env = t.prepare(["-q", "--task", "task.json", "--platform-cli", "none"]);
    let session = t.write(env.join("copilot-home/session-state/s"), "a conversation");
    t.write(env.join("cursor-data/projects/p/mcp-auth.json"), SECRET);
    let start = Start::new(&t);
    sweep(
        name,
        fault,
        &start,
        || t.execenv(["cleanup", KEY]),
        |done: &Done, when| {
            t.execenv(["cleanup", KEY]).ok();
            let all = snapshot(&env).into_iter();
            let holders: Vec<PathBuf> =
                all.filter(|(_, entry)| entry.contains(SECRET)).map(|(path, _)| path).collect();
            assert_eq!(holders, [] as [PathBuf; 0], "{when}\n{done}");
            assert_eq!(fs::read_to_string(&session).unwrap(), "a conversation", "{when}");
            assert!(!env.join("workdir").exists(), "{when}");
            // A work dir that was being deleted.
            t.execenv(DOCTOR).run().sane(&[0]);
            t.assert_nothing_half_made(when);
        },
    );
}
