//! Kills every command at its 1st, 2nd, 3rd … change to the disk, then lets the same changes fail: nothing of the
//! user's is lost, nothing half-made stays. Prints how many points there were (`--nocapture`).

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{KEY, Snapshot, TASK, TestEnv, assert_same, difference, snapshot};

const DOCUMENT: &str = r#"{"id":"11111111-2222-4333-8444-555555abcdef","workspace_id":"w","provider":"claude",
 "issue_id":"ISSUE-1","agent":{"id":"a","name":"Coder","custom_env":{"A":"1"},"skills":[{"name":"Review","description":"d","content":"Look.",
 "files":[{"path":"ref/list.md","content":"one\n"}]}]}}"#;
const ANOTHER: &str = r#"{"id":"11111111-2222-4333-8444-555555abcdef","workspace_id":"w","provider":"gemini",
 "issue_id":"ISSUE-2","agent":{"id":"a","name":"Coder","instructions":"Be brief.","skills":[{"name":"Test","description":"d","content":"Run."}]}}"#;

const LATER: &str = "2026-06-30T12:00:00Z";

/// One command, and what it starts from.
struct Case {
    name: &'static str,
    before: &'static [&'static [&'static str]],
    command: &'static [&'static str],
    now: &'static str,
    /// The environment may be gone for good when the command is through.
    deletes: bool,
}

const PREPARE: &[&str] = &["prepare", "--task", "task.json"];
const PREPARE_LOCAL: &[&str] = &["prepare", "--task", "task.json", "--local-dir", "project"];
const AGAIN_LOCAL: &[&str] = &["prepare", "--task", "next.json", "--local-dir", "project"];
const REUSE: &[&str] = &["reuse", KEY, "--task", "next.json"];
const CLEANUP: &[&str] = &["cleanup", KEY];
const CLEANUP_ALL: &[&str] = &["cleanup", "--all", KEY];
const CLEANUP_TRASH: &[&str] = &["cleanup", "--trash", "--all", KEY];
const GC_COUNT: &[&str] = &["gc", "--orphan-ttl", "3650d", "--max-count", "0"];
const GC_FREE: &[&str] = &["gc", "--orphan-ttl", "3650d", "--free", "1"];
const EDIT: &[&str] = &["edit"];

const fn case(
    name: &'static str,
    before: &'static [&'static [&'static str]],
    command: &'static [&'static str],
) -> Case {
    Case { name, before, command, now: crate::support::NOW, deletes: false }
}

const CASES: &[Case] = &[
    case("prepare", &[], PREPARE),
    case("prepare over an existing one", &[PREPARE], &["prepare", "--task", "next.json"]),
    case("prepare local", &[], PREPARE_LOCAL),
    case("prepare local over an existing one", &[PREPARE_LOCAL], AGAIN_LOCAL),
    case("reuse", &[PREPARE], REUSE),
    case("reuse local", &[PREPARE_LOCAL], REUSE),
    case("reuse local with edited sidecars", &[PREPARE_LOCAL, EDIT], REUSE),
    case("cleanup", &[PREPARE], CLEANUP),
    case("cleanup local", &[PREPARE_LOCAL], CLEANUP),
    case("cleanup local with edited sidecars", &[PREPARE_LOCAL, EDIT], CLEANUP),
    Case { deletes: true, ..case("cleanup --all", &[PREPARE], CLEANUP_ALL) },
    Case { deletes: true, ..case("cleanup --all local", &[PREPARE_LOCAL], CLEANUP_ALL) },
    case("cleanup --trash", &[PREPARE], &["cleanup", "--trash", KEY]),
    case("cleanup --trash --all local", &[PREPARE_LOCAL], CLEANUP_TRASH),
    Case { now: LATER, ..case("gc", &[PREPARE], &["gc"]) },
    Case { now: LATER, deletes: true, ..case("gc --trash-ttl 0", &[PREPARE], &["gc", "--trash-ttl", "0"]) },
    Case { now: LATER, ..case("gc --max-count", &[PREPARE], GC_COUNT) },
    Case { now: LATER, deletes: true, ..case("gc --free", &[PREPARE], GC_FREE) },
    Case { deletes: true, ..case("gc --free out of the trash", &[PREPARE, CLEANUP_TRASH], GC_FREE) },
    case("trash restore", &[PREPARE, CLEANUP_TRASH], &["trash", "restore", KEY]),
    Case { deletes: true, ..case("trash empty", &[PREPARE, CLEANUP_TRASH], &["trash", "empty"]) },
];

