//! Teardown commands: they run only as the user has trusted them, once, within bounds, and the environment goes all the same.

use std::fs;

use serde_json::json;

use crate::setup::{env_root, forge, trust, trusted};
use crate::support::process::{is_gone, wait_until};
use crate::support::{KEY, TASK, TestEnv};

const LOCAL: [&str; 5] = ["prepare", "--task-id", TASK, "--local-dir", "project"];
const LATER: &str = "2026-06-30T12:00:00Z";

fn down(t: &TestEnv) -> String {
    fs::read_to_string(t.tmp.join("down")).unwrap_or_default()
}

/// A world with an environment in the project whose teardown leaves a line in `down`.
fn world() -> TestEnv {
    let t = TestEnv::new();
    trusted(&t, &json!({"teardown": [format!("echo $EXECENV_TASK_ID >> {}/down", t.tmp.display())]}));
    t.execenv(LOCAL).ok();
    t
}

/// The same with a managed work dir, which gets the file by `--copy`.
fn managed() -> TestEnv {
    let t = world();
    t.execenv(["prepare", "--task-id", "other", "--workspace-id", "w"]).ok();
    t
}

#[test]
fn cleanup_runs_it_once_and_says_so() {
    for all in [&[][..], &["--all"]] {
        let t = world();
        let file = fs::read(t.project.join(".execenv.json")).unwrap();
        let words = [&["cleanup", KEY, "-o", "json"], all].concat();
        let report = t.execenv(&words).json();
        assert_eq!(report["teardown"], json!({"outcome": "ran", "commands": 1, "why": null}), "{report}");
        assert_eq!(down(&t), format!("{TASK}\n"));
        assert_eq!(fs::read(t.project.join(".execenv.json")).unwrap(), file);
        assert_eq!(t.project_now().len(), 1, "nothing else is in the folder");
        if all.is_empty() {
            let again = t.execenv(&words).json();
            assert_eq!(again["teardown"]["outcome"], "none", "{again}");
            assert_eq!(down(&t), format!("{TASK}\n"));
        }
    }
}

