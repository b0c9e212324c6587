//! Work that would be lost for good is kept, with the word that says why.

use std::path::Path;

use crate::support::{KEY, TASK, TestEnv};

fn git(t: &TestEnv, dir: &Path, words: &[&str]) {
    let output = t.command("git").args(["-C", dir.to_str().unwrap()]).args(words).output().unwrap();
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A repository of the user's with one commit.
fn source(t: &TestEnv) -> std::path::PathBuf {
    let source = t.write("source/file", "one\n").parent().unwrap().to_owned();
    git(t, &source, &["init", "-q", "-b", "main"]);
    git(t, &source, &["config", "user.email", "t@example.invalid"]);
    git(t, &source, &["config", "user.name", "T"]);
    git(t, &source, &["add", "-A"]);
    git(t, &source, &["commit", "-q", "-m", "one"]);
    source
}

fn clone(t: &TestEnv, source: &Path, target: &Path) {
    git(t, source, &["clone", "-q", ".", target.to_str().unwrap()]);
    git(t, target, &["config", "user.email", "t@example.invalid"]);
    git(t, target, &["config", "user.name", "T"]);
}

#[test]
fn a_clone_goes_and_one_with_commits_of_its_own_stays() {
    let t = TestEnv::new();
    let source = source(&t);
    let env = t.prepare(["--task-id", TASK]);
    let repo = env.join("workdir/deep/repo");
    clone(&t, &source, &repo);
    t.write(repo.join("scratch"), "uncommitted files of a clone are the agent's own");
    t.execenv(["cleanup", KEY]).ok();
    assert!(!repo.exists());

    let env = t.prepare(["--task-id", TASK]);
    clone(&t, &source, &repo);
    git(&t, &repo, &["commit", "-q", "--allow-empty", "-m", "work"]);
    let done = t.execenv(["cleanup", KEY, "-o", "json"]).run().status(5);
    let answer: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer["outcome"], "retained_unpushed");
    assert_eq!(answer["kept"][0]["path"], repo.to_str().unwrap());
    assert!(repo.join("file").exists() && env.join(".gc_meta.json").exists());
    git(&t, &repo, &["push", "-q", "origin", "HEAD:refs/heads/work"]);
    t.execenv(["cleanup", KEY]).ok();
    assert!(!repo.exists());
}

#[test]
fn a_stash_and_a_repository_without_a_remote_count() {
    let t = TestEnv::new();
    let source = source(&t);
    let env = t.prepare(["--task-id", TASK]);
    let repo = env.join("workdir/repo");
    clone(&t, &source, &repo);
    t.write(repo.join("file"), "two\n");
    git(&t, &repo, &["stash", "-q"]);
    t.execenv(["cleanup", KEY]).run().status(5);
    git(&t, &repo, &["remote", "remove", "origin"]);
    git(&t, &repo, &["stash", "drop", "-q"]);
    t.execenv(["cleanup", "--all", KEY]).run().status(5);
    t.execenv(["cleanup", "--all", "--force", KEY]).ok();
    assert!(!env.exists());
}

#[test]
fn a_worktree_of_the_users_repository_stays_while_it_is_dirty_and_its_sidecars_do_not_count() {
    let t = TestEnv::new();
    let source = source(&t);
    let env = t.prepare(["--task-id", TASK]);
    let tree = env.join("workdir/tree");
    git(&t, &source, &["worktree", "add", "-q", "--no-track", "-b", "side", tree.to_str().unwrap()]);
    t.write(tree.join("new"), "work");
    let done = t.execenv(["cleanup", KEY, "-o", "json"]).run().status(5);
    let answer: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer["outcome"], "retained_dirty");
    git(&t, &tree, &["add", "-A"]);
    git(&t, &tree, &["-c", "user.name=T", "-c", "user.email=t@example.invalid", "commit", "-q", "-m", "w"]);
    t.execenv(["cleanup", KEY]).ok();
    git(&t, &source, &["rev-parse", "--verify", "-q", "side"]);
}

#[test]
fn gc_keeps_it_too_and_says_so_in_a_dry_run() {
    let t = TestEnv::new();
    let source = source(&t);
    let env = t.prepare(["--task-id", TASK, "--lease", "0"]);
    let repo = env.join("workdir/repo");
    clone(&t, &source, &repo);
    git(&t, &repo, &["commit", "-q", "--allow-empty", "-m", "work"]);
    for dry in [true, false] {
        let mut words = vec!["gc", "--orphan-ttl", "0", "-o", "json"];
        if dry {
            words.push("--dry-run");
        }
        let done = t.execenv(words).var("EXECENV_TEST_NOW", "2030-01-01T00:00:00Z").run().status(0);
        let answer: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(answer["decisions"][0]["outcome"], "retained_unpushed", "{answer}");
        assert_eq!((&answer["orphaned"], &answer["skipped"]), (&0.into(), &1.into()));
    }
    assert!(repo.join("file").exists());
}

#[test]
fn a_repository_that_git_refuses_is_kept() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    t.write(env.join("workdir/repo/.git"), "gitdir: /nowhere/at/all\n");
    let done = t.execenv(["cleanup", KEY, "-o", "json"]).run().status(1);
    let answer: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer["outcome"], "retained_unreadable");
    t.execenv(["cleanup", "--force", KEY]).ok();
}
