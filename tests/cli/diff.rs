//! `execenv diff`: what the work in an environment has changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::repository::{clone_into, git, git_out, make_repository};
use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};

/// An environment with a clone of a repository in its work dir: what `checkout` would make.
fn cloned(t: &TestEnv) -> PathBuf {
    let source = t.tmp.join("source");
    make_repository(t, &source, &[]);
    t.write(source.join("tool"), "#!/bin/sh\n");
    t.write(source.join("gone"), "gone\n");
    fs::set_permissions(source.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
    git(t, &source, &["add", "-A"]);
    git(t, &source, &["commit", "-qm", "two"]);
    let work_dir = t.prepare(["--task-id", TASK]).join("workdir");
    let repo = work_dir.join("repo");
    clone_into(t, &source, &repo);
    repo
}

/// Changes of every kind, some of them committed.
fn work(t: &TestEnv, repo: &Path) {
    t.write(repo.join("file"), "two\n");
    git(t, repo, &["commit", "-qam", "committed"]);
    t.write(repo.join("staged"), "s\n");
    git(t, repo, &["add", "staged"]);
    t.write(repo.join("new folder/nä\nme"), b"\0binary\xff");
    std::os::unix::fs::symlink("file", repo.join("link")).unwrap();
    fs::remove_file(repo.join("gone")).unwrap();
    fs::set_permissions(repo.join("tool"), fs::Permissions::from_mode(0o644)).unwrap();
    t.write(repo.join(".gitignore"), "/ignored\n");
    t.write(repo.join("ignored"), "x");
}

fn actions(answer: &Value) -> Vec<String> {
    let files = answer["files"].as_array().unwrap();
    files
        .iter()
        .map(|file| format!("{} {}", file["action"].as_str().unwrap(), file["path"].as_str().unwrap()))
        .collect()
}

#[test]
fn it_shows_commits_changes_and_new_files_since_the_base_and_changes_nothing() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    assert_eq!(t.execenv(["diff", KEY]).ok().stdout, "");
    work(&t, &repo);
    let base = git_out(&t, &repo, &["rev-parse", "origin/main"]);
    let before = snapshot(&t.root);
    let answer = t.execenv(["diff", KEY, "-o", "json"]).json();
    assert_eq!((&answer["schema"], &answer["base"]), (&json!(1), &json!(base)));
    let expected =
        ["A .gitignore", "M file", "D gone", "A link", "A new folder/nä\nme", "A staged", "M tool"];
    assert_eq!(actions(&answer), expected);
    let uncommitted = t.execenv(["diff", KEY, "--uncommitted", "-o", "json"]).json();
    assert!(!actions(&uncommitted).contains(&"M file".to_owned()), "{uncommitted}");
    let staged = t.execenv(["diff", KEY, "--staged", "-o", "json"]).json();
    assert_eq!(actions(&staged), ["A staged"]);
    let stat = t.execenv(["diff", KEY, "--stat"]).ok().stdout;
    assert!(stat.contains("7 files changed"), "{stat}");
    t.execenv(["diff", KEY, "--staged", "--uncommitted"]).fails(2, &["cannot be used together"]);
    let patch = t.execenv(["diff", KEY, "--since-base"]).ok();
    assert!(patch.stdout.contains("+two") && patch.stdout.contains("old mode 100755"), "{patch}");
    assert_same(&before, &snapshot(&t.root), "a look");
}

