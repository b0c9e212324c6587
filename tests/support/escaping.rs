//! An agent whose processes do all that a process can to leave it, while execenv is killed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::TestEnv;
use super::process::{wait_until, wait_until_free};

/// Starts programs as fast as it can, each outside of its group and session, without the mark, and without its parent.
const AGENT: &str = "touch begun; while :; do (env -i PATH=\"$PATH\" setsid sleep 1000 &); done";

/// Kills execenv in the middle of that, so many times, and finds no process of the agent when the lock is free.
pub fn no_process_survives(rounds: u64) {
    let t = TestEnv::new();
    for round in 0..rounds {
        let key = format!("round-{round}");
        let env = t.prepare(["--task-id", &key]);
        let mut child = t.execenv(["run", &key, "--", "sh", "-c", AGENT]).start();
        wait_until("the agent", || env.join("workdir/begun").exists().then_some(()));
        std::thread::sleep(Duration::from_millis(round % 10 * 5)); // any moment
        child.kill().unwrap();
        child.wait().unwrap();
        wait_until_free(&env.join(".task_lock"));
        assert_eq!(working_in(&env), Vec::<String>::new(), "round {round}");
    }
}

/// The processes that work in a folder. A zombie works nowhere.
fn working_in(folder: &Path) -> Vec<String> {
    let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let there =
        all.filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder)));
    there.map(|process| fs::read_to_string(process.join("cmdline")).unwrap_or_default()).collect()
}
