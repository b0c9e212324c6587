//! What an agent in a sandbox wrote stays marked wherever it gets to, until the user says that they have looked at it.
//!
//! The agents run in each kind of sandbox that this machine can build (`sandbox.rs`); `forged` cases need none.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::sandbox::kinds;
use crate::setup::{forge, trust};
use crate::support::process::{wait_until, wait_until_free};
use crate::support::repository::{clone_into, commit_files, git, git_out, make_repository};
use crate::support::{KEY, TASK, TestEnv};

/// What an agent does: it commits a changed file, of which a trusted command makes a program.
const COMMITS: &str = "echo evil > file && git add file && git commit -q -m evil";
/// The same without a commit.
const EDITS: &str = "echo evil > file";

/// A repository of the user's with commands that they trust: each leaves a line in `ran`.
struct World {
    t: TestEnv,
    source: PathBuf,
}

impl World {
    fn new() -> World {
        let t = TestEnv::new();
        let source = t.tmp.join("source");
        make_repository(&t, &source, &[]);
        let line = |what: &str| format!("echo {what} $(cat file) >> {}/ran", t.tmp.display());
        let file = json!({"setup": [line("setup")], "teardown": [line("teardown")]});
        commit_files(&t, &source, "commands", &[(".execenv.json", &file.to_string())]);
        trust(&t, &source);
        World { t, source }
    }

    /// What has run.
    fn ran(&self) -> String {
        fs::read_to_string(self.t.tmp.join("ran")).unwrap_or_default()
    }

    fn list(&self) -> PathBuf {
        self.t.home.join(".config/execenv/trusted.json")
    }

    fn marks(&self) -> Value {
        self.t.execenv(["trust", "--list", "-o", "json"]).json()["sandboxed"].clone()
    }

    /// Prepares an environment of Ada's, in which an agent in a sandbox then works.
    fn works(&self, kind: &str, prepare: &[&str], script: &str) -> PathBuf {
        let fixed = ["--task-id", TASK, "--agent-name", "Ada"];
        let env = self.t.prepare(fixed.iter().chain(prepare).copied());
        self.runs(kind, script);
        env
    }

    fn runs(&self, kind: &str, script: &str) {
        self.t.execenv(["run", KEY, "--sandbox", kind, "--", "sh", "-c", script]).run().status(0);
    }

    /// `prepare` for another task is refused, and nothing runs; it works without the commands.
    #[track_caller]
    fn refuses(&self, prepare: &[&str], why: &str) {
        let before = self.ran();
        let words = [&["prepare", "--task-id", "other"][..], prepare].concat();
        self.t.execenv(&words).fails(2, &[why, "execenv trust", "--no-setup"]);
        self.t.execenv([&words[..], &["--no-setup"]].concat()).ok();
        self.t.execenv(["cleanup", "--all", "--force", "other"]).run();
        assert_eq!(self.ran(), before);
    }

    /// `prepare` for another task runs the commands.
    #[track_caller]
    fn allows(&self, prepare: &[&str]) -> PathBuf {
        let before = self.ran();
        let env = self.t.prepare(["--task-id", "other"].iter().chain(prepare).copied());
        assert_ne!(self.ran(), before, "the setup has run");
        env
    }

    #[track_caller]
    fn head_of(&self, folder: &Path) -> String {
        git_out(&self.t, folder, &["rev-parse", "HEAD"])
    }
}

/// Environments whose teardown would run.
fn skipped(w: &World, env: &str) {
    let before = w.ran();
    let done = w.t.execenv(["cleanup", "--all", "--force", env, "-o", "json"]).run().status(0);
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(report["teardown"]["outcome"], "skipped_sandboxed", "{done}");
    assert_eq!(w.ran(), before, "{done}");
}

const BRANCH: &str = "agent/ada/555555abcdef";

