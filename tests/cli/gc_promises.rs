//! What `gc` promises beyond its decisions: work wherever it lies, a restore that lasts, a plan that comes true.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::{KEY, TASK, TestEnv, snapshot};

const LATER: &str = "2026-06-30T12:00:00Z";

fn gc(t: &TestEnv, now: &str, arguments: &[&str]) -> Value {
    let run = t.execenv(["gc", "-o", "json"].iter().chain(arguments)).var("EXECENV_TEST_NOW", now);
    serde_json::from_str(&run.run().sane(&[0, 1]).stdout).unwrap()
}

/// An env root of a multica daemon's without a lock file, as old as can be.
fn foreign(t: &TestEnv, name: &str) -> PathBuf {
    t.write("root/.execenv-root", "");
    let env = t.root.join("w").join(name);
    fs::create_dir_all(env.join("output")).unwrap();
    env
}

fn age(folder: &Path, days: u64) {
    let old = SystemTime::now() - Duration::from_secs(days * 86_400);
    fs::File::open(folder).unwrap().set_modified(old).unwrap();
}

fn git(t: &TestEnv, dir: &Path, words: &[&str]) {
    let output = t.command("git").arg("-C").arg(dir).args(words).output().unwrap();
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A repository with something that is nowhere else.
fn unsaved(t: &TestEnv, place: &Path) {
    let file = t.write(place.join("work.txt"), "nowhere else");
    git(t, file.parent().unwrap(), &["init", "-q"]);
}

/// The daemon's worktree mode has its own folder, and agents clone into their output.
#[test]
fn work_counts_wherever_in_the_environment_it_lies() {
    for place in ["worktree", "worktree/sub", "output", "output/clone", "workdir"] {
        for arguments in [&["--trash-ttl", "0"][..], &["--orphan-ttl", "9d", "--max-total", "1"]] {
            let t = TestEnv::new();
            let env = foreign(&t, "task");
            t.write(
                env.join(".gc_meta.json"),
                r#"{"kind":"issue","issue_id":"I","completed_at":"2020-01-01T00:00:00Z"}"#,
            );
            unsaved(&t, &env.join(place));
            age(&env, 5);
            let run = t.execenv(["gc", "-o", "json"].iter().chain(arguments)).without("EXECENV_TEST_NOW");
            let done: Value = serde_json::from_str(&run.run().sane(&[0, 1]).stdout).unwrap();
            assert_eq!(done["decisions"][0]["outcome"], "retained_dirty", "{place}: {done}");
            assert!(env.join(place).join("work.txt").is_file());
            let key = env.to_str().unwrap();
            t.execenv(["cleanup", "--all", key]).run().status(5);
            assert!(env.join(place).join("work.txt").is_file());
        }
    }
}

#[test]
fn what_was_restored_is_not_taken_again_by_the_next_cycle() {
    for arguments in
        [&[][..], &["--max-count", "0", "--completed-ttl", "1s"], &["--free", "1G", "--as-far-as-possible"]]
    {
        let t = TestEnv::new();
        let env = t.prepare(["--task-id", TASK, "--lease", "0"]);
        assert_eq!(gc(&t, LATER, &[])["decisions"][0]["outcome"], "trashed");
        t.execenv(["trash", "restore", KEY]).var("EXECENV_TEST_NOW", LATER).ok();
        let done = gc(&t, LATER, arguments);
        assert!(env.is_dir(), "{done}");
        assert_eq!(done["decisions"][0]["reason"], "leased");
        // But not for ever.
        gc(&t, "2026-07-30T12:00:00Z", &[]);
        assert!(!env.exists());
    }
}

#[test]
fn a_restored_work_dir_is_not_taken_as_cleaned_up() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--lease", "0"]);
    let work = t.write(env.join("workdir/work"), "mine");
    t.execenv(["cleanup", "--trash", KEY]).ok();
    t.execenv(["trash", "restore", KEY]).ok();
    gc(&t, "2026-06-02T11:00:00Z", &["--ttl", "1h", "--max-count", "0"]);
    assert!(work.is_file());
}

/// Our lock file must not make a stranger's folder young: neither our clock nor the daemon's would come round.
#[test]
fn looking_under_the_lock_leaves_a_folder_as_old_as_it_was() {
    let t = TestEnv::new();
    let env = foreign(&t, "task");
    unsaved(&t, &env.join("workdir"));
    age(&env, 30);
    let before = env.metadata().unwrap().modified().unwrap();
    for _ in 0..2 {
        let done = t.execenv(["gc", "-o", "json"]).without("EXECENV_TEST_NOW").run().sane(&[0]);
        let done: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(done["decisions"][0]["outcome"], "retained_dirty", "{done}");
    }
    assert_eq!(env.metadata().unwrap().modified().unwrap(), before);
}

