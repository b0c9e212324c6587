//! `prepare --repo URL` and what takes its worktree out of the shared clone again: a kill or a failing disk at every change
//! and at every git call that changes something.

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

use crate::support::git_http::serve;
use crate::support::server::Server;
use crate::support::{KEY, NOW, TASK, TestEnv};
use crate::sweep::{Fault, Start, sweep, with_and_without_doctor};

const LATER: &str = "2026-06-30T12:00:00Z";
const PREPARE: &[&str] = &["prepare", "--task-id", TASK, "--provider", "claude", "--repo", "URL"];
const SPARSE: &[&str] = &["prepare", "--task-id", TASK, "--repo", "URL", "--sparse", "a"];
const OTHER: &[&str] = &["prepare", "--lease", "300d", "--repo", "URL"];

/// A command, what was done before it, and the time at which it runs.
type Case = (&'static str, &'static [&'static [&'static str]], &'static [&'static str], &'static str);

const CASES: &[Case] = &[
    ("prepare --repo URL that clones", &[], PREPARE, NOW),
    ("prepare --repo URL", &[OTHER], PREPARE, NOW),
    ("prepare --repo URL --sparse", &[OTHER], SPARSE, NOW),
    ("cleanup --all of a worktree of a shared clone", &[OTHER, PREPARE], &["cleanup", "--all", KEY], NOW),
    ("gc of a worktree of a shared clone", &[OTHER, PREPARE], &["gc", "--trash-ttl", "0"], LATER),
];

pub fn trials() -> Vec<Trial> {
    with_and_without_doctor(CASES, |case| case.0, disturb)
}

/// Whatever happened, the next commands take everything of the task out of the shared clone, and nothing of the other one.
fn disturb(name: &str, (_, before, command, now): &Case, fault: Fault, doctor: bool) {
    let t = TestEnv::new();
    let server = served(&t);
    let url = format!("{}/repo", server.url());
    let words = |words: &[&'static str]| -> Vec<String> {
        words.iter().map(|word| if *word == "URL" { url.clone() } else { (*word).to_owned() }).collect()
    };
    let mut other = None;
    for step in *before {
        let done = t.execenv(words(step).iter().map(String::as_str)).run().status(0);
        if *step == OTHER {
            other = Some(PathBuf::from(done.stdout.trim_end()).join("workdir"));
        }
    }
    let words = words(command);
    let run = || t.execenv(words.iter().map(String::as_str)).var("EXECENV_TEST_NOW", now);
    let start = Start::new(&t);
    sweep(name, fault, &start, run, |_, when| {
        if !doctor {
            run().run().sane(&[0, 3]);
        }
        t.execenv(["doctor", "--fix"]).run();
        if t.root.join("default").join(KEY).exists() {
            t.execenv(["cleanup", "--all", KEY]).run().status(0);
        }
        t.execenv(["trash", "empty", "--yes"]).run().status(0);
        let keep_all = ["gc", "--ttl", "300d", "--orphan-ttl", "300d"];
        t.execenv(keep_all).run().sane(&[0]);
        t.assert_nothing_half_made_but(".execenv.excludes", when);
        let bare = t.root.join(format!(".repos/default/127.0.0.1%3A{}+repo.git", server.port()));
        if !bare.exists() {
            assert!(other.is_none(), "{when}: the shared clone is gone");
            return;
        }
        let expected = usize::from(other.is_some());
        let branches = git(&t, &bare, &["for-each-ref", "refs/heads/"]);
        assert_eq!(branches.lines().count(), expected, "{when}: {branches}");
        let registered = fs::read_dir(bare.join("worktrees")).map_or(0, Iterator::count);
        assert_eq!(registered, expected, "{when}: registrations");
        git(&t, &bare, &["fsck", "--strict"]);
        if let Some(other) = &other {
            assert_eq!(git(&t, other, &["status", "--porcelain", "-uno"]), "", "{when}");
        }
    });
}

fn git(t: &TestEnv, dir: &Path, words: &[&str]) -> String {
    let who = ["-c", "user.name=T", "-c", "user.email=t@example.invalid"];
    let done = t.command("git").current_dir(dir).args(who).args(words).output().unwrap();
    assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// A server of a repository with two folders.
fn served(t: &TestEnv) -> Server {
    let source = t.write("served/repo/a/file", "one\n").ancestors().nth(2).unwrap().to_owned();
    t.write("served/repo/c/file", "two\n");
    git(t, &source, &["init", "-q", "-b", "main"]);
    git(t, &source, &["add", "-A"]);
    git(t, &source, &["commit", "-q", "-m", "one"]);
    serve(&t.tmp.join("served"), None)
}
