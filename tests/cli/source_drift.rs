//! `run` compares the checkout that the work dir's worktree came from, before and after.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};

fn git(t: &TestEnv, dir: &Path, words: &[&str]) -> String {
    let who = ["-c", "user.name=T", "-c", "user.email=t@example.invalid"];
    let output = t.command("git").current_dir(dir).args(who).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "git {words:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// A repository with a linked worktree, in which an environment works.
struct World {
    t: TestEnv,
    env: PathBuf,
}

impl World {
    fn new(init: &[&str]) -> World {
        let t = TestEnv::new();
        git(&t, &t.project, &[&["init", "-q", "-b", "main"], init].concat());
        t.write("project/tracked", "1\n");
        t.write("project/dirty", "1\n");
        t.write("project/.gitignore", "ignored\n");
        git(&t, &t.project, &["add", "-A"]);
        git(&t, &t.project, &["commit", "-q", "-m", "one"]);
        t.write("project/dirty", "2\n");
        git(&t, &t.project, &["worktree", "add", "-q", "-b", "agent/a/1", "../wt"]);
        let env = t.prepare(["--task-id", TASK, "--no-brief", "--local-dir", "wt"]);
        World { t, env }
    }

    /// Runs a script in the worktree, with `$src` for the source; the drift and what is told.
    fn run(&self, script: &str) -> (Value, String) {
        let done = self
            .t
            .execenv(["run", KEY, "-o", "json", "--", "sh", "-euc", script])
            .var("src", &self.t.project)
            .var("GIT_AUTHOR_NAME", "A")
            .var("GIT_AUTHOR_EMAIL", "a@example.invalid")
            .var("GIT_COMMITTER_NAME", "A")
            .var("GIT_COMMITTER_EMAIL", "a@example.invalid")
            .ok();
        let mut events: Vec<Value> =
            done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let result = events.pop().unwrap();
        let notices: Vec<&str> = events
            .iter()
            .filter(|event| event["type"] == "notice")
            .map(|event| event["text"].as_str().unwrap())
            .collect();
        let file: Value =
            serde_json::from_slice(&fs::read(self.env.join("output/result.json")).unwrap()).unwrap();
        assert_eq!(file["source_drift"], result["source_drift"]);
        (result["source_drift"].clone(), self.t.masked(notices.join("\n").as_bytes()))
    }

    fn changed(&self, script: &str) -> Vec<String> {
        let (drift, told) = self.run(script);
        let what: Vec<String> =
            drift.as_array().unwrap().iter().map(|one| one["what"].as_str().unwrap().to_owned()).collect();
        assert_eq!(what.is_empty(), told.is_empty(), "{what:?}: {told}");
        what
    }
}

#[test]
fn what_an_agent_changes_outside_of_its_worktree_is_told() {
    let w = World::new(&[]);
    for (script, expected) in [
        ("true", &[][..]),
        ("git status; git -C $src status; git -C $src log", &[]),
        ("echo x >new; git add -A; git commit -qm work; git update-ref refs/execenv/k/wip HEAD", &[]),
        ("git branch agent/b/2; git config branch.agent/b/2.remote origin", &[]),
        ("echo x >$src/ignored", &[]),
        ("git branch theirs; git tag v1", &["branch theirs", "tag v1"]),
        ("git branch -f theirs HEAD~0; git branch -D theirs", &["branch theirs"]),
        ("echo 2 >$src/tracked", &["file tracked"]),
        ("echo 3 >>$src/tracked", &["file tracked"]),
        ("git -C $src add tracked", &["file tracked"]),
        ("git -C $src checkout -q -f HEAD -- tracked; echo 22 >$src/dirty", &["file dirty", "file tracked"]),
        ("echo x >\"$src/new one\"", &["file new one"]),
        ("git -C $src commit -q --allow-empty -m x", &["HEAD", "branch main"]),
        ("git -C $src checkout -q --detach", &["HEAD"]),
        ("git -C $src checkout -q main", &["HEAD"]),
        ("git config core.hooksPath /tmp/evil", &["config core.hookspath"]),
        ("git config --unset core.hooksPath", &["config core.hookspath"]),
        ("echo more >>tracked; git stash -q", &["stash"]),
        ("git config core.bare true", &["config core.bare"]),
        (
            "git config core.bare false; git config core.fsmonitor /tmp/evil",
            &["config core.bare", "config core.fsmonitor"],
        ),
    ] {
        assert_eq!(w.changed(script), expected, "{script}");
    }
}

#[test]
fn what_has_changed_is_told_with_both_values() {
    let w = World::new(&[]);
    let was = git(&w.t, &w.t.project, &["rev-parse", "HEAD"]);
    let (drift, told) =
        w.run("git config core.bare true; git config url.x.insteadOf secret; git branch -q b");
    assert_eq!(drift[0], serde_json::json!({"what": "branch b", "before": null, "after": was}));
    assert_eq!(drift[1], serde_json::json!({"what": "config core.bare", "before": "false", "after": "true"}));
    assert_eq!(drift[2]["what"], "config url.x.insteadof");
    assert!(drift[2]["after"].as_str().unwrap().starts_with("sha256:"), "{drift}");
    assert_eq!(
        told,
        "[PROJECT], which the worktree came from, has changed while the agent ran: branch b, config core.bare, config url.x.insteadof"
    );
}

#[test]
fn looking_changes_nothing_and_runs_nothing() {
    let w = World::new(&[]);
    let before = snapshot(&w.t.project);
    let (drift, _) = w.run("true");
    assert_eq!(drift, serde_json::json!([]));
    assert_same(&before, &snapshot(&w.t.project), "a run looked");
    let trap = format!("!touch {}", w.t.tmp.join("ran").display());
    let script = format!(
        "git config filter.f.clean '{trap}'; git config core.fsmonitor '{trap}'; git config diff.external '{trap}'; \
         git config core.pager '{trap}'; echo '* filter=f' >$src/.gitattributes; echo y >$src/tracked",
        trap = &trap[1..]
    );
    w.run(&script);
    w.run("true");
    assert!(!w.t.tmp.join("ran").exists());
}

#[test]
fn repositories_of_every_kind_are_watched() {
    for init in [&["--object-format=sha256"][..], &["--ref-format=reftable"]] {
        let w = World::new(init);
        assert_eq!(w.changed("git branch b; echo x >$src/n"), ["branch b", "file n"], "{init:?}");
    }
}

#[test]
fn a_work_dir_that_is_no_worktree_has_no_source() {
    let t = TestEnv::new();
    let null = |case: &str| {
        let done = t.execenv(["run", KEY, "-o", "json", "--", "true"]).ok();
        let result: Value = serde_json::from_str(done.stdout.lines().last().unwrap()).unwrap();
        assert_eq!(result["source_drift"], Value::Null, "{case}");
    };
    let env = t.prepare(["--task-id", TASK, "--no-brief"]);
    null("no repository");
    git(&t, &t.project, &["init", "-q"]);
    git(&t, &t.project, &["commit", "-q", "--allow-empty", "-m", "x"]);
    let git_file = env.join("workdir/.git");
    for text in ["", "gitdir: /nonexistent", "gitdir: /etc\n"] {
        t.write(&git_file, text);
        null(text);
    }
    // A repository that does not know the worktree, whatever the agent says.
    t.write(&git_file, format!("gitdir: {}\n", t.project.join(".git").display()));
    null("a repository that knows no worktree");
    git(&t, &t.project, &["worktree", "add", "-q", "../wt"]);
    t.write(&git_file, format!("gitdir: {}\n", t.project.join(".git/worktrees/wt").display()));
    null("another worktree's registration");
    fs::remove_file(&git_file).unwrap();
    git(&t, &env.join("workdir"), &["init", "-q"]);
    null("a repository of its own");
}

#[test]
fn a_source_that_cannot_be_looked_at_does_not_stop_the_run() {
    let w = World::new(&[]);
    fs::rename(w.t.project.join(".git/objects"), w.t.project.join(".git/away")).unwrap();
    let (drift, told) = w.run("true");
    assert_eq!(drift, Value::Null);
    assert!(told.starts_with("[PROJECT], which the worktree came from, is not watched: "), "{told}");
    fs::rename(w.t.project.join(".git/away"), w.t.project.join(".git/objects")).unwrap();
    let (drift, told) = w.run("mv $src/.git/objects $src/.git/away");
    assert_eq!(drift, Value::Null);
    assert!(told.starts_with("[PROJECT], which the worktree came from, cannot be compared: "), "{told}");
}

#[test]
fn a_look_takes_three_calls_to_git_and_none_where_there_is_no_worktree() {
    use std::os::unix::fs::PermissionsExt;
    let calls = |t: &TestEnv| {
        let real = t.sh("command -v git").ok().stdout;
        let log = t.tmp.join("calls");
        let script = format!("#!/bin/sh\necho \"$*\" >>{}\nexec {} \"$@\"\n", log.display(), real.trim());
        let fake = t.write("bin/git", script);
        fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
        let path = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths([t.tmp.join("bin")].into_iter().chain(std::env::split_paths(&path)));
        t.execenv(["run", KEY, "--", "true"]).var("PATH", path.unwrap()).ok();
        fs::read_to_string(log).unwrap_or_default().lines().count()
    };
    assert_eq!(calls(&World::new(&[]).t), 6, "three before and three after");
    let plain = TestEnv::new();
    plain.prepare(["--task-id", TASK]);
    assert_eq!(calls(&plain), 0);
}

#[test]
fn the_checkout_of_a_task_in_a_worktree_is_watched() {
    let t = TestEnv::new();
    git(&t, &t.project, &["init", "-q", "-b", "main"]);
    git(&t, &t.project, &["commit", "-q", "--allow-empty", "-m", "one"]);
    let env = t.prepare(["--task-id", TASK, "--no-brief", "--repo", "project"]);
    let w = World { t, env };
    assert!(w.changed("echo x >file; git add file; git commit -qm work").is_empty());
    assert_eq!(w.changed("echo x >$src/file; git branch theirs"), ["branch theirs", "file file"]);
}

#[test]
fn a_source_that_is_a_linked_worktree_itself_is_watched() {
    for named in ["linked", "linked/sub"] {
        let t = TestEnv::new();
        git(&t, &t.project, &["init", "-q", "-b", "main"]);
        t.write("project/sub/tracked", "1\n");
        git(&t, &t.project, &["add", "-A"]);
        git(&t, &t.project, &["commit", "-q", "-m", "one"]);
        git(&t, &t.project, &["worktree", "add", "-q", "-b", "feature", "../linked"]);
        let env = t.prepare(["--task-id", TASK, "--no-brief", "--repo", named]);
        let w = World { t, env };
        for (script, expected) in [
            ("true", &[][..]),
            ("echo 2 >$src/../linked/sub/tracked", &["file sub/tracked"]),
            ("echo x >$src/sub/tracked", &[]), // the other one is not where this work came from
            ("git -C $src/../linked checkout -q -f --detach", &["HEAD", "file sub/tracked"]),
            ("git -C $src/../linked checkout -q feature; git branch theirs", &["HEAD", "branch theirs"]),
            ("git branch -D theirs", &["branch theirs"]),
        ] {
            assert_eq!(w.changed(script), expected, "{named}: {script}");
        }
    }
}
