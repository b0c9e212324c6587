//! Lock files belong to their owner alone, every wait has an end, and what a command waits for is named.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::support::{KEY, TASK, TestEnv, assert_same, snapshot};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// The permission bits of every lock of a root and of its one environment.
fn modes(t: &TestEnv) -> Vec<(String, u32)> {
    let locks = t.root.join(".locks");
    let mut all = vec![(".locks".to_owned(), mode(&locks))];
    all.extend(fs::read_dir(&locks).unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), mode(&entry.path()))
    }));
    for name in [".task_lock", ".gc_meta.json"] {
        all.push((name.to_owned(), mode(&t.root.join("default").join(KEY).join(name))));
    }
    all
}

#[test]
fn a_lock_can_be_opened_by_its_owner_alone() {
    let t = TestEnv::new();
    let env = t.root.join("default").join(KEY);
    t.execenv(["prepare", "--task-id", TASK, "--provider", "codex"]).run().status(0);
    t.execenv(["gc"]).ok();
    let check = |when: &str| {
        for (name, mode) in modes(&t) {
            assert_eq!(mode, if name == ".locks" { 0o700 } else { 0o600 }, "{when}: {name}");
        }
    };
    check("new");
    // An older release made all of them readable for everyone.
    let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for entry in fs::read_dir(t.root.join(".locks")).unwrap() {
        chmod(&entry.unwrap().path(), 0o644);
    }
    chmod(&t.root.join(".locks"), 0o755);
    chmod(&env.join(".task_lock"), 0o644);
    chmod(&env.join(".gc_meta.json"), 0o644);
    t.execenv(["gc"]).ok();
    t.execenv(["reuse", KEY]).run().status(0);
    check("used again");
}

#[test]
fn no_command_waits_for_ever_and_the_holder_is_named() {
    let t = TestEnv::new();
    t.write("rules", "Be brief.");
    let env = t.prepare(["--task-id", TASK, "--local-dir", "project", "--instructions", "rules"]);
    t.write("mine/f", "");
    t.write("t.json", r#"{"id":"other","provider":"codex","issue_id":"I"}"#);
    t.execenv(["prepare", "--task", "t.json", "--local-dir", "mine"]).run().status(0);
    t.execenv(["cleanup", "--all", "--trash", "other"]).ok();
    let entry = fs::read_dir(t.root.join(".trash")).unwrap().next().unwrap().unwrap().file_name();
    let mut locks = fs::read_dir(t.root.join(".locks")).unwrap().map(|entry| entry.unwrap().path());
    let store = locks.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("store-"));
    let hold = |path: &Path| {
        let file = File::open(path).unwrap();
        file.lock().unwrap();
        file
    };
    let others = ["second", "third"].map(|id| t.prepare(["--task-id", id]));
    let records = others.each_ref().map(|env| hold(&env.join(".gc_meta.json")));
    // Not the logs of a run that could not be recorded.
    let logs = others[1].strip_prefix(&t.root).unwrap().join("logs");
    let root_now = || {
        let mut now = snapshot(&t.root);
        now.retain(|path, _| !path.starts_with(&logs));
        now
    };
    let before = (t.project_now(), root_now());
    let staging = hold(&t.root.join(".locks/staging"));
    let record = hold(&env.join(".gc_meta.json"));
    let holder = format!("(pid {}, ", std::process::id());
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for (command, code) in [
            (vec!["prepare", "--task-id", "fourth"], "root_busy"),
            (vec!["trash", "restore", entry.to_str().unwrap()], "root_busy"),
            (vec!["reuse", KEY, "--provider", "codex"], "env_busy"),
            (vec!["cleanup", "second"], "env_busy"),
            (vec!["run", "third", "--", "true"], "env_busy"),
        ] {
            let (t, holder) = (&t, &holder);
            scope.spawn(move || {
                let done = t.execenv(["-o", "json"].iter().chain(&command)).run().status(4);
                let last = done.stderr.lines().last().unwrap_or_default();
                assert!(last.contains(code) && last.contains(holder), "{done}");
                let waiting = done.stderr.lines().next().unwrap_or_default();
                assert!(waiting.contains("waiting at most 10s") && waiting.contains("pid "), "{done}");
            });
        }
    });
    assert!(begun.elapsed() < Duration::from_secs(60));
    drop((staging, record, records));
    let store = hold(&store.unwrap());
    t.execenv(["prepare", "--task", "t.json", "--local-dir", "mine"]).fails(4, &["the lock ", &holder]);
    drop(store);
    assert_same(&before.0, &t.project_now(), "after all of them");
    assert_same(&before.1, &root_now(), "after all of them");
    t.execenv(["cleanup", KEY]).ok();
    assert!(t.project_now().is_empty(), "{:?}", t.project_now());
}

#[test]
fn a_cycle_that_did_nothing_does_not_end_with_0() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    t.execenv(["gc"]).ok();
    let lock = File::open(t.root.join(".locks/gc")).unwrap();
    lock.lock().unwrap();
    let named = format!("(pid {}, ", std::process::id());
    for arguments in [&["gc"][..], &["gc", "-q"], &["gc", "--max-count", "0"]] {
        t.execenv(arguments).fails(4, &["another `execenv gc` is running", &named, "hint: "]);
    }
    let done = t.execenv(["gc", "-o", "json"]).run().status(4);
    let summary: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(summary["already_running"], true, "{done}");
    assert!(done.stderr.contains("root_busy"), "{done}");
    t.execenv(["gc", "--dry-run"]).ok();
}
