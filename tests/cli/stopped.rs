//! The first signal stops a command in the middle of a long step: it says how far it came, and the next command does the
//! rest.

use std::fs;

use rustix::process::{Signal, kill_process};

use crate::support::{Done, KEY, Run, TASK, TestEnv};

const FILES: usize = 60;
/// Before the last file of [`FILES`] is gone.
const BEFORE_THE_END: usize = 20;

fn world() -> TestEnv {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    for number in 0..FILES {
        t.write(env.join(format!("workdir/many/{number}")), "");
    }
    t
}

/// How many changes a command makes.
fn changes(t: &TestEnv, arguments: &[&str]) -> usize {
    changes_of(t, arguments, 0)
}

fn changes_of(t: &TestEnv, arguments: &[&str], status: i32) -> usize {
    let count = t.tmp.join("count");
    let done = timed(t, arguments).var("EXECENV_TEST_COUNT", &count).run().status(status);
    let own = done.pid.to_string();
    fs::read_to_string(count).unwrap().lines().filter(|line| *line == own).count()
}

fn timed<'a>(t: &'a TestEnv, arguments: &[&str]) -> Run<'a> {
    t.execenv(arguments).var("EXECENV_TEST_NOW", "2026-09-01T12:00:00Z")
}

/// Runs a command that gets SIGINT before its change of this number.
fn interrupted(t: &TestEnv, arguments: &[&str], change: usize) -> Done {
    let run = timed(t, arguments).var("EXECENV_TEST_STOP_AT", change.to_string());
    let (done, was_stopped) = run.run_with(|pid| kill_process(pid, Signal::INT).unwrap());
    assert!(was_stopped, "{done}");
    done.status(130)
}

#[test]
fn a_long_removal_stops_and_the_next_command_ends_it() {
    let emptied: &[&str] = &["cleanup", "--all", "--trash", KEY];
    for (before, command, said, next) in [
        (None, &["cleanup", KEY][..], " or `execenv gc` deletes the rest", &["cleanup", KEY][..]),
        (None, &["cleanup", "--all", KEY], " entries were deleted; `execenv gc` deletes the rest", &["gc"]),
        (
            None,
            &["run", KEY, "--cleanup-after", "--", "true"],
            "` or `execenv gc` deletes the rest",
            &["cleanup", KEY],
        ),
        (
            Some(emptied),
            &["trash", "empty", "--yes"],
            "stopped: 0 of 1 entries; the next command deletes the rest",
            &["gc"],
        ),
        (
            None,
            &["gc", "--trash-ttl", "0"],
            "stopped: 1 environment of 1 done; the next `gc` does the rest",
            &["gc"],
        ),
    ] {
        let world = || {
            let t = world();
            if let Some(before) = before {
                t.execenv(before).ok();
            }
            t
        };
        let count = changes(&world(), command);
        let t = world();
        let done = interrupted(&t, command, count - BEFORE_THE_END);
        assert!(done.stdout.contains(said) || done.stderr.contains(said), "{done}");
        assert_eq!(done.stderr.contains("error: "), command[0] == "run", "{done}");
        let left = |t: &TestEnv| fs::read_dir(t.root.join(".trash")).map_or(0, Iterator::count);
        assert_eq!(left(&t), 1, "something is left\n{done}");
        assert!(!t.root.join("default").join(KEY).join("workdir").exists(), "and out of sight\n{done}");
        timed(&t, next).run().status(0);
        assert_eq!(left(&t), 0, "{done}");
        t.assert_nothing_half_made(&format!("{command:?}"));
    }
}

#[test]
fn a_clean_up_that_is_stopped_before_it_removes_anything_removes_nothing() {
    let t = world();
    let done = interrupted(&t, &["cleanup", KEY], 1);
    assert!(done.stderr.contains("stopped: nothing was removed"), "{done}");
    assert!(t.root.join("default").join(KEY).join("workdir/many/0").exists(), "{done}");
    t.execenv(["cleanup", KEY]).ok();
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stops_nothing() {
    let t = world();
    let script = format!("trap '' INT; exec execenv cleanup {KEY}");
    let run = t.sh(&script).var("EXECENV_TEST_STOP_AT", "1");
    let (done, was_stopped) = run.run_with(|pid| kill_process(pid, Signal::INT).unwrap());
    assert!(was_stopped, "{done}");
    done.status(0);
}

#[test]
fn the_status_of_an_agent_that_failed_stays_where_the_clean_up_after_it_is_stopped() {
    let command = ["run", KEY, "--cleanup-after", "--", "sh", "-c", "exit 42"];
    let count = changes_of(&world(), &command, 42);
    let t = world();
    let run = timed(&t, &command).var("EXECENV_TEST_STOP_AT", (count - BEFORE_THE_END).to_string());
    let (done, was_stopped) = run.run_with(|pid| kill_process(pid, Signal::INT).unwrap());
    assert!(was_stopped && done.stderr.contains("the clean-up after the run: stopped: "), "{done}");
    done.status(42);
}

#[test]
fn doctor_stops_between_environments_and_the_next_one_fixes_the_rest() {
    let t = TestEnv::new();
    for task in ["one", "two", "three"] {
        let env = t.prepare(["--task-id", task]);
        let path = env.join(".gc_meta.json");
        let text = fs::read_to_string(&path).unwrap().replace("\"prepared\"", "\"running\"");
        fs::write(path, text).unwrap();
    }
    let done = interrupted(&t, &["doctor", "--fix"], 1);
    assert!(done.stderr.contains("stopped: 1 of 3 environments"), "{done}");
    assert!(done.stdout.contains("1 fixed"), "{done}");
    let done = timed(&t, &["doctor", "--fix"]).run().status(0);
    assert!(done.stdout.contains("2 fixed"), "{done}");
}
