//! What git shows and adds of execenv's own files in a shell that has none of the variables which prepare prints.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::git_http::serve;
use crate::support::repository::{git, git_out, make_repository};
use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};
use crate::worktree::kept;

/// What git says there, with nothing of the environment in its variables.
fn said(t: &TestEnv, work_dir: &Path, words: &[&str]) -> String {
    let home = format!("HOME={}", t.tmp.join("home").display());
    let mut git = t.command("env");
    git.args(["-i", &home, "PATH=/usr/local/bin:/usr/bin:/bin", "git"]).args(words);
    let output = git.current_dir(work_dir).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

#[test]
fn sidecars_are_not_shown_where_the_configuration_is_not_only_the_users() {
    let server_world = TestEnv::new();
    make_repository(&server_world, &server_world.tmp.join("source"), &[]);
    let server = serve(&server_world.tmp, None);
    let url = format!("{}/source", server.url());
    let extension: &[&str] = &["config", "extensions.worktreeConfig", "true"];
    let sparse = ["sparse-checkout", "set", "docs"];
    let folder = ["--local-dir", "SOURCE", "--worktree"];
    for (kind, setting, words, is_hidden) in [
        ("a new repository", &[][..], &["--repo", "new://"][..], true),
        ("one that allows settings", extension, &["--repo", "SOURCE"], true),
        ("a sparse one", &sparse, &["--repo", "SOURCE"], true),
        ("a folder's worktree", extension, &folder, true),
        ("a shared clone", &[], &["--repo", &url], true),
        ("some folders of one", &[], &["--repo", &url, "--sparse", "docs"], true),
        // The one that is only the user's stays as it is.
        ("a plain one", &[], &["--repo", "SOURCE"], false),
    ] {
        let t = TestEnv::new();
        let source = t.tmp.join("source");
        make_repository(&t, &source, &[]);
        t.write("home/.config/git/ignore", "*.tmp\n");
        if !setting.is_empty() {
            git(&t, &source, setting);
        }
        let before = kept(&source);
        let words = words.iter().map(|word| if *word == "SOURCE" { source.to_str().unwrap() } else { word });
        let always = ["prepare", "--task-id", TASK, "--provider", "claude", "-o", "json"];
        let done = t.execenv(always.into_iter().chain(words)).run().status(0);
        let made: Value = serde_json::from_str(&done.stdout).unwrap();
        let work_dir = PathBuf::from(made["work_dir"].as_str().unwrap());
        t.write(work_dir.join("work"), "work\n");
        t.write(work_dir.join("ignored.tmp"), "");
        // After a reuse, too: the brief is another file then.
        for provider in ["claude", "opencode"] {
            t.execenv(["reuse", KEY, "--provider", provider]).run().status(0);
            let brief = if provider == "claude" { "CLAUDE.md" } else { "AGENTS.md" };
            let sidecars = format!("?? .agent_context/\n?? {brief}\n");
            let expected = if is_hidden { "?? work".to_owned() } else { format!("{sidecars}?? work") };
            assert!(work_dir.join(brief).exists() && work_dir.join(".agent_context").exists());
            assert_eq!(said(&t, &work_dir, &["status", "--porcelain"]), expected, "{kind}, {provider}");
        }
        if is_hidden {
            said(&t, &work_dir, &["add", "-A"]);
            assert_eq!(said(&t, &work_dir, &["diff", "--cached", "--name-only"]), "work", "{kind}");
            said(&t, &work_dir, &["reset", "-q"]);
        }
        std::fs::remove_file(work_dir.join("work")).unwrap();
        t.execenv(["cleanup", "--all", KEY]).run().status(0);
        assert_same(&before, &kept(&source), kind);
        assert_eq!(git_out(&t, &source, &["worktree", "list"]).lines().count(), 1, "{kind}");
    }
}

#[test]
fn a_managed_work_dir_gets_nothing_for_git() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK, "--provider", "claude"]);
    let found = snapshot(&env);
    assert!(found.keys().all(|path| !path.ends_with(".gitignore")), "{found:?}");
}
