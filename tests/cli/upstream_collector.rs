//! What an upstream daemon's collector would do with environments of ours: its rules, over the files as they are on the
//! disk, with a server that says of every parent that it was done long ago.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::support::{TASK, TestEnv};

const HOUR: u64 = 3600;
const ORPHAN_TTL: u64 = 72 * HOUR;
/// [`crate::support::NOW`] in seconds.
const NOW: u64 = 1_780_315_200;

#[derive(Debug, PartialEq)]
enum Verdict {
    Skip,
    /// By the answer about its parent.
    Clean,
    /// By the age of its folder alone.
    Orphan,
    /// Build artifacts, or what an agent CLI copies into its home.
    Artifacts,
}

/// Upstream's decision at a time, on what it reads: the record and the folder's time.
fn judge(record: Option<&Value>, folder: u64, now: u64) -> Verdict {
    let orphan = if now.saturating_sub(folder) > ORPHAN_TTL { Verdict::Orphan } else { Verdict::Skip };
    let Some(record) = record else { return orphan };
    let text = |key: &str| record[key].as_str().unwrap_or_default();
    let id = match text("kind") {
        "" | "issue" => "issue_id",
        "chat" => "chat_session_id",
        "autopilot_run" => "autopilot_run_id",
        "quick_create" => "task_id",
        _ => "",
    };
    let local = record["local_directory"] == true;
    let verdict = match text(id).trim() {
        "" => orphan,
        _ => Verdict::Clean,
    };
    let verdict = match verdict {
        Verdict::Clean if local => Verdict::Artifacts,
        Verdict::Orphan if local => Verdict::Skip,
        other => other,
    };
    // Artifacts, and for every kind an agent CLI's own copies, go by the end that the record names.
    let has_ended = !text("completed_at").is_empty();
    if verdict == Verdict::Skip && has_ended { Verdict::Artifacts } else { verdict }
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn record(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn judged(env: &Path, after: u64) -> Verdict {
    let folder = seconds(env.metadata().unwrap().modified().unwrap());
    judge(Some(&record(&env.join(".gc_meta.json"))), folder, NOW + after)
}

/// A task of each kind, and where its parent's id stands.
fn kinds() -> [(&'static str, Value, &'static str); 4] {
    [
        ("issue", json!({"issue_id": TASK}), "issue_id"),
        ("chat", json!({"chat_session_id": TASK, "chat_message": "m"}), "chat_session_id"),
        ("autopilot_run", json!({"autopilot_run_id": TASK}), "autopilot_run_id"),
        ("quick_create", json!({"quick_create_prompt": "p"}), "task_id"),
    ]
}

fn prepare(t: &TestEnv, mut task: Value, more: &[&str]) -> PathBuf {
    task["id"] = TASK.into();
    task["workspace_id"] = "w".into();
    t.write("t.json", task.to_string());
    t.prepare(["--task", "t.json"].iter().chain(more).copied())
}

/// Runs an agent that copies the record and notes the time of the env root: not by `cp`, which skips a file that is replaced
/// in between. Returns what upstream would have done then.
fn judged_during_a_run(t: &TestEnv, env: &Path) -> Verdict {
    let script =
        format!("cat {0}/.gc_meta.json > {0}/output/seen; stat -c %Y {0} > {0}/output/time", env.display());
    t.execenv(["run", env.to_str().unwrap(), "--", "sh", "-c", &script]).run().status(0);
    let time: u64 = fs::read_to_string(env.join("output/time")).unwrap().trim().parse().unwrap();
    let seen = record(&env.join("output/seen"));
    assert!(time >= NOW + 24 * HOUR, "the folder's time is {time}");
    judge(Some(&seen), time, NOW + 24 * HOUR + ORPHAN_TTL)
}

#[test]
fn it_finds_no_ground_to_remove_anything_until_a_run_has_ended() {
    let lease = 24 * HOUR;
    for (kind, task, id) in kinds() {
        for local in [false, true] {
            let t = TestEnv::new();
            let project = t.project.display().to_string();
            let more: &[&str] = if local { &["--local-dir", &project] } else { &[] };
            let env = prepare(&t, task.clone(), more);
            let when = format!("{kind}, local {local}");
            let over = if local { Verdict::Skip } else { Verdict::Orphan };
            let reserved = |when: &str| {
                for after in [0, lease - 1, lease + ORPHAN_TTL] {
                    assert_eq!(judged(&env, after), Verdict::Skip, "{when}, {after} s later");
                }
                // The lease's end is the folder's time: from there its own age counts.
                assert_eq!(judged(&env, lease + ORPHAN_TTL + 1), over, "{when}, when the lease is long over");
            };
            reserved(&format!("{when}: prepared"));
            // Ours still knows the parent.
            let shown = t.execenv(["show", env.to_str().unwrap(), "-o", "json"]).json();
            assert_eq!(shown["kind"], kind);

            for round in ["first run", "second run"] {
                assert_eq!(judged_during_a_run(&t, &env), Verdict::Skip, "{when}: {round}");
                let after = record(&env.join(".gc_meta.json"));
                assert_eq!(
                    (&after["kind"], &after[id]),
                    (&json!(kind), &json!(TASK)),
                    "{when}: {round} ended"
                );
                assert!(after["completed_at"].is_string(), "{after}");
                let done = if local { Verdict::Artifacts } else { Verdict::Clean };
                assert_eq!(judged(&env, 0), done, "{when}: {round} ended");
            }
            t.execenv(["reuse", env.to_str().unwrap(), "--task", "t.json"]).ok();
            reserved(&format!("{when}: reused"));
            t.execenv(["prepare", "--task", "t.json", "--keep-existing"].iter().chain(more)).ok();
            reserved(&format!("{when}: kept"));
            t.execenv(["cleanup", env.to_str().unwrap()]).ok();
            assert_eq!(record(&env.join(".gc_meta.json"))["kind"], kind, "{when}: cleaned");
        }
    }
}

#[test]
fn the_end_of_an_unfinished_task_is_that_of_its_lease() {
    let t = TestEnv::new();
    let env = prepare(&t, json!({"issue_id": TASK}), &["--lease", "10d"]);
    assert_eq!(seconds(env.metadata().unwrap().modified().unwrap()), NOW + 240 * HOUR);
    // A task that upstream's collector would have put aside, restored: reserved as well.
    t.execenv(["run", env.to_str().unwrap(), "--", "true"]).run().status(0);
    t.execenv(["cleanup", "--all", "--trash", env.to_str().unwrap()]).ok();
    t.execenv(["trash", "restore", env.file_name().unwrap().to_str().unwrap()]).ok();
    assert_eq!(judged(&env, HOUR), Verdict::Skip);
    // The clock of the run counts on: see that the time is kept in whole seconds at least.
    assert!(env.metadata().unwrap().modified().unwrap() > UNIX_EPOCH + Duration::from_secs(NOW));
}