/// An environment whose run ended at this hour of the tests' day.
fn finished(t: &TestEnv, name: &str, hour: u32, bytes: usize) -> PathBuf {
    let env = t.prepare(["--task-id", name, "--lease", "0", "-q", "--issue-id", "I"]);
    let path = env.join(".gc_meta.json");
    let mut meta: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    meta["completed_at"] = format!("2026-05-31T{hour:02}:00:00Z").into();
    for key in ["prepared_at", "lease_until"] {
        meta["execenv"][key] = "2026-05-30T12:00:00Z".into();
    }
    meta["execenv"]["status"] = "completed".into();
    fs::write(path, meta.to_string()).unwrap();
    fs::write(env.join("output/result"), vec![b'x'; bytes]).unwrap();
    env
}

/// What a report says is done to each, the counts, and the bytes as far as records do not change them.
fn told(report: &Value) -> (Vec<(Value, Value)>, Vec<Value>, Vec<u64>) {
    let rows = report["decisions"].as_array().unwrap().iter();
    let rows = rows.map(|row| (row["root_dir"].clone(), json!([row["action"], row["reason"]]))).collect();
    let keys = ["scanned", "cleaned", "orphaned", "skipped", "artifact_removed"];
    let mut counts: Vec<Value> = keys.iter().map(|key| report[key].clone()).collect();
    counts.extend(["swept", "entries"].map(|key| report["trash"][key].clone()));
    let bytes = ["bytes_reclaimed", "bytes_freed"].map(|key| report[key].as_u64().unwrap());
    (rows, counts, bytes.map(|bytes| (bytes + (1 << 15)) >> 16).to_vec())
}

const MIB: usize = 1 << 20;

#[test]
fn a_plan_within_bounds_comes_true() {
    let noon = "2026-06-01T12:00:00Z";
    for arguments in [
        &["--free", "9M"][..],
        &["--free", "9M", "--trash-ttl", "0"],
        &["--max-total", "5M"],
        &["--max-count", "1"],
        &["--max-count", "1", "--trash-ttl", "0"],
        &["--max-count", "1", "--max-total", "8M"],
        &["--artifact-ttl", "0", "--max-total", "14M"],
        &["--completed-ttl", "25h", "--max-total", "4M"],
    ] {
        let t = TestEnv::new();
        for (name, hour) in [("a", 1), ("b", 2), ("c", 13)] {
            let env = finished(&t, name, hour, MIB);
            t.write(env.join("workdir/node_modules/x"), vec![b'x'; 4 * MIB]);
        }
        finished(&t, "swept", 3, MIB);
        gc(&t, "2026-05-31T13:00:00Z", &["--max-count", "3", "--artifact-ttl", "0"]);
        let before = snapshot(&t.root);
        let plan = gc(&t, noon, &[arguments, &["--dry-run"]].concat());
        assert!(before == snapshot(&t.root));
        let done = gc(&t, noon, arguments);
        assert_eq!(told(&plan), told(&done), "{arguments:?}\n{plan}\n{done}");
        let met =
            |report: &Value| report["bounds"].as_array().unwrap().iter().all(|bound| bound["met"] == true);
        assert_eq!(met(&plan), met(&done), "{arguments:?}\n{plan}\n{done}");
    }
}

#[test]
fn what_leaves_the_trash_is_told_beforehand_and_counted_as_freed() {
    let t = TestEnv::new();
    finished(&t, "a", 1, MIB);
    gc(&t, "2026-06-01T12:00:00Z", &["--completed-ttl", "1h"]);
    let plan = gc(&t, LATER, &["--dry-run"]);
    let done = gc(&t, LATER, &[]);
    assert_eq!(told(&plan), told(&done), "{plan}\n{done}");
    assert_eq!(done["trash"]["swept"], 1);
    assert!(done["bytes_freed"].as_u64().unwrap() >= MIB as u64, "{done}");
    assert_eq!(plan["bytes_freed"], done["bytes_freed"]);
}

#[test]
fn a_dry_run_does_not_empty_unsaved_work_out_of_the_trash_either() {
    let t = TestEnv::new();
    let env = finished(&t, "a", 1, MIB);
    unsaved(&t, &env.join("workdir"));
    t.execenv(["cleanup", "--all", "--trash", env.to_str().unwrap()]).ok();
    for dry in [&["--dry-run"][..], &[]] {
        let report = gc(&t, LATER, &[&["--max-total", "1K"], dry].concat());
        assert_eq!(report["trash"]["entries"], 1, "{report}");
        assert_eq!(report["trash"]["swept"], 0, "{report}");
        assert_eq!(report["bounds"][0]["met"], json!(false), "{report}");
    }
}

