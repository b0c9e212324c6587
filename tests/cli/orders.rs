//! `pause`, `resume`, `stop` and `send`: what other processes ask of a run.

use std::fs;
use std::process::Child;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::fake_claude::{INIT, RESULT, SAYS, World};
use crate::support::process::{is_gone, wait_until};
use crate::support::{Done, KEY};

fn order(w: &World, words: &[&str]) -> Done {
    w.t.execenv(words.iter().copied().chain(["-o", "json"])).run()
}

fn answer(done: &Done) -> Value {
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done}"))
}

fn status(w: &World) -> String {
    w.meta()["execenv"]["status"].as_str().unwrap().to_owned()
}

/// A run whose agent has spoken once.
fn talking(w: &World, script: &[&str], arguments: &[&str]) -> Child {
    let whole: Vec<&str> = ["pid @/agent", INIT, "read @/prompt"].iter().chain(script).copied().collect();
    let child = w.asked(&whole, arguments).start();
    w.wait_for("prompt");
    child
}

/// The text of a frame that the agent has read.
fn message(w: &World, name: &str) -> String {
    let frame: Value = serde_json::from_str(&w.wait_for(name)).unwrap();
    frame["message"]["content"][0]["text"].as_str().unwrap().to_owned()
}

#[test]
fn messages_reach_the_agent_in_their_order() {
    let w = World::new();
    let script = ["read @/1", "read @/2", "read @/3", SAYS, RESULT, "expect-eof"];
    let mut run = talking(&w, &script, &[]);
    for (n, text) in ["one", "-two\nlines", "three \u{1F600}"].into_iter().enumerate() {
        let done = match n {
            1 => w.t.execenv(["send", KEY, "-", "-o", "json"]).input(text).run(),
            _ => order(&w, &["send", KEY, text]),
        };
        assert_eq!(answer(&done.status(0))["delivery"], "written");
        assert_eq!(message(&w, &(n + 1).to_string()), text);
    }
    assert!(run.wait().unwrap().success());
    assert!(!w.env.join("inbox").exists(), "nothing is left of the orders");
}

#[test]
fn a_message_that_cannot_arrive_is_refused() {
    let w = World::new();
    let refused = |text: &str, status, parts: &[&str]| w.t.execenv(["send", KEY, text]).fails(status, parts);
    refused("x", 3, &["no run holds", "hint: ", "--resume"]);
    refused(" ", 2, &["empty"]);
    w.t.execenv(["send", KEY, "-"]).input("x".repeat((1 << 20) + 1)).fails(2, &["message"]);

    // The result is there, and the agent does not leave.
    let mut run = talking(&w, &[RESULT, "touch @/over", "sleep-until-file @/go"], &[]);
    wait_until("the result", || w.t.tmp.join("over").exists().then_some(()));
    std::thread::sleep(Duration::from_millis(200));
    let late = refused("late", 3, &["is ending", "hint: "]);
    assert!(late.stdout.is_empty());
    w.t.write("go", "");
    assert!(run.wait().unwrap().success());

    let mut program = w.program(&["sh", "-c", "echo > started; sleep 60"]).start();
    wait_until("the program", || w.env.join("workdir/started").exists().then_some(()));
    refused("x", 2, &["takes no messages", "hint: "]);
    w.t.execenv(["stop", KEY]).ok();
    assert_eq!(program.wait().unwrap().code(), Some(143));
}

/// Files in the inbox are what the command writes: a hundred commands at once would only be slower.
#[test]
fn a_hundred_messages_wait_and_no_more() {
    let w = World::new();
    let mut run = talking(&w, &["sleep-until-file @/go", "read @/first", RESULT, "expect-eof"], &[]);
    let run_id = w.meta()["execenv"]["run"]["id"].clone();
    let inbox = w.env.join("inbox");
    fs::create_dir(&inbox).unwrap();
    // The first fills the pipe: from then on all wait.
    let text = "x".repeat(100 << 10);
    for n in 0..102 {
        let order = json!({"run_id": run_id, "op": "send", "text": format!("{n} {text}")});
        fs::write(inbox.join("new"), order.to_string()).unwrap();
        fs::rename(inbox.join("new"), inbox.join(format!("{n:03}.order"))).unwrap();
        wait_until("an answer", || inbox.join(format!("{n:03}.answer")).exists().then_some(()));
    }
    let said: Vec<String> =
        (0..102).map(|n| fs::read_to_string(inbox.join(format!("{n:03}.answer"))).unwrap()).collect();
    assert!(said[..100].iter().all(|said| said == "\"written\""), "{said:?}");
    assert_eq!(said[100..], ["\"full\"", "\"full\""]);
    w.t.execenv(["send", KEY, "x"]).fails(4, &["100 messages", "hint: "]);
    w.t.write("go", "");
    assert!(message(&w, "first").starts_with("0 x"));
    assert!(run.wait().unwrap().success());
}

