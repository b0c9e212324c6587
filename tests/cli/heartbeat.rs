//! `run --heartbeat`: the work is saved while the agent works, and `run` looks after the work dir.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::publish::served;
use crate::support::git_http::serve;
use crate::support::repository::{commit_files, git, git_out, make_repository};
use crate::support::{Done, KEY, TASK, TestEnv, assert_same, snapshot};

/// An environment with a worktree, and its work dir.
fn worktree(t: &TestEnv) -> PathBuf {
    let source = t.tmp.join("source");
    make_repository(t, &source, &[]);
    commit_files(t, &source, "two", &[("tracked", "before\n")]);
    t.prepare(["--task-id", TASK, "--provider", "claude", "--repo", "source"]).join("workdir")
}

fn run(t: &TestEnv, arguments: &[&str], script: &str) -> Done {
    let fixed = ["run", KEY, "-o", "json", "--heartbeat", "1s"];
    let program = ["--", "sh", "-c", script];
    t.execenv(fixed.iter().chain(arguments).chain(&program)).run()
}

fn events(done: &Done, kind: &str) -> Vec<Value> {
    let all = done.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|event| event["type"] == kind).collect()
}

/// What a commit holds, but for `.git`.
fn files_of(t: &TestEnv, work_dir: &Path, commit: &str) -> String {
    git_out(t, work_dir, &["ls-tree", "-r", "--name-only", commit])
}

#[test]
fn the_work_is_saved_beside_the_branch_and_can_be_rebuilt() {
    let t = TestEnv::new();
    let work_dir = worktree(&t);
    let head = git_out(&t, &work_dir, &["rev-parse", "HEAD"]);
    let registration = git_out(&t, &work_dir, &["rev-parse", "--git-dir"]);
    let index = fs::read(Path::new(&registration).join("index")).unwrap();
    let script = "echo one > new; echo after > tracked; printf '\\0' > binary; chmod +x binary; \
                  sleep 2.6; echo two > new; rm tracked";
    let done = run(&t, &[], script).status(0);
    let beats = events(&done, "heartbeat");
    // While nothing changes, nothing more is saved; the last one is after the agent's end.
    assert_eq!(beats.len(), 2, "{done}");
    let commits: Vec<&str> = beats.iter().map(|beat| beat["commit"].as_str().unwrap()).collect();
    let result = &events(&done, "result")[0];
    assert_eq!(result["commits"], serde_json::json!(commits));
    assert_eq!(git_out(&t, &work_dir, &["show", &format!("{}:new", commits[0])]), "one");
    assert_eq!(files_of(&t, &work_dir, commits[1]), "binary\nfile\nnew", "and nothing of execenv's own");
    let newest = format!("refs/execenv/{KEY}/wip");
    assert_eq!(git_out(&t, &work_dir, &["rev-parse", &newest]), commits[1]);
    assert_eq!(git_out(&t, &work_dir, &["rev-parse", "HEAD"]), head);
    assert_eq!(fs::read(Path::new(&registration).join("index")).unwrap(), index, "bit for bit");

    let files = |work_dir: &Path| {
        let mut files = snapshot(work_dir);
        files.retain(|path, _| path != Path::new(".git"));
        files
    };
    let before = files(&work_dir);
    fs::remove_dir_all(&work_dir).unwrap();
    t.execenv(["restore", KEY]).run().status(0);
    let mut after = files(&work_dir);
    // The sidecars come with the next task document.
    after.retain(|path, _| before.contains_key(path));
    let work: Vec<_> = ["binary", "file", "new"].map(PathBuf::from).into();
    assert!(work.iter().all(|path| before[path] == after[path]) && !after.contains_key(Path::new("tracked")));
}

