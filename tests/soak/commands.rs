//! Every command that changes an environment or a user's folder, on managed environments and on local directories.

use libtest_mimic::Trial;

use crate::support::{Done, KEY, NOW, Run, Snapshot, TestEnv, assert_same, difference, snapshot};
use crate::sweep::{Fault, Start, sweep, trial};

const DOCUMENT: &str = r#"{"id":"11111111-2222-4333-8444-555555abcdef","workspace_id":"w","provider":"claude",
 "issue_id":"ISSUE-1","agent":{"id":"a","name":"Coder","custom_env":{"A":"1"},"skills":[{"name":"Review","description":"d","content":"Look.",
 "files":[{"path":"ref/list.md","content":"one\n"}]}]}}"#;
const ANOTHER: &str = r#"{"id":"11111111-2222-4333-8444-555555abcdef","workspace_id":"w","provider":"gemini",
 "issue_id":"ISSUE-2","agent":{"id":"a","name":"Coder","instructions":"Be brief.","skills":[{"name":"Test","description":"d","content":"Run."}]}}"#;

const LATER: &str = "2026-06-30T12:00:00Z";

/// One command, and the state it starts from.
struct Case {
    name: &'static str,
    before: &'static [&'static [&'static str]],
    command: &'static [&'static str],
    now: &'static str,
    /// The environment may be removed for good when the command ends.
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
const GC_FREE: &[&str] = &["gc", "--orphan-ttl", "3650d", "--free", "1", "--keep-younger", "0"];
const EDIT: &[&str] = &["edit"];
const REUSE_SAME: &[&str] = &["reuse", KEY, "--task", "task.json"];

const fn case(
    name: &'static str,
    before: &'static [&'static [&'static str]],
    command: &'static [&'static str],
) -> Case {
    Case { name, before, command, now: NOW, deletes: false }
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

/// `prepare --keep-existing` of what the killed command left.
const KEPT: &[Case] = &[
    case("prepare --keep-existing after reuse", &[PREPARE], REUSE_SAME),
    case("prepare --keep-existing after reuse local", &[PREPARE_LOCAL], REUSE_SAME),
];

/// What makes the state good again after the disturbed command.
#[derive(Clone, Copy)]
enum Remedy {
    SameCommand,
    Doctor,
}

pub fn trials() -> Vec<Trial> {
    let faults = [
        ("killed", Fault::Kill, Remedy::SameCommand),
        ("killed_then_doctor", Fault::Kill, Remedy::Doctor),
        ("full_disk", Fault::Errno("ENOSPC"), Remedy::SameCommand),
        ("no_permission", Fault::Errno("EACCES"), Remedy::SameCommand),
        ("broken_disk", Fault::Errno("EIO"), Remedy::SameCommand),
    ];
    let all = CASES.iter().flat_map(|case| faults.map(|(name, fault, remedy)| (case, name, fault, remedy)));
    let disturbed = all.map(|(case, fault_name, fault, remedy)| {
        let name = format!("{}::{fault_name}", case.name.replace(' ', "_"));
        trial(name, move |name| disturb(name, case, fault, remedy))
    });
    let kept = KEPT.iter().flat_map(|case| {
        [("killed", None), ("killed_then_doctor", Some(Remedy::Doctor))].map(|(fault_name, remedy)| {
            let name = format!("{}::{fault_name}", case.name.replace(' ', "_"));
            trial(name, move |name| keep_existing(name, case, remedy))
        })
    });
    disturbed.chain(kept).collect()
}

/// `prepare --keep-existing` after a killed reuse refuses an environment whose sidecars were taken back, and returns one
/// that has them all.
fn keep_existing(name: &str, case: &Case, remedy: Option<Remedy>) {
    let prepare = case.before[0];
    let (t, original) = case.start_state();
    let now = || (t.project_now(), snapshot(&t.root.join("w").join(KEY).join("workdir")));
    let whole = now();
    let start = Start::new(&t);
    sweep(
        name,
        Fault::Kill,
        &start,
        || case.run(&t),
        |_, when| {
            if let Some(remedy) = remedy {
                repair(&t, case, remedy);
            }
            let kept = t.execenv(prepare.iter().chain(&["--keep-existing"])).run();
            if kept.status == Some(0) {
                assert!(now() == whole, "{when}: returned without its sidecars\n{kept}");
            } else {
                let is_refused = kept.status == Some(3) && kept.stderr.contains("is not ready for a run");
                assert!(is_refused, "{when}\n{kept}");
            }
            t.execenv(prepare).run().sane(&[0]);
            assert!(now() == whole, "{when}: prepared again");
            t.execenv(["cleanup", KEY]).ok();
            assert_same(&original, &t.project_now(), when);
        },
    );
}

fn disturb(name: &str, case: &Case, fault: Fault, remedy: Remedy) {
    let (t, original) = case.start_state();
    let start = Start::new(&t);
    let before = t.project_now();
    case.run(&t).run().sane(&[0]);
    let world = World { t: &t, case, original, before, after: t.project_now() };
    world.assert_settled(&format!("{}, undisturbed", case.name));
    start.put_back();
    sweep(
        name,
        fault,
        &start,
        || case.run(&t),
        |done, when| {
            if fault != Fault::Kill {
                world.assert_reported(done, when);
            }
            repair(&t, case, remedy);
            world.assert_settled(when);
        },
    );
}

fn repair(t: &TestEnv, case: &Case, remedy: Remedy) {
    match remedy {
        Remedy::Doctor => _ = t.execenv(["doctor", "--fix"]).run(),
        Remedy::SameCommand => {
            // When the first one got through, nothing is left that could be freed.
            let statuses: &[i32] = if case.command.contains(&"--free") { &[0, 1, 3] } else { &[0, 3] };
            case.run(t).run().sane(statuses);
            // The collector removes what a dead command had in its hands without a name.
            t.execenv(["gc"]).run().sane(&[0]);
        }
    }
}

impl Case {
    /// The world before the command, and the user's folder before the first command of all.
    fn start_state(&self) -> (TestEnv, Snapshot) {
        let t = TestEnv::new();
        t.write("task.json", DOCUMENT);
        t.write("next.json", ANOTHER);
        t.write("project/docs/RULES.md", "mine\r\n");
        t.link("project/CLAUDE.md", "docs/RULES.md");
        t.write("project/GEMINI.md", "no line feed");
        t.write("project/.claude/skills/review/SKILL.md", "the user's own\n");
        let original = t.project_now();
        for step in self.before {
            if *step == EDIT {
                t.write("project/.agent_context/issue_context.md", "edited");
                t.write("project/.claude/skills/review-multica/SKILL.md", "edited too");
            } else {
                t.execenv(*step).ok();
            }
        }
        (t, original)
    }

    fn run<'a>(&self, t: &'a TestEnv) -> Run<'a> {
        t.execenv(self.command).var("EXECENV_TEST_NOW", self.now)
    }
}

