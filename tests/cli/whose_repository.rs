//! Which repositories count as the user's: those that the user has named and that lie outside of the workspaces root. A shared
//! clone, a repository that an agent has made its work dir a worktree of, and what only the record names never do.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::git_http::serve;
use crate::support::repository::{git, git_out, make_repository};
use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};

const TASK_2: &str = "22222222-2222-4333-8444-000000000002";
const KEY_2: &str = "000000000002";

/// A repository of the user's with a secret, and the commit that has it.
fn victim(t: &TestEnv) -> (PathBuf, String) {
    let victim = t.tmp.join("victim");
    make_repository(t, &victim, &[]);
    t.write("victim/topsecret", "TOPSECRET\n");
    git(t, &victim, &["add", "-A"]);
    git(t, &victim, &["commit", "-q", "-m", "secret"]);
    let tip = git_out(t, &victim, &["rev-parse", "HEAD"]);
    (victim, tip)
}

/// The git folder that all worktrees share.
fn common(t: &TestEnv, repo: &Path) -> PathBuf {
    git_out(t, repo, &["rev-parse", "--path-format=absolute", "--git-common-dir"]).into()
}

/// Lets a repository borrow the objects of the victim's, with a branch `agent/bob/1` at its commit.
fn borrow(common: &Path, victim: &Path, how: &str) {
    fs::create_dir_all(common.join("objects/info")).unwrap();
    let line = format!("{}\n", victim.join(".git/objects").display());
    fs::write(common.join("objects/info/alternates"), line).unwrap();
    let branches = common.join("refs/heads/agent/bob");
    fs::create_dir_all(&branches).unwrap();
    let tip = victim.join(".git/refs/heads/main");
    match how {
        "a link" => symlink(tip, branches.join("1")).unwrap(),
        _ => drop(fs::copy(tip, branches.join("1")).unwrap()),
    }
}

/// No command copies what the repository of an environment only leads to.
fn refused(t: &TestEnv, key: &str, what: &str) {
    let clone = t.tmp.join("clone");
    for words in [
        &["branch", key, "fix", "--from", "agent/bob/1"][..],
        &["checkpoint", key, "-m", "x"],
        &["diff", key],
        &["merge", "start", key, "agent/bob/1"],
        &["clone", key, clone.to_str().unwrap()],
        &["publish", key, "--to", "branch", "--branch", "x"],
        &["prepare", "--task-id", "33333333-2222-4333-8444-000000000003", "--continue-from", key],
    ] {
        let done = t.execenv(words).run().status(1);
        assert!(done.stderr.contains("is not worked on"), "{what}: {done}");
    }
    assert!(!clone.exists(), "{what}");
}

/// A bare repository of an agent's, of which the agent has made its work dir a worktree.
fn agents_own(t: &TestEnv, work_dir: &Path) -> PathBuf {
    let bare = t.root.join("default/elsewhere/own.git");
    make_repository(t, &t.tmp.join("seed"), &[]);
    git(t, &t.tmp, &["clone", "-q", "--bare", "seed", bare.to_str().unwrap()]);
    git(t, &bare, &["remote", "remove", "origin"]);
    fs::remove_dir_all(work_dir).unwrap();
    git(t, &bare, &["worktree", "add", "-q", "-b", "agent/a/1", work_dir.to_str().unwrap()]);
    bare
}

#[test]
fn a_shared_clone_is_not_the_users() {
    for how in ["a link", "a file"] {
        let t = TestEnv::new();
        let (victim, _) = victim(&t);
        make_repository(&t, &t.tmp.join("seed"), &[]);
        git(&t, &t.tmp, &["clone", "-q", "--bare", "seed", "served/ada/app.git"]);
        let server = serve(&t.tmp.join("served"), None);
        let url = format!("{}/ada/app.git", server.url());
        let work_dir = t.prepare(["--task-id", TASK, "--repo", &url]).join("workdir");
        borrow(&common(&t, &work_dir), &victim, how);
        refused(&t, KEY, how);
        assert!(!work_dir.join("topsecret").exists(), "{how}");
    }
}

