//! Real git repositories for tests.

use std::path::Path;

use super::TestEnv;

/// Runs git in a folder; it succeeds.
#[track_caller]
pub fn git(t: &TestEnv, dir: &Path, words: &[&str]) {
    git_out(t, dir, words);
}

/// The same, with what it prints, without the line end.
#[track_caller]
pub fn git_out(t: &TestEnv, dir: &Path, words: &[&str]) -> String {
    let output = t.command("git").args(["-C", dir.to_str().unwrap()]).args(words).output().unwrap();
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// A repository with one commit on `main`: `file` with the line "one".
pub fn make_repository(t: &TestEnv, dir: &Path, init: &[&str]) {
    std::fs::create_dir_all(dir).unwrap();
    git(t, dir, &[&["init", "-q", "-b", "main"][..], init].concat());
    git(t, dir, &["config", "user.email", "t@example.invalid"]);
    git(t, dir, &["config", "user.name", "T"]);
    std::fs::write(dir.join("file"), "one\n").unwrap();
    git(t, dir, &["add", "file"]);
    git(t, dir, &["commit", "-q", "-m", "one"]);
}

/// Writes files into a repository with a user, and commits everything but what execenv put there.
#[track_caller]
pub fn commit_files(t: &TestEnv, dir: &Path, message: &str, files: &[(&str, &str)]) {
    for (path, text) in files {
        t.write(dir.join(path), text);
    }
    git(t, dir, &["add", "-A", "--", ".", ":!.agent_context"]);
    git(t, dir, &["commit", "-q", "-m", message]);
}

/// A clone of it, with a user.
pub fn clone_into(t: &TestEnv, source: &Path, target: &Path) {
    git(t, source, &["clone", "-q", ".", target.to_str().unwrap()]);
    git(t, target, &["config", "user.email", "t@example.invalid"]);
    git(t, target, &["config", "user.name", "T"]);
}
