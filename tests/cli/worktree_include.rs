//! `.worktreeinclude` and `--include`: ignored files of the checkout that a worktree gets, too.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{KEY, TASK, TestEnv, assert_same};
use crate::worktree::{git, kept, repository};

fn prepared(t: &TestEnv, source: &Path, words: &[&str]) -> (PathBuf, Vec<String>) {
    let always = ["prepare", "--task-id", TASK, "-o", "json", "--repo", source.to_str().unwrap()];
    let done = t.execenv([&always[..], words].concat()).run().status(0);
    let made: Value = serde_json::from_str(&done.stdout).unwrap();
    let warnings = made["warnings"].as_array().unwrap();
    let warnings = warnings.iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    (PathBuf::from(made["work_dir"].as_str().unwrap()), warnings)
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A repository that ignores what this test brings along.
fn source(t: &TestEnv, patterns: &str) -> PathBuf {
    let source = repository(t, "source", &[]);
    t.write(
        source.join(".gitignore"),
        ".env*\n/secret/\n/local/\n*.link\n/.claude/\n.agent_context/\n/nested/\n/big*\n",
    );
    t.write(source.join(".worktreeinclude"), patterns);
    git(t, &source, &["add", "-A"]);
    git(t, &source, &["commit", "-q", "-m", "two"]);
    source
}

#[test]
fn ignored_files_that_match_come_along_and_nothing_else() {
    let t = TestEnv::new();
    let patterns =
        "# ours\n.env*\n!.env.skip\n/secret/\nrun.sh\nnew\n*.link\n.claude/\n.agent_context\n/nested/\n";
    let source = source(&t, patterns);
    t.write(source.join(".env"), "KEY=1\n");
    set_mode(&source.join(".env"), 0o600);
    t.write(source.join("docs/.env ä\n"), "two\n");
    t.write(source.join(".env.skip"), "");
    t.write(source.join("secret/deep/tool"), "#!/bin/sh\n");
    set_mode(&source.join("secret/deep/tool"), 0o750);
    set_mode(&source.join("secret"), 0o700);
    t.write(source.join("new"), "not ignored\n");
    t.write(source.join("local/not-named"), "");
    for (name, text) in [
        ("in.link", ".env"),
        ("docs/up.link", "../.env"),
        ("out.link", "../outside"),
        ("etc.link", "/etc/passwd"),
    ] {
        symlink(text, source.join(name)).unwrap();
    }
    t.write(source.join(".claude/settings.local.json"), "{}");
    t.write(source.join(".claude/worktrees/a/.env"), "another task's");
    t.write(source.join("docs/.agent_context/issue_context.md"), "another task's");
    t.write(source.join("nested/file"), "");
    git(&t, &source.join("nested"), &["init", "-q"]);
    // A pipe must not make anything wait.
    assert!(t.command("mkfifo").arg(source.join("secret/pipe")).status().unwrap().success());
    let before = kept(&source);
    let (work_dir, warnings) = prepared(&t, &source, &["--provider", "claude"]);
    let expected = [
        (".env", 0o600),
        ("docs/.env ä\n", 0o644),
        ("secret", 0o700),
        ("secret/deep/tool", 0o750),
        ("in.link", 0o777),
        ("docs/up.link", 0o777),
        (".claude/settings.local.json", 0o644),
    ];
    for (path, expected) in expected {
        assert_eq!(mode(&work_dir.join(path)), expected, "{path}");
    }
    assert_eq!(std::fs::read_to_string(work_dir.join("docs/up.link")).unwrap(), "KEY=1\n");
    for path in [
        ".env.skip",
        "new",
        "local",
        "out.link",
        "etc.link",
        ".claude/worktrees",
        "docs/.agent_context",
        "nested",
        "secret/pipe",
    ] {
        assert!(work_dir.join(path).symlink_metadata().is_err(), "{path}");
    }
    let text = warnings.join("\n");
    for part in [
        "out.link is a link that leads out",
        "etc.link is a link",
        "1 file not copied, because git does not ignore",
    ] {
        assert!(text.contains(part), "{text}");
    }
    // None of it is work.
    let done = t.execenv(["run", "-q", KEY, "--", "git", "status", "--porcelain"]).run().status(0);
    assert_eq!(done.stdout, "");
    t.execenv(["cleanup", KEY]).ok();
    assert!(!work_dir.exists());
    assert_same(&before, &kept(&source), "the checkout");
}

#[test]
fn include_names_another_file() {
    let t = TestEnv::new();
    let source = source(&t, ".env\n");
    for name in [".env", ".env.test", "local/x"] {
        t.write(source.join(name), name);
    }
    let mine = t.write("mine", "/local/\n");
    let (work_dir, _) = prepared(&t, &source.join("docs"), &["--include", mine.to_str().unwrap()]);
    assert!(work_dir.join("local/x").exists() && !work_dir.join(".env").exists());
    t.execenv(["cleanup", "--all", KEY]).ok();
    // What the branch has there is never replaced, and no link is followed.
    git(&t, &source, &["checkout", "-q", "-b", "other"]);
    symlink("docs", source.join("local2")).unwrap();
    git(&t, &source, &["add", "-f", ".env.test", "local2"]);
    git(&t, &source, &["commit", "-q", "-m", "three"]);
    git(&t, &source, &["checkout", "-q", "main"]);
    t.write(source.join(".env.test"), "mine");
    t.write(source.join("local2/y"), "mine");
    let mine = t.write("mine", "/local2/\n.env*\n");
    let words = ["--base", "other", "--include", mine.to_str().unwrap()];
    let (work_dir, _) = prepared(&t, &source, &words);
    assert_eq!(std::fs::read_to_string(work_dir.join(".env.test")).unwrap(), ".env.test");
    assert!(!work_dir.join("docs/y").exists() && work_dir.join(".env").exists());
    t.execenv(["cleanup", "--all", KEY]).ok();
    let source = source.to_str().unwrap();
    for (words, parts) in [
        (&["--repo", source, "--include", "/nowhere"][..], &["`--include /nowhere` does not exist"][..]),
        (&["--repo", source, "--include", "/etc"], &["is not a file"]),
        (&["--include", "/etc/passwd"], &["--repo"]),
    ] {
        t.execenv([&["prepare", "--task-id", TASK], words].concat()).fails(2, parts);
    }
    git(&t, &t.tmp, &["clone", "-q", "--bare", source, "bare.git"]);
    let (_, warnings) = prepared(&t, &t.tmp.join("bare.git"), &["--include", mine.to_str().unwrap()]);
    assert!(warnings.concat().contains("has no working files"), "{warnings:?}");
}

#[test]
fn beyond_the_limits_nothing_more_is_copied_and_one_warning_says_so() {
    let t = TestEnv::new();
    let source = source(&t, "/big*\n/local/\n");
    for n in 0..2_010 {
        t.write(source.join(format!("local/{n:04}")), "");
    }
    let (work_dir, warnings) = prepared(&t, &source, &[]);
    assert_eq!(std::fs::read_dir(work_dir.join("local")).unwrap().count(), 2_000);
    let text = warnings.concat();
    assert!(
        text.contains(
            "10 files not copied, beyond 2000 files or 200 MiB: local/2000, local/2001, local/2002, …"
        ),
        "{text}"
    );
    t.execenv(["cleanup", "--all", KEY]).ok();
    let big = std::fs::File::create(source.join("big")).unwrap();
    big.set_len(201 << 20).unwrap(); // a hole
    let (work_dir, warnings) = prepared(&t, &source, &[]);
    assert!(!work_dir.join("big").exists() && !work_dir.join("local").exists());
    assert!(warnings.concat().contains("2011 files not copied"), "{warnings:?}");
}

/// A link to a file of patterns is one; what cannot be read is told, or the user misses the files only when the agent fails.
#[test]
fn patterns_that_cannot_be_read_are_named() {
    let t = TestEnv::new();
    let source = source(&t, ".env\n");
    t.write(source.join(".env"), "S\n");
    let patterns = source.join(".worktreeinclude");
    std::fs::rename(&patterns, source.join("real")).unwrap();
    symlink("real", &patterns).unwrap();
    assert!(prepared(&t, &source, &[]).0.join(".env").is_file());
    for target in ["gone", "secret"] {
        std::fs::create_dir_all(source.join("secret")).unwrap();
        std::fs::remove_file(&patterns).unwrap();
        symlink(target, &patterns).unwrap();
        let always =
            ["prepare", "--replace", "--task-id", TASK, "-o", "json", "--repo", source.to_str().unwrap()];
        let done = t.execenv(always).run().status(0);
        assert!(done.stderr.contains(".worktreeinclude is no file that can be read"), "{target}: {done}");
    }
}
