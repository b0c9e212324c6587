//! `run --on-success`: the work is published when the agent is done.

use std::fs;

use serde_json::{Value, json};

use crate::publish::{GH, OURS, World, served};
use crate::support::fake_claude::{GOOD, World as Agent};
use crate::support::git_http::serve;
use crate::support::repository::{git, git_out, make_repository};
use crate::support::{Done, KEY, TASK, TestEnv};

fn run(w: &World, options: &[&str], script: &str) -> Done {
    w.t.execenv([&["run", KEY, "-o", "json", "--on-success"], options, &["--", "sh", "-c", script]].concat())
        .run()
}

/// The result, which the file and the last event have.
fn result(w: &World, done: &Done) -> Value {
    let file = w.t.root.join("default").join(KEY).join("output/result.json");
    let file: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let last: Value = serde_json::from_str(done.stdout.lines().last().unwrap()).unwrap();
    for (key, value) in file.as_object().unwrap() {
        assert_eq!(last[key], *value, "{key}");
    }
    file
}

#[test]
fn the_work_of_an_agent_that_is_done_is_merged() {
    let w = World::new();
    let done = run(&w, &["merge", "--into", "main"], "echo three >> file").status(0);
    let result = result(&w, &done);
    let commit = w.at("main");
    let expected = json!({"to": "merge", "target": result["published"]["target"], "branch": OURS,
        "commit": commit, "base": "main", "merged": commit});
    assert_eq!(result["published"], expected, "{done}");
    assert_eq!((&result["status"], &result["pr_url"]), (&json!("completed"), &Value::Null));
    assert!(done.stdout.contains(&format!("{OURS} is merged into main")), "{done}");
    assert_eq!(git_out(&w.t, &w.t.tmp.join("source"), &["show", "main:file"]), "one\ntwo\nthree");
    assert_eq!(w.record()[0]["merged"], json!(commit));

    let again = run(&w, &["merge", "--into", "main"], "true").status(0);
    assert_eq!(self::result(&w, &again)["published"]["merged"], json!(commit), "{again}");
}

#[test]
fn an_agent_that_failed_publishes_nothing() {
    let w = World::new();
    let before = (w.at("main"), w.at(OURS));
    let done = run(&w, &["merge", "--into", "main"], "echo three >> file; exit 3").status(3);
    assert_eq!(result(&w, &done)["published"], Value::Null, "{done}");
    assert_eq!((w.at("main"), w.at(OURS)), before);
    assert_eq!(w.record(), Value::Null);
}

