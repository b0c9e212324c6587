//! `gc` within bounds: by count, by bytes, by what is free.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::repository::{git, git_out, make_repository};
use crate::support::{TestEnv, assert_same, snapshot};

/// An environment whose run ended at this hour of the tests' day, with `bytes` in its output.
fn finished(t: &TestEnv, name: &str, hour: u32, bytes: usize) -> PathBuf {
    let env = t.prepare(["--task-id", name, "--lease", "0"]);
    let path = env.join(".gc_meta.json");
    let mut meta: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    meta["completed_at"] = format!("2026-06-01T{hour:02}:00:00Z").into();
    for key in ["prepared_at", "lease_until"] {
        meta["execenv"][key] = "2026-05-31T12:00:00Z".into();
    }
    meta["execenv"]["status"] = "completed".into();
    fs::write(path, meta.to_string()).unwrap();
    fs::write(env.join("output/result"), vec![b'x'; bytes]).unwrap();
    env
}

fn gc(t: &TestEnv, status: u8, arguments: &[&str]) -> Value {
    let run = t.execenv(["gc", "-o", "json"].iter().chain(arguments)).run().sane(&[status.into()]);
    serde_json::from_str(&run.stdout).unwrap()
}

fn gone(done: &Value) -> Vec<(String, String)> {
    let rows = done["decisions"].as_array().unwrap().iter();
    rows.filter(|row| row["action"] == "clean")
        .map(|row| (row["reason"].as_str().unwrap().into(), row["outcome"].as_str().unwrap_or("-").into()))
        .collect()
}

fn bytes_below(path: &std::path::Path) -> u64 {
    let meta = path.symlink_metadata().unwrap();
    if meta.is_dir() {
        fs::read_dir(path).unwrap().map(|entry| bytes_below(&entry.unwrap().path())).sum()
    } else if meta.is_file() {
        meta.len()
    } else {
        0
    }
}

const MIB: usize = 1 << 20;

#[test]
fn the_oldest_finished_ones_go_until_the_root_fits() {
    let t = TestEnv::new();
    let young = finished(&t, "young", 9, 3 * MIB);
    let old = finished(&t, "old", 2, 3 * MIB);
    let older = finished(&t, "older", 1, 3 * MIB);
    let before = snapshot(&t.root);
    let plan = gc(&t, 0, &["--max-total", "4M", "--dry-run"]);
    assert_same(&before, &snapshot(&t.root), "the dry run");
    assert_eq!(gone(&plan).len(), 2, "{plan}");
    let done = gc(&t, 0, &["--max-total", "4M"]);
    let expected = ("over_max_total".to_owned(), "removed".to_owned());
    assert_eq!(gone(&done), [expected.clone(), expected]);
    assert!(!older.exists() && !old.exists() && young.is_dir());
    let bound = &done["bounds"][0];
    assert_eq!((&bound["bound"], &bound["met"]), (&json!("max_total"), &json!(true)));
    assert_eq!(bound["value"].as_u64().unwrap(), bytes_below(&t.root), "{done}");
    assert_eq!(plan["bounds"][0]["met"], true);
    assert_eq!((&done["scanned"], &done["cleaned"], &done["skipped"]), (&json!(3), &json!(2), &json!(1)));
    assert_eq!(done["decisions"].as_array().unwrap().len(), 3);
    assert_eq!(gone(&gc(&t, 0, &["--max-total", "4M"])), [], "a second cycle has nothing to do");
}

#[test]
fn the_trash_is_emptied_before_any_environment_goes() {
    let t = TestEnv::new();
    let stays = finished(&t, "stays", 1, MIB);
    let trashed = finished(&t, "trashed", 2, 3 * MIB);
    gc(&t, 0, &["--completed-ttl", "1s"]);
    let key = stays.file_name().unwrap().to_str().unwrap();
    t.execenv(["trash", "restore", key]).ok();
    assert!(!trashed.exists() && stays.is_dir());
    let done = gc(&t, 0, &["--max-total", "2M"]);
    assert_eq!(
        (gone(&done).len(), &done["trash"]["swept"], &done["trash"]["entries"]),
        (0, &json!(1), &json!(0))
    );
    assert!(stays.is_dir());
}

