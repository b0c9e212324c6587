//! Worktrees of a user's repository: a kill or a failing disk at every change and at every git call that changes something.

use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

use crate::support::repository::{commit_files, git, git_out, make_repository};
use crate::support::{KEY, NOW, Snapshot, TASK, TestEnv, assert_same, snapshot};
use crate::sweep::{Fault, Start, sweep, with_and_without_doctor};

const LATER: &str = "2026-06-30T12:00:00Z";
const PREPARE: &[&str] = &["prepare", "--task-id", TASK, "--provider", "claude", "--repo", "source"];
const FOLDER: &[&str] =
    &["prepare", "--task-id", TASK, "--provider", "claude", "--worktree", "--local-dir", "source/sub"];
const NEW: &[&str] = &["prepare", "--task-id", TASK, "--provider", "claude", "--repo", "new://"];
const AGAIN: &[&str] = &["prepare", "--replace", "--task-id", TASK, "--repo", "source"];
const OTHER: &[&str] = &["prepare", "--task-id", "other", "--repo", "source"];
const CONTINUE: &[&str] = &["prepare", "--task-id", TASK, "--provider", "claude", "--continue-from", "other"];
const TRASH: &[&str] = &["cleanup", "--trash", "--all", KEY];

/// A command, what was done before it, and the time at which it runs.
type Case = (&'static str, &'static [&'static [&'static str]], &'static [&'static str], &'static str);

const CASES: &[Case] = &[
    ("prepare --repo", &[], PREPARE, NOW),
    ("prepare of a folder's worktree", &[], FOLDER, NOW),
    ("reuse of a folder's worktree", &[FOLDER], &["reuse", KEY, "--provider", "opencode"], NOW),
    ("cleanup of a folder's worktree", &[FOLDER], &["cleanup", KEY], NOW),
    ("gc of a folder's worktree", &[FOLDER], &["gc", "--trash-ttl", "0"], LATER),
    ("prepare of a new repository", &[], NEW, NOW),
    ("cleanup of a new repository", &[NEW], &["cleanup", KEY], NOW),
    ("prepare --continue-from", &[OTHER], CONTINUE, NOW),
    ("prepare --repo over an existing one", &[PREPARE], AGAIN, NOW),
    ("reuse of a worktree", &[PREPARE], &["reuse", KEY, "--provider", "opencode"], NOW),
    ("cleanup of a worktree", &[PREPARE], &["cleanup", KEY], NOW),
    ("cleanup --all of a worktree", &[PREPARE], &["cleanup", "--all", KEY], NOW),
    ("cleanup --trash of a worktree", &[PREPARE], &["cleanup", "--trash", KEY], NOW),
    ("gc of a worktree", &[PREPARE], &["gc", "--trash-ttl", "0"], LATER),
    ("trash empty with a worktree", &[PREPARE, TRASH], &["trash", "empty", "--yes"], NOW),
    ("trash restore of a worktree", &[PREPARE, TRASH], &["trash", "restore", KEY, "--to", "elsewhere"], NOW),
];

pub fn trials() -> Vec<Trial> {
    with_and_without_doctor(CASES, |case| case.0, disturb)
}

/// Whatever happened, the next commands take everything out of the repository again, and nothing else.
fn disturb(name: &str, (_, before, command, now): &Case, fault: Fault, doctor: bool) {
    let t = TestEnv::new();
    let source = repository(&t);
    let original = kept(&source);
    for words in *before {
        t.execenv(*words).run().status(0);
    }
    let run = || t.execenv(*command).var("EXECENV_TEST_NOW", now);
    let start = Start::new(&t);
    sweep(name, fault, &start, run, |done, when| {
        if !doctor {
            run().run().sane(&[0, 3, 5]);
        }
        t.execenv(["doctor", "--fix"]).run();
        let found = t.root.join("default").join(KEY);
        if found.exists() {
            let listed = git_out(&t, &source, &["worktree", "list"]);
            let is_whole = found.join("workdir/.git").is_file();
            let is_listed = listed.contains(&format!("{}/workdir ", found.display()));
            assert!(!is_whole || is_listed, "{when}: {listed}");
            t.execenv(["cleanup", "--all", KEY]).run().status(0);
        }
        if before.contains(&OTHER) {
            t.execenv(["cleanup", "--all", "other"]).run().status(0);
        }
        t.execenv(["trash", "empty", "--yes"]).run().status(0);
        let elsewhere = t.tmp.join("elsewhere");
        if elsewhere.exists() {
            let place = elsewhere.join("workdir");
            git(&t, &place, &["worktree", "repair"]);
            let there = place.to_str().unwrap();
            git(&t, &source, &["worktree", "remove", "--force", "--force", there]);
            git(&t, &source, &["branch", "-q", "-D", &format!("agent/agent/{KEY}")]);
            std::fs::remove_dir_all(&elsewhere).unwrap();
        }
        let mut left = kept(&source);
        // Where git itself failed, it says which branch stays.
        if done.stderr.contains(&format!("the branch agent/agent/{KEY} stays")) {
            left.retain(|path, _| !path.starts_with(".git/refs/heads/agent"));
        }
        assert_same(&original, &left, when);
    });
}

fn repository(t: &TestEnv) -> PathBuf {
    let source = t.tmp.join("source");
    make_repository(t, &source, &[]);
    commit_files(t, &source, "two", &[("CLAUDE.md", "the user's own\n"), ("file", "text\n")]);
    // Of these a worktree gets `.env`; that of the folder all but `ignored`.
    t.write(source.join(".git/info/exclude"), "/.env\n/ignored\n/.worktreeinclude\n");
    t.write(source.join(".worktreeinclude"), ".env\n");
    t.write(source.join(".env"), "A=1\n");
    t.write(source.join("ignored"), "");
    t.write(source.join("file"), "changed\n");
    t.write(source.join("sub/new"), "new\n");
    source
}

/// Everything of the repository but its objects and logs, and the folder of registrations, which git leaves, too.
fn kept(source: &Path) -> Snapshot {
    let mut all = snapshot(source);
    let is_noise = |path: &Path| [".git/objects", ".git/logs"].iter().any(|noise| path.starts_with(noise));
    all.retain(|path, _| !is_noise(path) && path != Path::new(".git/worktrees"));
    all
}
