//! `run --max-concurrent` and `--max-per-group`: how many runs are on at once, over all processes.

use std::fs;
use std::process::Child;

use serde_json::Value;

use crate::support::process::{is_gone, wait_until};
use crate::support::{Run, TestEnv};

fn environments(t: &TestEnv, count: usize) -> Vec<String> {
    let one = |n: usize| t.prepare(["--task-id", &format!("task-{n}")]).display().to_string();
    (0..count).map(one).collect()
}

fn run<'a>(t: &'a TestEnv, env: &str, limits: &[&str], script: &str) -> Run<'a> {
    t.execenv(["run", env].iter().chain(limits).chain(&["--", "sh", "-c", script]))
}

#[test]
fn never_more_than_the_limit_are_on_and_all_finish() {
    let t = TestEnv::new();
    fs::create_dir(t.tmp.join("alive")).unwrap();
    let script = format!(
        "cd {}; : > alive/$$; ls alive | wc -l >> counts; echo $EXECENV_SLOT >> slots; sleep .1; rm alive/$$",
        t.tmp.display()
    );
    let limits = ["-q", "--max-concurrent", "3", "--wait-slot", "2m"];
    let envs = environments(&t, 16);
    let runs: Vec<Child> = envs.iter().map(|env| run(&t, env, &limits, &script).start()).collect();
    for mut one in runs {
        assert!(one.wait().unwrap().success());
    }
    let numbers = |name: &str| -> Vec<u32> {
        let text = fs::read_to_string(t.tmp.join(name)).unwrap();
        text.lines().map(|line| line.trim().parse().unwrap()).collect()
    };
    let (counts, slots) = (numbers("counts"), numbers("slots"));
    assert_eq!(counts.len(), 16);
    assert!(counts.iter().all(|count| (1..=3).contains(count)), "{counts:?}");
    assert!(slots.iter().all(|slot| *slot < 3), "{slots:?}");
}

#[test]
fn a_limit_is_told_and_a_killed_run_gives_its_slot_back() {
    let t = TestEnv::new();
    let envs = environments(&t, 3);
    let limit = ["--max-concurrent", "1"];
    let holds = "trap '' TERM; echo $$ > pid; while :; do sleep .05; done";
    let mut first = run(&t, &envs[0], &["--max-concurrent", "1", "--kill-grace", "1s"], holds).start();
    let pid = wait_until("the agent", || {
        let text = fs::read_to_string(format!("{}/workdir/pid", envs[0])).ok()?;
        text.ends_with('\n').then(|| text.trim().to_owned())
    });
    run(&t, &envs[1], &limit, "true")
        .fails(4, &["one run is on", "--max-concurrent", "hint: ", "--wait-slot"]);
    let status = |env: &str| t.execenv(["show", env, "-o", "json"]).json()["status"].clone();
    assert_eq!(status(&envs[1]), "prepared", "nothing has begun");
    let short = ["--max-concurrent", "1", "--wait-slot", "1s"];
    run(&t, &envs[1], &short, "true").fails(4, &["waiting for at most 1s", "one run is on"]);
    // No limit, and a group of its own: another matter.
    run(&t, &envs[1], &[], "true").ok();
    run(&t, &envs[1], &["--group", "g", "--max-per-group", "1"], "true").ok();
    t.execenv(["run", &envs[1], "--group", "g", "--", "true"]).fails(2, &["--max-per-group"]);

    // The agent of a killed run lives for its grace, and counts for so long.
    first.kill().unwrap();
    first.wait().unwrap();
    if !is_gone(&pid) {
        let refused = run(&t, &envs[1], &limit, "true").run();
        assert!(refused.status == Some(4) || is_gone(&pid), "{refused}");
    }
    run(&t, &envs[1], &["--max-concurrent", "1", "--wait-slot", "1m"], "true").run().status(0);
    assert!(is_gone(&pid), "its slot was not free before");
}

#[test]
fn groups_are_counted_apart() {
    let t = TestEnv::new();
    let envs = environments(&t, 3);
    let of = |group: &'static str| ["--group", group, "--max-per-group", "1", "--max-concurrent", "2"];
    let waits = "echo > started; while [ ! -e ../../go ]; do sleep .02; done";
    let start = |n: usize, group| {
        let child = run(&t, &envs[n], &of(group), waits).start();
        let started = format!("{}/workdir/started", envs[n]);
        wait_until("the agent", || fs::exists(&started).unwrap().then_some(()));
        child
    };
    let mut first = start(0, "login");
    run(&t, &envs[1], &of("login"), "true").fails(4, &["the group `login`", "--max-per-group"]);
    let mut second = start(1, "search");
    run(&t, &envs[2], &of("third"), "true").fails(4, &["--max-concurrent"]);
    fs::write(t.root.join("go"), "").unwrap();
    fs::write(t.root.join("default/go"), "").unwrap();
    assert!(first.wait().unwrap().success() && second.wait().unwrap().success());
}

#[test]
fn the_limit_can_be_a_setting() {
    let t = TestEnv::new();
    let envs = environments(&t, 1);
    let done = t
        .execenv(["run", &envs[0], "--", "sh", "-c", "echo $EXECENV_SLOT"])
        .var("EXECENV_MAX_CONCURRENT", "2");
    assert_eq!(done.ok().stdout, "0\n");
    let wrong = t.execenv(["run", &envs[0], "--", "true"]).var("EXECENV_MAX_CONCURRENT", "many");
    wrong.fails(2, &["EXECENV_MAX_CONCURRENT", "not a whole number"]);
    let config: Value = t.execenv(["config", "-o", "json"]).var("EXECENV_MAX_CONCURRENT", "7").json();
    assert_eq!(config["settings"]["max_concurrent"]["value"], "7");
}
