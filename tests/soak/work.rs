//! Saving and rebuilding work: a kill or a failing disk at every change and at every git call that changes something.

use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

use crate::support::repository::{commit_files, git_out, make_repository};
use crate::support::{KEY, Run, Snapshot, TASK, TestEnv, assert_same, snapshot};
use crate::sweep::{Fault, Start, sweep, with_each_fault};

const CHECKPOINT: &[&str] = &["checkpoint", KEY, "-m", "saved"];
const ON_BRANCH: &[&str] = &["checkpoint", KEY, "-m", "saved", "--on-branch"];
const RESTORE: &[&str] = &["restore", KEY];
const RESTORE_COMMIT: &[&str] = &["restore", KEY, "--commit"];
const BRANCH: &[&str] = &["branch", KEY, "next", "--from", "main~1"];

/// A command, whether the folder of the worktree is gone before it, and what the same command again may end with.
type Case = (&'static str, &'static [&'static str], bool, &'static [i32]);

const CASES: &[Case] = &[
    ("checkpoint", CHECKPOINT, false, &[0]),
    ("checkpoint --on-branch", ON_BRANCH, false, &[0]),
    ("restore", RESTORE, true, &[0]),
    ("restore --commit", RESTORE_COMMIT, true, &[0]),
    ("branch --from", BRANCH, false, &[0, 5]),
];

pub fn trials() -> Vec<Trial> {
    with_each_fault(CASES, |case| case.0, disturb)
}

fn disturb(name: &str, (_, command, is_gone, statuses): &Case, fault: Fault) {
    let t = TestEnv::new();
    let source = t.tmp.join("source");
    make_repository(&t, &source, &[]);
    commit_files(&t, &source, "two", &[("more", "more\n")]);
    let work_dir = t.prepare(["--task-id", TASK, "--repo", "source"]).join("workdir");
    let moves = command[0] == "branch";
    if !moves {
        t.write(work_dir.join("file"), "changed\n");
        t.write(work_dir.join("new/binary"), b"\0\xff");
    }
    let work = files(&work_dir);
    if *is_gone {
        t.execenv(CHECKPOINT).run().status(0);
        std::fs::remove_dir_all(&work_dir).unwrap();
    }
    let user = of_user(&source);
    let run = || -> Run<'_> { t.execenv(*command) };
    let start = Start::new(&t);
    sweep(name, fault, &start, run, |done, when| {
        done.assert_is_no_conflict(when);
        if !is_gone && !moves {
            assert_same(&work, &files(&work_dir), when);
        }
        let again = run().run();
        again.assert_sane(statuses);
        assert_same(&user, &of_user(&source), when);
        if moves {
            assert_eq!(
                git_out(&t, &work_dir, &["symbolic-ref", "HEAD"]),
                "refs/heads/next",
                "{when}\n{again}"
            );
            assert_eq!(
                git_out(&t, &work_dir, &["status", "--porcelain", "--", ".", ":!.agent_context"]),
                "",
                "{when}"
            );
            return;
        }
        assert_same(&work, &files(&work_dir), when);
        // What is saved now brings everything back.
        let dirty =
            !git_out(&t, &work_dir, &["status", "--porcelain", "--", ".", ":!.agent_context"]).is_empty();
        assert_eq!(dirty, !command.contains(&"--on-branch") && !command.contains(&"--commit"), "{when}");
        std::fs::remove_dir_all(&work_dir).unwrap();
        t.execenv(RESTORE).run().status(0);
        assert_same(&work, &files(&work_dir), when);
        t.assert_nothing_half_made_but(".execenv.excludes", when);
    });
}

/// The work, without git's file and what execenv put there.
fn files(work_dir: &Path) -> Snapshot {
    let mut all = snapshot(work_dir);
    all.retain(|path, _| !path.starts_with(".git") && !path.starts_with(".agent_context"));
    all
}

/// The user's repository without objects, registrations, and what is the environment's.
fn of_user(source: &Path) -> Snapshot {
    let mut all = snapshot(source);
    let ours =
        ["objects", "worktrees", "refs/execenv", "refs/heads/agent", "refs/heads/next", "logs/refs/heads"];
    let is_ours = |path: &PathBuf| ours.iter().any(|part| path.starts_with(Path::new(".git").join(part)));
    all.retain(|path, _| !is_ours(path) && path != Path::new(".git/refs"));
    all
}