#[test]
fn sidecars_are_no_part_of_the_work_wherever_they_were_put() {
    let t = TestEnv::new();
    make_repository(&t, &t.project, &[]);
    t.write("project/CLAUDE.md", "mine\n");
    git(&t, &t.project, &["add", "-A"]);
    git(&t, &t.project, &["commit", "-qm", "rules"]);
    t.write("rules.md", "Be brief.");
    let words =
        ["--task-id", TASK, "--provider", "claude", "--local-dir", "project", "--instructions", "rules.md"];
    t.prepare(words);
    assert!(!git_out(&t, &t.project, &["status", "--porcelain"]).is_empty(), "sidecars are there");
    let diff = || actions(&t.execenv(["diff", KEY, "-o", "json"]).json());
    assert_eq!(diff(), [""; 0]);
    let brief = fs::read_to_string(t.project.join("CLAUDE.md")).unwrap();
    assert!(brief.starts_with("mine\n"));
    t.write("project/CLAUDE.md", brief.replace("mine", "yours"));
    assert_eq!(diff(), ["M CLAUDE.md"]);
    let text = t.execenv(["diff", KEY]).ok().stdout;
    assert!(text.contains("-mine\n+yours\n") && !text.contains("Be brief"), "{text}");
    // An agent that stages everything stages them, too.
    git(&t, &t.project, &["add", "-A"]);
    assert_eq!(diff(), ["M CLAUDE.md"]);
    git(&t, &t.project, &["commit", "-qm", "everything"]);
    let since = t.execenv(["diff", KEY, "-o", "json"]).json();
    assert!(!actions(&since).iter().any(|line| line.starts_with('A')), "{since}");
}

#[test]
fn a_line_in_the_manifest_hides_no_work() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    let repo = env.join("workdir");
    make_repository(&t, &repo, &[]);
    t.write(repo.join("evil.rs"), "x");
    let manifest = env.join(".multica_sidecar_manifest.json");
    let mut lists: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    let entry = json!({"path": "evil.rs", "kind": "file"});
    lists["files"].as_array_mut().unwrap().push(json!(repo.join("evil.rs")));
    lists["execenv"]["entries"].as_array_mut().unwrap().push(entry);
    fs::write(&manifest, lists.to_string()).unwrap();
    let answer = t.execenv(["diff", KEY, "-o", "json"]).json();
    assert_eq!(actions(&answer), ["A evil.rs", "A file"]);
    assert_eq!(answer["base"], Value::Null, "the repository goes with the environment");
}

#[test]
fn edits_that_the_index_hides_are_shown_and_so_are_files_in_conflict() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    for flag in ["--assume-unchanged", "--skip-worktree"] {
        git(&t, &repo, &["update-index", flag, "file"]);
        t.write(repo.join("file"), flag);
        assert_eq!(actions(&t.execenv(["diff", KEY, "-o", "json"]).json()), ["M file"], "{flag}");
    }
    git(&t, &repo, &["update-index", "--no-assume-unchanged", "file"]);
    git(&t, &repo, &["update-index", "--no-skip-worktree", "file"]);
    git(&t, &repo, &["commit", "-qam", "ours"]);
    git(&t, &repo, &["checkout", "-q", "-b", "other", "origin/main"]);
    t.write(repo.join("file"), "theirs");
    git(&t, &repo, &["commit", "-qam", "theirs"]);
    let merged = t.command("git").arg("-C").arg(&repo).args(["merge", "-q", "main"]).output().unwrap();
    assert!(!merged.status.success());
    let text = t.execenv(["diff", KEY]).ok().stdout;
    assert!(text.contains("+<<<<<<<") && text.contains("+theirs"), "{text}");
    t.execenv(["diff", KEY, "--staged"]).fails(1, &["write-tree"]);
}