#[test]
fn a_repository_below_the_root_is_not_the_users_although_the_user_names_it() {
    let t = TestEnv::new();
    let (victim, _) = victim(&t);
    let source = t.prepare(["--task-id", TASK_2, "--repo", "new://x"]).join("workdir");
    t.prepare(["--task-id", TASK, "--repo", source.to_str().unwrap()]);
    t.execenv(["diff", KEY]).run().status(0);
    borrow(&source.join(".git"), &victim, "a file");
    refused(&t, KEY, "another environment's");
}

#[test]
fn what_continues_an_agents_repository_does_not_make_it_the_users() {
    let t = TestEnv::new();
    let (victim, _) = victim(&t);
    let before = snapshot(&victim);
    let own = agents_own(&t, &t.prepare(["--task-id", TASK]).join("workdir"));
    let env = t.prepare(["--task-id", TASK_2, "--continue-from", KEY]);
    assert!(!env.join(".repository_proof").exists());
    t.execenv(["diff", KEY_2]).run().status(0);
    borrow(&own, &victim, "a link");
    refused(&t, KEY_2, "continued");
    // Its branch is in the victim's refs now.
    git(&t, &victim, &["branch", KEY_2]);
    fs::remove_dir_all(own.join("refs/heads/agent/agent")).unwrap();
    symlink(victim.join(".git/refs/heads"), own.join("refs/heads/agent/agent")).unwrap();
    let refs = git_out(&t, &victim, &["for-each-ref"]);
    t.execenv(["cleanup", "--force", KEY_2]).run().sane(&[0, 1, 5]);
    assert_eq!(git_out(&t, &victim, &["for-each-ref"]), refs);
    git(&t, &victim, &["branch", "-D", "-q", KEY_2]);
    assert_same(&before, &snapshot(&victim), "cleanup");
}

#[test]
fn what_continues_the_users_repository_has_the_proof_too() {
    let t = TestEnv::new();
    make_repository(&t, &t.tmp.join("upstream"), &[]);
    git(&t, &t.tmp, &["clone", "-q", "--shared", "upstream", "mine"]);
    t.prepare(["--task-id", TASK, "--repo", "mine"]);
    let second = t.prepare(["--task-id", TASK_2, "--continue-from", KEY]);
    assert!(second.join(".repository_proof").exists());
    t.execenv(["checkpoint", KEY_2, "-m", "x"]).run().status(0);
    t.execenv(["cleanup", KEY_2, "--all"]).run().status(0);
    let branches =
        git_out(&t, &t.tmp.join("mine"), &["for-each-ref", "--format=%(refname:short)", "refs/heads/agent/"]);
    assert_eq!(branches, format!("agent/agent/{KEY}"));
}

/// Without Landlock, too, nothing of another repository is deleted by links that were put into a proved one.
#[test]
fn no_ref_is_deleted_where_refs_lead_to_another_repository() {
    for link in ["refs/heads/agent/agent", "refs/keep", "logs", "config"] {
        for landlock in [true, false] {
            let t = TestEnv::new();
            let (victim, _) = victim(&t);
            git(&t, &victim, &["branch", KEY]);
            git(&t, &t.tmp, &["clone", "-q", "victim", "source"]);
            let source = t.tmp.join("source");
            t.prepare(["--task-id", TASK, "--repo", "source"]);
            let place = source.join(".git").join(link);
            match place.is_dir() {
                true => fs::remove_dir_all(&place).unwrap(),
                false if place.exists() => fs::remove_file(&place).unwrap(),
                false => {}
            }
            let to = match link {
                "logs" | "config" => link,
                _ => "refs/heads",
            };
            symlink(victim.join(".git").join(to), &place).unwrap();
            let before = snapshot(&victim);
            let cleanup = t.execenv(["cleanup", "--force", "-o", "json", KEY]);
            let cleanup = if landlock { cleanup } else { cleanup.var("EXECENV_TEST_NO_LANDLOCK", "1") };
            let done = cleanup.run().sane(&[0, 1, 5]);
            assert_same(&before, &snapshot(&victim), &format!("{link} {landlock}"));
            assert!(done.stdout.contains("is a link or another special file"), "{link}: {done}");
        }
    }
}

