//! `execenv restore`: a work dir from what was saved of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::repository::{clone_into, git, git_out, make_repository};
use crate::support::{KEY, Snapshot, TASK, TestEnv, assert_same, snapshot};

fn cloned(t: &TestEnv) -> PathBuf {
    let source = t.tmp.join("source");
    make_repository(t, &source, &[]);
    t.write(source.join("gone"), "gone\n");
    t.write(source.join("tool"), "tool\n");
    git(t, &source, &["add", "-A"]);
    git(t, &source, &["commit", "-qm", "two"]);
    let repo = t.prepare(["--task-id", TASK]).join("workdir/repo");
    clone_into(t, &source, &repo);
    repo
}

/// Changes of every kind.
fn work(t: &TestEnv, repo: &Path) {
    t.write(repo.join("file"), "two\nlines\n");
    t.write(repo.join("new folder/nä\nme"), b"\0binary\xff\0");
    t.write(repo.join("empty"), "");
    std::os::unix::fs::symlink("../anywhere", repo.join("link")).unwrap();
    fs::remove_file(repo.join("gone")).unwrap();
    fs::set_permissions(repo.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
}

/// The files without git's own folder.
fn files(repo: &Path) -> Snapshot {
    let is_file = |path: &PathBuf| !path.starts_with(".git");
    snapshot(repo).into_iter().filter(|(path, _)| is_file(path)).collect()
}

fn save(t: &TestEnv) -> Value {
    t.execenv(["checkpoint", KEY, "-m", "saved", "-o", "json"]).json()
}

/// Removes all but what makes it a repository.
fn wipe(repo: &Path) {
    for entry in fs::read_dir(repo).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_name() == ".git" {
            continue;
        }
        if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
            .unwrap();
    }
}

#[test]
fn a_wiped_work_dir_is_as_it_was_saved() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    work(&t, &repo);
    let expected = files(&repo);
    save(&t);
    wipe(&repo);
    let head = git_out(&t, &repo, &["rev-parse", "HEAD"]);
    let done = t.execenv(["restore", KEY, "-o", "json"]).run().status(0);
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(
        (&answer["n"], &answer["branch"], &answer["commit"]),
        (&json!(1), &json!("main"), &Value::Null)
    );
    assert_eq!(answer["files"].as_array().unwrap().len(), 6, "{answer}");
    assert_same(&expected, &files(&repo), "restored");
    assert_eq!(git_out(&t, &repo, &["rev-parse", "HEAD"]), head, "the changes are not committed");
    // The same once more changes nothing, and then it is committed.
    t.execenv(["restore", KEY]).ok();
    assert_same(&expected, &files(&repo), "restored again");
    let answer = t.execenv(["restore", KEY, "--commit", "-o", "json"]).json();
    assert_eq!(git_out(&t, &repo, &["rev-parse", "main"]), answer["commit"].as_str().unwrap());
    assert_eq!(git_out(&t, &repo, &["status", "--porcelain"]), "");
}

#[test]
fn a_worktree_whose_folder_is_gone_is_made_again_on_its_branch() {
    let t = TestEnv::new();
    let source = t.tmp.join("source");
    make_repository(&t, &source, &[]);
    t.write(source.join("gone"), "gone\n");
    t.write(source.join("tool"), "tool\n");
    git(&t, &source, &["add", "-A"]);
    git(&t, &source, &["commit", "-qm", "two"]);
    let env = t.prepare(["--task-id", TASK, "--repo", "source"]);
    let work_dir = env.join("workdir");
    t.write(work_dir.join("committed"), "c\n");
    git(&t, &work_dir, &["add", "committed"]);
    git(&t, &work_dir, &["-c", "user.name=T", "-c", "user.email=t@x", "commit", "-qm", "work"]);
    work(&t, &work_dir);
    save(&t);
    let is_work = |(path, _): &(PathBuf, String)| !path.starts_with(".agent_context");
    let kept = |files: Snapshot| files.into_iter().filter(is_work).collect::<Snapshot>();
    let expected = kept(files(&work_dir));
    let branch = git_out(&t, &work_dir, &["symbolic-ref", "HEAD"]);
    let user = snapshot(&source.join(".git"));
    fs::remove_dir_all(&work_dir).unwrap();
    for command in ["diff", "clone"] {
        let words = [command, KEY, "copy"];
        let words = if command == "diff" { &words[..2] } else { &words[..] };
        t.execenv(words).fails(3, &["does not exist", &format!("`execenv restore {KEY}` makes it again")]);
    }
    let done = t.execenv(["restore", KEY]).run().status(0);
    assert!(done.stderr.contains("execenv reuse"), "what is not restored is told: {done}");
    assert!(done.stdout.starts_with("restored ") && !done.stdout.contains("restored 0"), "{done}");
    assert_same(&expected, &kept(files(&work_dir)), "restored");
    assert_eq!(git_out(&t, &work_dir, &["symbolic-ref", "HEAD"]), branch);
    let after = snapshot(&source.join(".git"));
    let is_own = |path: &Path| path.starts_with("worktrees") || path.starts_with("objects");
    assert!(user.iter().all(|(path, text)| is_own(path) || after[path] == *text), "the user's repository");
    // Without its registration nothing says which repository it was.
    git(&t, &source, &["worktree", "unlock", work_dir.to_str().unwrap()]);
    fs::remove_dir_all(&work_dir).unwrap();
    git(&t, &source, &["worktree", "prune"]);
    t.execenv(["restore", KEY]).fails(3, &["does not know it as a worktree any more"]);
    assert!(!work_dir.exists());
}