#[test]
fn a_folder_of_the_users_stays_marked_for_every_environment_until_it_is_trusted_again() {
    for &kind in kinds().iter().filter(|kind| **kind == "bwrap") {
        let w = World::new();
        w.works(kind, &["--local-dir", "source"], EDITS);
        in_a_marked_folder(&w);
    }
    for &kind in kinds() {
        // Without a repository, so that each kind can.
        let w = World::new();
        fs::remove_dir_all(w.source.join(".git")).unwrap();
        w.works(kind, &["--local-dir", "source"], EDITS);
        in_a_marked_folder(&w);
    }
}

fn in_a_marked_folder(w: &World) {
    skipped(w, KEY);
    assert_eq!(w.marks()["folders"], json!([w.source]));
    w.refuses(&["--local-dir", "source"], "an agent in a sandbox has worked in");
    let line = |what: &str| format!("{what} evil\n");
    w.t.execenv(["trust", "source"])
        .fails(2, &["an agent in a sandbox has changed files in [TMP]/source", "--yes"]);
    let told = w.t.execenv(["trust", "source", "--yes", "-o", "json"]).run().status(0);
    assert!(
        told.stdout.contains(r#""reviewed":{"folders":["#) && told.stderr.contains("has changed files"),
        "{told}"
    );
    assert_eq!(w.marks()["folders"], json!([]));
    w.allows(&["--local-dir", "source"]);
    assert!(w.ran().ends_with(&line("setup")));
    w.t.execenv(["cleanup", "--all", "other"]).ok();
    assert!(w.ran().ends_with(&line("teardown")), "{}", w.ran());
}

#[test]
fn folders_in_it_and_around_it_are_marked_with_it() {
    for &kind in kinds() {
        let w = World::new();
        fs::remove_dir_all(w.source.join(".git")).unwrap();
        w.allows(&["--local-dir", "source"]);
        // Another root knows nothing of the first one's environments.
        w.t.write("source/sub/.execenv.json", fs::read(w.source.join(".execenv.json")).unwrap());
        w.t.write("source/sub/file", "x");
        let elsewhere = w.t.tmp.join("elsewhere");
        let there = |words: &[&str]| w.t.execenv(words).var("EXECENV_WORKSPACES_ROOT", &elsewhere).run();
        there(&["prepare", "--task-id", TASK, "--no-setup", "--local-dir", "source/sub"]).status(0);
        there(&["run", KEY, "--sandbox", kind, "--", "sh", "-c", EDITS]).status(0);
        skipped(&w, "other");
        let done = w.t.execenv(["trust", "--yes", "source"]).run().status(0);
        assert!(done.stdout.contains("reviewed\t") && done.stdout.contains("source/sub"), "{done}");
        w.allows(&["--local-dir", "source"]);
    }
}

#[test]
fn a_commit_stays_marked_on_a_branch_a_tag_and_in_what_is_built_on_it() {
    for &kind in kinds() {
        let w = World::new();
        let env = w.works(
            kind,
            &["--repo", "source"],
            &format!("{COMMITS}; echo two > two; git add two; git commit -qm two"),
        );
        let first = git_out(&w.t, &env.join("workdir"), &["rev-parse", "HEAD^"]);
        assert_eq!(w.marks()["commits"], json!([first]), "the second one is built on it");
        assert_eq!(w.marks()["runs"], json!([]));
        w.refuses(&["--repo", "source", "--base", BRANCH], &first[..12]);
        git(&w.t, &w.source, &["tag", "released", &first]);
        w.refuses(&["--repo", "source", "--base", "released"], &first[..12]);
        // The user's own branch is not.
        w.allows(&["--repo", "source"]);
        skipped(&w, KEY);
        w.t.execenv(["cleanup", "--all", "--force", "other"]).run().status(0);
        // Another clone has the same commits.
        let copy = w.t.tmp.join("copy");
        clone_into(&w.t, &w.source, &copy);
        git(&w.t, &copy, &["merge", "-q", "--no-ff", "-m", "m", "released"]);
        w.refuses(&["--repo", "copy", "--base", "main"], &first[..12]);
        w.refuses(&["--local-dir", "copy"], &first[..12]);
        git(&w.t, &w.source, &["merge", "-q", "released"]);
        w.refuses(&["--local-dir", "source", "--worktree"], &first[..12]);
        w.t.execenv(["trust", "source"]).fails(2, &["the work of an agent in a sandbox", &first]);
        w.t.execenv(["trust", "--yes", "source"]).run().status(0);
        assert_eq!(w.marks()["commits"], json!([]));
        w.allows(&["--repo", "copy", "--base", "main"]);
    }
}

#[test]
fn what_execenv_commits_of_it_is_marked_before_a_ref_leads_to_it() {
    let ways: [(&[&[&str]], &str); 4] = [
        (&[&["publish", KEY, "--to", "merge", "--base", "main", "--squash"]], "main"),
        (&[&["publish", KEY, "--to", "branch", "--branch", "feature"]], "feature"),
        (&[&["checkpoint", KEY, "-m", "m"]], "refs/execenv/555555abcdef/wip"),
        (&[&["checkpoint", KEY, "-m", "m", "--on-branch"]], BRANCH),
    ];
    for (&kind, (commands, base)) in kinds().iter().flat_map(|kind| ways.iter().map(move |way| (kind, way))) {
        let w = World::new();
        git(&w.t, &w.source, &["checkout", "-q", "--detach"]);
        w.works(kind, &["--repo", "source", "--base", "main"], EDITS);
        for words in *commands {
            w.t.execenv(*words).run().status(0);
        }
        w.refuses(&["--repo", "source", "--base", base], "is from an agent in a sandbox");
        // It stays marked when the environment is gone.
        git(&w.t, &w.source, &["tag", "kept", base]);
        w.t.execenv(["cleanup", "--all", "--force", KEY]).run().status(0);
        w.refuses(&["--repo", "source", "--base", "kept"], "is from an agent in a sandbox");
    }
    for (&kind, script) in kinds().iter().flat_map(|kind| [EDITS, COMMITS].map(|script| (kind, script))) {
        let w = World::new();
        git(&w.t, &w.source, &["checkout", "-q", "--detach"]);
        w.t.prepare(["--task-id", TASK, "--agent-name", "Ada", "--repo", "source", "--base", "main"]);
        let words =
            ["run", KEY, "--sandbox", kind, "--on-success", "merge", "--into", "main", "--heartbeat", "1h"];
        w.t.execenv(words.into_iter().chain(["--", "sh", "-c", script])).run().status(0);
        w.refuses(&["--repo", "source", "--base", "main"], "is from an agent in a sandbox");
    }
}

#[test]
fn work_that_a_forced_cleanup_saves_is_marked() {
    for &kind in kinds() {
        let w = World::new();
        w.works(kind, &["--repo", "source"], EDITS);
        w.t.execenv(["cleanup", KEY, "--force"]).run().status(0);
        let saved = git_out(&w.t, &w.source, &["for-each-ref", "--format=%(refname)", "refs/execenv"]);
        w.refuses(&["--repo", "source", "--base", &saved], "is from an agent in a sandbox");
    }
}

#[test]
fn a_teardown_does_not_run_where_such_a_commit_has_come_in() {
    for &kind in kinds() {
        let w = World::new();
        let other = w.allows(&["--repo", "source"]);
        w.works(kind, &["--repo", "source"], COMMITS);
        git(&w.t, &other.join("workdir"), &["merge", "-q", BRANCH]);
        // Nor where files were copied from there.
        let words =
            ["prepare", "--task-id", "copy", "--repo", "source", "--copy-from", "other", "--copy", "file"];
        w.t.execenv(words).fails(2, &["is from an agent in a sandbox"]);
        w.t.execenv(words.iter().chain(&["--no-setup"])).ok();
        w.t.execenv(["reuse", "copy"]).fails(2, &["an agent in a sandbox"]);
        skipped(&w, "other");
        // Nor one of an environment that merges by execenv.
        w.t.execenv(["prepare", "--task-id", "third", "--repo", "source"]).run().status(0);
        w.t.execenv(["merge", "start", "third", BRANCH]).run().status(0);
        skipped(&w, "third");
    }
}

#[test]
fn an_environment_that_got_a_patch_counts_as_one_of_an_agent_in_a_sandbox() {
    for &kind in kinds() {
        let w = World::new();
        let env = w.works(kind, &["--repo", "source"], EDITS);
        w.t.execenv(["checkpoint", KEY, "-m", "m"]).run().status(0);
        let patch = env.join("output/checkpoints/1.patch.gz");
        let patch = patch.to_str().unwrap();
        w.allows(&["--repo", "source"]);
        let told = w.t.execenv(["restore", "other", "--from", patch]).run().status(0);
        assert!(told.stderr.contains("may have written the patch"), "{told}");
        // Its own checkpoints, and later environments, have it from there.
        w.t.execenv(["prepare", "--task-id", "third", "--no-setup", "--continue-from", "other"]).ok();
        w.t.execenv(["reuse", "third"]).fails(2, &["an agent in a sandbox"]);
        skipped(&w, "other");
        w.t.execenv(["prepare", "--task-id", "fourth", "--no-setup", "--repo", "source"]).ok();
        w.t.execenv(["restore", "fourth", "--from", patch]).run().status(0);
        w.t.execenv(["reuse", "fourth"]).fails(2, &["an agent in a sandbox"]);
        assert!(!w.ran().contains("evil"), "{}", w.ran());
    }
}

#[test]
fn a_work_dir_and_a_clone_of_it_are_no_way_round() {
    for &kind in kinds() {
        let w = World::new();
        let file = fs::read_to_string(w.source.join(".execenv.json")).unwrap();
        // A repository of the agent's own, of which it can write every branch.
        let by = "git config user.name A; git config user.email a@example.invalid";
        let script =
            format!("{by}; printf %s '{file}' > .execenv.json; {EDITS}; git add -A; git commit -qm all");
        let env = w.works(kind, &["--repo", "new://x"], &script);
        let work_dir = env.join("workdir");
        w.refuses(
            &["--repo", work_dir.to_str().unwrap(), "--base", "HEAD"],
            "an agent in a sandbox has worked in",
        );
        w.t.execenv(["clone", KEY, "copy"]).run().status(0);
        w.refuses(&["--local-dir", "copy"], "an agent in a sandbox has worked in");
        w.refuses(&["--repo", "copy"], "an agent in a sandbox has worked in");
        w.t.execenv(["trust", "--yes", "copy"]).run().status(0);
        w.allows(&["--local-dir", "copy"]);
    }
}

#[test]
fn a_run_that_is_on_or_was_killed_keeps_its_mark() {
    for &kind in kinds() {
        let w = World::new();
        let env = w.t.prepare(["--task-id", TASK, "--agent-name", "Ada", "--repo", "source"]);
        let script = format!("{COMMITS}; echo > begun; exec sleep 600");
        let mut run = w.t.execenv(["run", KEY, "--sandbox", kind, "--", "sh", "-c", &script]).start();
        wait_until("the agent", || env.join("workdir/begun").exists().then_some(()));
        let runs = |w: &World| w.marks()["runs"].as_array().unwrap().len();
        assert_eq!((runs(&w), w.marks()["commits"].as_array().unwrap().len()), (1, 0));
        w.refuses(&["--repo", "source", "--base", BRANCH], "is from an agent in a sandbox");
        run.kill().unwrap();
        run.wait().unwrap();
        assert_eq!(runs(&w), 1);
        w.refuses(&["--repo", "source", "--base", BRANCH], "is from an agent in a sandbox");
        git(&w.t, &w.source, &["merge", "-q", BRANCH]);
        // The environment goes without having been recovered, and the branch with it.
        wait_until("the guard", || {
            (w.t.execenv(["cleanup", "--all", "--force", KEY]).run().status == Some(0)).then_some(())
        });
        assert_eq!(git_out(&w.t, &w.source, &["branch", "--list", BRANCH]), "");
        assert_eq!(runs(&w), 0);
        w.refuses(&["--repo", "source"], "is from an agent in a sandbox");
    }
}

#[test]
fn the_recovery_of_a_run_marks_what_it_left() {
    for &kind in kinds() {
        let w = World::new();
        let env = w.t.prepare(["--task-id", TASK, "--agent-name", "Ada", "--repo", "source"]);
        let script = format!("{COMMITS}; echo more > more; echo > begun; exec sleep 600");
        let mut run = w.t.execenv(["run", KEY, "--sandbox", kind, "--", "sh", "-c", &script]).start();
        wait_until("the agent", || env.join("workdir/begun").exists().then_some(()));
        let head = w.head_of(&env.join("workdir"));
        run.kill().unwrap();
        run.wait().unwrap();
        wait_until("the recovery", || {
            w.t.execenv(["doctor", "--fix"]).run();
            w.marks()["runs"].as_array().unwrap().is_empty().then_some(())
        });
        let marked = w.marks()["commits"].clone();
        assert!(marked.as_array().unwrap().contains(&json!(head)), "{marked}");
        let saved = "refs/execenv/555555abcdef/wip";
        w.refuses(&["--repo", "source", "--base", saved], "is from an agent in a sandbox");
    }
}

#[test]
fn an_agent_without_a_sandbox_that_goes_on_leaves_the_mark() {
    for &kind in kinds() {
        let w = World::new();
        let env = w.works(kind, &["--repo", "source"], EDITS);
        assert_eq!(w.marks()["commits"], json!([]), "nothing is committed");
        w.t.execenv(["run", KEY, "--", "sh", "-c", "git commit -qam later"]).run().status(0);
        assert_eq!(w.marks()["commits"], json!([w.head_of(&env.join("workdir"))]));
    }
}

#[test]
fn no_agent_starts_where_its_work_cannot_be_marked() {
    for &kind in kinds() {
        let w = World::new();
        let env = w.t.prepare(["--task-id", TASK, "--repo", "source"]);
        let whole = fs::read(w.list()).unwrap();
        for damaged in ["{", r#"{"sandboxed": {"commits": ["--all"]}}"#] {
            fs::write(w.list(), damaged).unwrap();
            let done = w.t.execenv(["run", KEY, "--sandbox", kind, "--", "touch", "started"]).run();
            assert!(done.status == Some(2) && done.stderr.contains("trusted.json, is not used"), "{done}");
            assert!(!env.join("workdir/started").exists());
            w.t.execenv(["prepare", "--task-id", "other", "--repo", "source"]).fails(2, &["is not used"]);
        }
        fs::write(w.list(), &whole).unwrap();
        // It cannot be reached from inside.
        let script = format!("cat {0}; echo x >> {0}; rm -f {0}; mv {0} x; echo > done", w.list().display());
        w.runs(kind, &script);
        assert!(env.join("workdir/done").exists());
        assert_eq!(fs::read(w.list()).unwrap(), whole);
        w.t.execenv(["prepare", "--task-id", "other", "--repo", "source"]).run().status(0);
        // An agent without a sandbox needs no list, and one in a work dir of its own has nothing to be marked.
        fs::write(w.list(), "{").unwrap();
        w.t.execenv(["run", "other", "--", "touch", "started"]).run().status(0);
        w.t.prepare(["--task-id", "plain"]);
        w.t.execenv(["run", "plain", "--sandbox", kind, "--", "touch", "started"]).run().status(0);
    }
}

#[test]
fn forged_marks_that_lead_nowhere_and_keys_of_a_later_version_stay() {
    let w = World::new();
    let text = fs::read_to_string(w.list()).unwrap();
    let mut list: Value = serde_json::from_str(&text).unwrap();
    let absent = "1".repeat(40);
    list["sandboxed"] = json!({"folders": ["/nowhere"], "commits": [absent], "later": 7,
        "runs": [{"env": "/nowhere", "repository": "/nowhere/.git", "worktree": "x", "refs": "refs/heads/agent/ada/"}]});
    fs::write(w.list(), list.to_string()).unwrap();
    w.allows(&["--repo", "source"]);
    w.t.execenv(["cleanup", "--all", "other"]).ok();
    assert!(w.ran().ends_with("teardown one\n"));
    let listed = w.t.execenv(["trust", "--list"]).ok();
    assert_eq!(
        listed.stdout.lines().filter(|line| line.starts_with("sandboxed\t-\t")).count(),
        3,
        "{listed}"
    );
    w.t.execenv(["trust", "--remove", "source"]).ok();
    assert_eq!(w.marks()["later"], 7);
    assert_eq!(w.marks()["commits"], json!([absent]));
}

#[test]
fn forged_a_mark_on_the_commit_that_is_checked_out_counts_and_one_on_a_later_one_does_not() {
    let w = World::new();
    let head = w.head_of(&w.source);
    git(&w.t, &w.source, &["commit", "-q", "--allow-empty", "-m", "later"]);
    let later = w.head_of(&w.source);
    let mark = |commit: &str| {
        let mut list: Value = serde_json::from_slice(&fs::read(w.list()).unwrap()).unwrap();
        list["sandboxed"] = json!({"commits": [commit]});
        fs::write(w.list(), list.to_string()).unwrap();
    };
    mark(&later);
    w.allows(&["--repo", "source", "--base", "HEAD^"]);
    w.t.execenv(["cleanup", "--all", "other"]).ok();
    w.refuses(&["--repo", "source", "--base", "HEAD"], &later[..12]);
    mark(&head);
    w.refuses(&["--repo", "source", "--base", "HEAD^"], &head[..12]);
    // What is marked is shown where it is looked for: in a work dir that was prepared without the commands.
    let env = w.t.prepare(["--task-id", TASK, "--no-setup", "--repo", "source"]);
    let work_dir = env.join("workdir");
    w.t.execenv(["reuse", KEY]).fails(2, &[&head[..12], "execenv trust DIR"]);
    w.t.execenv(["trust", "--yes", work_dir.to_str().unwrap()]).run().status(0);
    w.t.execenv(["reuse", KEY]).ok();
    assert!(w.ran().ends_with("setup one\n"), "{}", w.ran());
    // An environment that is not prepared anew runs nothing, so nothing is asked.
    forge(&w.t, |own| own["run"] = json!({"id": "x", "sandboxed": true}));
    w.t.execenv(["reuse", KEY]).ok();
}

#[test]
fn no_kill_of_a_run_loses_the_mark() {
    for &kind in kinds() {
        let w = World::new();
        let base = w.head_of(&w.source);
        let mut committed = 0;
        for point in 1.. {
            assert!(point < 200, "the run never ends");
            let task = format!("task-{point}");
            let env =
                w.t.prepare(["--task-id", &task, "--agent-name", "Ada", "--no-setup", "--repo", "source"]);
            let words = ["run", &task, "--sandbox", kind, "--", "sh", "-c", COMMITS];
            let done = w.t.execenv(words).var("EXECENV_TEST_CRASH_AT", point.to_string()).run();
            wait_until_free(&env.join(".task_lock"));
            let tip = w.head_of(&env.join("workdir"));
            if tip != base {
                committed += 1;
                let prepare = ["prepare", "--task-id", "other", "--repo", "source", "--base", &tip];
                w.t.execenv(prepare).fails(2, &["is from an agent in a sandbox"]);
            }
            if done.status == Some(0) {
                break;
            }
        }
        assert!(committed > 3, "{committed}");
    }
}
