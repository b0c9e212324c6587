//! Setup, teardown, ports and trust: a kill or a failing disk at every change.

use libtest_mimic::Trial;

use crate::support::repository::{commit_files, make_repository};
use crate::support::{KEY, TASK, TestEnv, assert_same};
use crate::sweep::{Fault, Start, sweep, with_and_without_doctor};

const PREPARE: &[&str] = &[
    "prepare",
    "--task-id",
    TASK,
    "--provider",
    "claude",
    "--instructions",
    "rules",
    "--local-dir",
    "project",
    "--setup",
    "echo 2 >> ../setup",
    "--port",
    "api",
];
const MANAGED: &[&str] = &["prepare", "--task-id", TASK, "--setup", "echo 2 > made", "--port", "web"];

/// A command, and what was done before it.
type Case = (&'static str, &'static [&'static [&'static str]], &'static [&'static str]);

const CASES: &[Case] = &[
    ("prepare with a setup", &[], PREPARE),
    ("prepare of a managed one with a setup", &[], MANAGED),
    ("prepare with a setup over an existing one", &[PREPARE], PREPARE),
    ("reuse with a setup", &[PREPARE], &["reuse", KEY, "--setup", "echo 3 >> ../setup", "--port", "db"]),
    ("cleanup with a teardown", &[PREPARE], &["cleanup", KEY]),
    ("cleanup --all with a teardown", &[PREPARE], &["cleanup", "--all", KEY]),
    ("trust", &[], &["trust", "--yes", "other"]),
];

/// What removes a worktree whose teardown is due.
const COLLECTED: &[(&str, &[&str])] = &[
    ("gc with a teardown", &["gc", "--trash-ttl", "0"]),
    ("gc with a teardown into the trash", &["gc"]),
    ("cleanup --trash with a teardown", &["cleanup", "--trash", KEY]),
];
const LATER: &str = "2026-06-30T12:00:00Z";

pub fn trials() -> Vec<Trial> {
    let mut all = with_and_without_doctor(CASES, |case| case.0, disturb);
    all.extend(with_and_without_doctor(COLLECTED, |case| case.0, collect));
    all
}

/// Whatever happened: an environment that is gone was torn down, and one that is there still can be.
fn collect(name: &str, (_, command): &(&str, &[&str]), fault: Fault, doctor: bool) {
    let t = TestEnv::new();
    let source = t.tmp.join("source");
    make_repository(&t, &source, &[]);
    let downs = t.tmp.join("downs");
    let commands = format!(r#"{{"setup": ["true"], "teardown": ["echo down >> '{}'"]}}"#, downs.display());
    commit_files(&t, &source, "commands", &[(".execenv.json", &commands)]);
    t.execenv(["trust", "--yes", "source"]).run().status(0);
    t.execenv(["prepare", "--task-id", TASK, "--repo", "source"]).run().status(0);
    let env = t.root.join("default").join(KEY);
    assert!(env.join(".setup_proof").exists(), "the teardown is not due");
    let run = || t.execenv(*command).var("EXECENV_TEST_NOW", LATER);
    let start = Start::new(&t);
    sweep(name, fault, &start, run, |_, when| {
        if doctor {
            t.execenv(["doctor", "--fix"]).run();
        }
        run().run().sane(&[0, 3]);
        let work_dir_is_gone = !env.join("workdir").exists();
        assert!(work_dir_is_gone, "{when}: it is still there");
        let torn_down = std::fs::read_to_string(&downs).unwrap_or_default().lines().count();
        assert!(torn_down > 0, "{when}: the teardown was forgotten");
        t.execenv(["cleanup", "--all", KEY]).run().sane(&[0, 3]);
        t.execenv(["trash", "empty", "--yes"]).run().status(0);
        t.assert_nothing_half_made_but(".execenv.json", when);
    });
}

/// Whatever happened: the folder comes back as it was, no agent starts in what is not set up, no teardown is forgotten, and
/// what was trusted stays trusted.
fn disturb(name: &str, (_, before, command): &Case, fault: Fault, doctor: bool) {
    let t = TestEnv::new();
    t.write("rules", "Be brief.");
    t.write("project/CLAUDE.md", "mine\n");
    t.write(
        "project/.execenv.json",
        r#"{"setup": ["echo 1 >> ../setup"], "teardown": ["echo down >> ../down"], "ports": ["web"]}"#,
    );
    t.write("other/.execenv.json", r#"{"setup": ["true"]}"#);
    t.execenv(["trust", "--yes", "project"]).run().status(0);
    let original = t.project_now();
    for words in *before {
        t.execenv(*words).run().status(0);
    }
    let start = Start::new(&t);
    let run = || t.execenv(*command);
    sweep(name, fault, &start, run, |done, when| {
        if fault != Fault::Kill {
            done.assert_sane(&[0, 1, 4, 5]);
        }
        let list = t.execenv(["trust", "--list"]).run().status(0);
        assert!(list.stdout.contains("project/.execenv.json"), "{when}: {list}");
        if !doctor {
            // What a setup has written counts as work when it is done.
            run().run().sane(&[0, 3, 4]);
        }
        t.execenv(["doctor", "--fix"]).run();
        let env = t.root.join("default").join(KEY);
        let has_proof = env.join(".setup_proof").exists();
        if env.exists() {
            let started = t.execenv(["run", KEY, "--", "cat", "../setup"]).run();
            let is_set_up = started.status == Some(0) || started.status == Some(1);
            assert!(is_set_up || started.status == Some(3), "{when}: {started}");
        }
        let downs = || std::fs::read_to_string(t.tmp.join("down")).unwrap_or_default().lines().count();
        let downs_before = downs();
        t.execenv(["cleanup", "--all", KEY]).run().sane(&[0, 3]);
        assert!(!has_proof || downs() == downs_before + 1, "{when}: the teardown was forgotten");
        t.execenv(["trash", "empty", "--yes"]).run().status(0);
        t.execenv(["gc"]).run().sane(&[0]);
        assert_same(&original, &t.project_now(), when);
        t.assert_nothing_half_made_but(".execenv.json", when);
        // A killed writer's temporary file goes with the next change.
        t.execenv(["trust", "--yes", "other"]).run().status(0);
        assert!(!t.home.join(".config/execenv/trusted.json.tmp").exists(), "{when}");
    });
}
