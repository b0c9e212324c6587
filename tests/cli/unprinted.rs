//! Answers that cannot be printed: what was made for the caller is taken back, what was done is told. Status 1.

use std::path::{Path, PathBuf};

use crate::support::repository::{commit_files, git, git_out, make_repository};
use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};

/// Where an answer goes that nobody reads, and what the system says of it.
const NOWHERE: [(&str, &str); 2] = [("/dev/full", "No space left"), ("pipe", "Broken pipe")];

/// An environment whose work dir is a worktree of `source` with two commits, and work in it.
fn worktree(t: &TestEnv) -> PathBuf {
    let source = t.tmp.join("source");
    make_repository(t, &source, &[]);
    commit_files(t, &source, "two", &[("second", "2\n")]);
    let work_dir = t.prepare(["--task-id", TASK, "--repo", "source"]).join("workdir");
    t.write(work_dir.join("new"), "new\n");
    work_dir
}

/// Refs, what is checked out, and what is changed.
fn state(t: &TestEnv, repo: &Path) -> String {
    let status = git_out(t, repo, &["status", "--porcelain", "-b", "--", ".", ":!.agent_context"]);
    format!("{}\n{status}", git_out(t, repo, &["for-each-ref"]))
}

#[test]
fn a_checkout_is_taken_back() {
    for ((stdout, why), isolated) in NOWHERE.into_iter().zip(["", "--isolated"]) {
        let t = TestEnv::new();
        let source = t.tmp.join("source");
        make_repository(&t, &source, &[]);
        let env = t.prepare(["--task-id", TASK]);
        // The shared clone is there before: it stays, as of every checkout that fails.
        t.execenv(["checkout", KEY, "source"]).ok();
        let bare = std::fs::read_dir(t.root.join(".repos/default")).unwrap().next().unwrap().unwrap().path();
        let other = t.prepare(["--task-id", "aaaaaaaa-0000-0000-0000-000000000000"]);
        let before =
            (snapshot(&other), snapshot(&bare.join("worktrees")), git_out(&t, &bare, &["for-each-ref"]));
        let words = format!("checkout {} source {isolated}", other.display());
        let done = t.unprinted(&words, stdout).status(1);
        let says = done.stderr.contains(why) && done.stderr.contains("workdir/source was removed");
        let done = done.check(says, "what became of it");
        assert_same(&before.0, &snapshot(&other), &format!("{stdout}\n{done}"));
        assert_same(&before.1, &snapshot(&bare.join("worktrees")), &format!("registrations\n{done}"));
        assert_eq!(before.2, git_out(&t, &bare, &["for-each-ref"]), "{done}");
        assert!(env.join("workdir/source/file").is_file());
    }
}

#[test]
fn a_clone_is_taken_back_and_an_empty_folder_stays_one() {
    for (stdout, why) in NOWHERE {
        for is_there in [false, true] {
            let t = TestEnv::new();
            worktree(&t);
            std::fs::create_dir_all(t.tmp.join(if is_there { "to/copy" } else { "to" })).unwrap();
            let before = snapshot(&t.tmp.join("to"));
            let done = t.unprinted(&format!("clone {KEY} to/copy"), stdout).status(1);
            let says = done.stderr.contains(why) && done.stderr.contains("to/copy was removed");
            let done = done.check(says, "what became of it");
            assert_same(&before, &snapshot(&t.tmp.join("to")), &format!("{stdout}\n{done}"));
        }
    }
}

#[test]
fn a_branch_is_taken_back_and_work_stays() {
    for (stdout, why) in NOWHERE {
        for (from, detached) in [("", false), ("--from main~1", false), ("--from main~1", true)] {
            let t = TestEnv::new();
            let work_dir = worktree(&t);
            if detached {
                git(&t, &work_dir, &["checkout", "-q", "--detach"]);
            }
            let record = || t.execenv(["show", KEY, "-o", "json"]).json()["repository"].clone();
            let (before, recorded) = (state(&t, &work_dir), record());
            let done = t.unprinted(&format!("branch {KEY} other {from}"), stdout).status(1);
            let says = done.stderr.contains(why) && done.stderr.contains("the branch other was taken back");
            let done = done.check(says, "what became of it");
            assert_eq!((before, recorded), (state(&t, &work_dir), record()), "{from} {stdout}\n{done}");
            assert!(work_dir.join("second").is_file() && work_dir.join("new").is_file(), "{done}");
        }
    }
}

/// Commands whose deed stays: each with what comes before it, and what is told.
const STAYS: [(&[&str], &str, &str); 13] = [
    (&[], "checkpoint K -m m", "checkpoint 1 was saved"),
    (&["checkpoint K -m m"], "restore K", "is as it was saved"),
    (&[], "publish K --to branch", "is in "),
    (&[], "publish K --to merge --base main", "is merged into main"),
    (&[], "merge start K agent/other/x", "the merge of agent/other/x is in progress"),
    (
        &["checkpoint K -m m --on-branch"],
        "merge start K agent/other/x --commit",
        "agent/other/x is merged as ",
    ),
    (&["merge start K agent/other/x"], "merge commit K", "the merge of agent/other/x is committed as "),
    (&["merge start K agent/other/x"], "merge abort K", "took the merge of agent/other/x back"),
    (&[], "merge skip K agent/other/x why", "agent/other/x is skipped"),
    (&["cleanup --trash --all K"], "trash restore K", "is restored"),
    (&["cleanup --trash --all K"], "trash empty --yes", "1 entry is deleted"),
    (&[], "cleanup --force K -o json", "; removed "),
    (&[], "reuse K", "is ready for a run"),
];

#[test]
fn what_was_done_is_told() {
    for (number, (first, words, told)) in STAYS.into_iter().enumerate() {
        let t = TestEnv::new();
        let work_dir = worktree(&t);
        let source = t.tmp.join("source");
        git(&t, &source, &["checkout", "-q", "-b", "agent/other/x"]);
        commit_files(&t, &source, "theirs", &[("theirs", "t\n")]);
        git(&t, &source, &["checkout", "-q", "main"]);
        let named = |words: &str| words.replace('K', KEY);
        for step in first {
            t.sh(&format!("execenv {}", named(step))).run().status(0);
        }
        let (stdout, why) = NOWHERE[number % 2];
        let done = t.unprinted(&named(words), stdout).status(1);
        let holds = [why, "could not be printed", told, "hint"].iter().all(|part| done.stderr.contains(part));
        let is_error = |line: &&str| line.starts_with("error: ") || line.starts_with("{\"error\"");
        let errors = done.stderr.lines().filter(is_error).count();
        let done = done.check(holds && errors == 1, told);
        assert!(words.contains("cleanup") || words.contains("empty") || work_dir.is_dir(), "{done}");
    }
}

#[test]
fn what_was_found_out_counts_although_nobody_reads_it() {
    let t = TestEnv::new();
    let work_dir = worktree(&t);
    t.write(work_dir.join("file"), "mine\n");
    commit_files(&t, &t.tmp.join("source"), "theirs", &[("file", "theirs\n")]);
    for (words, status) in [
        ("publish K --to merge --base main", 5), // conflicts: nothing was merged
        ("checkpoint K -m m --fail-if-clean", 1), // the work was committed by `publish`
        ("list", 0),
    ] {
        let done = t.unprinted(&words.replace('K', KEY), "pipe");
        assert_eq!(done.status, Some(status), "{words}\n{done}");
    }
}