#[test]
fn a_merge_or_a_rebase_in_progress_is_left_alone() {
    for mode in ["ref", "branch"] {
        let t = TestEnv::new();
        let work_dir = worktree(&t);
        git(&t, &work_dir, &["branch", "other", "HEAD~1"]);
        let script = "git checkout -q other && echo x > x && git add x && git commit -qm x && git checkout -q - && \
                      git merge --no-commit --no-ff other; echo more > more; sleep 2.2";
        let words = [
            "run",
            KEY,
            "-o",
            "json",
            "--heartbeat",
            "1s",
            "--heartbeat-mode",
            mode,
            "--",
            "sh",
            "-c",
            script,
        ];
        let done = t.execenv(words).run().status(0);
        let registration = git_out(&t, &work_dir, &["rev-parse", "--git-dir"]);
        assert!(Path::new(&registration).join("MERGE_HEAD").exists(), "{mode}: {done}");
        assert_eq!(git_out(&t, &work_dir, &["log", "-1", "--format=%s"]), "two", "{mode}");
        assert!(!events(&done, "heartbeat").is_empty(), "{mode}: {done}");
        let unsaved = |event: &Value| event["text"].as_str().unwrap().contains("not saved");
        assert!(!events(&done, "notice").iter().any(unsaved), "{mode}: {done}");
        let newest = format!("refs/execenv/{KEY}/wip:more");
        assert_eq!(git_out(&t, &work_dir, &["show", &newest]), "more", "{mode}");
    }
}

#[test]
fn on_the_branch_a_heartbeat_is_a_commit_like_any_other() {
    let t = TestEnv::new();
    let work_dir = worktree(&t);
    let done = run(&t, &["--heartbeat-mode", "branch"], "echo one > new; sleep 1.8").status(0);
    let commit = events(&done, "heartbeat")[0]["commit"].as_str().unwrap().to_owned();
    assert_eq!(git_out(&t, &work_dir, &["rev-parse", "HEAD"]), commit);
    assert_eq!(
        git_out(
            &t,
            &work_dir,
            &["status", "--porcelain", "--", ".", ":!.agent_context", ":!.claude", ":!CLAUDE.md"]
        ),
        ""
    );
    assert_eq!(events(&done, "result")[0]["commits"], serde_json::json!([commit]));
}

#[test]
fn they_are_pushed_to_the_remote_of_the_time_when_the_agent_started() {
    let t = TestEnv::new();
    let served = served(&t);
    let server = serve(&served, None);
    let url = format!("{}/ada/app.git", server.url());
    let work_dir = worktree(&t);
    let source = t.tmp.join("source");
    let options = ["--checkpoint-push"];
    let refused = run(&t, &options, "touch started").status(2);
    assert!(refused.stderr.contains("has no remote `origin`"), "{refused}");
    assert!(!work_dir.join("started").exists());

    git(&t, &source, &["remote", "add", "origin", &url]);
    // The agent names another remote; the work does not go there.
    let script =
        "git remote set-url origin http://127.0.0.1:1/x.git; echo one > new; sleep 1.8; echo two > new";
    let done = run(&t, &options, script).status(0);
    let beats = events(&done, "heartbeat");
    assert!(beats.len() >= 2 && beats.iter().all(|beat| beat["pushed"] == true), "{done}");
    let there = served.join("ada/app.git");
    let refs = git_out(&t, &there, &["for-each-ref", "--format=%(refname) %(objectname)"]);
    let (name, commit) = refs.split_once(' ').unwrap();
    assert_eq!(commit, beats.last().unwrap()["commit"], "one ref, and the last commit: {refs}");
    assert!(name.starts_with(&format!("refs/execenv/{KEY}/wip-")), "{refs}");
    assert!(done.stdout.contains(&format!("heartbeats are pushed to {url} as {name}")), "{done}");
    assert_eq!(git_out(&t, &there, &["show", &format!("{commit}:new")]), "two");

    // Another run writes over nothing; a folder is a remote, too.
    let bare = t.tmp.join("bare.git");
    git(&t, &t.tmp, &["clone", "-q", "--bare", "source", "bare.git"]);
    git(&t, &source, &["remote", "set-url", "origin", bare.to_str().unwrap()]);
    for _ in 0..2 {
        run(&t, &options, "date +%N > new").status(0);
    }
    let refs = git_out(&t, &bare, &["for-each-ref", "--format=%(refname)", "refs/execenv"]);
    assert_eq!(refs.lines().count(), 2, "{refs}");
}