#[test]
fn work_in_the_folder_is_not_replaced() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    t.write(repo.join("file"), "saved\n");
    save(&t);
    t.write(repo.join("file"), "later\n");
    let before = snapshot(&t.root);
    t.execenv(["restore", KEY])
        .fails(5, &["holds uncommitted work that would be replaced: file", "execenv checkpoint"]);
    let after = snapshot(&t.root);
    let changed = |path: &&PathBuf| !path.ends_with(".git_lock") && before.get(*path) != after.get(*path);
    assert_eq!(after.keys().find(changed), None);
    t.execenv(["checkpoint", KEY, "-m", "x", "--on-branch"]).ok();
    t.execenv(["restore", KEY, "--from", "1"]).ok();
    assert_eq!(fs::read_to_string(repo.join("file")).unwrap(), "saved\n");
}

#[test]
fn a_patch_is_taken_in_every_form_and_on_any_base() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    work(&t, &repo);
    let expected = files(&repo);
    let saved = save(&t);
    let zipped = t.root.join("default").join(KEY).join(saved["patch"]["file"].as_str().unwrap());
    let made = format!(
        "cd {}; cp {} p.gz; gzip -dc p.gz >p; base64 p.gz >p.gz.b64; base64 -w0 p >p.b64",
        t.tmp.display(),
        zipped.display()
    );
    t.sh(&made).ok();
    for form in ["p.gz", "p", "p.gz.b64", "p.b64"] {
        git(&t, &repo, &["checkout", "-q", "-f", "main"]);
        git(&t, &repo, &["clean", "-qfd"]);
        let answer = t.execenv(["restore", KEY, "--from", form, "-o", "json"]).json();
        assert_eq!((&answer["n"], answer["files"].as_array().unwrap().len()), (&Value::Null, 6), "{form}");
        assert_same(&expected, &files(&repo), form);
    }
    git(&t, &repo, &["checkout", "-q", "-f", "main"]);
    git(&t, &repo, &["clean", "-qfd"]);
    t.write("other", "diff --git a/file b/file\n--- a/file\n+++ b/file\n@@ -1 +1 @@\n-nowhere\n+x\n");
    t.write("broken.gz", b"\x1f\x8b\x08nothing");
    for (words, status, parts) in [
        (&["--from", "other"][..], 5, &["does not fit", "nothing was changed"][..]),
        (
            &["--from", "p", "--base", "1234567890123456789012345678901234567890"],
            3,
            &["has no commit 12345678", "fetch REMOTE 12345678"],
        ),
        (&["--from", "broken.gz"], 2, &["cannot be read"]),
        (&["--from", "none"], 2, &["cannot read the patch", "number of a checkpoint"]),
        (&["--from", "2"], 3, &["has no checkpoint 2", "there are: 1"]),
    ] {
        let before = files(&repo);
        t.execenv(["restore", KEY].iter().chain(words)).fails(status, parts);
        assert_same(&before, &files(&repo), &words.join(" "));
        assert_eq!(git_out(&t, &repo, &["status", "--porcelain"]), "", "{words:?}");
    }
    let mut bytes = fs::read(&zipped).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&zipped, bytes).unwrap();
    t.execenv(["restore", KEY]).fails(1, &["is not as `checkpoint` wrote it"]);
}