#[test]
fn a_count_is_kept_by_way_of_the_trash_and_can_be_taken_back() {
    let t = TestEnv::new();
    for (name, hour) in [("one", 1), ("two", 2), ("three", 3)] {
        finished(&t, name, hour, 10);
    }
    let done = gc(&t, 0, &["--max-count", "1"]);
    let expected = ("over_max_count".to_owned(), "trashed".to_owned());
    assert_eq!(gone(&done), [expected.clone(), expected]);
    assert_eq!(done["trash"]["entries"], 2, "{done}");
    let listed = t.execenv(["trash", "list", "-o", "json"]).json();
    let entry = listed["entries"][0]["entry"].as_str().unwrap();
    let origin = t.execenv(["trash", "restore", entry]).ok().stdout;
    assert_eq!(fs::read(PathBuf::from(origin.trim()).join("output/result")).unwrap().len(), 10);
}

#[test]
fn what_is_needed_stays_and_it_is_said_that_a_bound_cannot_be_met() {
    let t = TestEnv::new();
    let held = finished(&t, "held", 1, MIB);
    let lock = fs::File::open(held.join(".task_lock")).unwrap();
    lock.lock().unwrap();
    let leased = finished(&t, "leased", 1, MIB);
    t.execenv(["reuse", leased.to_str().unwrap()]).ok();
    let unsaved = finished(&t, "unsaved", 1, MIB);
    assert!(t.command("git").args(["init", "-q"]).arg(unsaved.join("workdir")).status().unwrap().success());
    fs::write(unsaved.join("workdir/work.txt"), "nowhere else").unwrap();
    let local = t.prepare(["--task-id", "local", "--local-dir", "project", "--lease", "0"]);
    let free = finished(&t, "free", 9, MIB);
    let run = t.execenv(["gc", "-o", "json", "--max-total", "1", "--max-count", "1"]).run().sane(&[1]);
    assert!(run.stderr.contains("`--max-total 1 B` cannot be met"), "{run}");
    let done: Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(!free.exists(), "{done}");
    for kept in [&held, &leased, &unsaved, &local] {
        assert!(kept.is_dir(), "{}", kept.display());
    }
    let met: Vec<_> = done["bounds"].as_array().unwrap().iter().map(|bound| bound["met"].clone()).collect();
    assert_eq!(met, [false, false]);
    let retained: Vec<_> =
        done["decisions"].as_array().unwrap().iter().map(|row| row["outcome"].clone()).collect();
    assert!(retained.contains(&json!("retained_dirty")), "{done}");
}

#[test]
fn a_target_frees_that_much_and_no_more() {
    let t = TestEnv::new();
    for (name, hour) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
        finished(&t, name, hour, MIB);
    }
    let done = gc(&t, 0, &["--free", "1.5M"]);
    assert_eq!(gone(&done).len(), 2, "{done}");
    assert!(done["bytes_freed"].as_u64().unwrap() >= 3 << 19);
    assert_eq!(gone(&gc(&t, 0, &["--min-free", "1"])), []);
}

/// What is free and what there is on the disk of the tests, in bytes.
fn disk(t: &TestEnv) -> (u64, u64) {
    let disk = rustix::fs::statvfs(&t.tmp).unwrap();
    (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize)
}

#[test]
fn more_than_the_disk_has_is_a_mistake() {
    let t = TestEnv::new();
    let env = finished(&t, "a", 1, MIB);
    let more = (disk(&t).1 + 1).to_string();
    for bound in ["--min-free", "--free"] {
        t.execenv(["gc", bound, &more]).fails(2, &[bound, "is more than the disk"]);
    }
    t.execenv(["gc"]).var("EXECENV_GC_MIN_FREE", "900T").fails(2, &["--min-free"]);
    assert!(env.is_dir());
}