/// The states of the user's folder that a command may leave.
struct World {
    t: TestEnv,
    original: Snapshot,
    before: Snapshot,
}

fn world(case: &Case) -> World {
    let t = TestEnv::new();
    t.write("task.json", DOCUMENT);
    t.write("next.json", ANOTHER);
    t.write("project/docs/RULES.md", "mine\r\n");
    t.link("project/CLAUDE.md", "docs/RULES.md");
    t.write("project/GEMINI.md", "no line feed");
    t.write("project/.claude/skills/review/SKILL.md", "the user's own\n");
    let original = t.project_now();
    for step in case.before {
        if *step == EDIT {
            t.write("project/.agent_context/issue_context.md", "edited");
            t.write("project/.claude/skills/review-multica/SKILL.md", "edited too");
        } else {
            t.execenv(*step).ok();
        }
    }
    let before = t.project_now();
    World { t, original, before }
}

fn is_edited(case: &Case) -> bool {
    case.before.contains(&EDIT)
}

fn has_env(t: &TestEnv) -> bool {
    let live = t.execenv(["show", KEY]).run().status == Some(0);
    live || t.execenv(["trash", "list"]).ok().stdout.contains(KEY)
}

/// What the second way leaves is settled: the folder is as before or after, nothing half-made is left, nothing lost.
fn assert_settled(world: &World, case: &Case, after: &Snapshot, when: &str) {
    let World { t, original, before } = world;
    let now = t.project_now();
    if ![original, before, after].contains(&&now) {
        panic!(
            "{when}: the folder is neither as before nor as after; against the original:\n{}",
            difference(original, &now)
        );
    }
    t.assert_nothing_half_made(when);
    let existed = !case.before.is_empty();
    assert!(case.deletes || !existed || has_env(t), "{when}: the environment is lost");
    let cleanup = t.execenv(["cleanup", KEY]).run().sane(&[0, 3]);
    if cleanup.status == Some(0) {
        assert_same(original, &t.project_now(), &format!("{when}, cleaned up"));
    }
    // With the environment gone for good or aside, its folder must have been given back before.
    assert_same(original, &t.project_now(), &format!("{when}, in the end"));
    if is_edited(case) && !case.deletes {
        let kept = snapshot(&t.root).into_iter().any(|(path, text)| {
            path.to_string_lossy().contains("kept-sidecars") && text.ends_with("edited too")
        });
        assert!(kept, "{when}: the edited sidecar was not kept");
    }
}

fn goes_through(case: &Case) -> Snapshot {
    let world = world(case);
    world.t.execenv(case.command).var("EXECENV_TEST_NOW", case.now).run().sane(&[0]);
    let after = world.t.project_now();
    let text = format!("{}, undisturbed", case.name);
    assert_settled(&world, case, &after, &text);
    after
}

fn settle(t: &TestEnv, case: &Case, by_doctor: bool) {
    if by_doctor {
        t.execenv(["doctor", "--fix"]).run();
    } else {
        // When the first one got through, nothing is left that could be freed.
        let statuses: &[i32] = if case.command.contains(&"--free") { &[0, 1, 3] } else { &[0, 3] };
        t.execenv(case.command).var("EXECENV_TEST_NOW", case.now).run().sane(statuses);
        // What a dead command had in its hands without a name is the collector's.
        t.execenv(["gc"]).run().sane(&[0]);
    }
}