/// A case and the states of the user's folder that its command may leave.
struct World<'a> {
    t: &'a TestEnv,
    case: &'a Case,
    /// Before the first command of all.
    original: Snapshot,
    before: Snapshot,
    after: Snapshot,
}

impl World<'_> {
    /// A failure that the command does not get over leaves the folder whole.
    fn assert_reported(&self, done: &Done, when: &str) {
        let World { t, case, original, before, after } = self;
        done.assert_sane(&[0, 1, 4, 5]);
        let now = t.project_now();
        let is_whole = [original, before, after].contains(&&now);
        // Taking back goes on through errors, and its record stays for the next attempt. A command that only puts
        // something in does all of it or nothing.
        let may_be_half = case.before.contains(&PREPARE_LOCAL);
        let holds = done.status == Some(0) || is_whole || may_be_half;
        assert!(holds, "{when}: {}\n{done}", difference(original, &now));
    }

    /// The folder is as before or as after, nothing half-made is left, no environment is lost.
    fn assert_settled(&self, when: &str) {
        let World { t, case, original, before, after } = self;
        let now = t.project_now();
        let is_whole = [original, before, after].contains(&&now);
        assert!(
            is_whole,
            "{when}: the folder is neither as before nor as after; against the original:\n{}",
            difference(original, &now)
        );
        t.assert_nothing_half_made(when);
        let existed = !case.before.is_empty();
        assert!(case.deletes || !existed || has_env(t), "{when}: the environment is lost");
        let cleanup = t.execenv(["cleanup", KEY]).run().sane(&[0, 3]);
        if cleanup.status == Some(0) {
            assert_same(original, &t.project_now(), &format!("{when}, cleaned up"));
        }
        // Where the environment is removed or in the trash, the folder must have been restored before.
        assert_same(original, &t.project_now(), &format!("{when}, in the end"));
        if case.before.contains(&EDIT) && !case.deletes {
            let kept = snapshot(&t.root).into_iter().any(|(path, text)| {
                path.to_string_lossy().contains("kept-sidecars") && text.ends_with("edited too")
            });
            assert!(kept, "{when}: the edited sidecar was not kept");
        }
    }
}

fn has_env(t: &TestEnv) -> bool {
    let live = t.execenv(["show", KEY]).run().status == Some(0);
    live || t.execenv(["trash", "list"]).ok().stdout.contains(KEY)
}
