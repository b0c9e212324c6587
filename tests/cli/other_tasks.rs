//! One user folder, two tasks: a task of multica's or of another workspaces root is not disturbed while it works, and what
//! it has left is no context for ours.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{KEY, Snapshot, TASK, TestEnv, assert_same};

const BLOCK: &str =
    "<!-- BEGIN MULTICA-RUNTIME (auto-managed; do not edit) -->\ntheirs\n<!-- END MULTICA-RUNTIME -->\n";
const OURS: [&str; 7] = ["prepare", "--task-id", TASK, "--provider", "claude", "--local-dir", "project"];

/// What a daemon of multica's puts into the project for a task, and its environment below `root`.
fn multicas(t: &TestEnv, root: &Path) -> PathBuf {
    t.write(root.join(".multica/daemon_task_context.json"), r#"{"managed_by":"multica-daemon-task"}"#);
    let env = root.join("w-12ab/fix-0123456789ab");
    t.write(env.join(".task_owner"), "00000000-0000-4000-8000-0123456789ab");
    t.write(env.join(".task_lock"), "");
    let mine = fs::read_to_string(t.project.join("CLAUDE.md")).unwrap();
    t.write("project/CLAUDE.md", format!("{mine}\n\n{BLOCK}"));
    let files =
        [".multica/daemon_task_context.json", ".agent_context/issue_context.md", ".claude/skills/x/SKILL.md"];
    let files = files.map(|file| t.write(t.project.join(file), r#"{"managed_by":"multica-daemon-task"}"#));
    let dirs = [".multica", ".agent_context", ".claude/skills/x"].map(|dir| t.project.join(dir));
    t.write(env.join(".multica_sidecar_manifest.json"), json!({"files": files, "dirs": dirs}).to_string());
    env
}

/// A project of the user's.
fn world() -> (TestEnv, Snapshot) {
    let t = TestEnv::new();
    t.write("project/CLAUDE.md", "mine\n");
    t.write("project/.claude/skills/own/SKILL.md", "mine\n");
    let before = t.project_now();
    (t, before)
}

#[test]
fn a_task_of_multicas_that_works_in_the_folder_is_left_alone_and_one_that_has_ended_is_taken_over() {
    for root in ["root", "home/multica_workspaces", "home/multica_workspaces_team"] {
        let (t, before) = world();
        let env = multicas(&t, &t.tmp.join(root));
        let during = t.project_now();
        let lock = File::open(env.join(".task_lock")).unwrap();
        lock.lock().unwrap();
        let refused = t.execenv(OURS).run().status(4);
        assert!(refused.stderr.contains("fix-0123456789ab is in use by a live process"), "{refused}");
        assert_same(&during, &t.project_now(), root);
        drop(lock);
        let done = t.execenv(OURS).run().status(0);
        assert!(done.stderr.contains("a task of multica's that is not running"), "{done}");
        assert!(!done.stderr.contains("already exists"), "{done}");
        let brief = fs::read_to_string(t.project.join("CLAUDE.md")).unwrap();
        assert!(!brief.contains("theirs") && brief.matches("BEGIN MULTICA").count() == 1, "{brief}");
        let context = fs::read_to_string(t.project.join(".agent_context/issue_context.md")).unwrap();
        assert!(context.contains("# "), "{context}");
        assert!(!t.project.join(".claude/skills/x").exists());
        let copy = env.join("output/kept-sidecars/.claude/skills/x/SKILL.md");
        assert!(copy.is_file(), "its list has no digests, so a copy is kept");
        t.execenv(["cleanup", KEY]).ok();
        assert_same(&before, &t.project_now(), root);
        t.execenv(["verify", KEY]).ok();
        // Nothing is left to take back for its own record.
        t.execenv(["cleanup", env.to_str().unwrap(), "--local-dir", "project"]).run().sane(&[0, 3]);
        assert_same(&before, &t.project_now(), root);
    }
}

#[test]
fn reuse_and_run_look_for_other_tasks_too() {
    let (t, before) = world();
    t.execenv(OURS).ok();
    t.execenv(["cleanup", KEY]).ok();
    let env = multicas(&t, &t.root);
    let during = t.project_now();
    let lock = File::open(env.join(".task_lock")).unwrap();
    lock.lock().unwrap();
    t.execenv(["reuse", KEY]).fails(4, &["is in use by a live process"]);
    assert_same(&during, &t.project_now(), "refused");
    drop(lock);
    let done = t.execenv(["reuse", KEY]).run().status(0);
    assert!(done.stderr.contains("a task of multica's that is not running"), "{done}");
    t.execenv(["run", KEY, "--", "true"]).ok();
    // It comes while ours is prepared, and puts its brief into the place of ours.
    t.write("project/CLAUDE.md", format!("mine\n\n\n{BLOCK}"));
    let files = [t.project.join(".agent_context/issue_context.md")];
    t.write(env.join(".multica_sidecar_manifest.json"), json!({"files": files}).to_string());
    let lock = File::open(env.join(".task_lock")).unwrap();
    lock.lock().unwrap();
    for command in [&["run", KEY, "--", "true"][..], &["reuse", KEY], &OURS] {
        t.execenv(command).fails(4, &["is in use by a live process"]);
    }
    drop(lock);
    t.execenv(["run", KEY, "--", "true"]).ok();
    t.execenv(OURS).run().status(0);
    t.execenv(["cleanup", KEY]).ok();
    assert_same(&before, &t.project_now(), "at the end");
}

/// An agent can write that its environment works in a folder on a mount that never answers.
#[test]
fn a_claimed_folder_that_does_not_answer_holds_no_command_up() {
    let (t, _) = world();
    multicas(&t, &t.root);
    let env = t.root.join("w/fedcba987654");
    let own = json!({"schema": 1, "task_id": "t", "work_dir": "/dead/project", "status": "prepared", "run":
        {"id": "0b6f7c1e-1111-4222-8333-444455556666", "temporary": "/dead/execenv-0b6f7c1e-1111"}});
    let record = json!({"workspace_id": "w", "local_directory": true, "execenv": own});
    t.write(env.join(".gc_meta.json"), record.to_string());
    t.write(env.join(".task_lock"), "");
    let list = json!({"files": ["/dead/project/CLAUDE.md"], "dirs": ["/dead/project"]});
    t.write(env.join(".multica_sidecar_manifest.json"), list.to_string());
    let claim = env.to_str().unwrap();
    for (command, statuses) in [
        (&OURS[..], &[0][..]),
        (&["show", "project"], &[0]),
        (&["doctor", "--fix"], &[0, 1]),
        (&["reuse", KEY], &[0]),
        (&["cleanup", claim, "--local-dir", "project"], &[1]),
        (&["cleanup", "--all", "--force", "--forget", claim], &[0]),
    ] {
        let done = t.execenv(command).var("EXECENV_TEST_SILENT", "/dead").run();
        assert!(statuses.contains(&done.status.unwrap()), "{done}");
        assert!(done.stderr.matches("does not answer").count() <= 1, "{done}");
        assert!(command != OURS || done.stderr.contains("/dead/project does not answer"), "{done}");
    }
}

#[test]
fn a_list_counts_only_where_the_folder_has_the_traces_of_a_task() {
    let (t, before) = world();
    let env = t.root.join("w/0123456789ab");
    t.write("root/.execenv-root", "");
    t.write(env.join(".task_owner"), "00000000-0000-4000-8000-0123456789ab");
    let files = [t.project.join(".claude/skills/own/SKILL.md")];
    t.write(env.join(".multica_sidecar_manifest.json"), json!({"files": files}).to_string());
    t.execenv(OURS).ok();
    assert!(t.project.join(".claude/skills/own/SKILL.md").exists() && !env.join("output").exists());
    t.execenv(["cleanup", KEY]).ok();
    assert_same(&before, &t.project_now(), "the user's own skill");
}

#[test]
fn an_environment_of_the_default_root_has_the_folder_also_for_another_root() {
    let (t, before) = world();
    let default = t.home.join(".local/share/execenv/workspaces");
    let there = |run: crate::support::Run<'_>| run.var("EXECENV_WORKSPACES_ROOT", &default).run();
    there(t.execenv(OURS)).status(0);
    let refused = t.execenv(OURS).run().status(4);
    assert!(
        refused.stderr.contains("is the work dir of [HOME]/.local/share/execenv/workspaces/default"),
        "{refused}"
    );
    there(t.execenv(["cleanup", KEY])).status(0);
    t.execenv(OURS).ok();
    t.execenv(["cleanup", KEY]).ok();
    assert_same(&before, &t.project_now(), "both cleaned up");
}

#[test]
fn the_files_of_an_unknown_task_are_named() {
    let (t, _) = world();
    t.execenv(OURS).var("EXECENV_WORKSPACES_ROOT", t.tmp.join("other")).ok();
    let done = t.execenv(OURS).run().status(0);
    assert!(
        done.stderr.contains("has the files of another task (CLAUDE.md, .agent_context/issue_context.md)"),
        "{done}"
    );
}

#[test]
fn a_list_that_names_a_file_older_than_its_environment_moves_nothing() {
    let (t, _) = world();
    t.write("project/.agent_context/issue_context.md", "left by somebody\n");
    t.write("project/.cursor/mcp.json", "secret\n");
    let before = t.project_now();
    let env = t.root.join("w/0123456789ab");
    t.write("root/.execenv-root", "");
    // The clock of the file system goes in ticks.
    let born = |path: &Path| fs::metadata(path).unwrap().created().unwrap();
    fs::create_dir_all(&env).unwrap();
    while born(&env) <= born(&t.project.join(".cursor/mcp.json")) {
        fs::remove_dir(&env).unwrap();
        fs::create_dir(&env).unwrap();
    }
    t.write(env.join(".task_owner"), "00000000-0000-4000-8000-0123456789ab");
    let forge = |files: &[PathBuf]| {
        t.write(env.join(".multica_sidecar_manifest.json"), json!({"files": files}).to_string());
    };
    let [context, own] = [".agent_context/issue_context.md", ".cursor/mcp.json"].map(|it| t.project.join(it));
    forge(&[context.clone(), own]);
    t.execenv(OURS).fails(1, &["the file is older than that environment", "--local-dir"]);
    assert_same(&before, &t.project_now(), "refused");
    assert!(!env.join("output").exists());
    // One that a task can have written goes.
    fs::remove_file(&context).unwrap();
    t.write(&context, "left by the task\n");
    forge(&[context]);
    t.execenv(OURS).run().status(0);
}