fn killed_everywhere(case: &Case, by_doctor: bool) -> u32 {
    let after = goes_through(case);
    for step in 1.. {
        let world = world(case);
        let run = world.t.execenv(case.command).var("EXECENV_TEST_NOW", case.now);
        let run = run.var("EXECENV_TEST_CRASH_AT", step.to_string()).run();
        if run.status == Some(0) {
            return step - 1;
        }
        let when = format!("{}, killed at change {step}", case.name);
        assert_eq!(run.signal, Some(9), "{when}\n{run}");
        settle(&world.t, case, by_doctor);
        assert_settled(&world, case, &after, &when);
    }
    unreachable!()
}

fn fails_everywhere(case: &Case, errno: &str) -> u32 {
    let after = goes_through(case);
    let mut quiet = 0;
    for step in 1.. {
        let world = world(case);
        let run = world.t.execenv(case.command).var("EXECENV_TEST_NOW", case.now);
        let run = run.var("EXECENV_TEST_FAIL_AT", format!("{step}:{errno}")).run().sane(&[0, 1, 4, 5]);
        let when = format!("{}, {errno} at change {step}", case.name);
        // A failure that is got over is success; several in a row say that the steps are over.
        if run.status == Some(0) {
            quiet += 1;
            if quiet == 8 {
                return step - quiet;
            }
        } else {
            quiet = 0;
            let now = world.t.project_now();
            let half_way = [&world.original, &world.before, &after].contains(&&now);
            // Giving back goes on through errors, and its record stays for the next attempt. What only puts
            // something in is all or nothing.
            let may_be_half = case.before.contains(&PREPARE_LOCAL);
            assert!(half_way || may_be_half, "{when}: {}\n{run}", difference(&world.original, &now));
        }
        settle(&world.t, case, false);
        assert_settled(&world, case, &after, &when);
    }
    unreachable!()
}

fn report(what: &str, counted: &[(&str, u32)]) {
    let total: u32 = counted.iter().map(|row| row.1).sum();
    for (name, count) in counted {
        println!("{what}: {count:4} points of `{name}`");
        assert!(*count > 0, "no change was counted in `{name}`: the hook is gone");
    }
    println!("{what}: {total:4} points in all");
}

/// Several cases at a time: they wait for the disk more than they compute.
fn all(what: &str, count: impl Fn(&Case) -> u32 + Sync, wanted: impl Fn(&Case) -> bool) {
    let cases: Vec<&Case> = CASES.iter().filter(|case| wanted(case)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let take = || cases.get(next.fetch_add(1, Ordering::Relaxed));
        std::iter::from_fn(take).map(|case| (case.name, count(case))).collect::<Vec<_>>()
    };
    let counted: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    report(what, &counted);
}

fn is_local(case: &Case) -> bool {
    case.name.contains("local")
}

#[test]
fn a_kill_anywhere_loses_nothing_and_the_same_command_again_goes_through() {
    all("killed", |case| killed_everywhere(case, false), |case| !is_local(case));
}

#[test]
fn a_kill_anywhere_loses_nothing_of_a_local_folder() {
    all("killed", |case| killed_everywhere(case, false), is_local);
}

#[test]
fn doctor_puts_right_what_a_kill_left() {
    all("killed, then doctor", |case| killed_everywhere(case, true), |_| true);
}

#[test]
fn a_full_disk_anywhere_is_one_error_and_loses_nothing() {
    all("ENOSPC", |case| fails_everywhere(case, "ENOSPC"), |_| true);
}

#[test]
fn a_refusal_anywhere_is_one_error_and_loses_nothing() {
    all("EACCES", |case| fails_everywhere(case, "EACCES"), |_| true);
}

#[test]
fn a_broken_disk_anywhere_is_one_error_and_loses_nothing() {
    all("EIO", |case| fails_everywhere(case, "EIO"), |_| true);
}

/// The hook itself: without it all of the above would be empty.
#[test]
fn the_task_has_the_key_that_these_tests_use() {
    let t = TestEnv::new();
    let env = t.prepare(["--task-id", TASK]);
    assert_eq!(env, t.root.join("default").join(KEY));
    assert!(fs::metadata(env.join("workdir")).unwrap().is_dir());
}
