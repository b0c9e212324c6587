//! `run --new` and `run --task`: prepare and run in one command, under one lock.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::fake_claude::{FAILURE, GOOD, INIT, RESULT, SAYS, World};
use crate::support::repository::make_repository;
use crate::support::{Run, TASK, TestEnv, assert_same};

const DOCUMENT: &str = r#"{"id":"11111111-2222-4333-8444-555555abcdef","workspace_id":"w","provider":"claude",
 "agent":{"name":"A","skills":[{"name":"Review","description":"d","content":"Look."}]}}"#;

/// A world with an agent and a task document, and no environment.
fn world() -> World {
    let t = TestEnv::new();
    t.write("task.json", DOCUMENT);
    t.write("project/mine", "mine");
    let env = t.root.join("w").join(crate::support::KEY);
    World::around(t, env)
}

fn run<'a>(w: &'a World, script: &[&str], arguments: &[&str]) -> Run<'a> {
    w.script("script", script);
    let fixed = ["run", "--agent-bin", "./fake-claude", "--prompt", "go"];
    w.t.execenv(fixed.iter().chain(arguments)).var("IS_SANDBOX", "1")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The only environment of the workspace `default`.
fn only_env(w: &World) -> PathBuf {
    let folder = w.t.root.join("default");
    let found = names(&folder);
    assert_eq!(found.len(), 1, "{found:?}");
    folder.join(&found[0])
}