#[test]
fn space_that_cannot_be_made_takes_nothing_unless_it_is_asked_for() {
    let t = TestEnv::new();
    let envs: Vec<_> = [("a", 1), ("b", 2)].map(|(name, hour)| finished(&t, name, hour, MIB)).into();
    t.execenv(["cleanup", "--all", "--trash", finished(&t, "c", 3, MIB).to_str().unwrap()]).ok();
    let (free, size) = disk(&t);
    let before = snapshot(&t.root);
    // Nobody else makes so much room meanwhile.
    let far = ((free + size) / 2 + (64 << 20)).min(size).to_string();
    for (bound, dry) in [("--free", true), ("--free", false), ("--min-free", true), ("--min-free", false)] {
        let mut words = vec!["gc", "-o", "json", bound, &far];
        words.extend(dry.then_some("--dry-run"));
        let run = t.execenv(words).run().sane(&[1]);
        assert!(run.stderr.contains("cannot be met") && run.stderr.contains("--as-far-as-possible"), "{run}");
        let done: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!((gone(&done).len(), &done["trash"]["swept"]), (0, &json!(0)), "{run}");
        let could_free = done["bounds"][0]["could_free"].as_u64().unwrap();
        assert!(could_free > 3 << 20 && could_free < 4 << 20, "{run}");
    }
    let no_locks = |mut files: crate::support::Snapshot| {
        files.retain(|path, _| !path.starts_with(".locks"));
        files
    };
    assert_same(&no_locks(before), &no_locks(snapshot(&t.root)), "in vain");
    // A bound that is no wish for space goes as far as it can, beside one that cannot be met.
    let done = gc(&t, 1, &["--free", &far, "--max-count", "1"]);
    assert_eq!(gone(&done), [("over_max_count".to_owned(), "trashed".to_owned())]);
    let done = gc(&t, 1, &["--free", &far, "--as-far-as-possible"]);
    assert_eq!((gone(&done).len(), &done["trash"]["swept"]), (1, &json!(2)));
    assert!(envs.iter().all(|env| !env.exists()));
}

#[test]
fn work_that_is_nowhere_else_makes_no_room() {
    let t = TestEnv::new();
    let free = finished(&t, "free", 2, MIB);
    let unsaved = finished(&t, "unsaved", 1, 3 * MIB);
    assert!(t.command("git").args(["init", "-q"]).arg(unsaved.join("workdir")).status().unwrap().success());
    fs::write(unsaved.join("workdir/work.txt"), "nowhere else").unwrap();
    let done = gc(&t, 1, &["--free", "2M"]);
    assert!(done["bounds"][0]["could_free"].as_u64().unwrap() < 2 << 20, "{done}");
    assert!(free.is_dir() && unsaved.is_dir());
    gc(&t, 0, &["--free", "1M"]);
    assert!(!free.exists() && unsaved.is_dir());
}

#[test]
fn no_bound_takes_what_ended_a_short_while_ago() {
    for bound in [&["--max-total", "1"][..], &["--max-count", "0"], &["--free", "1"]] {
        let t = TestEnv::new();
        let env = finished(&t, "a", 12, MIB);
        let trashed = finished(&t, "b", 12, MIB);
        t.execenv(["cleanup", "--all", "--trash", trashed.to_str().unwrap()]).ok();
        let entries = || fs::read_dir(t.root.join(".trash")).map_or(0, Iterator::count);
        gc(&t, 1, bound);
        assert!(env.is_dir() && entries() == 1, "{bound:?}");
        gc(&t, 1, &[bound, &["--keep-younger", "1m"]].concat());
        gc(&t, 1, &[bound, &["--as-far-as-possible"]].concat());
        assert!(env.is_dir() && entries() == 1, "{bound:?}");
        let later = ["gc", "-q"].iter().chain(bound);
        t.execenv(later).var("EXECENV_TEST_NOW", "2026-06-01T13:00:00Z").run().sane(&[0, 1]);
        assert!(!env.exists() || bound[0] == "--free", "{bound:?}");
        gc(&t, u8::from(bound[0] == "--max-total"), &[bound, &["--keep-younger", "0"]].concat());
    }
}

#[test]
fn an_end_in_the_future_keeps_nothing_for_years() {
    let t = TestEnv::new();
    let env = finished(&t, "a", 1, 10);
    let path = env.join(".gc_meta.json");
    let text = fs::read_to_string(&path).unwrap().replace("2026-06-01T01", "2199-06-01T01");
    fs::write(&path, text).unwrap();
    let at = |now: &str| t.execenv(["gc", "-o", "json"]).var("EXECENV_TEST_NOW", now).json();
    // The test's clock is before the file's: it counts as ended now.
    assert_eq!(at("2026-06-01T12:00:00Z")["decisions"][0]["reason"], "too_young");
    // No later than the record was written.
    let done = at("2198-06-01T12:00:00Z");
    assert_eq!(done["decisions"][0]["outcome"], "trashed", "{done}");
}