/// Writes the commit that a checkpoint begins from into the record, as an agent can.
fn forge_base(env: &Path, base: &str) {
    let file = env.join(".gc_meta.json");
    let mut meta: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    meta["execenv"]["checkpoints"][0]["base_sha"] = base.into();
    fs::write(file, meta.to_string()).unwrap();
}

#[test]
fn nothing_is_fetched_because_the_record_says_so() {
    for kind in ["an agent's own", "the user's"] {
        let t = TestEnv::new();
        let (victim, secret) = victim(&t);
        let (env, repository) = match kind {
            "the user's" => {
                make_repository(&t, &t.tmp.join("source"), &[]);
                (t.prepare(["--task-id", TASK, "--repo", "source"]), t.tmp.join("source"))
            }
            _ => {
                let env = t.prepare(["--task-id", TASK]);
                let own = agents_own(&t, &env.join("workdir"));
                (env, own)
            }
        };
        let work_dir = env.join("workdir");
        t.write(work_dir.join("new"), "work\n");
        t.execenv(["checkpoint", KEY, "-m", "x"]).ok();
        fs::remove_file(work_dir.join("new")).unwrap();
        git(&t, &work_dir, &["remote", "add", "evil", victim.to_str().unwrap()]);
        forge_base(&env, &secret);
        let hint = if kind == "the user's" { format!("--base {secret}") } else { "fetch REMOTE".to_owned() };
        t.execenv(["restore", KEY]).fails(3, &["has no commit", &hint]);
        let has = t.command("git").arg("-C").arg(&repository).args(["cat-file", "-e", &secret]).output();
        assert!(!has.unwrap().status.success(), "{kind}");
        // The user's word is another matter, in a repository of the user's.
        let expected = if kind == "the user's" { 0 } else { 3 };
        t.execenv(["restore", KEY, "--base", &secret]).run().status(expected);
    }
}

#[test]
fn nothing_is_merged_or_replaced_where_only_an_agent_says_so() {
    let t = TestEnv::new();
    make_repository(&t, &t.tmp.join("victim"), &[]);
    let victim = t.tmp.join("victim");
    git(&t, &victim, &["branch", "precious"]);
    let work_dir = t.prepare(["--task-id", TASK, "--repo", "new://x"]).join("workdir");
    git(&t, &work_dir, &["remote", "add", "origin", victim.to_str().unwrap()]);
    git(&t, &work_dir, &["fetch", "-q", "origin"]);
    git(&t, &work_dir, &["checkout", "-q", "-f", "-b", "feature", "origin/main"]);
    git(&t, &work_dir, &["config", "user.email", "t@example.invalid"]);
    git(&t, &work_dir, &["config", "user.name", "T"]);
    t.write(work_dir.join("evil"), "evil\n");
    let before = snapshot(&victim);
    for words in [&["merge"][..], &["merge", "--base", "main"], &["merge", "--base", "precious"]] {
        t.execenv([&["publish", KEY, "--to"], words].concat())
            .fails(2, &["`origin` is the folder", "--target"]);
    }
    assert_same(&before, &snapshot(&victim), "merge");
    git(&t, &work_dir, &["add", "evil"]);
    git(&t, &work_dir, &["commit", "-q", "-m", "evil"]);
    // A branch of the victim's, unrelated or not, by the name of the one that the agent has checked out.
    let tip = git_out(&t, &victim, &["commit-tree", "-m", "x", "-p", "main", "main^{tree}"]);
    git(&t, &victim, &["update-ref", "refs/heads/precious", &tip]);
    git(&t, &work_dir, &["fetch", "-q", "origin"]);
    for (begin, named, status) in [
        (&["checkout", "-q", "-b", "precious", "--no-track", "feature"][..], &[][..], 2),
        (&["checkout", "-q", "--orphan", "unrelated"], &["--branch", "precious"], 5),
    ] {
        git(&t, &work_dir, begin);
        let words = [&["publish", KEY, "--to", "branch", "--force-with-lease"], named].concat();
        t.execenv(words).fails(status, &["precious"]);
        assert_eq!(git_out(&t, &victim, &["rev-parse", "precious"]), tip);
    }
}
