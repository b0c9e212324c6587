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

/// Takes a lock as another process would.
fn hold(path: &Path) -> File {
    let file = File::open(path).unwrap();
    file.lock().unwrap();
    file
}

/// How a failure names the process of these tests.
fn holder() -> String {
    format!("(pid {}, ", std::process::id())
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
    t.prepare(["--task-id", "another"]);
    check("used again");
}

#[test]
fn no_command_waits_for_ever_and_the_holder_is_named() {
    let t = TestEnv::new();
    t.write("rules", "Be brief.");
    let env = t.prepare(["--task-id", TASK, "--local-dir", "project", "--instructions", "rules"]);
    t.prepare(["--task-id", "other"]);
    t.execenv(["cleanup", "--all", "--trash", "other"]).ok();
    let entry = fs::read_dir(t.root.join(".trash")).unwrap().next().unwrap().unwrap().file_name();
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
    let holder = holder();
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
    assert_same(&before.0, &t.project_now(), "after all of them");
    assert_same(&before.1, &root_now(), "after all of them");
    t.execenv(["cleanup", KEY]).ok();
    assert!(t.project_now().is_empty(), "{:?}", t.project_now());
}

#[test]
fn what_only_looks_or_adds_refs_works_beside_a_run_and_what_changes_the_work_dir_does_not() {
    use crate::support::repository::{commit_files, git, make_repository};
    let t = TestEnv::new();
    let source = t.tmp.join("source");
    make_repository(&t, &source, &[]);
    let env = t.prepare(["--task-id", TASK, "--repo", "source"]);
    git(&t, &source, &["checkout", "-q", "-b", "agent/other/x"]);
    commit_files(&t, &source, "x", &[("x", "x\n")]);
    git(&t, &source, &["checkout", "-q", "main"]);
    t.write(env.join("workdir/new"), "new\n");
    let held = hold(&env.join(".task_lock"));
    let before = snapshot(&env.join("workdir"));
    for (words, status) in [
        (&["show", KEY][..], 0),
        (&["show", KEY, "--file", "new"], 0),
        (&["diff", KEY], 0),
        (&["clone", KEY, "copy"], 0),
        (&["checkpoint", KEY, "-m", "m"], 0),
        (&["merge", "list", KEY], 0),
        (&["merge", "status", KEY], 0),
        (&["merge", "skip", KEY, "agent/other/x", "why"], 0),
        (&["merge", "check", KEY], 0),
        (&["checkpoint", KEY, "-m", "m", "--on-branch"], 4),
        (&["restore", KEY], 4),
        (&["branch", KEY, "other"], 4),
        (&["merge", "start", KEY, "agent/other/x"], 4),
        (&["merge", "resolve", KEY, "--all", "ours"], 4),
        (&["merge", "commit", KEY], 4),
        (&["merge", "abort", KEY], 4),
        (&["publish", KEY, "--to", "branch"], 4),
        (&["publish", KEY, "--to", "merge", "--base", "main"], 4),
        (&["reuse", KEY], 4),
        (&["cleanup", KEY], 4),
        (&["cleanup", "--force", KEY], 4),
        (&["prepare", "--continue-from", KEY], 4),
        (&["prepare", "--copy-from", KEY, "--copy", "new"], 4),
        (&["prepare", "--copy-from", KEY, "--copy", "new", "--while-running"], 0),
    ] {
        let done = t.execenv(words).run();
        assert_eq!(done.status, Some(status), "{words:?}\n{done}");
        assert_same(&before, &snapshot(&env.join("workdir")), &format!("{words:?}"));
    }
    drop(held);
    // In an environment without a repository a checkout is only a new folder.
    let env = t.prepare([] as [&str; 0]);
    let _held = hold(&env.join(".task_lock"));
    t.execenv(["checkout", env.to_str().unwrap(), "source"]).ok();
}