#[test]
fn orders_of_another_run_and_what_is_no_order_do_nothing() {
    let w = World::new();
    let mut run = talking(&w, &["sleep-until-file @/go", RESULT, "expect-eof"], &[]);
    let inbox = w.env.join("inbox");
    fs::create_dir(&inbox).unwrap();
    let stop = json!({"run_id": "another", "op": "stop", "signal": 9}).to_string();
    fs::write(inbox.join("1.order"), stop).unwrap();
    fs::write(inbox.join("2.order"), "{").unwrap();
    fs::create_dir(inbox.join("3.order")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", inbox.join("4.order")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        inbox.join("5.order"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    assert_eq!(answer(&order(&w, &["pause", KEY]).status(0))["changed"], true);
    assert_eq!(answer(&order(&w, &["resume", KEY]).status(0))["changed"], true);
    assert!(inbox.join("3.order").is_dir());
    assert!(!inbox.join("4.order").exists() && !inbox.join("5.order").exists());
    w.t.write("go", "");
    assert!(run.wait().unwrap().success());
    // The next run begins with an empty one.
    w.program(&["true"]).ok();
    assert!(!inbox.exists());
}

#[test]
fn a_paused_agent_does_not_age() {
    let w = World::new();
    w.t.execenv(["pause", KEY]).fails(3, &["no run holds"]);
    let arguments = ["--idle-timeout", "1s", "--timeout", "2s", "-o", "json"];
    let mut run = talking(&w, &["sleep-until-file @/go", SAYS, RESULT, "expect-eof"], &arguments);
    assert_eq!(
        answer(&order(&w, &["pause", KEY]).status(0)),
        json!({
            "schema": 1, "root_dir": w.env, "paused": true, "changed": true,
        })
    );
    assert_eq!(status(&w), "paused");
    assert!(w.meta()["execenv"]["run"]["paused_at"].is_string());
    let shown = w.t.execenv(["show", KEY, "-o", "json"]).json();
    assert_eq!((&shown["status"], &shown["live"]), (&json!("paused"), &json!(true)));
    assert_eq!(answer(&order(&w, &["pause", KEY]).status(0))["changed"], false);
    w.t.write("go", "");
    std::thread::sleep(Duration::from_millis(2300));
    assert!(!is_gone(&w.read("agent")), "no limit has ended it");
    assert_eq!(answer(&order(&w, &["resume", KEY]).status(0))["paused"], false);
    assert!(run.wait().unwrap().success());
    assert_eq!(status(&w), "completed");
    assert!(w.meta()["execenv"]["run"]["paused_at"].is_null());
}

#[test]
fn a_paused_tool_stands_still_too() {
    let w = World::new();
    let ticks = w.env.join("workdir/ticks");
    let script = "sh -c 'while :; do echo >> ticks; sleep .01; done' & wait";
    let mut run = w.program(&["sh", "-c", script]).start();
    let count = || fs::read(&ticks).map(|bytes| bytes.len()).unwrap_or(0);
    wait_until("ticks", || (count() > 0).then_some(()));
    w.t.execenv(["pause", KEY]).ok();
    let before = count();
    std::thread::sleep(Duration::from_millis(150));
    assert_eq!(count(), before);
    w.t.execenv(["resume", KEY]).ok();
    wait_until("more ticks", || (count() > before).then_some(()));
    w.t.execenv(["pause", KEY]).ok();
    // A stopped process takes no signal: it has to go on for that.
    let done = order(&w, &["stop", KEY, "--kill-grace", "20s"]).status(0);
    assert_eq!(answer(&done)["status"], "interrupted");
    assert_eq!(run.wait().unwrap().code(), Some(143));
}

#[test]
fn every_way_to_stop_has_its_end() {
    let polite = "echo > started; sleep 60 & wait";
    let deaf = "trap '' TERM INT; echo > started; while :; do sleep .05; done";
    let cases: &[(&str, &[&str], &str, i32)] = &[
        (polite, &[], "interrupted", 143),
        (polite, &["--signal", "int"], "interrupted", 130),
        (deaf, &["--kill-grace", "1s"], "killed", 137),
    ];
    let w = World::new();
    assert_eq!(answer(&order(&w, &["stop", KEY]).status(0))["outcome"], "not_running");
    for (script, arguments, ended, code) in cases {
        let mut run = w.program(&["sh", "-c", script]).start();
        let started = w.env.join("workdir/started");
        wait_until("the program", || started.exists().then_some(()));
        fs::remove_file(started).unwrap();
        let words: Vec<&str> = ["stop", KEY].iter().chain(*arguments).copied().collect();
        let done = order(&w, &words).status(0);
        let said = answer(&done);
        assert_eq!((&said["outcome"], &said["status"]), (&json!("stopped"), &json!(ended)), "{done}");
        assert_eq!(run.wait().unwrap().code(), Some(*code), "{arguments:?}");
        assert_eq!(w.result()["failure_reason"], "cancelled");
    }
}

#[test]
fn stop_all_stops_the_runs_of_a_workspace() {
    let w = World::new();
    let other = w.t.prepare(["--workspace-id", "other", "--task-id", "second-task"]);
    let start = |env: &str| w.t.execenv(["run", env, "--", "sh", "-c", "echo > started; sleep 60"]).start();
    let mut runs = [start(KEY), start(other.to_str().unwrap())];
    for env in [&w.env, &other] {
        wait_until("the program", || env.join("workdir/started").exists().then_some(()));
    }
    let done = order(&w, &["stop", "--all", "--workspace", "other"]).status(0);
    let all = answer(&done);
    assert_eq!(all.as_array().unwrap().len(), 1, "{done}");
    assert_eq!(all[0]["root_dir"], json!(other));
    assert_eq!(runs[1].wait().unwrap().code(), Some(143));
    assert_eq!(status(&w), "running");
    assert_eq!(answer(&order(&w, &["stop", "--all"]).status(0)).as_array().unwrap().len(), 1);
    assert_eq!(runs[0].wait().unwrap().code(), Some(143));
    assert_eq!(order(&w, &["stop", "--all"]).status(0).stdout, "[]\n");
}

/// What the run prints is not read, so that it hangs: its agent is found by the record, if that names it beyond doubt.
#[test]
fn the_agent_of_a_run_that_hangs_is_ended() {
    let w = World::new();
    let mut run = w.program(&["sh", "-c", "echo $$ > pid; exec yes"]).start();
    let pid = wait_until("the program", || {
        fs::read_to_string(w.env.join("workdir/pid")).ok().filter(|text| text.ends_with('\n'))
    });
    let pid = pid.trim().to_owned();
    wait_until("the record", || (status(&w) == "running").then_some(()));
    std::thread::sleep(Duration::from_millis(300));
    let meta = w.env.join(".gc_meta.json");
    let whole = fs::read(&meta).unwrap();
    let mut forged = w.meta();
    forged["execenv"]["run"]["agent_start"] = json!(1);
    fs::write(&meta, forged.to_string()).unwrap();
    w.t.execenv(["pause", KEY]).fails(4, &["does not answer", "hint: "]);
    w.t.execenv(["stop", KEY, "--kill-grace", "1s"]).fails(4, &["still holds"]);
    assert!(!is_gone(&pid), "another process's number is not signalled");
    fs::write(&meta, whole).unwrap();
    w.t.execenv(["stop", KEY, "--kill-grace", "1s"]).fails(4, &["does not answer", "still holds", "hint: "]);
    wait_until("the agent's end", || is_gone(&pid).then_some(()));
    drop(run.stdout.take());
    run.wait().unwrap();
    w.wait_until_free();
}
