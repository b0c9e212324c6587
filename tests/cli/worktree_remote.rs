//! `execenv prepare --repo URL`: work dirs that are worktrees of the shared clone of a repository on a server.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::checkout_remote::{LOGIN, commit, git, world};
use crate::support::git_http::serve;
use crate::support::server::{Reply, Server};
use crate::support::{KEY, TASK, TestEnv, snapshot};

/// The shared clone of `org/repo` on a server.
fn bare(t: &TestEnv, server: &Server) -> PathBuf {
    t.root.join(format!(".repos/default/127.0.0.1%3A{}+org+repo.git", server.port()))
}

/// What `field` of an answer names.
fn path(answer: &Value, field: &str) -> PathBuf {
    PathBuf::from(answer[field].as_str().unwrap())
}

fn branches(t: &TestEnv, bare: &Path) -> Vec<String> {
    let listed = git(t, bare, &["for-each-ref", "--format=%(refname:short)", "refs/heads/"]);
    listed.lines().map(str::to_owned).collect()
}

#[test]
fn a_work_dir_is_a_worktree_of_the_shared_clone() {
    let (t, served) = world();
    let server = serve(&served, Some(LOGIN));
    let plain = format!("{}/org/repo", server.url());
    let with_login = plain.replace("http://", "http://ada:s3cret@");
    let bare = t.root.join(format!(".repos/default/127.0.0.1%3A{}+org+repo.git", server.port()));
    let prepare = |repo: &str, more: &[&str]| {
        t.execenv([&["prepare", "--agent-name", "Ada", "--repo", repo, "-o", "json"], more].concat())
    };
    let first = prepare(&with_login, &[]).json();
    // What an agent writes there is not run when the next one is made, nor when one goes.
    let ran = t.tmp.join("ran");
    let evil = t.write("evil", format!("#!/bin/sh\ntouch {}\n", ran.display()));
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).unwrap();
    for (key, value) in [
        ("filter.evil.smudge", evil.to_str().unwrap()),
        ("core.hooksPath", "hooks"),
        ("core.fsmonitor", evil.to_str().unwrap()),
    ] {
        git(&t, &t.tmp, &["config", "--file", bare.join("config").to_str().unwrap(), key, value]);
    }
    fs::create_dir_all(bare.join("hooks")).unwrap();
    for hook in ["post-checkout", "reference-transaction"] {
        fs::copy(&evil, bare.join("hooks").join(hook)).unwrap();
    }
    fs::write(t.tmp.join("source/.gitattributes"), "file filter=evil\n").unwrap();
    let two = commit(&t, "two");
    let one = git(&t, &t.tmp.join("source"), &["rev-parse", "HEAD~1"]);
    for (answer, head) in [
        (prepare(&with_login, &[]).json(), &two),
        (prepare(&with_login, &["--base", &one]).json(), &one),
        (first, &one),
    ] {
        let work_dir = PathBuf::from(answer["work_dir"].as_str().unwrap());
        let (root, branch) = (answer["root_dir"].as_str().unwrap(), answer["branch_name"].as_str().unwrap());
        assert_eq!(
            (answer["type"].as_str(), branch.starts_with("agent/ada/")),
            (Some("git_worktree"), true),
            "{answer}"
        );
        assert!(bare.join(format!("refs/heads/{branch}")).exists());
        let of_git = |words: &[&str]| {
            git(
                &t,
                &work_dir,
                &[&["-c", "core.fsmonitor=false", "-c", "filter.evil.smudge="], words].concat(),
            )
        };
        assert_eq!(&of_git(&["rev-parse", "HEAD"]), head);
        assert_eq!(of_git(&["config", "remote.origin.url"]), plain);
        t.execenv(["cleanup", "--all", root]).ok();
        assert!(!bare.join(format!("refs/heads/{branch}")).exists(), "its commits are the remote's");
    }
    assert!(!ran.exists() && !bare.join("worktrees").exists());
    for (path, entry) in snapshot(&t.root) {
        assert!(!entry.contains("s3cret") && !entry.contains("YWRhOnMz"), "{}: {entry}", path.display());
    }
    for (repo, base, status) in
        [(with_login.as_str(), "none", 1), ("ext::sh", "x", 2), ("http://127.0.0.1:1/x", "x", 1)]
    {
        let before = t.root_listing();
        prepare(repo, &["--base", base]).run().status(status);
        assert_eq!(t.root_listing().len(), before.len(), "{repo}");
    }
}

#[test]
fn several_at_once_share_one_clone() {
    let (t, served) = world();
    let server = serve(&served, None);
    let url = format!("{}/org/repo", server.url());
    let started: Vec<_> =
        (0..4).map(|_| t.execenv(["prepare", "--agent-name", "Ada", "--repo", &url]).start()).collect();
    let roots: Vec<PathBuf> = started
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "{output:?}");
            PathBuf::from(String::from_utf8(output.stdout).unwrap().trim_end())
        })
        .collect();
    let bare = bare(&t, &server);
    for root in &roots {
        let key = root.file_name().unwrap().to_str().unwrap();
        assert!(branches(&t, &bare).contains(&format!("agent/ada/{key}")));
        assert_eq!(git(&t, &root.join("workdir"), &["status", "--porcelain", "-uno"]), "");
    }
    assert_eq!(branches(&t, &bare).len(), 4);
    assert_eq!(fs::read_dir(t.root.join(".repos/default")).unwrap().count(), 1);
    t.assert_nothing_half_made_but(".execenv.excludes", "after four at once");
}

