//! What becomes of checkouts: `cleanup`, the trash and `gc`, with checkouts that `execenv checkout` made.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::TestEnv;

/// A world with a repository `source/repo` that has one commit.
struct World {
    t: TestEnv,
    source: PathBuf,
}

/// An environment with a checkout.
struct Env {
    root: PathBuf,
    repo: PathBuf,
}

impl World {
    fn new() -> World {
        let t = TestEnv::new();
        let source = t.write("source/repo/file", "one\n").parent().unwrap().to_owned();
        let w = World { t, source };
        w.git(&w.source, &["init", "-q", "-b", "main"]);
        w.git(&w.source, &["add", "-A"]);
        w.git(&w.source, &["commit", "-q", "-m", "one"]);
        w
    }

    fn git(&self, dir: &Path, words: &[&str]) -> String {
        let who = ["-c", "user.name=T", "-c", "user.email=t@example.invalid"];
        let output = self.t.command("git").current_dir(dir).args(who).args(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {words:?} in {}: {said}", dir.display());
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn env(&self) -> Env {
        let root = self.t.prepare(["--lease", "1s"]);
        let words = ["checkout", root.to_str().unwrap(), self.source.to_str().unwrap()];
        let repo = PathBuf::from(self.t.execenv(words).ok().stdout.trim_end());
        Env { root, repo }
    }

    fn work(&self, env: &Env) {
        self.git(&env.repo, &["commit", "-q", "--allow-empty", "-m", "work"]);
    }

    fn bare(&self) -> PathBuf {
        let name = self.source.to_str().unwrap().trim_start_matches('/').replace('/', "+");
        self.t.root.join(format!(".repos/default/{name}.git"))
    }

    fn branches(&self) -> usize {
        self.git(&self.bare(), &["for-each-ref", "refs/heads/agent/"]).lines().count()
    }

    fn registered(&self) -> usize {
        fs::read_dir(self.bare().join("worktrees")).map_or(0, Iterator::count)
    }

    /// One cycle at a date.
    fn gc(&self, now: &str, more: &[&str]) -> Value {
        let words = [&["gc", "-o", "json"], more].concat();
        let done = self.t.execenv(words).var("EXECENV_TEST_NOW", now).run().status(0);
        serde_json::from_str(&done.stdout).unwrap()
    }
}

const SOON: &str = "2026-06-01T13:00:00Z";
const LATER: &str = "2026-06-08T12:00:00Z";
const MUCH_LATER: &str = "2026-08-01T12:00:00Z";

#[test]
fn a_checkout_goes_with_its_environment_and_its_branch_with_the_next_cycle() {
    let w = World::new();
    let (idle, live) = (w.env(), w.env());
    assert_eq!((w.branches(), w.registered()), (2, 2));
    w.t.execenv(["cleanup", idle.root.to_str().unwrap()]).ok();
    let report = w.gc(SOON, &[]);
    assert_eq!(
        (&report["repos"]["pruned"], &report["repos"]["branches_deleted"]),
        (&1.into(), &1.into()),
        "{report}"
    );
    assert_eq!((w.branches(), w.registered()), (1, 1));
    assert_eq!(w.git(&live.repo, &["status", "--porcelain"]), "");
}

#[test]
fn a_commit_of_an_agents_is_kept_by_its_branch_until_another_ref_holds_it() {
    let w = World::new();
    let env = w.env();
    w.work(&env);
    fs::write(env.repo.join("scratch"), "nowhere else").unwrap();
    w.t.execenv(["cleanup", env.root.to_str().unwrap()]).run().status(5);
    fs::remove_file(env.repo.join("scratch")).unwrap();
    // Committed work is the shared repository's, which stays.
    w.t.execenv(["cleanup", env.root.to_str().unwrap()]).ok();
    let done = w.t.execenv(["gc"]).var("EXECENV_TEST_NOW", SOON).run().status(0);
    assert!(done.stderr.contains("their commits are nowhere else"), "{done}");
    assert_eq!((w.branches(), w.registered()), (1, 0));
    let bare = w.bare();
    let branch = w.git(&bare, &["for-each-ref", "--format=%(refname:short)", "refs/heads/"]);
    w.git(&bare, &["push", "-q", "origin", &format!("{branch}:refs/heads/done")]);
    w.env(); // which fetches
    w.gc(SOON, &[]);
    assert_eq!(w.branches(), 1, "the new one's");
}

#[test]
fn a_checkout_comes_out_of_the_trash_as_it_was() {
    let w = World::new();
    let env = w.env();
    w.work(&env);
    fs::write(env.repo.join("staged"), "s").unwrap();
    w.git(&env.repo, &["add", "staged"]);
    let before = w.git(&env.repo, &["status", "--porcelain=v2", "--branch"]);
    let key = env.root.file_name().unwrap().to_str().unwrap();
    w.t.execenv(["cleanup", "--trash", "--all", key]).ok();
    w.gc(SOON, &[]);
    assert_eq!((w.branches(), w.registered()), (1, 1), "while it is in the trash");
    w.t.execenv(["trash", "restore", key]).ok();
    assert_eq!(w.git(&env.repo, &["status", "--porcelain=v2", "--branch"]), before);
}

#[test]
fn a_shared_repository_goes_when_it_is_unused_and_holds_nothing_of_its_own() {
    let w = World::new();
    let env = w.env();
    w.gc(MUCH_LATER, &["--orphan-ttl", "3650d"]);
    assert!(w.bare().exists(), "a worktree uses it");
    w.t.execenv(["cleanup", "--all", env.root.to_str().unwrap()]).ok();
    w.gc(LATER, &[]);
    assert!(w.bare().exists(), "it was used a week ago");
    let stamp = w.bare().join(".multica_last_used");
    assert_eq!(fs::read_to_string(&stamp).unwrap(), "2026-06-01T12:00:00.000000000Z");
    // Without a stamp it gets one, and another term.
    fs::remove_file(&stamp).unwrap();
    w.gc(LATER, &[]);
    assert!(w.bare().exists() && stamp.exists());
    w.gc(MUCH_LATER, &[]);
    assert!(!w.bare().exists() && !w.bare().parent().unwrap().exists(), "with the folder of the workspace");
    // The next checkout clones it again. Work that is nowhere else keeps it.
    let env = w.env();
    w.work(&env);
    w.t.execenv(["cleanup", "--all", env.root.to_str().unwrap()]).ok();
    let done = w.t.execenv(["gc"]).var("EXECENV_TEST_NOW", MUCH_LATER).run().status(0);
    assert!(done.stderr.contains("unused for long: it holds commits"), "{done}");
    assert!(w.bare().exists());
    // A clone that was killed.
    let unfinished = w.bare().with_file_name(".cloning-x.git");
    fs::create_dir(&unfinished).unwrap();
    w.gc(SOON, &[]);
    assert!(!unfinished.exists());
}
