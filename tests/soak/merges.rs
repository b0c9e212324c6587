//! Merges: a kill or a failing disk at every change and at every git call that changes something. The same command again gets
//! to the state that the undisturbed one has.

use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

use crate::support::repository::{commit_files, git, git_out, make_repository};
use crate::support::{KEY, Snapshot, TASK, TestEnv, snapshot};
use crate::sweep::{Fault, Start, sweep_to, with_each_fault};

const SIDE: &str = "agent/coder/0123456789ab";
const START: &[&str] = &["merge", "start", KEY, SIDE];
const RESOLVE: &[&str] = &["merge", "resolve", KEY, "--all", "theirs"];

/// A command, and those before it.
type Case = (&'static str, &'static [&'static [&'static str]], &'static [&'static str]);

const CASES: &[Case] = &[
    ("merge start", &[], START),
    ("merge start --commit", &[], &["merge", "start", KEY, "agent/coder/clean0000000", "--commit"]),
    (
        "merge start --squash",
        &[],
        &["merge", "start", KEY, "agent/coder/clean0000000", "--commit", "--squash"],
    ),
    ("merge resolve", &[START], RESOLVE),
    ("merge commit", &[START, RESOLVE], &["merge", "commit", KEY]),
    ("merge abort", &[START], &["merge", "abort", KEY]),
    ("merge skip", &[], &["merge", "skip", KEY, SIDE, "why"]),
];

pub fn trials() -> Vec<Trial> {
    with_each_fault(CASES, |case| case.0, disturb)
}

fn disturb(name: &str, (_, before, command): &Case, fault: Fault) {
    let t = TestEnv::new();
    let repo = repository(&t);
    for words in *before {
        t.execenv(*words).run().sane(&[0, 5]);
    }
    let start = Start::new(&t);
    let status = t.execenv(*command).run().sane(&[0, 5]).status.unwrap();
    // A file of which a killed `resolve` has written a part counts as edited, and is kept by a ref before it is written over.
    let keeps = *command == RESOLVE;
    let state = |t: &TestEnv, repo: &Path| {
        let (mut said, files) = state(t, repo);
        said.truncate(if keeps { 5 } else { 6 });
        (said, files)
    };
    let expected = state(&t, &repo);
    start.put_back();
    let run = || t.execenv(*command);
    sweep_to(name, fault, &start, status, run, |done, when| {
        if status == 0 {
            done.assert_is_no_conflict(when);
        }
        run().run().sane(&[0, 1, 2, 5]);
        let now = state(&t, &repo);
        assert!(now == expected, "{when}\n{now:#?}\n{expected:#?}");
    });
}

/// What a merge has to do with: the commit without its time, index, files, and what git and the record say.
fn state(t: &TestEnv, repo: &Path) -> (Vec<String>, Snapshot) {
    let head = git_out(t, repo, &["log", "-1", "--format=%T %P %s"]);
    let index = git_out(t, repo, &["ls-files", "--stage", "-z"]);
    let git_says = git_out(t, repo, &["status"]);
    let status = t.execenv(["merge", "status", KEY]).run().stdout;
    let list = t.execenv(["merge", "list", KEY, "-o", "json"]).run().stdout;
    let refs = git_out(t, repo, &["for-each-ref", "refs/execenv"]);
    // An empty folder is nothing to git, and a killed removal leaves it.
    let files = snapshot(repo).into_iter();
    let files = files.filter(|(path, entry)| !path.starts_with(".git") && !entry.ends_with("dir")).collect();
    (vec![head, index, git_says, status, list, refs], files)
}

fn repository(t: &TestEnv) -> PathBuf {
    let repo = t.prepare(["--task-id", TASK]).join("workdir");
    make_repository(t, &repo, &[]);
    let commit = |branch: &str, files: &[(&str, &str)]| {
        git(t, &repo, &["checkout", "-q", branch]);
        commit_files(t, &repo, branch, files);
    };
    for branch in [SIDE, "agent/coder/clean0000000", "agent/lead/1"] {
        git(t, &repo, &["branch", branch]);
    }
    commit(SIDE, &[("file", "theirs\n"), ("new/theirs", "t\n")]);
    commit("agent/coder/clean0000000", &[("new/clean", "c\n")]);
    commit("agent/lead/1", &[("file", "ours\n")]);
    repo
}
