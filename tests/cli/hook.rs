//! `execenv hook claude`: worktrees that Claude Code asks for are environments.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Done, TestEnv, assert_same, snapshot};

fn git(t: &TestEnv, dir: &Path, words: &[&str]) -> String {
    let who = ["-c", "user.name=T", "-c", "user.email=t@example.invalid"];
    let output = t.command("git").current_dir(dir).args(who).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "git {words:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn world() -> TestEnv {
    let t = TestEnv::new();
    git(&t, &t.project, &["init", "-q", "-b", "main"]);
    t.write("project/file", "1\n");
    t.write("project/sub/file", "1\n");
    git(&t, &t.project, &["add", "-A"]);
    git(&t, &t.project, &["commit", "-q", "-m", "one"]);
    t
}

fn create(t: &TestEnv, cwd: &Path, name: &str, more: &[&str]) -> Done {
    let event = json!({
        "session_id": "s", "transcript_path": "/t", "cwd": cwd, "permission_mode": "default",
        "hook_event_name": "WorktreeCreate", "name": name,
    });
    t.execenv([&["hook", "claude"], more].concat()).input(event.to_string()).run()
}

fn made(t: &TestEnv, cwd: &Path, name: &str) -> PathBuf {
    let done = create(t, cwd, name, &[]);
    let holds = done.status == Some(0) && done.stderr.is_empty() && done.stdout.lines().count() == 1;
    PathBuf::from(done.check(holds, "one line, the path").stdout.trim_end())
}

fn remove(t: &TestEnv, path: &Path) -> Done {
    let event = json!({"session_id": "s", "cwd": t.project, "hook_event_name": "WorktreeRemove", "worktree_path": path});
    t.execenv(["hook", "claude"]).input(event.to_string()).run()
}

#[test]
fn a_worktree_is_an_environment_from_creation_to_removal() {
    let t = world();
    let before = snapshot(&t.project.join(".git/refs"));
    let path = made(&t, &t.project.join("sub"), "fix/login");
    assert!(path.starts_with(&t.root) && path.join("sub/file").exists(), "{}", path.display());
    let branch = git(&t, &path, &["symbolic-ref", "--short", "HEAD"]);
    assert!(branch.starts_with("agent/fix-login/"), "{branch}");
    assert_eq!(git(&t, &path, &["status", "--porcelain", "--ignored"]), "", "nothing of ours is in it");
    let listed = git(&t, &t.project, &["worktree", "list", "--porcelain"]);
    assert!(listed.contains("\nlocked execenv"), "{listed}");
    let shown = t.execenv(["show", path.to_str().unwrap(), "-o", "json"]).json();
    assert_eq!((&shown["provider"], &shown["status"]), (&"claude".into(), &"prepared".into()));
    assert!(!shown["lease_until"].is_null(), "{shown}");
    let answer = t.execenv(["list", "-o", "json"]).json();
    assert_eq!(answer["environments"].as_array().map(Vec::len), Some(1), "{answer}");

    remove(&t, &path).check_silent();
    assert!(!path.parent().unwrap().exists());
    assert_same(&before, &snapshot(&t.project.join(".git/refs")), "its branch is gone");
    assert!(!git(&t, &t.project, &["worktree", "list", "--porcelain"]).contains("locked"));
}

impl Done {
    #[track_caller]
    fn check_silent(self) {
        let holds = self.status == Some(0) && self.stdout.is_empty() && self.stderr.is_empty();
        self.check(holds, "status 0 and silence");
    }
}

#[test]
fn a_name_has_one_worktree_in_each_repository() {
    let t = world();
    let one = made(&t, &t.project, "one");
    t.write(one.join("work"), "mine");
    assert_eq!(made(&t, &t.project, "one"), one, "the session is continued");
    assert_eq!(made(&t, &one, "one"), one, "from a worktree of the same repository, too");
    assert!(one.join("work").exists());
    assert_ne!(made(&t, &t.project, "two"), one);
    let other = t.tmp.join("other");
    git(&t, &t.tmp, &["clone", "-q", t.project.to_str().unwrap(), other.to_str().unwrap()]);
    assert_ne!(made(&t, &other, "one"), one);
    // After a plain clean-up there is a record without a work dir.
    let two = made(&t, &t.project, "two");
    t.execenv(["cleanup", two.to_str().unwrap()]).ok();
    let again = create(&t, &t.project, "two", &[]).status(0);
    assert!(Path::new(again.stdout.trim_end()).join("file").exists());
}