#[test]
fn odd_repositories_are_compared() {
    for (form, init) in [("sha256", "--object-format=sha256"), ("reftable", "--ref-format=reftable")] {
        let t = TestEnv::new();
        let source = t.tmp.join("source");
        make_repository(&t, &source, &[init]);
        let work_dir = t.prepare(["--task-id", TASK]).join("workdir");
        let tree = work_dir.join("tree");
        git(&t, &source, &["worktree", "add", "-q", "-b", "side", tree.to_str().unwrap()]);
        t.write(tree.join("new"), "x\n");
        assert_eq!(actions(&t.execenv(["diff", KEY, "-o", "json"]).json()), ["A new"], "{form}");
    }
    // Without a commit, with a repository inside, a submodule, and a FIFO.
    let t = TestEnv::new();
    let source = t.tmp.join("source");
    make_repository(&t, &source, &[]);
    let repo = t.prepare(["--task-id", TASK]).join("workdir/repo");
    fs::create_dir_all(&repo).unwrap();
    git(&t, &repo, &["init", "-q"]);
    git(&t, &repo, &["init", "-q", "empty"]);
    make_repository(&t, &repo.join("nested"), &[]);
    let add = [
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        source.to_str().unwrap(),
        "module",
    ];
    git(&t, &repo, &add);
    rustix::fs::mknodat(rustix::fs::CWD, repo.join("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    t.write(repo.join("a"), "a");
    let answer = t.execenv(["diff", KEY, "-o", "json"]).json();
    assert_eq!(actions(&answer), ["A .gitmodules", "A a", "A module", "A nested"]);
    // A tracked file gave way to a FIFO, a folder to a link.
    git(&t, &repo, &["-c", "user.name=T", "-c", "user.email=t@x", "commit", "-qam", "one"]);
    t.write(repo.join("sub/b"), "b");
    git(&t, &repo, &["add", "a", "sub/b"]);
    fs::remove_file(repo.join("a")).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, repo.join("a"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
        .unwrap();
    fs::rename(repo.join("sub"), t.tmp.join("sub")).unwrap();
    std::os::unix::fs::symlink(t.tmp.join("sub"), repo.join("sub")).unwrap();
    let told = t
        .execenv(["diff", KEY, "--uncommitted", "-o", "json"])
        .ok_saying("warning: a is a FIFO, a socket or a device: it counts as deleted\n");
    assert_eq!(actions(&serde_json::from_str(&told.stdout).unwrap()), ["A nested", "A sub"]);
}

#[test]
fn a_sparse_checkout_has_no_deletions() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    t.write(repo.join("in/a"), "a");
    t.write(repo.join("out/b"), "b");
    git(&t, &repo, &["add", "-A"]);
    git(&t, &repo, &["commit", "-qm", "folders"]);
    git(&t, &repo, &["sparse-checkout", "set", "in"]);
    assert!(!repo.join("out").exists());
    t.write(repo.join("in/a"), "c");
    assert_eq!(actions(&t.execenv(["diff", KEY, "--uncommitted", "-o", "json"]).json()), ["M in/a"]);
}

#[test]
fn nothing_that_the_repository_names_is_run() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    let trap = format!("touch {}/ran; cat", t.tmp.display());
    t.write(repo.join(".gitattributes"), "* filter=x diff=x\n");
    for (key, value) in [
        ("filter.x.clean", &*trap),
        ("filter.x.process", &trap),
        ("diff.x.textconv", &trap),
        ("diff.x.command", &trap),
        ("diff.external", &trap),
        ("core.fsmonitor", &trap),
        ("core.pager", &trap),
    ] {
        git(&t, &repo, &["config", key, value]);
    }
    make_repository(&t, &repo.join("nested"), &[]);
    git(&t, &repo.join("nested"), &["config", "core.fsmonitor", &trap]);
    git(
        &t,
        &repo,
        &[
            "-c",
            "core.fsmonitor=false",
            "-c",
            "filter.x.clean=cat",
            "-c",
            "filter.x.process=",
            "add",
            "nested",
        ],
    );
    let _ = fs::remove_file(t.tmp.join("ran"));
    t.write(repo.join("file"), "changed\n");
    t.write(repo.join("nested/file"), "changed\n");
    for words in [&["diff", KEY][..], &["diff", KEY, "--staged"], &["diff", KEY, "--stat"]] {
        t.execenv(words).ok();
        assert!(!t.tmp.join("ran").exists(), "{words:?}");
    }
}

#[test]
fn too_much_is_told_and_names_the_way_out() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    let big = fs::File::create(t.write(repo.join("build/big"), "")).unwrap();
    big.set_len(501 << 20).unwrap();
    t.execenv(["diff", KEY]).fails(1, &["there is too much in", ".gitignore", "a line `/build`"]);
}

#[test]
fn a_long_difference_is_whole_and_a_reader_may_go_away() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    t.write(repo.join("long"), "0123456789abcdef\n".repeat(1_200_000));
    let done = t.execenv(["diff", KEY]).ok();
    assert!(done.bytes.len() > 20 << 20 && done.stdout.ends_with("+0123456789abcdef\n"));
    let first = t.sh(&format!("execenv diff {KEY} | head -n 1")).ok();
    assert_eq!(first.stdout, "diff --git a/long b/long\n");
}
