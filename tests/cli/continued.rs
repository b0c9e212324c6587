//! `execenv prepare --continue-from` and `--copy`: work dirs that begin with files of another environment.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::process::wait_until;
use crate::support::{Snapshot, TestEnv, snapshot};

fn git(t: &TestEnv, dir: &Path, words: &[&str]) -> String {
    let who = ["-c", "user.name=T", "-c", "user.email=t@example.invalid"];
    let output = t.command("git").current_dir(dir).args(who).args(words).output().unwrap();
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// A world with a repository `source`.
fn world() -> TestEnv {
    let t = TestEnv::new();
    t.write("source/file", "one\n");
    t.write("source/gone", "one\n");
    t.write("source/sub/script", "one\n");
    t.write("source/CLAUDE.md", "the user's own\n");
    t.write("source/.gitignore", "ignored\n");
    let source = t.tmp.join("source");
    git(&t, &source, &["init", "-q", "-b", "main"]);
    git(&t, &source, &["add", "-A"]);
    git(&t, &source, &["commit", "-q", "-m", "one"]);
    t
}

fn prepare(t: &TestEnv, words: &[&str]) -> Value {
    t.execenv([&["prepare", "--provider", "claude", "-o", "json"], words].concat()).json()
}

fn path(answer: &Value, field: &str) -> PathBuf {
    PathBuf::from(answer[field].as_str().unwrap())
}

/// The files of a work dir, without git's link.
fn files(work_dir: &Path) -> Snapshot {
    let mut files = snapshot(work_dir);
    files.retain(|path, _| path != Path::new(".git"));
    files
}

#[test]
fn a_worktree_is_continued_with_all_that_is_in_it() {
    let t = world();
    let first = prepare(&t, &["--repo", "source"]);
    let (root, work_dir) = (path(&first, "root_dir"), path(&first, "work_dir"));
    git(&t, &work_dir, &["commit", "-q", "--allow-empty", "-m", "work"]);
    t.write(work_dir.join("file"), "changed\n");
    t.write(work_dir.join("new é\nname"), "new\n");
    t.write(work_dir.join("ignored"), "ignored\n");
    t.write(work_dir.join(".agent_context/mine"), "the agent's\n");
    fs::remove_file(work_dir.join("gone")).unwrap();
    fs::set_permissions(work_dir.join("sub/script"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("/etc/passwd", work_dir.join("out")).unwrap();
    let fifo = t.command("mkfifo").arg(work_dir.join("fifo")).status().unwrap();
    assert!(fifo.success());
    let before = snapshot(&root);
    let words = ["prepare", "--provider", "claude", "-o", "json", "--continue-from", root.to_str().unwrap()];
    let done = t.execenv(words).run().status(0);
    assert!(done.stderr.contains("not copied, because it is no file, folder or link: fifo"), "{done}");
    assert_eq!(snapshot(&root), before, "the other environment is as it was");
    let second: Value = serde_json::from_str(&done.stdout).unwrap();
    let there = path(&second, "work_dir");
    let (mut expected, mut found) = (files(&work_dir), files(&there));
    expected.retain(|path, _| path != Path::new("fifo"));
    for context in [".agent_context/issue_context.md", "CLAUDE.md"] {
        expected.remove(Path::new(context)).unwrap();
        found.remove(Path::new(context)).unwrap();
    }
    assert_eq!(found, expected);
    assert_eq!(git(&t, &there, &["rev-parse", "HEAD"]), git(&t, &work_dir, &["rev-parse", "HEAD"]));
    assert_ne!(second["branch_name"], first["branch_name"]);
    assert_eq!(second["type"], "git_worktree");
    let status = |dir: &Path| git(&t, dir, &["status", "--porcelain", "-uno"]);
    assert_eq!(status(&there), status(&work_dir));
    let record: Value =
        serde_json::from_slice(&fs::read(path(&second, "root_dir").join(".gc_meta.json")).unwrap()).unwrap();
    let key = root.file_name().unwrap().to_str().unwrap();
    assert_eq!(record["execenv"]["repository"]["continued_from"], key);
    // What the user wrote around the brief is there, and the brief once.
    let brief = fs::read_to_string(there.join("CLAUDE.md")).unwrap();
    assert_eq!(brief.matches("the user's own").count(), 1);
    // Each goes by itself.
    t.execenv(["cleanup", "--force", "--all", second["root_dir"].as_str().unwrap()]).run().status(0);
    assert_eq!(snapshot(&root), before);
}

#[test]
fn a_work_dir_without_a_repository_is_continued_too() {
    let t = TestEnv::new();
    let first = prepare(&t, &[]);
    let work_dir = path(&first, "work_dir");
    t.write(work_dir.join("a/b"), "x");
    let nested = t.write(work_dir.join("linked/.git"), "gitdir: /elsewhere\n");
    t.write(work_dir.join("own/.git/HEAD"), "ref: refs/heads/main\n");
    let second = prepare(&t, &["--continue-from", first["root_dir"].as_str().unwrap()]);
    let there = path(&second, "work_dir");
    assert_eq!(fs::read(there.join("a/b")).unwrap(), b"x");
    assert!(nested.exists() && there.join("linked").exists() && !there.join("linked/.git").exists());
    assert!(there.join("own/.git/HEAD").exists());
    assert_eq!(second["type"], "directory");
}

#[test]
fn what_cannot_be_continued_is_refused_and_makes_nothing() {
    let t = world();
    let (own, source) = (prepare(&t, &["--repo", "new://"]), prepare(&t, &["--repo", "source"]));
    let forged = prepare(&t, &[]);
    t.write(
        path(&forged, "work_dir").join(".git"),
        format!("gitdir: {}\n", t.tmp.join("source/.git").display()),
    );
    let sparse = prepare(&t, &["--repo", "source"]);
    git(&t, &path(&sparse, "work_dir"), &["sparse-checkout", "set", "sub"]);
    let count = || fs::read_dir(t.root.join("default")).unwrap().count();
    let before = (count(), snapshot(&t.tmp.join("source")));
    for (words, status, text) in [
        (["--continue-from", sparse["root_dir"].as_str().unwrap()], 1, "a sparse checkout"),
        (["--continue-from", own["root_dir"].as_str().unwrap()], 1, "a repository of its own"),
        (["--continue-from", forged["root_dir"].as_str().unwrap()], 1, "does not know it as a worktree"),
        (["--continue-from", "0123456789ab"], 3, "0123456789ab"),
    ] {
        let done = t.execenv([&["prepare"][..], &words].concat()).run().status(status);
        assert!(done.stderr.contains(text), "{done}");
        assert_eq!((count(), snapshot(&t.tmp.join("source"))), before, "{done}");
    }
    let root = source["root_dir"].as_str().unwrap();
    let agent = "echo up > up; while [ ! -e go ]; do sleep 0.05; done";
    let mut running = t.execenv(["run", root, "--", "sh", "-c", agent]).start();
    wait_until("the agent", || path(&source, "work_dir").join("up").exists().then_some(()));
    let words = ["prepare", "--continue-from", root];
    let done = t.execenv(words).run().status(4);
    assert!(done.stderr.contains("--while-running"), "{done}");
    t.execenv([&words[..], &["--while-running"]].concat()).run().status(0);
    t.write(path(&source, "work_dir").join("go"), "");
    running.wait().unwrap();
}

#[test]
fn single_files_and_folders_are_copied() {
    let t = world();
    let first = prepare(&t, &[]);
    let work_dir = path(&first, "work_dir");
    t.write(work_dir.join("plan/a/one"), "1");
    t.write(work_dir.join("plan/two"), "2");
    t.write(work_dir.join("file"), "from there\n");
    symlink("two", work_dir.join("plan/link")).unwrap();
    symlink("/etc/passwd", work_dir.join("out")).unwrap();
    symlink("../../../..", work_dir.join("up")).unwrap();
    let from = first["root_dir"].as_str().unwrap();
    let copy = |repo: &[&str], files: &[&str]| {
        let copies: Vec<&str> = files.iter().flat_map(|file| ["--copy", file]).collect();
        t.execenv([&["prepare", "--copy-from", from, "-o", "json"], repo, &copies[..]].concat()).run()
    };
    let context = ".agent_context/issue_context.md";
    let done = copy(&["--repo", "source"], &["plan", "./file", "none", context]).status(0);
    assert!(done.stderr.contains("does not have it: none"), "{done}");
    let there = path(&serde_json::from_str(&done.stdout).unwrap(), "work_dir");
    for (name, expected) in
        [("plan/a/one", "1"), ("plan/link", "2"), ("file", "from there\n"), ("gone", "one\n")]
    {
        assert_eq!(fs::read_to_string(there.join(name)).unwrap(), expected, "{name}");
    }
    assert_eq!(fs::read_link(there.join("plan/link")).unwrap(), Path::new("two"));
    let done = copy(&[], &["plan/a/one"]).status(0);
    let there = path(&serde_json::from_str(&done.stdout).unwrap(), "work_dir");
    assert!(there.join("plan/a/one").exists() && !there.join("plan/two").exists());
    for (file, status) in [("out", 5), ("up/etc/passwd", 5), ("../x", 2), ("/etc/passwd", 2), (".", 2)] {
        let before = fs::read_dir(t.root.join("default")).unwrap().count();
        copy(&[], &[file]).status(status);
        assert_eq!(fs::read_dir(t.root.join("default")).unwrap().count(), before, "{file}");
    }
    t.execenv(["prepare", "--copy", "x"]).run().status(2);
}

#[test]
fn a_sparse_file_is_copied_with_its_holes() {
    use std::os::unix::fs::MetadataExt;
    let t = world();
    let first = prepare(&t, &["--repo", "source"]);
    let file = fs::File::create(path(&first, "work_dir").join("big")).unwrap();
    file.set_len(1 << 38).unwrap();
    let root = path(&first, "root_dir");
    let root = root.to_str().unwrap();
    for words in [&["--continue-from", root][..], &["--copy-from", root, "--copy", "big"]] {
        let copied = path(&prepare(&t, words), "work_dir").join("big").metadata().unwrap();
        assert!(copied.len() == 1 << 38 && copied.blocks() < 4096, "{words:?}: {copied:?}");
    }
}
