//! One workspaces root on several machines: what a free lock is worth depends on the file system.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::support::{KEY, TASK, TestEnv, assert_same, snapshot};

fn record(env: &Path) -> Value {
    serde_json::from_slice(&fs::read(env.join(".gc_meta.json")).unwrap()).unwrap()
}

/// An environment in which another machine runs an agent, as far as the record and the lock file say.
fn with_run_elsewhere(t: &TestEnv) -> PathBuf {
    let env = t.prepare(["--task-id", TASK]);
    let mut meta = record(&env);
    meta["execenv"]["status"] = "running".into();
    meta["execenv"]["lease_until"] = Value::Null;
    meta["execenv"]["run"] = serde_json::json!({"id": TASK, "seq": 1, "pid": 1, "host": "node-2",
        "boot_id": "another", "started_at": "2026-05-01T12:00:00Z"});
    fs::write(env.join(".gc_meta.json"), meta.to_string()).unwrap();
    touched(&env, Duration::ZERO);
    env
}

/// Sets the last sign of life.
fn touched(env: &Path, ago: Duration) {
    let lock = File::options().write(true).open(env.join(".task_lock")).unwrap();
    lock.set_modified(SystemTime::now() - ago).unwrap();
}

/// The row of `list`.
fn listed(t: &TestEnv, mount: &str) -> Value {
    t.execenv(["list", "-o", "json"]).var("EXECENV_TEST_MOUNT", mount).json()["environments"][0].clone()
}

#[test]
fn a_run_elsewhere_is_alive_where_locks_do_not_reach_it() {
    for mount in ["nfs rw,nolock", "fuse.sshfs rw", "cifs rw,nobrl", "lustre rw,localflock"] {
        let t = TestEnv::new();
        let env = with_run_elsewhere(&t);
        let before = snapshot(&env);
        assert_eq!(listed(&t, mount)["live"], true, "{mount}");
        for command in [
            &["prepare", "--task-id", TASK, "--replace"][..],
            &["reuse", KEY],
            &["run", KEY, "--", "true"],
            &["cleanup", KEY],
            &["cleanup", "--all", "--force", KEY],
        ] {
            t.execenv(command)
                .var("EXECENV_TEST_MOUNT", mount)
                .fails(4, &["node-2", "reach one machine only"]);
        }
        for gc in [&["gc", "--ttl", "0", "--orphan-ttl", "0"][..], &["gc", "--max-count", "0"]] {
            t.execenv(gc).var("EXECENV_TEST_MOUNT", mount).run().sane(&[0, 1]);
        }
        let doctor = t.execenv(["doctor", "--fix"]).var("EXECENV_TEST_MOUNT", mount).ok();
        assert!(
            doctor.stdout.contains("reach this machine only; ")
                && doctor.stdout.contains("do: use one root per machine"),
            "{doctor}"
        );
        assert_same(&before, &snapshot(&env), mount);
        // The sign is too old, or the machine is this one.
        touched(&env, Duration::from_secs(11 * 60));
        assert_eq!(listed(&t, mount)["live"], false, "{mount}");
        touched(&env, Duration::ZERO);
        let mut meta = record(&env);
        meta["execenv"]["run"]["boot_id"] =
            fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().into();
        fs::write(env.join(".gc_meta.json"), meta.to_string()).unwrap();
        assert_eq!(listed(&t, mount)["live"], false, "{mount}");
    }
}

#[test]
fn a_free_lock_is_free_where_locks_are_shared_or_the_disk_is_local() {
    for mount in ["ext4 rw", "nfs4 rw,vers=4.2", "ceph rw", "fuseblk rw"] {
        let t = TestEnv::new();
        with_run_elsewhere(&t);
        let row = listed(&t, mount);
        assert_eq!((&row["live"], &row["status"]), (&false.into(), &"crashed".into()), "{mount}");
        let doctor = t.execenv(["doctor", "--fix", "-o", "json"]).var("EXECENV_TEST_MOUNT", mount).json();
        assert_eq!(
            doctor["locks"]["reach"],
            if mount.contains("nfs4") || mount.contains("ceph") { "shared" } else { "local" }
        );
        t.execenv(["cleanup", "--all", KEY]).var("EXECENV_TEST_MOUNT", mount).ok();
    }
}

#[test]
fn a_run_leaves_its_machine_in_the_record_and_a_sign_of_life() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    touched(&env, Duration::from_secs(3600));
    t.execenv(["run", KEY, "--", "true"]).ok();
    let run = &record(&env)["execenv"]["run"];
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert_eq!(run["boot_id"], boot_id.trim(), "{run}");
    assert!(!run["host"].as_str().unwrap().is_empty() && run["pid_namespace"].as_u64().unwrap() > 0, "{run}");
    let sign = fs::metadata(env.join(".task_lock")).unwrap().modified().unwrap();
    assert!(sign.elapsed().unwrap() < Duration::from_secs(600));
}

#[test]
fn a_command_at_work_elsewhere_is_seen_where_locks_do_not_reach_it() {
    fn there(run: crate::support::Run<'_>) -> crate::support::Run<'_> {
        run.var("EXECENV_TEST_MOUNT", "nfs rw,nolock")
    }
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let lock = env.join(".task_lock");
    fs::write(&lock, "node-2\nanother boot\n").unwrap();
    let before = snapshot(&env);
    for command in [&["reuse", KEY][..], &["run", KEY, "--", "true"], &["cleanup", "--all", KEY]] {
        there(t.execenv(command)).fails(4, &["a command on the machine node-2", "reach one machine only"]);
    }
    let gc = ["gc", "--ttl", "0", "--orphan-ttl", "0", "--max-count", "0", "--keep-younger", "0"];
    there(t.execenv(gc)).run().sane(&[0, 1]);
    assert_same(&before, &snapshot(&env), "at work elsewhere");
    // This very machine's locks are seen: its sign was left by a killed command. So is one that is too old.
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    fs::write(&lock, format!("here\n{boot_id}")).unwrap();
    there(t.execenv(["reuse", KEY])).ok();
    assert_eq!(fs::read_to_string(&lock).unwrap(), "", "the sign goes with the lock");
    fs::write(&lock, "node-2\nanother boot\n").unwrap();
    touched(&env, Duration::from_secs(11 * 60));
    there(t.execenv(["run", KEY, "--", "true"])).ok();
    // On a local disk nothing is written, and nothing of it read.
    fs::write(&lock, "node-2\nanother boot\n").unwrap();
    t.execenv(["reuse", KEY]).ok();
}

#[test]
fn what_another_machine_is_building_is_not_swept() {
    for (mount, is_kept) in [("nfs rw,nolock", true), ("ext4 rw", false)] {
        let t = TestEnv::new();
        let env = t.prepare(["--task-id", TASK]);
        let staging = env.with_file_name(".staging-0123456789ab-0123456789ab");
        fs::create_dir(&staging).unwrap();
        fs::write(staging.join(".task_lock"), "node-2\nanother boot\n").unwrap();
        for command in [&["gc"][..], &["doctor", "--fix"]] {
            t.execenv(command).var("EXECENV_TEST_MOUNT", mount).run().sane(&[0]);
        }
        assert_eq!(staging.exists(), is_kept, "{mount}");
    }
}