#[test]
fn bytes_that_are_not_trusted_by_then_do_not_run_and_are_named() {
    type Change = fn(&TestEnv);
    let cases: [(&str, Change, &str, &str); 6] = [
        (
            "changed",
            |t| _ = t.write("project/.execenv.json", r#"{"teardown": ["touch evil"]}"#),
            "skipped_untrusted",
            "`touch evil`",
        ),
        (
            "gone",
            |t| fs::remove_file(t.project.join(".execenv.json")).unwrap(),
            "skipped_untrusted",
            "is gone",
        ),
        ("no JSON", |t| _ = t.write("project/.execenv.json", "{"), "skipped_unreadable", "line 1"),
        (
            "no trust any more",
            |t| _ = t.execenv(["trust", "--remove", "project"]).run().status(0),
            "skipped_untrusted",
            "not as you have trusted",
        ),
        (
            "no proof",
            |t| fs::remove_file(env_root(t).join(".setup_proof")).unwrap(),
            "skipped_unproved",
            "nothing proves",
        ),
        (
            "a sandbox",
            |t| forge(t, |own| own["run"] = json!({"id": "x", "sandboxed": true})),
            "skipped_sandboxed",
            "sandbox",
        ),
    ];
    for (name, change, outcome, part) in cases {
        let t = world();
        change(&t);
        let done = t.execenv(["cleanup", KEY, "-o", "json"]).run().status(0);
        let report: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(
            (&report["outcome"], &report["teardown"]["outcome"]),
            (&"removed".into(), &outcome.into()),
            "{name}: {done}"
        );
        assert!(done.stderr.contains("warning: teardown: ") && done.stderr.contains(part), "{name}: {done}");
        assert!(!t.project.join("evil").exists() && down(&t).is_empty(), "{name}");
    }
}

#[test]
fn a_forged_proof_and_a_forged_record_run_nothing() {
    let t = managed();
    // An agent in another environment claims that its work dir was set up, by bytes that are trusted elsewhere.
    let other = t.execenv(["show", "other", "-o", "json"]).json();
    let root = std::path::PathBuf::from(other["root_dir"].as_str().unwrap());
    let digest = t.execenv(["trust", "project", "-o", "json"]).json()["sha256"].as_str().unwrap().to_owned();
    fs::copy(t.project.join(".execenv.json"), root.join("workdir/.execenv.json")).unwrap();
    fs::copy(env_root(&t).join(".setup_proof"), root.join(".setup_proof")).unwrap();
    let path = root.join(".gc_meta.json");
    let mut meta: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    meta["execenv"]["setup"] = json!({"state": "done", "digest": digest});
    fs::write(&path, meta.to_string()).unwrap();
    let done = t.execenv(["cleanup", "--all", "other", "-o", "json"]).run().status(0);
    assert!(done.stdout.contains(r#""outcome":"skipped_unproved""#) && down(&t).is_empty(), "{done}");
}

#[test]
fn one_that_fails_or_hangs_blocks_nothing_and_is_status_1() {
    for (command, limit, outcome, part) in [
        ("echo words; exit 4", "1m", "failed", "ended with status 4; its last words: words"),
        (
            "trap '' TERM; echo $$ > PID; while :; do sleep 1; done",
            "1s",
            "timed_out",
            "did not end within 1s",
        ),
    ] {
        let t = TestEnv::new();
        let command = command.replace("PID", t.tmp.join("pid").to_str().unwrap());
        trusted(
            &t,
            &json!({"setup": ["true"], "teardown": [command, "touch never"], "teardown_timeout": limit}),
        );
        t.execenv(LOCAL).ok();
        let done = t.execenv(["cleanup", KEY, "-o", "json"]).run().status(1);
        let report: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(
            (&report["outcome"], &report["teardown"]["outcome"]),
            (&"removed".into(), &outcome.into()),
            "{done}"
        );
        assert!(done.stderr.contains(r#""code":"teardown_failed""#) && done.stderr.contains(part), "{done}");
        assert!(!t.project.join("never").exists());
        if outcome == "timed_out" {
            assert!(is_gone(fs::read_to_string(t.tmp.join("pid")).unwrap().trim()));
        }
        t.execenv(["cleanup", KEY]).ok();
    }
}

#[test]
fn unsaved_work_keeps_the_environment_and_its_services() {
    let t = TestEnv::new();
    crate::support::repository::make_repository(&t, &t.project, &[]);
    let file = json!({"teardown": [format!("touch {}/down", t.tmp.display())]}).to_string();
    crate::support::repository::commit_files(&t, &t.project, "f", &[(".execenv.json", &file)]);
    trust(&t, &t.project);
    t.execenv(["prepare", "--task-id", TASK, "--repo", "project"]).ok();
    t.write(env_root(&t).join("workdir/work"), "work");
    t.execenv(["cleanup", KEY]).run().status(5);
    assert!(!t.tmp.join("down").exists(), "it stays in use");
    t.execenv(["cleanup", "--trash", "--all", KEY]).run().status(0);
    assert!(t.tmp.join("down").exists());
    // What comes back from the trash says that its services are gone, and is set up again.
    t.execenv(["trash", "restore", KEY]).ok();
    let done = t.execenv(["run", KEY, "--", "true"]).run().status(0);
    assert!(done.stderr.contains("warning: the teardown of [ROOT]/default/555555abcdef has run"), "{done}");
    t.execenv(["reuse", KEY]).ok();
    t.execenv(["run", KEY, "--", "true"]).ok();
}

#[test]
fn gc_runs_it_before_the_trash_and_a_dry_run_says_that_it_would() {
    let t = TestEnv::new();
    let file =
        json!({"teardown": [format!("echo $EXECENV_TASK_ID >> {}/down", t.tmp.display())]}).to_string();
    crate::support::repository::make_repository(&t, &t.project, &[]);
    crate::support::repository::commit_files(&t, &t.project, "f", &[(".execenv.json", &file)]);
    trust(&t, &t.project);
    for task in [TASK, "second", "changed"] {
        t.execenv(["prepare", "--task-id", task, "--repo", "project"]).ok();
    }
    let changed = t.execenv(["show", "changed", "-o", "json"]).json();
    let changed = std::path::PathBuf::from(changed["work_dir"].as_str().unwrap());
    fs::write(changed.join(".execenv.json"), r#"{"teardown": ["touch evil"]}"#).unwrap();
    crate::support::repository::git(&t, &changed, &["update-index", "--assume-unchanged", ".execenv.json"]);
    crate::support::repository::git(&t, &changed, &["checkout", "-q", "HEAD"]);
    let gc = |words: &[&str]| {
        t.execenv([&["gc", "-o", "json"], words].concat()).var("EXECENV_TEST_NOW", LATER).run()
    };
    let outcomes = |done: &crate::support::Done| {
        let report: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        let decisions = report["decisions"].as_array().unwrap().clone();
        let mut all: Vec<String> = decisions.iter().map(|d| d["teardown"]["outcome"].to_string()).collect();
        all.sort();
        all
    };
    let dry = gc(&["--dry-run"]).status(0);
    assert_eq!(outcomes(&dry).iter().filter(|outcome| *outcome == "\"would_run\"").count(), 2, "{dry}");
    assert!(down(&t).is_empty());
    let done = gc(&[]).status(0);
    assert_eq!(outcomes(&done).iter().filter(|outcome| *outcome == "\"ran\"").count(), 2, "{done}");
    assert_eq!(down(&t).lines().count(), 2, "{done}");
    assert!(!changed.join("evil").exists());
}

#[test]
fn a_teardown_that_fails_in_gc_is_named_and_the_environment_goes() {
    let t = TestEnv::new();
    crate::support::repository::make_repository(&t, &t.project, &[]);
    crate::support::repository::commit_files(
        &t,
        &t.project,
        "f",
        &[(".execenv.json", r#"{"teardown": ["exit 9"]}"#)],
    );
    trust(&t, &t.project);
    t.execenv(["prepare", "--task-id", TASK, "--repo", "project"]).ok();
    let done = t.execenv(["gc"]).var("EXECENV_TEST_NOW", LATER).run().status(1);
    assert!(done.stderr.contains("teardown: the teardown command `exit 9` ended with status 9"), "{done}");
    assert!(!env_root(&t).exists());
}

#[test]
fn a_kill_in_the_midst_lets_the_next_cleanup_run_it_again() {
    let t = TestEnv::new();
    let (pid, go) = (t.tmp.join("pid"), t.tmp.join("go"));
    let command = format!("echo $$ >> {}; test -e {} || exec sleep 600", pid.display(), go.display());
    trusted(&t, &json!({"teardown": [command]}));
    t.execenv(LOCAL).ok();
    let started = || fs::read_to_string(&pid).ok().filter(|text| text.ends_with('\n'));
    let done = t.execenv(["cleanup", KEY]).run_with_child(|child| {
        wait_until("the teardown", started);
        rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::KILL)
            .unwrap();
    });
    assert!(done.was_killed(), "{done}");
    let first = started().unwrap();
    wait_until("its end", || is_gone(first.trim()).then_some(()));
    t.write("go", "");
    wait_until("the lock", || (t.execenv(["cleanup", KEY]).run().status == Some(0)).then_some(()));
    assert_eq!(fs::read_to_string(&pid).unwrap().lines().count(), 2);
}

#[test]
fn a_signal_ends_it_and_nothing_is_removed() {
    let t = TestEnv::new();
    let pid = t.tmp.join("pid");
    trusted(&t, &json!({"teardown": [format!("echo $$ > {}; exec sleep 600", pid.display())]}));
    t.execenv(LOCAL).ok();
    let done = t.execenv(["cleanup", KEY]).run_with_child(|child| {
        wait_until("the teardown", || fs::read_to_string(&pid).ok().filter(|text| text.ends_with('\n')));
        rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::TERM)
            .unwrap();
    });
    let done = done.status(143);
    assert!(done.stderr.contains("stopped during the teardown: nothing was removed"), "{done}");
    assert!(is_gone(fs::read_to_string(&pid).unwrap().trim()));
    assert!(t.project.join(".agent_context").exists());
}

#[test]
fn the_environment_that_is_replaced_is_torn_down_before_the_new_one_is_set_up() {
    let t = TestEnv::new();
    let story = t.tmp.join("story");
    let line = |word: &str| format!("echo {word} >> {}", story.display());
    trusted(&t, &json!({"setup": [line("up")], "teardown": [line("down")]}));
    t.execenv(LOCAL).ok();
    t.execenv(LOCAL).run().status(0);
    assert_eq!(fs::read_to_string(&story).unwrap(), "up\ndown\nup\n");
    t.execenv(LOCAL.iter().copied().chain(["--no-setup"])).run().status(0);
    t.execenv(["cleanup", KEY]).ok();
    assert_eq!(
        fs::read_to_string(&story).unwrap(),
        "up\ndown\nup\ndown\n",
        "without a setup there is no teardown"
    );
}

/// An agent can spoil the log; what the setup has started outside goes all the same.
#[test]
fn a_spoiled_log_is_no_reason_to_leave_the_teardown_out() {
    type Spoil = fn(&TestEnv);
    let folder_and_file: Spoil = |t| {
        t.write(env_root(t).join("logs/setup.log/inside"), "x");
        t.write(env_root(t).join("logs/setup.log.previous"), "x");
    };
    let logs_is_a_file: Spoil = |t| {
        let logs = env_root(t).join("logs");
        fs::remove_dir_all(&logs).unwrap();
        t.write(logs, "x");
    };
    let logs_is_a_link: Spoil = |t| {
        let logs = env_root(t).join("logs");
        fs::remove_dir_all(&logs).unwrap();
        fs::create_dir(t.tmp.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(t.tmp.join("elsewhere"), logs).unwrap();
    };
    for spoil in [folder_and_file, logs_is_a_file, logs_is_a_link] {
        let t = world();
        spoil(&t);
        let done = t.execenv(["cleanup", KEY]).run().status(0);
        assert_eq!(down(&t), format!("{TASK}\n"), "{done}");
        assert!(done.stderr.contains("logs/setup.log cannot be written, so it lacks"), "{done}");
        assert!(fs::read_dir(t.tmp.join("elsewhere")).map_or(0, Iterator::count) == 0, "{done}");
    }
}