#[test]
fn what_cannot_be_had_makes_nothing() {
    let (t, served) = world();
    let server = serve(&served, Some(LOGIN));
    let good = format!("{}/org/repo", server.url()).replace("http://", "http://ada:s3cret@");
    let denied = good.replace("s3cret", "wr0ng");
    let broken = Server::start(|_| Reply::text(500, "no"));
    let broken = broken.url() + "/x";
    let cases: [(&[&str], i32, &str); 9] = [
        (&["--repo", &denied], 1, "make the shared clone of http://127.0.0.1"),
        (&["--repo", &broken], 1, "make the shared clone of"),
        (&["--repo", "http://127.0.0.1:1/x"], 1, "make the shared clone of"),
        (&["--repo", &good, "--base", "none"], 1, "cannot resolve requested ref `none`"),
        (&["--repo", "ext::sh"], 2, "names a program of git's"),
        (&["--repo", "file:///x"], 2, "give the path: `/x`"),
        (&["--repo", &good, "--sparse", "../x"], 2, "is no folder of a repository"),
        (&["--repo", &good, "--include", "x"], 2, "nothing to bring along"),
        (&["--repo", "source", "--sparse", "x"], 2, "names by its address"),
    ];
    for (words, status, text) in cases {
        let done = t.execenv([&["prepare", "--task-id", TASK], words].concat()).run().status(status);
        let is_secret = ["s3cret", "wr0ng"].iter().any(|secret| done.stderr.contains(secret));
        assert!(done.stderr.contains(text) && !is_secret, "{done}");
        assert!(!t.root.join("default").join(KEY).exists(), "{done}");
        t.assert_nothing_half_made(text);
    }
    assert_eq!(branches(&t, &bare(&t, &server)), [""; 0], "the clone has what was fetched, and no more");
    // A clone that is there is used where its server is gone.
    drop(server);
    let done = t.execenv(["prepare", "--repo", &good]).run().status(0);
    assert!(done.stderr.contains("what was fetched before is used"), "{done}");
}

#[test]
fn some_folders_only_and_a_partial_clone() {
    let (t, served) = world();
    t.write("source/a/b/file", "a\n");
    t.write("source/c/file", "c\n");
    commit(&t, "folders");
    let server = serve(&served, None);
    let url = format!("{}/org/repo", server.url());
    let words = ["prepare", "--provider", "claude", "--repo", &url, "-o", "json", "--partial", "--sparse"];
    for (folder, there, absent) in [("a/b", "a/b/file", "c"), ("c", "c/file", "a")] {
        let work_dir = path(&t.execenv([&words[..], &[folder]].concat()).json(), "work_dir");
        assert!(work_dir.join(there).exists() && work_dir.join("file").exists());
        assert!(!work_dir.join(absent).exists(), "{folder}");
        assert_eq!(git(&t, &work_dir, &["status", "--porcelain", "--", "a", "c"]), "");
    }
    assert!(
        server.requests().iter().any(|it| String::from_utf8_lossy(&it.body).contains("filter blob:none"))
    );
}

#[test]
fn cleanup_and_gc_take_the_branch_and_the_registration_and_keep_work() {
    let (t, served) = world();
    let server = serve(&served, None);
    let url = format!("{}/org/repo", server.url());
    let bare = bare(&t, &server);
    let prepare = || t.execenv(["prepare", "--lease", "1s", "--repo", &url, "-o", "json"]).json();
    let (idle, cleaned, working, dirty) = (prepare(), prepare(), prepare(), prepare());
    assert_eq!(branches(&t, &bare).len(), 4);
    let work_dir = path(&working, "work_dir");
    git(&t, &work_dir, &["commit", "-q", "--allow-empty", "-m", "work"]);
    fs::write(path(&dirty, "work_dir").join("new"), "uncommitted").unwrap();
    t.execenv(["cleanup", cleaned["root_dir"].as_str().unwrap()]).ok();
    let done = t.execenv(["cleanup", working["root_dir"].as_str().unwrap()]).run().status(0);
    let worked = working["branch_name"].as_str().unwrap();
    assert!(done.stdout.contains(worked) || done.stderr.contains(worked), "{done}");
    t.execenv(["cleanup", dirty["root_dir"].as_str().unwrap()]).run().status(5);
    assert_eq!(fs::read_dir(bare.join("worktrees")).unwrap().count(), 2, "idle and dirty");
    let gc = ["gc", "--orphan-ttl", "1d", "--trash-ttl", "0"];
    let done = t.execenv(gc).var("EXECENV_TEST_NOW", "2026-07-30T12:00:00Z").run();
    assert!(!path(&idle, "root_dir").exists() && path(&dirty, "root_dir").exists(), "{done}");
    let mut left: Vec<&str> = [&working, &dirty].map(|it| it["branch_name"].as_str().unwrap()).into();
    left.sort_unstable();
    assert_eq!(branches(&t, &bare), left);
    assert_eq!(fs::read(path(&dirty, "work_dir").join("new")).unwrap(), b"uncommitted");
}

#[test]
fn a_run_of_its_own_works_on_a_shared_clone_and_fetches_only_for_a_new_environment() {
    let (t, served) = world();
    let server = serve(&served, None);
    let url = format!("{}/org/repo", server.url());
    let document = t.write("t.json", format!(r#"{{"id":"{TASK}"}}"#));
    let words = ["run", "--task", document.to_str().unwrap(), "--repo", &url, "--"];
    let run = |more: &[&str]| t.execenv([&words[..], more].concat()).run().status(0);
    let done = run(&["sh", "-c", "git log --format=%s -1; touch mark"]);
    assert!(done.stdout.contains("one"), "{done}");
    let asked = server.requests().len();
    run(&["test", "-e", "mark"]);
    assert_eq!(server.requests().len(), asked, "an environment that is there needs no server");
}
