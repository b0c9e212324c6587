//! `--keep-login`: wherever it is disturbed, the user's file is the old login or the new one, a renewed login is never lost,
//! and nothing is left beside it.

use std::fs;
use std::path::PathBuf;

use libtest_mimic::Trial;

use crate::support::homes::codex_world;
use crate::support::{KEY, TestEnv};
use crate::sweep::{FAULTS, Fault, Start, sweep, trial};

const NEW: &str = "{\"OPENAI_API_KEY\":\"renewed\"}";
const CLEANUP: &[&str] = &["cleanup", KEY, "--keep-login", "--wait", "30s"];
const REUSE: &[&str] = &["reuse", "-q", KEY, "--task", "task.json", "--keep-login"];

pub fn trials() -> Vec<Trial> {
    let left = [("cleanup_keep_login", CLEANUP), ("reuse_keep_login", REUSE)];
    let left = left.into_iter().flat_map(|(command, words)| {
        FAULTS.map(|fault| {
            let name = format!("{command}::{}", fault.story());
            trial(name, move |name| after_a_killed_run(name, fault, words))
        })
    });
    let runs =
        FAULTS.map(|fault| trial(format!("run_keep_login::{}", fault.story()), move |name| run(name, fault)));
    left.chain(runs).collect()
}

struct World {
    t: TestEnv,
    env: PathBuf,
    user: PathBuf,
    old: String,
}

impl World {
    fn new() -> World {
        let (t, env, _) = codex_world();
        let user = t.home.join(".codex/auth.json");
        let old = fs::read_to_string(&user).unwrap();
        World { t, env, user, old }
    }

    /// The next command completes what was begun.
    fn check(&self, is_renewed: bool, when: &str) {
        let users = || fs::read_to_string(&self.user).unwrap();
        assert!(users() == self.old || users() == NEW, "{when}: {}", users());
        self.t.execenv(CLEANUP).run().sane(&[0]);
        if is_renewed {
            assert_eq!(users(), NEW, "{when}");
        }
        let beside = fs::read_dir(self.user.parent().unwrap()).unwrap();
        let mut beside = beside.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(!beside.any(|name| name.contains("execenv")), "{when}");
    }
}

fn after_a_killed_run(name: &str, fault: Fault, words: &[&str]) {
    let w = World::new();
    let link = w.env.join("codex-home/auth.json");
    fs::remove_file(&link).unwrap();
    fs::write(&link, NEW).unwrap();
    let start = Start::new(&w.t);
    sweep(name, fault, &start, || w.t.execenv(words), |_, when| w.check(true, when));
}

fn run(name: &str, fault: Fault) {
    let w = World::new();
    // The list is written again, too.
    w.t.write("home/.codex/auth.json", "{\"OPENAI_API_KEY\":\"another\"}");
    let w = World { old: fs::read_to_string(&w.user).unwrap(), ..w };
    let script = format!(
        "printf '%s' '{NEW}' > \"$CODEX_HOME/t\" && mv \"$CODEX_HOME/t\" \"$CODEX_HOME/auth.json\" && touch ../output/renewed"
    );
    let start = Start::new(&w.t);
    sweep(
        name,
        fault,
        &start,
        || w.t.execenv(["run", KEY, "--keep-login", "--kill-grace", "1s", "--", "sh", "-c", &script]),
        |_, when| {
            let listed = w.t.execenv(["doctor", "--fix"]).run();
            assert!(matches!(listed.status, Some(0 | 1)), "{when}\n{listed}");
            w.check(w.env.join("output/renewed").exists(), when);
        },
    );
}