#[test]
fn what_has_no_remote_comes_back_whole() {
    let t = TestEnv::new();
    let repo = t.prepare(["--task-id", TASK]).join("workdir/repo");
    make_repository(&t, &repo, &[]);
    work_of_its_own(&t, &repo);
    let expected = files(&repo);
    save(&t);
    // Even where the repository itself was lost.
    fs::remove_dir_all(&repo).unwrap();
    t.execenv(["restore", KEY]).fails(1, &["repo in the work dir, is gone", "execenv checkout"]);
    fs::create_dir(&repo).unwrap();
    git(&t, &repo, &["init", "-q", "-b", "main"]);
    let answer = t.execenv(["restore", KEY, "--commit", "-o", "json"]).json();
    assert_eq!(answer["base"], Value::Null);
    assert_same(&expected, &files(&repo), "restored");
    assert_eq!(git_out(&t, &repo, &["status", "--porcelain", "-b"]), "## main");
}

fn work_of_its_own(t: &TestEnv, repo: &Path) {
    t.write(repo.join("file"), "two\n");
    t.write(repo.join("other"), "o\n");
}

#[test]
fn nothing_that_the_repository_names_is_run_and_no_checkpoint_is_told() {
    let t = TestEnv::new();
    let repo = cloned(&t);
    t.execenv(["restore", KEY]).fails(3, &["has no checkpoint", "--from FILE"]);
    t.write(repo.join(".gitattributes"), "* filter=x merge=x\n");
    t.write(repo.join("file"), "two\n");
    save(&t);
    let trap = format!("touch {}/ran; cat", t.tmp.display());
    for (key, value) in [
        ("filter.x.smudge", &*trap),
        ("filter.x.clean", &trap),
        ("merge.x.driver", &trap),
        ("core.fsmonitor", &trap),
        ("core.hooksPath", "/nowhere"),
    ] {
        git(&t, &repo, &["config", key, value]);
    }
    wipe(&repo);
    t.execenv(["restore", KEY]).ok();
    assert_eq!(fs::read_to_string(repo.join("file")).unwrap(), "two\n");
    assert!(!t.tmp.join("ran").exists());
}

#[test]
fn a_base_that_is_missing_is_fetched_from_the_remotes_of_a_users_repository_only() {
    let t = TestEnv::new();
    let upstream = t.tmp.join("upstream");
    make_repository(&t, &upstream, &[]);
    for name in ["source", "bystander"] {
        clone_into(&t, &upstream, &t.tmp.join(name));
    }
    let source = t.tmp.join("source");
    git(&t, &source, &["remote", "rename", "origin", "elsewhere"]);
    git(&t, &source, &["remote", "add", "origin", "ext::sh -c touch% ran"]);
    git(&t, &source, &["remote", "set-url", "elsewhere", "../upstream"]);
    t.write(upstream.join("file"), "two\n");
    git(&t, &upstream, &["commit", "-qam", "two"]);
    let base = git_out(&t, &upstream, &["rev-parse", "HEAD"]);
    t.write("p", "diff --git a/file b/file\n--- a/file\n+++ b/file\n@@ -1 +1 @@\n-two\n+three\n");
    let env = t.prepare(["--task-id", TASK, "--repo", "source"]);
    let before = git_out(&t, &source, &["for-each-ref"]);
    let restore = ["restore", KEY, "--from", "p", "--base", &base];
    let done = t.execenv(restore.iter().chain(&["-o", "json"])).run().status(0);
    let answer: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(answer["fetched_from"], upstream.to_str().unwrap(), "{done}");
    assert!(done.stderr.contains("note: fetched the commit"), "{done}");
    assert_eq!(fs::read_to_string(env.join("workdir/file")).unwrap(), "three\n");
    assert_eq!(git_out(&t, &source, &["for-each-ref"]), before);
    assert!(!t.tmp.join("ran").exists() && !env.join("workdir/ran").exists());
    // It is there now.
    git(&t, &env.join("workdir"), &["checkout", "-q", "-f", "HEAD", "--", "file"]);
    assert_eq!(t.execenv(restore.iter().chain(&["-o", "json"])).json()["fetched_from"], Value::Null);
    let nowhere = "1".repeat(40);
    t.execenv(["restore", KEY, "--from", "p", "--base", &nowhere])
        .fails(3, &["has no commit 1111", "another remote"]);
    // An agent could have put this address into its own repository.
    t.execenv(["cleanup", "--all", "--force", KEY]).run().status(0);
    let repo = t.prepare(["--task-id", TASK]).join("workdir/repo");
    clone_into(&t, &t.tmp.join("bystander"), &repo);
    git(&t, &repo, &["remote", "set-url", "origin", upstream.to_str().unwrap()]);
    t.execenv(restore).fails(3, &["has no commit", &format!("fetch REMOTE {base}")]);
}