#[test]
fn unsaved_work_is_kept_and_named() {
    let t = world();
    let path = made(&t, &t.project, "w");
    t.write(path.join("new"), "work");
    let done = remove(&t, &path).status(5);
    assert!(
        done.stdout.is_empty() && done.stderr.contains("1 uncommitted change in a worktree (new)"),
        "{done}"
    );
    assert_eq!(fs::read(path.join("new")).unwrap(), b"work");
    // What is committed is held by the branch, which stays.
    git(&t, &path, &["add", "-A"]);
    git(&t, &path, &["commit", "-q", "-m", "work"]);
    let branch = git(&t, &path, &["symbolic-ref", "HEAD"]);
    let commit = git(&t, &path, &["rev-parse", "HEAD"]);
    remove(&t, &path).status(0);
    assert!(!path.exists());
    assert_eq!(git(&t, &t.project, &["rev-parse", &branch]), commit);
}

/// Claude Code keeps the worktrees of its subagents.
#[test]
fn gc_removes_what_was_left_without_work() {
    let t = world();
    let (clean, changed) = (made(&t, &t.project, "agent-a1"), made(&t, &t.project, "agent-a2"));
    t.write(changed.join("new"), "work");
    let gc = |now: &str| t.execenv(["gc", "-q"]).var("EXECENV_TEST_NOW", now).run().sane(&[0]);
    gc("2026-06-01T13:00:00Z");
    assert!(clean.exists(), "leased");
    gc("2026-07-30T12:00:00Z");
    assert!(!clean.exists() && changed.join("new").exists());
}

#[test]
fn it_begins_where_it_is_asked_to() {
    let t = world();
    git(&t, &t.project, &["branch", "release"]);
    git(&t, &t.project, &["commit", "-q", "--allow-empty", "-m", "two"]);
    let at = |name: &str, more: &[&str]| {
        let done = create(&t, &t.project, name, more).status(0);
        git(&t, Path::new(done.stdout.trim_end()), &["log", "-1", "--format=%s"])
    };
    assert_eq!(at("a", &[]), "two");
    assert_eq!(at("b", &["--base", "release"]), "one");
}

#[test]
fn what_cannot_be_isolated_is_an_error_and_leaves_nothing() {
    let t = TestEnv::new();
    let failing = |done: Done, status: i32, part: &str| {
        let holds = done.status == Some(status) && done.stdout.is_empty() && done.stderr.contains(part);
        done.check(holds, part);
    };
    failing(create(&t, &t.project, "x", &[]), 1, "is in no git repository");
    git(&t, &t.project, &["init", "-q"]);
    failing(create(&t, &t.project, "x", &[]), 1, "has no commit");
    failing(create(&t, Path::new("relative"), "x", &[]), 2, "no absolute path in its field `cwd`");
    for (event, part) in [
        ("", "not an event"),
        ("[]", "not an event"),
        ("{}", "no field `hook_event_name`"),
        (r#"{"hook_event_name":"Stop"}"#, "does not serve the event `Stop`"),
        (r#"{"hook_event_name":"WorktreeRemove"}"#, "`worktree_path`"),
    ] {
        failing(t.execenv(["hook", "claude"]).input(event).run(), 2, part);
    }
    failing(remove(&t, &t.project), 3, "");
    // Another command's environment is not the hook's to remove.
    let env = t.prepare([]);
    failing(remove(&t, &env.join("workdir")), 2, "is no environment that this hook has made");
    assert!(env.join("workdir").exists());
    assert_eq!(t.execenv(["list", "-o", "json"]).json()["environments"].as_array().map(Vec::len), Some(1));
}

#[test]
fn the_page_has_the_two_lines() {
    let t = TestEnv::new();
    let page = t.execenv(["man", "hook"]).ok().stdout;
    for line in ["\"WorktreeCreate\": [", "\"WorktreeRemove\": [", "\"command\": \"execenv hook claude\""] {
        assert!(page.contains(line), "{line}: {page}");
    }
}

#[test]
fn what_claude_code_does_not_learn_of_is_not_left() {
    let t = world();
    t.execenv(["hook", "claude"]).input("{}").fails(2, &["no field `hook_event_name`"]);
    let before = snapshot(&t.project.join(".git/refs"));
    let event = json!({"hook_event_name": "WorktreeCreate", "name": "unheard", "cwd": t.project});
    t.write("event", event.to_string());
    let done = t.sh("execenv hook claude <event >/dev/full").run().status(1);
    assert!(done.stderr.contains("could not be printed") && done.stderr.contains("was removed"), "{done}");
    assert_same(&before, &snapshot(&t.project.join(".git/refs")), "no branch is left");
}
