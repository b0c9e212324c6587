//! `prepare --local-dir DIR --worktree`: a worktree of the folder's repository, with its uncommitted changes.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};
use crate::worktree::{git, kept, repository};

const BRANCH: &str = "agent/agent/555555abcdef";

fn prepared(t: &TestEnv, folder: &Path, words: &[&str]) -> Value {
    let always = ["prepare", "--task-id", TASK, "-o", "json", "--worktree", "--local-dir"];
    let done = t.execenv([&always[..], &[folder.to_str().unwrap()], words].concat()).run().status(0);
    serde_json::from_str(&done.stdout).unwrap()
}

fn work_dir(made: &Value) -> PathBuf {
    PathBuf::from(made["work_dir"].as_str().unwrap())
}

fn meta(t: &TestEnv) -> Value {
    serde_json::from_slice(&std::fs::read(t.root.join("default").join(KEY).join(".gc_meta.json")).unwrap())
        .unwrap()
}

/// A checkout in which everything is changed that can be.
fn changed(t: &TestEnv) -> PathBuf {
    let source = repository(t, "source", &[]);
    t.write(source.join(".gitignore"), "/ignored\n");
    t.write(source.join("gone"), "");
    t.write(source.join("staged"), "one\n");
    git(t, &source, &["add", "-A"]);
    git(t, &source, &["commit", "-q", "-m", "two"]);
    t.write(source.join("ignored"), "");
    t.write(source.join("docs/ä b\n.txt"), "changed\n");
    t.write(source.join("staged"), "two\n");
    t.write(source.join("forced"), "");
    t.write(source.join("run.sh"), "#!/bin/sh\necho changed\n");
    std::fs::remove_file(source.join("gone")).unwrap();
    t.write(source.join(".git/info/exclude"), "/forced\n");
    git(t, &source, &["add", "-f", "forced", "staged"]);
    t.write(source.join("staged"), "three\n");
    t.write(source.join("new ä\n/ file "), "new\n");
    std::fs::set_permissions(
        source.join("new ä\n/ file "),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    symlink("/nowhere", source.join("new link")).unwrap();
    t.write(source.join("docs/.agent_context/issue_context.md"), "another task's");
    let nested = source.join(".claude/worktrees/one");
    git(t, &source, &["worktree", "add", "-q", "-b", "theirs", nested.to_str().unwrap()]);
    source
}

#[test]
fn the_agent_begins_with_what_the_user_sees_and_the_folder_stays_as_it_is() {
    let t = TestEnv::new();
    let source = changed(&t);
    let look = ["--no-optional-locks", "status", "--porcelain"];
    let status = git(&t, &source, &look);
    let before = snapshot(&source);
    let before_kept = kept(&source);
    let made = prepared(&t, &source, &["--provider", "claude"]);
    assert_eq!(
        (&made["type"], &made["branch_name"], &made["local_directory"]),
        (&json!("git_worktree"), &json!(BRANCH), &json!(false))
    );
    let work_dir = work_dir(&made);
    let mut mine = before.clone();
    mine.retain(|path, _| {
        let left_out = ["ignored", "docs/.agent_context", ".claude", ".git", "CLAUDE.md"];
        !left_out.iter().any(|name| path.starts_with(name))
    });
    let mut theirs = snapshot(&work_dir);
    theirs
        .retain(|path, _| ![".git", ".agent_context", "CLAUDE.md"].iter().any(|name| path.starts_with(name)));
    assert_same(&mine, &theirs, "the worktree against the folder");
    let mut after = snapshot(&source);
    after.retain(|path, _| before.contains_key(path));
    let mut same = before.clone();
    for name in [".git/refs/heads", ".git/worktrees", ".git/logs/refs/heads"] {
        same.retain(|path, _| !path.starts_with(name));
        after.retain(|path, _| !path.starts_with(name));
    }
    assert_same(&same, &after, "the folder, with its index");
    assert_eq!(git(&t, &source, &look), status);
    assert_eq!(git(&t, &source, &["stash", "list"]), "");
    // What the record calls the base is the state of the folder: what comes after it is the agent's.
    let recorded = meta(&t)["execenv"]["repository"].clone();
    let base = recorded["base_commit"].as_str().unwrap().to_owned();
    assert_eq!(git(&t, &source, &["rev-parse", BRANCH]), base);
    assert_eq!(
        git(&t, &source, &["rev-parse", &format!("{base}^")]),
        git(&t, &source, &["rev-parse", "main"])
    );
    assert_eq!((&recorded["base"], &recorded["source"]), (&json!("main"), &json!(source)));
    let done = t.execenv(["run", "-q", KEY, "--", "git", "status", "--porcelain"]).run().status(0);
    assert_eq!(done.stdout, "");
    // Nothing is the agent's: all goes.
    t.execenv(["cleanup", "--all", KEY]).ok();
    assert_same(&before_kept, &kept(&source), "after cleanup");
}

#[test]
fn a_branch_with_work_stays_however_it_was_committed() {
    let t = TestEnv::new();
    let source = repository(&t, "source", &[]);
    t.write(source.join("run.sh"), "changed\n");
    for (how, script) in [
        ("a commit", "echo x > x; git add x; git commit -q -m work"),
        ("amended", "echo x > x; git add x; git commit -q --amend --no-edit"),
    ] {
        prepared(&t, &source, &[]);
        let script = format!(
            "export GIT_AUTHOR_NAME=T GIT_AUTHOR_EMAIL=t@e GIT_COMMITTER_NAME=T GIT_COMMITTER_EMAIL=t@e; {script}"
        );
        t.execenv(["run", "-q", KEY, "--", "sh", "-c", &script]).run().status(0);
        t.execenv(["cleanup", "--all", KEY]).run().status(0);
        assert_eq!(git(&t, &source, &["show", &format!("{BRANCH}:x")]), "x", "{how}");
        git(&t, &source, &["branch", "-q", "-D", BRANCH]);
    }
    // Without changes there is no commit of ours.
    git(&t, &source, &["checkout", "-q", "-f"]);
    let made = prepared(&t, &source, &[]);
    assert_eq!(git(&t, &work_dir(&made), &["rev-parse", "HEAD"]), git(&t, &source, &["rev-parse", "main"]));
    t.write(work_dir(&made).join("work"), "");
    t.execenv(["cleanup", KEY]).run().status(5);
}

#[test]
fn the_agent_runs_in_the_folder_that_was_named() {
    let t = TestEnv::new();
    let source = repository(&t, "source", &[]);
    for (folder, is_empty) in [("docs", false), ("empty/deep", true)] {
        let folder = source.join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let before = kept(&source);
        let made = prepared(&t, &folder, &["--provider", "claude", "--agent-name", "agent"]);
        let env = t.root.join("default").join(KEY);
        let relative = folder.strip_prefix(&source).unwrap();
        let agents = env.join("workdir").join(relative);
        assert_eq!(work_dir(&made), agents);
        // Its sidecars are there, and nowhere else, and git does not see them.
        assert!(agents.join("CLAUDE.md").exists() && agents.join(".agent_context/issue_context.md").exists());
        assert_eq!(std::fs::read_to_string(env.join("workdir/CLAUDE.md")).unwrap(), "the user's own\n");
        let script = "pwd; echo $EXECENV_WORKDIR; git status --porcelain";
        let run = |env: &str| t.execenv(["run", "-q", env, "--", "sh", "-c", script]).run().status(0).stdout;
        let expected = format!("{0}\n{0}\n", agents.display());
        assert_eq!(run(KEY), expected);
        assert_eq!(run(agents.to_str().unwrap()), expected);
        t.execenv(["reuse", KEY, "--provider", "opencode", "--agent-name", "Bob"]).ok();
        assert!(agents.join("AGENTS.md").exists() && !agents.join("CLAUDE.md").exists());
        assert_eq!(run(KEY), expected);
        // What the agent makes there is work.
        if is_empty {
            t.write(agents.join("work"), "");
            assert_eq!(run(KEY), format!("{expected}?? empty/\n"));
            t.execenv(["cleanup", KEY]).run().status(5);
            std::fs::remove_file(agents.join("work")).unwrap();
        }
        t.execenv(["cleanup", "--all", KEY]).ok();
        assert_same(&before, &kept(&source), "after cleanup");
    }
    // A record that names a folder elsewhere, or a link in its place, takes no agent out of the work dir.
    let docs = source.join("docs");
    prepared(&t, &docs, &[]);
    let env = t.root.join("default").join(KEY);
    std::fs::rename(env.join("workdir/docs"), env.join("workdir/moved")).unwrap();
    symlink("/etc", env.join("workdir/docs")).unwrap();
    t.execenv(["run", "-q", KEY, "--", "true"]).fails(3, &["the agent's folder"]);
    let mut record = meta(&t);
    record["execenv"]["repository"]["folder"] = json!("../../..");
    t.write(env.join(".gc_meta.json"), record.to_string());
    let done = t.execenv(["run", "-q", KEY, "--", "pwd"]).run().status(0);
    assert_eq!(done.stdout, format!("{}\n", env.join("workdir").display()));
}

#[test]
fn what_cannot_be_carried_over_is_an_error_and_leaves_nothing() {
    type Make = fn(&TestEnv, &Path);
    let cases: [(&str, i32, Make); 8] = [
        ("is not a git repository", 2, |_, source| std::fs::remove_dir_all(source.join(".git")).unwrap()),
        ("with no commit yet", 2, |t, source| {
            std::fs::remove_dir_all(source.join(".git")).unwrap();
            git(t, source, &["init", "-q"]);
        }),
        ("not among the working files", 2, |t, source| {
            git(t, source, &["config", "core.bare", "true"]);
        }),
        ("a merge with conflicts", 1, |t, source| {
            t.write(source.join("run.sh"), "one\n");
            git(t, source, &["commit", "-q", "-a", "-m", "one"]);
            git(t, source, &["checkout", "-q", "-b", "side", "HEAD~1"]);
            t.write(source.join("run.sh"), "two\n");
            git(t, source, &["commit", "-q", "-a", "-m", "two"]);
            assert!(
                !t.command("git")
                    .current_dir(source)
                    .args(["-c", "user.name=T", "-c", "user.email=t@example.invalid", "merge", "-q", "main"])
                    .status()
                    .unwrap()
                    .success()
            );
        }),
        ("holds another git repository that is untracked (nested/)", 1, |t, source| {
            t.write(source.join("nested/file"), "");
            git(t, &source.join("nested"), &["init", "-q"]);
        }),
        ("uncommitted changes in the submodule sub", 1, |t, source| {
            let other = repository(t, "other", &[]);
            let add = [
                "-c",
                "protocol.file.allow=always",
                "submodule",
                "--quiet",
                "add",
                other.to_str().unwrap(),
                "sub",
            ];
            git(t, source, &add);
            git(t, source, &["commit", "-q", "-m", "sub"]);
            t.write(source.join("sub/run.sh"), "changed\n");
        }),
        ("has 2001 untracked files, more than 2000", 1, |t, source| {
            for n in 0..2001 {
                t.write(source.join(format!("many/{n}")), "");
            }
        }),
        ("has 201 MiB of untracked files, more than 200", 1, |_, source| {
            std::fs::File::create(source.join("big")).unwrap().set_len(201 << 20).unwrap();
        }),
    ];
    for (why, status, make) in cases {
        let t = TestEnv::new();
        let source = repository(&t, "source", &[]);
        make(&t, &source);
        let (before, root) = (snapshot(&source), snapshot(&t.root));
        let words = ["prepare", "--task-id", TASK, "--worktree", "--local-dir", source.to_str().unwrap()];
        let done = t.execenv(words).run().status(status);
        assert!(done.stderr.contains(why), "{why}: {done}");
        assert_same(&before, &snapshot(&source), why);
        assert!(!t.root.join("default").join(KEY).exists(), "{why}");
        drop(root);
    }
    let t = TestEnv::new();
    let source = repository(&t, "source", &[]);
    let source = source.to_str().unwrap();
    for (words, parts) in [
        (&["--worktree"][..], &["--local-dir"][..]),
        (&["--worktree", "--local-dir", source, "--inventory"], &["cannot be used"]),
        (&["--worktree", "--local-dir", source, "--repo", source], &["cannot be used"]),
        (&["--worktree", "--local-dir", source, "--base", "main"], &["--repo"]),
        (&["--local-dir", source, "--include", "/etc/passwd"], &["`--include` is for a worktree"]),
    ] {
        t.execenv([&["prepare", "--task-id", TASK], words].concat()).fails(2, parts);
    }
    // A folder in which another task works has that one's files.
    let other = "22222222-2222-4333-8444-000000000002";
    t.execenv(["prepare", "--task-id", other, "--local-dir", source]).run().status(0);
    t.execenv(["prepare", "--task-id", TASK, "--worktree", "--local-dir", source])
        .fails(4, &["is the work dir of"]);
}

#[test]
fn the_task_document_asks_for_a_worktree() {
    let t = TestEnv::new();
    let source = repository(&t, "source", &[]);
    let document = |resources: Value| {
        t.write("task.json", json!({"id": TASK, "project_resources": resources}).to_string());
    };
    let resource = |mode: &str| json!({"resource_type": "local_directory", "resource_ref": {"local_path": source, "daemon_id": "d", "execution_mode": mode}});
    let words = ["prepare", "--task", "task.json", "--local-dir", "source", "-o", "json"];
    for (mode, kind) in [(" worktree ", "git_worktree"), ("in_place", "directory"), ("", "directory")] {
        document(json!([resource(mode)]));
        let done = t.execenv(words).run().status(0);
        assert_eq!(serde_json::from_str::<Value>(&done.stdout).unwrap()["type"], kind, "{mode:?}");
        t.execenv(["cleanup", "--all", TASK]).run().status(0);
    }
    document(json!([resource("container")]));
    let plain = &words[..5];
    t.execenv(plain).fails(2, &["unknown execution_mode `container`"]);
    document(json!([resource("worktree"), resource("in_place")]));
    t.execenv(plain).fails(2, &["multiple local_directory", "[TMP]/source"]);
    // By `run --task`, too.
    document(json!([resource("worktree")]));
    let run = [
        "run",
        "-q",
        "--task",
        "task.json",
        "--local-dir",
        "source",
        "--",
        "git",
        "branch",
        "--show-current",
    ];
    for _ in 0..2 {
        assert_eq!(t.execenv(run).run().status(0).stdout, format!("{BRANCH}\n"));
    }
}

#[test]
fn an_odd_checkout_is_carried_over_too() {
    type Make = fn(&TestEnv) -> PathBuf;
    let cases: [(&str, Make); 5] = [
        ("a split index", |t| {
            let source = repository(t, "source", &[]);
            git(t, &source, &["config", "core.splitIndex", "true"]);
            git(t, &source, &["update-index", "--split-index"]);
            source
        }),
        ("sparse", |t| {
            let source = repository(t, "source", &[]);
            git(t, &source, &["sparse-checkout", "set", "docs"]);
            source
        }),
        ("a linked worktree", |t| {
            let source = repository(t, "source", &[]);
            git(t, &source, &["worktree", "add", "-q", "-b", "side", "../side"]);
            t.tmp.join("side")
        }),
        ("signed commits, hooks and a monitor", |t| {
            let source = repository(t, "source", &[]);
            let trap = t.write("trap.sh", format!("#!/bin/sh\ntouch {}\n", t.tmp.join("ran").display()));
            std::fs::set_permissions(&trap, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            for hook in ["pre-commit", "post-index-change", "reference-transaction", "post-checkout"] {
                std::fs::copy(&trap, source.join(".git/hooks").join(hook)).unwrap();
            }
            git(t, &source, &["config", "core.fsmonitor", trap.to_str().unwrap()]);
            git(t, &source, &["config", "commit.gpgsign", "true"]);
            source
        }),
        ("sha256, detached", |t| {
            let source = repository(t, "source", &["--object-format=sha256"]);
            git(t, &source, &["checkout", "-q", "--detach"]);
            source
        }),
    ];
    for (kind, make) in cases {
        let t = TestEnv::new();
        let source = make(&t);
        t.write(source.join("docs/ä b\n.txt"), "TEXT\n"); // as long as before
        t.write(source.join("docs/new"), "new\n");
        let _ = std::fs::remove_file(t.tmp.join("ran"));
        let before = kept(&source);
        let made = prepared(&t, &source, &[]);
        assert!(!t.tmp.join("ran").exists(), "{kind}: a hook or monitor ran");
        assert_same(
            &before,
            &{
                let mut after = kept(&source);
                after.retain(|path, _| before.contains_key(path));
                after
            },
            kind,
        );
        for (name, text) in [("docs/ä b\n.txt", "TEXT\n"), ("docs/new", "new\n")] {
            assert_eq!(std::fs::read_to_string(work_dir(&made).join(name)).unwrap(), text, "{kind}");
        }
        let files = git(&t, &work_dir(&made), &["ls-tree", "-r", "--name-only", "HEAD"]);
        assert_eq!(files.lines().count(), 5, "{kind}: {files}");
        t.execenv(["cleanup", "--all", KEY]).ok();
        assert_same(&before, &kept(&source), kind);
    }
}

#[test]
fn killed_at_one_of_its_last_changes_it_leaves_no_branch() {
    let t = TestEnv::new();
    let source = changed(&t);
    let before = kept(&source);
    let prepare =
        || t.execenv(["prepare", "--task-id", TASK, "--worktree", "--local-dir", source.to_str().unwrap()]);
    // The first one makes the root, too.
    prepare().run().status(0);
    t.execenv(["cleanup", "--all", KEY]).run().status(0);
    let file = t.tmp.join("count");
    prepare().var("EXECENV_TEST_COUNT", &file).run().status(0);
    let count = std::fs::read_to_string(&file).unwrap().lines().count();
    t.execenv(["cleanup", "--all", KEY]).run().status(0);
    assert_same(&before, &kept(&source), "after a clean-up");
    for point in count - 8..=count {
        assert!(prepare().var("EXECENV_TEST_CRASH_AT", point.to_string()).run().was_killed(), "{point}");
        t.execenv(["doctor", "--fix"]).run().status(0);
        if t.root.join("default").join(KEY).exists() {
            t.execenv(["cleanup", "--all", KEY]).run().status(0);
        }
        t.execenv(["trash", "empty", "--yes"]).run().status(0);
        assert_same(&before, &kept(&source), &format!("killed at change {point} of {count}"));
    }
}