#[test]
fn never_run_ones_go_last_and_foreign_ones_without_an_end_never() {
    let t = TestEnv::new();
    let prepared = t.prepare(["--task-id", "prepared", "--lease", "0"]);
    let done = finished(&t, "done", 11, 10);
    let foreign = t.root.join("w/foreign");
    fs::create_dir_all(foreign.join("output")).unwrap();
    fs::write(foreign.join(".gc_meta.json"), r#"{"kind":"issue","issue_id":"x","workspace_id":"w"}"#)
        .unwrap();
    gc(&t, 0, &["--max-count", "2", "--keep-younger", "0"]);
    assert!(prepared.is_dir() && !done.exists() && foreign.is_dir());
    gc(&t, 1, &["--max-count", "0", "--keep-younger", "0"]);
    assert!(!prepared.exists() && foreign.is_dir());
}

#[test]
fn a_count_that_is_not_a_number_is_called_so() {
    let t = TestEnv::new();
    for value in ["abc", "2G", "-1", "1.5"] {
        let run = t.execenv(["gc"]).var("EXECENV_GC_MAX_COUNT", value).run();
        assert_eq!(run.status, Some(2), "{run}");
        assert!(run.stderr.contains(&format!("`{value}` is not a whole number")), "{run}");
    }
}

#[test]
fn shared_repositories_that_are_not_in_use_go_before_environments() {
    let t = TestEnv::new();
    let ids = ["a", "b", "c"].map(|letter| format!("33333333-2222-4333-8444-{}", letter.repeat(12)));
    for (id, name) in ids.iter().zip(["one", "two", "three"]) {
        make_repository(&t, &t.tmp.join(name), &[]);
        t.prepare(["--task-id", id, "--lease", "0"]);
        t.execenv(["checkout", id, name]).run().status(0);
    }
    let shared = t.root.join(".repos/default");
    let left = || {
        let mut names: Vec<String> = std::fs::read_dir(&shared)
            .map(|found| found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
            .unwrap_or_default();
        names.sort();
        names
            .iter()
            .map(|name| name.rsplit('+').next().unwrap().replace(".git", ""))
            .collect::<Vec<_>>()
            .join(" ")
    };
    t.execenv(["cleanup", "--all", &ids[0], &ids[1]]).run().status(0);
    // What is nowhere else stays.
    let two = std::fs::read_dir(&shared).unwrap().map(|entry| entry.unwrap().path());
    let two = two.into_iter().find(|path| path.to_str().unwrap().ends_with("two.git")).unwrap();
    let tree = git_out(&t, &two, &["rev-parse", "refs/remotes/origin/main^{tree}"]);
    let name = ["-c", "user.name=T", "-c", "user.email=t@x"];
    let commit = git_out(&t, &two, &[&name[..], &["commit-tree", "-m", "mine", &tree]].concat());
    git(&t, &two, &["update-ref", "refs/heads/mine", &commit]);
    let gc = |now: &str, more: &[&str]| {
        let words = ["gc", "--orphan-ttl", "9d", "--max-total", "1K", "-o", "json"];
        let done = t.execenv(words.iter().chain(more)).var("EXECENV_TEST_NOW", now).run();
        assert_eq!(done.status, Some(1), "the bound is not met: {done}");
        serde_json::from_str::<serde_json::Value>(&done.stdout).unwrap()
    };
    gc("2026-06-01T12:30:00Z", &[]);
    assert_eq!(left(), "one three two", "used a short while ago");
    gc("2026-06-01T14:00:00Z", &["--no-prune-repos", "--keep-younger", "12h"]);
    assert_eq!(left(), "one three two");
    let keep = ["--keep-younger", "90m"];
    let plan = gc("2026-06-01T14:00:00Z", &[&keep[..], &["--dry-run"]].concat());
    assert_eq!(left(), "one three two");
    // The environment holds the third one, and stays for as long as it is kept itself.
    let hold = t.root.join("default").join("cccccccccccc").join(".task_lock");
    let held = std::fs::File::open(hold).unwrap();
    held.lock().unwrap();
    let done = gc("2026-06-01T14:00:00Z", &keep);
    assert_eq!(left(), "three two");
    assert_eq!(done["repos"]["evicted"], 1);
    assert_eq!(plan["repos"]["evicted"], 1);
}
