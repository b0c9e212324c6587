//! `prepare --repo new://`: the work dir is a new repository, with one empty commit.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{KEY, TASK, TestEnv};
use crate::worktree::git;

fn prepared(t: &TestEnv, words: &[&str]) -> (Value, PathBuf) {
    let always = ["prepare", "--task-id", TASK, "--provider", "claude", "-o", "json", "--repo"];
    let done = t.execenv([&always[..], words].concat()).run().status(0);
    let made: Value = serde_json::from_str(&done.stdout).unwrap();
    let work_dir = PathBuf::from(made["work_dir"].as_str().unwrap());
    (made, work_dir)
}

#[test]
fn a_new_repository_has_one_empty_commit_that_is_no_work() {
    let t = TestEnv::new();
    let config = |text: &str| t.write("config", text);
    for (settings, words, branch, author) in [
        ("", &["new://"][..], "main", "execenv <execenv@localhost>"),
        (
            "[init]\ndefaultBranch = trunk\n[user]\nname = Ada\nemail = a@example.invalid\n[commit]\ngpgsign = true\n",
            &["new://demo"],
            "trunk",
            "Ada <a@example.invalid>",
        ),
    ] {
        let config = config(settings);
        let always = ["prepare", "--task-id", TASK, "--provider", "claude", "-o", "json", "--repo"];
        let done = t
            .execenv([&always[..], words].concat())
            .var("GIT_CONFIG_GLOBAL", config.to_str().unwrap())
            .run()
            .status(0);
        let made: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!((&made["type"], &made["branch_name"]), (&"directory".into(), &branch.into()));
        let work_dir = PathBuf::from(made["work_dir"].as_str().unwrap());
        let shown = git(&t, &work_dir, &["log", "--all", "--format=%an <%ae>|%D|%P"]);
        assert_eq!(shown, format!("{author}|HEAD -> {branch}|"));
        assert_eq!(git(&t, &work_dir, &["ls-tree", "HEAD"]) + &git(&t, &work_dir, &["remote"]), "");
        let done = t.execenv(["run", "-q", KEY, "--", "git", "status", "--porcelain"]).run().status(0);
        assert_eq!(done.stdout, "", "git does not see the sidecars");
        let meta = std::fs::read_to_string(work_dir.with_file_name(".gc_meta.json")).unwrap();
        let meta: Value = serde_json::from_str(&meta).unwrap();
        let recorded = &meta["execenv"]["repository"];
        assert_eq!(recorded["base_commit"], git(&t, &work_dir, &["rev-parse", "HEAD"]).as_str());
        assert_eq!(recorded["source"], words[0]);
        t.execenv(["cleanup", KEY]).ok();
        assert!(!work_dir.exists());
        t.execenv(["cleanup", "--all", KEY]).ok();
    }
}

#[test]
fn what_the_agent_commits_there_is_work() {
    let t = TestEnv::new();
    for (script, outcome) in [
        ("echo x > x; git add x; git commit -q -m work", "retained_unpushed"),
        ("git commit -q --amend --allow-empty -m words", "retained_unpushed"),
        ("echo x > x; git add x; git commit -q --amend --no-edit", "retained_unpushed"),
        ("echo x > x", "retained_dirty"),
    ] {
        let (_, work_dir) = prepared(&t, &["new://"]);
        let script = format!(
            "export GIT_AUTHOR_NAME=T GIT_AUTHOR_EMAIL=t@e GIT_COMMITTER_NAME=T GIT_COMMITTER_EMAIL=t@e; {script}"
        );
        t.execenv(["run", "-q", KEY, "--", "sh", "-c", &script]).run().status(0);
        let done = t.execenv(["cleanup", KEY, "-o", "json"]).run().status(5);
        assert_eq!(serde_json::from_str::<Value>(&done.stdout).unwrap()["outcome"], outcome, "{script}");
        assert!(work_dir.join(".git").exists());
        t.execenv(["cleanup", "--all", "--force", KEY]).run().status(0);
    }
}

#[test]
fn the_repository_moves_with_its_root_and_is_found_again() {
    let t = TestEnv::new();
    prepared(&t, &["new://"]);
    for (words, parts) in [
        (&["--repo", "new://", "--base", "main"][..], &["`--base` does not go with a new repository"][..]),
        (&["--repo", "new://", "--include", "x"], &["`--include` does not go"]),
        (&["--repo", "new://a/b"], &["that is no name"]),
    ] {
        t.execenv([&["prepare", "--task-id", TASK], words].concat()).fails(2, parts);
    }
    let again =
        ["prepare", "--task-id", TASK, "--keep-existing", "--provider", "claude", "-o", "json", "--repo"];
    assert_eq!(t.execenv([&again[..], &["new://"]].concat()).json()["reused"], true);
    let other = crate::worktree::repository(&t, "source", &[]);
    let plain: Vec<&str> = again.iter().copied().filter(|word| !["-o", "json"].contains(word)).collect();
    t.execenv([&plain[..], &[other.to_str().unwrap()]].concat()).fails(5, &["is no worktree"]);
    let moved = t.tmp.join("moved");
    std::fs::rename(&t.root, &moved).unwrap();
    let run = |words: &[&str]| {
        t.execenv(
            ["--workspaces-root", moved.to_str().unwrap()].iter().chain(words).copied().collect::<Vec<_>>(),
        )
        .run()
        .status(0)
    };
    run(&["run", "-q", KEY, "--", "true"]);
    let meta = std::fs::read_to_string(moved.join("default").join(KEY).join(".gc_meta.json")).unwrap();
    let git_dir = serde_json::from_str::<Value>(&meta).unwrap()["execenv"]["repository"]["git_dir"].clone();
    assert!(Path::new(git_dir.as_str().unwrap()).starts_with(&moved), "{git_dir}");
    run(&["cleanup", "--all", KEY]);
}