#[test]
fn a_new_environment_is_cleaned_up_when_its_agent_has_completed() {
    let w = world();
    let before = w.t.project_now();
    let arguments = ["--new", "--provider", "claude", "--local-dir", "project", "--instructions", "rules"];
    w.t.write("rules", "Be brief.");
    let script = [INIT, "read @/prompt", SAYS, RESULT, "expect-eof"];
    assert_eq!(run(&w, &script, &arguments).ok().stdout, "hällo\n");
    assert_same(&before, &w.t.project_now(), "after the run");
    let env = only_env(&w);
    let result = fs::read_to_string(env.join("output/result.json")).unwrap();
    assert!(result.contains(r#""completed""#) && env.join("logs/agent.ndjson").is_file());
    assert!(!env.join("launch").exists() && !env.join("workdir").exists());
    w.t.assert_nothing_half_made("after the run");
}

#[test]
fn keep_decides_what_stays() {
    for (keep, script, status, stays) in [
        (&[][..], &[INIT, FAILURE, "expect-eof"][..], 1, true),
        (&["--keep", "always"], GOOD, 0, true),
        (&["--keep", "failed"], GOOD, 0, false),
        (&["--keep", "never"], &[INIT, FAILURE, "expect-eof"], 1, false),
    ] {
        let w = world();
        let arguments: Vec<&str> = ["--new", "--provider", "claude"].iter().chain(keep).copied().collect();
        let done = run(&w, script, &arguments).run().status(status);
        let says = done.stderr.contains("the environment stays") && done.stderr.contains("`execenv cleanup ");
        assert_eq!(says, status == 1 && stays, "{done}");
        assert_eq!(only_env(&w).join("workdir").exists(), stays, "{keep:?}");
    }
}

#[test]
fn a_failure_before_the_agent_starts_leaves_nothing_and_ends_as_prepare_does() {
    let w = world();
    let before = w.t.project_now();
    let local = ["--new", "--local-dir", "project"];
    let with = |more: &[&'static str]| -> Vec<&str> { local.iter().chain(more).copied().collect() };
    for (arguments, status, words) in [
        (with(&["--provider", "claude", "--mcp-config", "none.json"]), 2, "none.json"),
        (with(&["--provider", "antigravity", "--max-cost", "1"]), 2, "antigravity"),
        (with(&[]), 2, "no provider"),
    ] {
        run(&w, GOOD, &arguments).fails(status, &[words]);
        assert_same(&before, &w.t.project_now(), words);
    }
    let missing = ["run", "--new", "--provider", "claude", "--local-dir", "project", "--prompt", "go"];
    w.t.execenv(missing.iter().chain(&["--agent-bin", "./none"])).fails(1, &["none"]);
    assert_same(&before, &w.t.project_now(), "no program");
    assert!(names(&w.t.root.join("default")).is_empty());
    w.t.execenv(["run", "--new"]).fails(2, &["no provider"]);
    w.t.execenv(["run", "x", "--provider", "claude"]).fails(2, &["task", "--new"]);
    w.t.execenv(["run", "x", "--new"]).fails(2, &["--new"]);
    w.t.execenv(["run"]).fails(2, &["ENV"]);
}

#[test]
fn a_task_is_prepared_once_and_its_environment_is_used_again() {
    let w = world();
    let lines = format!("{}\n{}\n", r#"{"id":"other"}"#, DOCUMENT.replace('\n', " "));
    w.t.write("tasks.jsonl", lines);
    run(&w, GOOD, &["--task", "tasks.jsonl", "--line", "2"]).ok();
    w.t.write("root/w/555555abcdef/workdir/left", "by the agent");
    fs::remove_file(w.env.join("workdir/.claude/skills/review/SKILL.md")).unwrap();
    run(&w, GOOD, &["--task", "task.json"]).ok();
    assert!(w.env.join("workdir/left").exists(), "it was refreshed, not replaced");
    assert!(w.env.join("workdir/.claude/skills/review/SKILL.md").exists());
    w.t.execenv(["cleanup", TASK]).ok();
    run(&w, GOOD, &["--task", "task.json", "--cleanup-after"]).run().status(0);
    assert!(!w.env.join("workdir").exists(), "prepared again, run, and cleaned up");
    run(&w, GOOD, &["--task", "tasks.jsonl", "--line", "3"]).fails(2, &["line 3", "only 2"]);
}

#[test]
fn a_task_that_is_done_is_answered_once_more_without_its_agent() {
    let w = world();
    let engine = ["--task", "task.json", "--once", "--resume", "--cleanup-after=completed"];
    let first = run(&w, &[INIT, FAILURE, "expect-eof"], &engine).run().status(1);
    assert!(!first.stderr.contains("session"), "the first run has none to resume: {first}");
    let said = run(&w, GOOD, &engine).run().status(0).stdout;
    assert!(!w.env.join("workdir").exists(), "it is cleaned up");
    let again = run(&w, &["exit 99"], &engine).run().status(0);
    assert_eq!(
        (again.stdout.as_str(), said.as_str()),
        ("done\n", "hällo\n"),
        "the last message is the answer: {again}"
    );
}

#[test]
fn no_other_process_gets_the_environment_between_prepare_and_run() {
    let w = world();
    let script = ["print-part x", "sleep-until-file @/go", INIT, RESULT, "expect-eof"];
    let child = run(&w, &script, &["--task", "task.json"]).start();
    let busy = crate::support::process::wait_until("the environment", || {
        let done = w.t.execenv(["cleanup", TASK]).run();
        // From the moment in which it has its name it is held.
        (done.status != Some(3)).then_some(done)
    });
    assert_eq!(busy.status, Some(4), "{busy}");
    w.t.write("go", "");
    assert!(child.wait_with_output().unwrap().status.success());
}

#[test]
fn work_that_is_saved_in_no_other_place_stays_and_the_run_has_not_failed_for_that() {
    let w = world();
    make_repository(&w.t, &w.t.tmp.join("repository"), &[]);
    let arguments = ["run", "--new", "--repo", "repository", "--provider", "command", "--", "sh", "-c"];
    let done = w.t.execenv(arguments.iter().copied().chain(["echo two >> file"])).run().status(0);
    let env = only_env(&w);
    assert!(done.stderr.contains("the environment stays"), "{done}");
    assert!(done.stderr.contains("`execenv publish [ROOT]/default/"), "{done}");
    assert_eq!(fs::read_to_string(env.join("workdir/file")).unwrap(), "one\ntwo\n");
    let result = fs::read_to_string(env.join("output/result.json")).unwrap();
    assert!(result.contains(r#""exit_code":0"#), "{result}");
}
