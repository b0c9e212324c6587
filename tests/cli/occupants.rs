//! An environment in which a process works stays, although nobody holds its lock.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{KEY, TASK, TestEnv};

/// Long after the lease and every age limit.
const LATER: &str = "2026-12-01T12:00:00Z";

/// A process that works in a folder until it is dropped.
struct At(Child);

impl At {
    fn work(folder: &Path) -> At {
        // It has left the folder of its parent when it speaks.
        let mut child = Command::new("sh")
            .args(["-c", "echo here; exec sleep 1000"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        At(child)
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for At {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn gc(t: &TestEnv, more: &[&str]) -> Value {
    let words = [&["gc", "--orphan-ttl", "1s", "-o", "json"], more].concat();
    let done = t.execenv(words).var("EXECENV_TEST_NOW", LATER).run();
    let mut answer: Value =
        serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done}"));
    answer["status"] = done.status.into();
    answer["told"] = done.stderr.into();
    answer
}

#[test]
fn gc_keeps_an_environment_while_a_process_works_in_it() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let at = At::work(&env.join("workdir"));
    for more in [&["--dry-run"][..], &[], &["--trash-ttl", "0"], &["--max-count", "0", "--keep-younger", "0"]]
    {
        let answer = gc(&t, more);
        let decision = &answer["decisions"][0];
        assert_eq!(decision["outcome"], "retained_live", "{answer}");
        assert_eq!(
            (&answer["cleaned"], &answer["orphaned"], &answer["failed"]),
            (&0.into(), &0.into(), &0.into())
        );
        let why = decision["error"].as_str().unwrap();
        assert!(
            why.starts_with(&format!("process {} (s", at.pid())) && why.ends_with(" works in it"),
            "{why}"
        );
    }
    assert!(env.join("workdir").exists());
    drop(at);
    assert_eq!(gc(&t, &[])["decisions"][0]["outcome"], "trashed");
}

#[test]
fn cleanup_keeps_it_and_says_who_works_there() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    t.write(env.join("workdir/sub/file"), "");
    let at = At::work(&env.join("workdir/sub"));
    let who = format!("process {} (s", at.pid());
    for words in [&["cleanup", KEY][..], &["cleanup", "--all", KEY], &["cleanup", "--trash", KEY]] {
        let done = t.execenv(words).run().status(4);
        assert!(
            done.stderr.contains(&who) && done.stderr.contains("`--force` removes it all the same"),
            "{done}"
        );
    }
    assert!(env.join("workdir/sub/file").exists());
    t.execenv(["cleanup", "--force", KEY]).ok();
    assert!(!env.join("workdir").exists());
}

#[test]
fn the_shell_in_which_a_clean_up_is_typed_does_not_count() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    t.sh(&format!("cd {}; execenv cleanup .; :", env.join("workdir").display())).ok();
    assert!(!env.join("workdir").exists());
}

#[test]
fn a_process_in_a_users_folder_or_beside_the_work_dir_keeps_nothing() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK, "--local-dir", "project"]);
    let _here = At::work(&t.project);
    t.execenv(["cleanup", KEY]).ok();
    let env = t.prepare(["--task-id", "other"]);
    let _beside = At::work(&t.root);
    t.execenv(["cleanup", "--all", env.to_str().unwrap()]).ok();
    assert!(!env.exists());
}