#[test]
fn a_store_that_stays_locked_is_not_waited_for_for_ever() {
    let t = TestEnv::new();
    t.write("project/f", "");
    t.write("t.json", r#"{"id":"other","provider":"codex","issue_id":"I"}"#);
    let prepare = ["prepare", "--task", "t.json", "--local-dir", "project"];
    t.execenv(prepare).run().status(0);
    t.execenv(["cleanup", "--all", "--trash", "other"]).ok();
    let mut locks = fs::read_dir(t.root.join(".locks")).unwrap().map(|entry| entry.unwrap().path());
    let store = locks.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("store-"));
    let before = (t.project_now(), snapshot(&t.root));
    let store = hold(&store.unwrap());
    t.execenv(prepare).fails(4, &["the lock ", &holder()]);
    drop(store);
    assert_same(&before.0, &t.project_now(), "the project");
    assert_same(&before.1, &snapshot(&t.root), "the root");
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

/// Starts a command that waits, runs `meanwhile` once it has said so, and returns its status and what it said.
fn waited(t: &TestEnv, command: &[&str], meanwhile: impl FnOnce(u32)) -> (Option<i32>, String) {
    use std::io::{BufRead, BufReader, Read};
    let mut child = t.execenv(command).start();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    stderr.read_line(&mut said).unwrap();
    assert!(said.starts_with("warning: waiting for at most 1m: "), "{command:?}: {said}");
    meanwhile(child.id());
    stderr.read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), t.masked(said.as_bytes()))
}

#[test]
fn a_command_waits_for_what_is_in_use_when_it_is_asked_to() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--local-dir", "project"]);
    let holder = format!("(pid {}, ", std::process::id());
    for command in [
        &["prepare", "--wait", "1m", "--task-id", TASK, "--local-dir", "project"][..],
        &["prepare", "--wait", "1m", "--task-id", TASK, "--keep-existing", "--local-dir", "project"],
        &["reuse", "--wait", "1m", KEY],
        &["run", "--wait", "1m", KEY, "--", "true"],
        &["cleanup", "--wait", "1m", "--all", KEY],
        &["prepare", "--wait", "1m", "--local-dir", "project", "--workspaces-root", "second"],
    ] {
        let place = if command.contains(&"second") { t.project.clone() } else { env.join(".task_lock") };
        let hold = || {
            let lock = File::open(&place).unwrap();
            lock.lock().unwrap();
            lock
        };
        let lock = hold();
        let (status, said) = waited(&t, command, |_| drop(lock));
        let waits = said.lines().filter(|line| line.contains("waiting")).count();
        assert!(status == Some(0) && said.contains(&holder) && waits == 1, "{command:?}: {said}");
        // The time is up.
        if !command.contains(&"--all") && !command.contains(&"second") {
            let lock = hold();
            let short: Vec<&str> =
                command.iter().map(|word| if *word == "1m" { "1s" } else { word }).collect();
            t.execenv(&short).fails(4, &["waiting for at most 1s", &holder]);
            drop(lock);
        }
    }
}

#[test]
fn a_signal_ends_a_wait_and_what_went_meanwhile_is_noticed() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let lock = File::open(env.join(".task_lock")).unwrap();
    lock.lock().unwrap();
    let interrupt = |pid: u32| {
        let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    };
    let before = snapshot(&t.root);
    let (status, said) = waited(&t, &["prepare", "--wait", "1m", "--task-id", TASK], interrupt);
    assert!(status == Some(130) && said.contains("interrupted by a signal while waiting"), "{said}");
    // Not by the signal itself: the first process of a container does not die of one.
    let (status, said) = waited(&t, &["run", "--wait", "1m", KEY, "--", "true"], interrupt);
    assert!(status == Some(130) && said.contains("interrupted by a signal while waiting"), "{said}");
    assert_same(&before, &snapshot(&t.root), "after the signals");
    // The environment is removed while `run` waits, and made again while `cleanup` does.
    let (status, said) = waited(&t, &["run", "--wait", "1m", KEY, "--", "true"], |_| {
        fs::rename(&env, t.tmp.join("gone")).unwrap();
    });
    assert!(status == Some(3), "{said}");
    fs::rename(t.tmp.join("gone"), &env).unwrap();
    let (status, said) = waited(&t, &["cleanup", "--wait", "1m", "--all", KEY], |_| {
        fs::rename(&env, t.tmp.join("gone")).unwrap();
    });
    assert!(status == Some(0), "{said}");
}