/// Puts a `git` into the path that asks the gc that calls it to end.
fn git_that_interrupts(t: &TestEnv) -> std::ffi::OsString {
    use std::os::unix::fs::PermissionsExt;
    let real = t.sh("command -v git").ok().stdout;
    // Once: the second signal ends it where it is.
    let once = t.tmp.join("interrupted");
    let script =
        format!("#!/bin/sh\nmkdir {} 2>&- && kill -INT $PPID\nexec {} \"$@\"\n", once.display(), real.trim());
    let fake = t.write("bin/git", script);
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    std::env::join_paths(std::iter::once(t.tmp.join("bin")).chain(std::env::split_paths(&path))).unwrap()
}

#[test]
fn a_cycle_that_is_asked_to_end_ends_its_step_and_its_document() {
    for (arguments, scanned, bounds) in [
        (&["--completed-ttl", "1s"][..], 1, 0),
        (&["--completed-ttl", "1s", "--max-count", "0"], 1, 0),
        (&["--orphan-ttl", "99d", "--max-count", "0"], 3, 1),
    ] {
        let t = TestEnv::new();
        let envs = ["a", "b", "c"].map(|name| finished(&t, name, 1, 10));
        for env in &envs {
            git(&t, &env.join("workdir"), &["init", "-q", "."]);
        }
        let words = ["gc", "-o", "json", "--artifact-ttl", "0"];
        let run = t.execenv(words.iter().chain(arguments)).var("PATH", git_that_interrupts(&t));
        let run = run.var("EXECENV_TEST_NOW", "2026-06-01T12:00:00Z").run().status(130);
        let done: Value = serde_json::from_str(&run.stdout).expect("half a document");
        assert_eq!((&done["interrupted"], &done["scanned"]), (&json!(true), &json!(scanned)), "{done}");
        assert_eq!(done["decisions"].as_array().unwrap().len(), scanned, "{done}");
        // How bounds stand is only known when everything has been seen.
        assert_eq!(done["bounds"].as_array().unwrap().len(), bounds, "{done}");
        assert_eq!(envs.iter().filter(|env| env.is_dir()).count(), 3 - usize::from(done["cleaned"] == 1));
    }
}

#[test]
fn a_cycle_outlives_its_reader() {
    for format in [&["--stream"][..], &["-o", "json"], &[]] {
        let t = TestEnv::new();
        let envs: Vec<_> = (0..40).map(|number| finished(&t, &format!("env-{number}"), 1, 10)).collect();
        let words = ["gc", "--artifact-ttl", "0", "--orphan-ttl", "99d", "--max-count", "1"];
        let run = t.execenv(words.iter().chain(format)).var("EXECENV_TEST_NOW", "2026-06-01T12:00:00Z");
        let mut gc = run.start();
        drop(gc.stdout.take());
        assert_eq!(gc.wait().unwrap().code(), Some(0));
        assert_eq!(envs.iter().filter(|env| env.is_dir()).count(), 1, "{format:?}");
    }
}

#[test]
fn a_cycle_frees_what_its_report_lacks_and_says_that_the_report_is_lost() {
    for format in ["--stream", "-o json", "-v"] {
        let t = TestEnv::new();
        let env = finished(&t, "a", 1, 10);
        let gc = format!("{} gc {format} --completed-ttl 1h >/dev/full", env!("CARGO_BIN_EXE_execenv"));
        let done = t.sh(&gc).var("EXECENV_TEST_NOW", LATER).run().status(1);
        assert!(done.stderr.contains("its report could not be written"), "{done}");
        assert!(!env.exists());
    }
}

#[test]
fn the_end_of_a_run_is_of_yesterday_when_somebody_has_reused_its_environment() {
    let t = TestEnv::new();
    let env = finished(&t, "a", 1, 10);
    let artifact = t.write(env.join("workdir/node_modules/x"), "x");
    let reused = "2026-06-20T00:00:00Z";
    t.execenv(["reuse", env.to_str().unwrap(), "--lease", "1h"]).var("EXECENV_TEST_NOW", reused).ok();
    let done = gc(&t, "2026-06-20T02:00:00Z", &["--completed-ttl", "14d"]);
    assert_eq!((&done["decisions"][0]["reason"], artifact.is_file()), (&json!("too_young"), true), "{done}");
    let done = gc(&t, "2026-06-20T13:00:00Z", &["--completed-ttl", "14d"]);
    assert_eq!(
        (&done["decisions"][0]["reason"], artifact.is_file()),
        (&json!("rebuildable"), false),
        "{done}"
    );
    let done = gc(&t, "2026-07-10T00:00:00Z", &["--orphan-ttl", "99d", "--completed-ttl", "14d"]);
    assert_eq!(done["decisions"][0]["reason"], "completed", "{done}");
}