#[test]
fn a_push_that_fails_is_told_once_and_tried_again() {
    let t = TestEnv::new();
    let served = served(&t);
    let server = serve(&served, None);
    let work_dir = worktree(&t);
    let url = format!("{}/ada/app.git", server.url());
    git(&t, &t.tmp.join("source"), &["remote", "add", "origin", &url]);
    let there = served.join("ada/app.git");
    let (lost, here) = (served.join("lost"), there.display());
    let script =
        format!("mv {here} {}; echo one > new; sleep 2.6; mv {} {here}", lost.display(), lost.display());
    let done = run(&t, &["--checkpoint-push"], &script).status(0);
    let told = events(&done, "heartbeat");
    let pushed: Vec<bool> = told.iter().map(|beat| beat["pushed"].as_bool().unwrap()).collect();
    assert_eq!(pushed, [false, true], "{done}");
    assert_eq!(events(&done, "result")[0]["commits"].as_array().unwrap().len(), 1, "one commit, told twice");
    let failed = |event: &Value| event["text"].as_str().unwrap().contains("was not pushed");
    assert_eq!(events(&done, "notice").into_iter().filter(failed).count(), 1, "{done}");
    let refs = git_out(&t, &there, &["for-each-ref", "--format=%(objectname)"]);
    assert_eq!(refs, told[0]["commit"].as_str().unwrap());
    assert_eq!(git_out(&t, &work_dir, &["show", &format!("{refs}:new")]), "one");
}

#[test]
fn without_a_repository_the_run_says_so_once() {
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK]);
    let done = run(&t, &[], "sleep 2.2").status(0);
    let notices = events(&done, "notice");
    assert_eq!(notices.len(), 1, "{done}");
    assert!(notices[0]["text"].as_str().unwrap().contains("no git repository"), "{done}");
    assert!(events(&done, "heartbeat").is_empty());
    // In a folder of the user's it is known before the agent starts, and the agent is not paid for work that is not saved.
    let t = TestEnv::new();
    t.prepare(["--task-id", TASK, "--local-dir", "project"]);
    let done = run(&t, &[], "touch started").status(2);
    assert!(done.stderr.contains("there is no git repository in [PROJECT]"), "{done}");
    assert!(!t.project.join("started").exists());
}

#[test]
fn an_agent_whose_work_dir_goes_away_is_stopped() {
    for (script, words) in [
        ("rm -rf \"$EXECENV_WORKDIR\"", "is gone"),
        ("mv \"$EXECENV_WORKDIR\" ../elsewhere; mkdir \"$EXECENV_WORKDIR\"", "was replaced"),
        ("mv .git ../git", "is no repository any more"),
    ] {
        let t = TestEnv::new();
        let work_dir = worktree(&t);
        let env = work_dir.parent().unwrap().to_owned();
        let script = format!("{script}; sleep 60");
        let done = t.execenv(["run", KEY, "-o", "json", "--", "sh", "-c", &script]).run().status(1);
        let result = &events(&done, "result")[0];
        assert_eq!(
            (&result["status"], &result["failure_reason"]),
            (&"failed".into(), &"workdir_missing".into())
        );
        assert!(result["error"].as_str().unwrap().contains(words), "{done}");
        let meta: Value = serde_json::from_slice(&fs::read(env.join(".gc_meta.json")).unwrap()).unwrap();
        assert_eq!(meta["execenv"]["status"], "failed");
    }
}

#[test]
fn a_heartbeat_in_progress_neither_holds_the_agent_up_nor_outlives_the_run() {
    let t = TestEnv::new();
    let work_dir = worktree(&t);
    // Much to save, and an end in the middle of it.
    let script = "for n in $(seq 3000); do echo $n > f$n; done; sleep 1";
    let before = snapshot(&t.tmp.join("source/.git/hooks"));
    let done = run(&t, &[], script).status(0);
    let commits = events(&done, "result")[0]["commits"].as_array().unwrap().clone();
    let last = commits.last().unwrap().as_str().unwrap();
    assert_eq!(files_of(&t, &work_dir, last).lines().count(), 3002, "{done}");
    git(&t, &work_dir, &["fsck", "--no-dangling"]);
    assert_same(&before, &snapshot(&t.tmp.join("source/.git/hooks")), "after the run");
}
