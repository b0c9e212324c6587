//! `checkout`: a checkout is there whole or not at all, and neither a killed one nor one that failed is in the way of the
//! next.

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

use crate::support::repository::{commit_files, git_out, make_repository};
use crate::support::{Done, KEY, Run, TASK, TestEnv};
use crate::sweep::{Fault, Start, sweep, with_and_without_doctor};

/// One command, and the checkouts of other environments that are there before.
struct Case {
    name: &'static str,
    before: &'static [&'static [&'static str]],
    words: &'static [&'static str],
}

const CASES: [Case; 5] = [
    Case { name: "checkout_that_clones", before: &[], words: &[] },
    Case { name: "checkout_linked", before: &[&[]], words: &[] },
    Case { name: "checkout_isolated", before: &[&[]], words: &["--isolated"] },
    Case { name: "checkout_sparse", before: &[&[]], words: &["--sparse", "a"] },
    Case { name: "checkout_sparse_again", before: &[&["--sparse", "c"]], words: &["--sparse", "a"] },
];

pub fn trials() -> Vec<Trial> {
    with_and_without_doctor(&CASES, |case| case.name, disturb)
}

struct World {
    t: TestEnv,
    source: PathBuf,
    repo: PathBuf,
    others: Vec<PathBuf>,
}

impl World {
    fn new(case: &Case) -> World {
        let t = TestEnv::new();
        let source = t.tmp.join("source/my-repo");
        make_repository(&t, &source, &[]);
        commit_files(&t, &source, "folders", &[("a/file", "one\n"), ("c/file", "two\n")]);
        let env = t.prepare(["--task-id", TASK]);
        let mut w = World { repo: env.join("workdir/my-repo"), t, source, others: Vec::new() };
        for words in case.before {
            let env = w.t.prepare([] as [&str; 0]);
            w.checkout(env.to_str().unwrap(), words).ok();
            w.others.push(env.join("workdir/my-repo"));
        }
        w
    }

    fn git(&self, dir: &Path, words: &[&str]) -> String {
        git_out(&self.t, dir, words)
    }

    fn checkout<'a>(&'a self, env: &'a str, words: &[&'a str]) -> Run<'a> {
        self.t.execenv([&["checkout", env, self.source.to_str().unwrap()], words].concat())
    }

    fn bare(&self) -> PathBuf {
        let name = self.source.to_str().unwrap().trim_start_matches('/').replace('/', "+");
        self.t.root.join(format!(".repos/default/{name}.git"))
    }

    fn assert_whole(&self, case: &Case, when: &str) {
        for other in &self.others {
            assert_eq!(self.git(other, &["status", "--porcelain"]), "", "{when}: another checkout");
        }
        let repo = &self.repo;
        assert_eq!(self.git(repo, &["status", "--porcelain"]), "", "{when}");
        let branch = self.git(repo, &["symbolic-ref", "HEAD"]);
        assert!(branch.contains(KEY), "{when}: {branch}");
        assert_eq!(
            self.git(repo, &["rev-parse", "HEAD"]),
            self.git(&self.source, &["rev-parse", "HEAD"]),
            "{when}"
        );
        assert!(repo.join("a/file").exists(), "{when}");
        assert_eq!(repo.join("c").exists(), !case.words.contains(&"--sparse"), "{when}");
    }

    /// Nothing is left but what is in use.
    fn assert_tidy(&self, when: &str) {
        self.t.assert_nothing_half_made(when);
        let folder = self.bare().parent().unwrap().to_owned();
        let names: Vec<_> =
            fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().file_name()).collect();
        let is_hidden = |name: &&std::ffi::OsString| name.as_encoded_bytes().starts_with(b".");
        assert!(!names.iter().any(|name| is_hidden(&name)), "{when}: {names:?}");
        if self.bare().exists() {
            self.git(&self.bare(), &["fsck", "--strict"]);
        }
    }

    fn registered(&self) -> usize {
        fs::read_dir(self.bare().join("worktrees")).map_or(0, Iterator::count)
    }

    fn branches(&self) -> usize {
        if !self.bare().exists() {
            return 0;
        }
        self.git(&self.bare(), &["for-each-ref", "refs/heads/"]).lines().count()
    }
}

fn disturb(name: &str, case: &Case, fault: Fault, doctor: bool) {
    let w = World::new(case);
    let start = Start::new(&w.t);
    let (registered, branches) = (w.registered(), w.branches());
    let linked = usize::from(!case.words.contains(&"--isolated"));
    sweep(
        name,
        fault,
        &start,
        || w.checkout(KEY, case.words),
        |done, when| {
            match done.status {
                // A warning, such as of a note that could not be written.
                Some(0) => w.assert_whole(case, when),
                _ if fault != Fault::Kill => assert_undone(&w, done, when, (registered, branches)),
                _ => {}
            }
            if doctor {
                w.t.execenv(["doctor", "--fix"]).run().status(0);
                w.assert_tidy(when);
            }
            // It may have got its place before the kill.
            if !w.repo.exists() {
                if doctor {
                    assert_eq!((w.registered(), w.branches()), (registered, branches), "{when}");
                }
                w.checkout(KEY, case.words).run().status(0);
            }
            w.assert_whole(case, when);
            w.t.execenv(["gc", "--ttl", "300d", "--orphan-ttl", "300d"]).run().sane(&[0]);
            w.assert_tidy(when);
            w.assert_whole(case, when);
            assert_eq!(w.branches(), branches + linked, "{when}: branches");
        },
    );
}

/// A checkout that failed has left nothing.
fn assert_undone(w: &World, done: &Done, when: &str, (registered, branches): (usize, usize)) {
    done.assert_sane(&[1, 4]);
    assert!(!w.repo.exists(), "{when}\n{done}");
    w.assert_tidy(when);
    assert_eq!((w.registered(), w.branches()), (registered, branches), "{when}\n{done}");
}
