//! Many processes at once: no damaged record, no live environment of another process touched, no deadlock.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{KEY, TASK, TestEnv, assert_same, snapshot};
use serde_json::Value;

/// The statuses that a command may end with when others are at work.
const KNOWN: [i32; 4] = [0, 3, 4, 5];

fn end(child: Child) -> (i32, String) {
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let status = output.status.code().unwrap_or(-1);
    // If live environments alone exceed a limit, the status is 1.
    let is_known = KNOWN.contains(&status) || (status == 1 && stderr.contains("cannot be met"));
    assert!(is_known && !stderr.contains("panicked"), "status {status}\n{stderr}");
    (status, stderr)
}

/// Ends the watch also when a worker has failed.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn all_records_parse(root: &Path) {
    for (path, _) in snapshot(root) {
        // What is being made or deleted is no environment.
        let text = path.to_string_lossy();
        if text.contains(".staging-") || text.contains(".removing") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name == ".gc_meta.json" || name == ".multica_sidecar_manifest.json" {
            // Gone between the two looks is fine, torn is not.
            if let Ok(bytes) = fs::read(root.join(&path)) {
                assert!(
                    serde_json::from_slice::<Value>(&bytes).is_ok_and(|v| v.is_object()),
                    "{}",
                    path.display()
                );
            }
        }
    }
}

fn settle(t: &TestEnv) {
    t.execenv(["doctor", "--fix"]).run();
    t.assert_nothing_half_made("settled");
    all_records_parse(&t.root);
}

#[test]
fn the_same_task_many_times_at_once_is_one_environment() {
    for processes in [2, 64] {
        let t = TestEnv::new();
        let start = || t.execenv(["prepare", "--task-id", TASK, "--provider", "claude"]).start();
        let children: Vec<Child> = (0..processes).map(|_| start()).collect();
        let statuses: Vec<i32> = children.into_iter().map(|child| end(child).0).collect();
        assert!(
            statuses.contains(&0) && statuses.iter().all(|status| [0, 4].contains(status)),
            "{statuses:?}"
        );
        let keys: Vec<_> =
            fs::read_dir(t.root.join("default")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(keys, [KEY], "one environment, and nothing without a name");
        let done = statuses.iter().filter(|status| **status == 0).count();
        let trashed = t.execenv(["trash", "list", "-o", "json"]).json()["entries"].as_array().unwrap().len();
        assert_eq!(trashed, done - 1, "every replaced environment is in the trash");
        settle(&t);
    }
}

#[test]
fn one_folder_goes_to_one_task_and_comes_back_as_it_was() {
    for processes in [2, 64] {
        let t = TestEnv::new();
        t.write("project/CLAUDE.md", "mine\n");
        let before = t.project_now();
        let ids: Vec<String> = (0..processes).map(|n| format!("task-{n}")).collect();
        let start = |id: &String| {
            t.execenv(["prepare", "--task-id", id, "--provider", "claude", "--local-dir", "project"]).start()
        };
        let children: Vec<Child> = ids.iter().map(start).collect();
        let statuses: Vec<i32> = children.into_iter().map(|child| end(child).0).collect();
        let winners: Vec<&String> =
            ids.iter().zip(&statuses).filter(|(_, status)| **status == 0).map(|(id, _)| id).collect();
        assert_eq!(winners.len(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [0, 4].contains(status)), "{statuses:?}");
        let text = fs::read_to_string(t.project.join("CLAUDE.md")).unwrap();
        assert_eq!(text.matches("BEGIN MULTICA").count(), 1);
        t.execenv(["cleanup", winners[0]]).ok();
        assert_same(&before, &t.project_now(), "cleaned up");
        settle(&t);
    }
}

#[test]
fn everything_at_once_for_a_while_tears_nothing_and_touches_nothing_that_is_held() {
    let t = TestEnv::new();
    t.write("project/CLAUDE.md", "mine\n");
    let before = t.project_now();
    // A live environment of another process: held by a lock, as during a run.
    let held = t.prepare(["--task-id", "held-by-a-run"]);
    t.write(held.join("workdir/work"), "precious");
    let lock = fs::File::open(held.join(".task_lock")).unwrap();
    lock.lock().unwrap();
    let live = snapshot(&held);
    let ids = ["one", "two", "held-by-a-run"];
    let over = AtomicBool::new(false);
    let until = Instant::now() + Duration::from_secs(5);
    thread::scope(|scope| {
        for worker in 0..8usize {
            let (t, over) = (&t, &over);
            scope.spawn(move || {
                let _ends = Ends(over);
                let mut turn = worker;
                while Instant::now() < until {
                    let id = ids[turn % ids.len()];
                    let child = match (turn / ids.len() + worker) % 8 {
                        0 | 1 => t.execenv(["prepare", "--task-id", id]).start(),
                        2 => t.execenv(["reuse", id]).start(),
                        3 => t.execenv(["cleanup", id]).start(),
                        4 => t.execenv(["cleanup", "--all", id]).start(),
                        5 => t
                            .execenv([
                                "gc",
                                "--orphan-ttl",
                                "0",
                                "--ttl",
                                "0",
                                "--trash-ttl",
                                "0",
                                "--max-count",
                                "1",
                                "--free",
                                "1",
                            ])
                            .var("EXECENV_TEST_NOW", "2026-06-30T00:00:00Z")
                            .start(),
                        6 => t
                            .execenv([
                                "prepare",
                                "--task-id",
                                "local",
                                "--provider",
                                "claude",
                                "--local-dir",
                                "project",
                            ])
                            .start(),
                        _ => t.execenv(["list"]).start(),
                    };
                    end(child);
                    turn += 7;
                }
            });
        }
        while !over.load(Ordering::Relaxed) {
            all_records_parse(&t.root);
        }
    });
    assert_same(&live, &snapshot(&held), "the live environment");
    drop(lock);
    t.execenv(["cleanup", "local"]).run().sane(&[0, 3]);
    assert_same(&before, &t.project_now(), "the user's folder");
    settle(&t);
}