#[test]
fn what_could_not_be_published_stops_the_run_before_it_costs_anything() {
    let w = World::new();
    let marker = w.t.tmp.join("started");
    let script = format!("touch {}", marker.display());
    let no_gh = w.t.tmp.join("no-gh");
    fs::create_dir(&no_gh).unwrap();
    let rows: [(&[&str], u8, &str); 5] = [
        (&["merge"], 2, "needs the name of the branch to merge into"),
        (&["branch", "--into", "main"], 2, "`--into` means nothing"),
        (&["none", "--into", "main"], 2, "`--into` means nothing"),
        (&["merge", "--into", "mian"], 2, "has no branch `mian`"),
        (&["pr"], 1, "gh, the program that opens pull requests, is not in PATH"),
    ];
    for tool in ["git", "sh", "touch"] {
        let found = w.t.command("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        std::os::unix::fs::symlink(found.trim(), no_gh.join(tool)).unwrap();
    }
    for (options, status, said) in rows {
        let words = [&["run", KEY, "--on-success"], options, &["--", "sh", "-c", &script]].concat();
        let done = w.t.execenv(words).var("PATH", &no_gh).run();
        let expected = if status == 1 { 125 } else { status };
        let done = done.status(i32::from(expected));
        assert!(done.stderr.contains(said), "{options:?}: {done}");
        assert!(!marker.exists(), "{options:?}: the agent was started");
    }
    // A base with work in its files, or in the middle of something of git's.
    let source = w.t.tmp.join("source");
    git(&w.t, &source, &["checkout", "-q", "main"]);
    let dirty = |said: &str| {
        let words = ["run", KEY, "--on-success", "merge", "--into", "main", "--", "sh", "-c", &script];
        let done = w.t.execenv(words).run().status(5);
        assert!(done.stderr.contains(said) && !marker.exists(), "{said}: {done}");
    };
    w.t.write(source.join("file"), "mine\n");
    dirty("with uncommitted changes: file");
    git(&w.t, &source, &["checkout", "-q", "file"]);
    git(&w.t, &source, &["bisect", "start", "main"]);
    dirty("the branch main belongs to a bisect");
    git(&w.t, &source, &["bisect", "reset"]);
    // And a work dir without a repository: there is no branch to merge into.
    w.t.prepare(["--task-id", "no-repository", "--local-dir", "project"]);
    let words =
        ["run", "no-repository", "--on-success", "merge", "--into", "main", "--", "sh", "-c", &script];
    let done = w.t.execenv(words).run();
    assert!(done.stderr.contains("there is no git repository in [PROJECT]") && !marker.exists(), "{done}");
    done.status(125);
    // A program that is there; the branch is missed when the repository is, because the agent may make it.
    run(&w, &["merge", "--into", "refs/heads/main"], &script).status(0);
}

#[test]
fn work_that_cannot_be_merged_stays_and_fails_the_run() {
    let w = World::new();
    let main = w.commit("file", "another\n");
    let done = run(&w, &["merge", "--into", "main"], "echo three >> file").status(1);
    let result = result(&w, &done);
    assert_eq!((&result["status"], &result["failure_reason"]), (&json!("failed"), &json!("publish_failed")));
    let error = result["error"].as_str().unwrap();
    for said in
        ["the agent is done", "conflict in file;", "execenv merge start ", "execenv publish ", "--to merge"]
    {
        assert!(error.contains(said), "{said}: {error}");
    }
    assert_eq!(w.at("main"), main);
    w.publish(&["merge", "--base", "main"]).run().status(5);
    assert_eq!(git_out(&w.t, &w.t.tmp.join("source"), &["show", &format!("{OURS}:file")]), "one\ntwo\nthree");
}

#[test]
fn a_pull_request_is_in_the_result_and_a_signal_stops_it() {
    let t = TestEnv::new();
    let served = served(&t);
    let server = serve(&served, None);
    let w = World::alone(t, &format!("{}/ada/app.git", server.url()));
    w.git(&["push", "-q", "origin", "main"]);
    let path = w.path_with("gh", GH);
    let words = ["run", KEY, "-o", "json", "--on-success", "pr", "--into", "main", "--", "true"];
    let done = w.t.execenv(words).var("PATH", &path).run().status(0);
    assert_eq!(result(&w, &done)["pr_url"], json!("https://forge/ada/app/pull/1"), "{done}");

    // The signal arrives while gh works.
    let path = w.path_with("gh", "kill -TERM $PPID; sleep 60");
    let words = ["run", KEY, "-o", "json", "--on-success", "pr", "--", "true"];
    let done = w.t.execenv(words).var("PATH", &path).run().status(143);
    let result = result(&w, &done);
    assert_eq!((&result["status"], &result["failure_reason"]), (&json!("interrupted"), &json!("cancelled")));
}

#[test]
fn a_run_that_died_while_it_published_is_not_taken_for_done() {
    let t = TestEnv::new();
    let served = served(&t);
    let server = serve(&served, None);
    let source = t.tmp.join("source");
    make_repository(&t, &source, &[]);
    git(&t, &source, &["remote", "add", "origin", &format!("{}/ada/app.git", server.url())]);
    git(&t, &source, &["push", "-q", "origin", "main"]);
    let env = t.prepare(["--task-id", TASK, "--provider", "claude", "--repo", "source"]);
    let w = Agent::around(t, env);
    let gh = |script: &str| {
        let path = w.t.write("bin/gh", format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    };
    let path = format!("{}:{}", w.t.tmp.join("bin").display(), std::env::var("PATH").unwrap());
    let run = |options: &[&str]| {
        w.asked(GOOD, &[&["--on-success", "pr"], options].concat()).var("PATH", &path).run()
    };

    gh("kill -KILL $PPID");
    assert!(run(&[]).was_killed());
    w.wait_until_free();
    w.t.execenv(["doctor", "--fix"]).run();
    let result = w.result();
    assert_eq!((&result["status"], &result["failure_reason"]), (&json!("failed"), &json!("publish_failed")));
    let error = result["error"].as_str().unwrap();
    assert!(error.contains("execenv publish ") && error.contains("--to pr"), "{error}");
    // A job that is delivered again does what is left.
    gh(GH);
    run(&["--once"]).status(0);
    assert_eq!(w.result()["pr_url"], "https://forge/ada/app/pull/1");
    gh("exit 1");
    run(&["--once"]).status(0);
}
