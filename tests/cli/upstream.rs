//! Environments that an upstream daemon prepared: its files only, no key of ours.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{TestEnv, assert_same};

const BEGIN: &str = "<!-- BEGIN MULTICA-RUNTIME (auto-managed; do not edit) -->";
const END: &str = "<!-- END MULTICA-RUNTIME -->";

fn upstream_env(t: &TestEnv, meta: Value) -> PathBuf {
    t.write("root/.multica/daemon_task_context.json", r#"{"managed_by":"multica-daemon-task"}"#);
    let env = t.root.join("w/0123456789ab");
    let work = env.join("workdir");
    for folder in ["output", "logs", "workdir/.claude/skills/review"] {
        fs::create_dir_all(env.join(folder)).unwrap();
    }
    t.write(work.join(".claude/skills/review/SKILL.md"), "---\nname: review\n---\nold\n");
    t.write(work.join(".agent_context/issue_context.md"), "# old\n");
    t.write(work.join("CLAUDE.md"), format!("the repository's own\n\n\n{BEGIN}\nold brief\n{END}\n"));
    t.write(work.join("src/main.rs"), "work");
    let manifest = json!({
        "files": [work.join(".agent_context/issue_context.md"), work.join(".claude/skills/review/SKILL.md")],
        "dirs": [work.join(".agent_context"), work.join(".claude"), work.join(".claude/skills"), work.join(".claude/skills/review")],
    });
    t.write(env.join(".multica_sidecar_manifest.json"), manifest.to_string());
    t.write(env.join(".gc_meta.json"), meta.to_string());
    t.write(env.join(".task_owner"), "00000000-0000-4000-8000-0123456789ab");
    env
}

fn issue() -> Value {
    json!({"kind": "issue", "issue_id": "I", "workspace_id": "w", "completed_at": "2026-05-31T12:00:00.123456789Z", "future": 1})
}

#[test]
fn it_is_reused_with_one_skill_folder_and_one_block() {
    let t = TestEnv::new();
    let env = upstream_env(&t, issue());
    t.write("t.json", json!({"provider": "claude", "issue_id": "I", "agent": {"id": "a", "skills": [{"name": "review", "content": "new"}]}}).to_string());
    let answer = t.execenv(["reuse", "0123456789ab", "--task", "t.json", "-o", "json"]).json();
    assert_eq!((&answer["reused"], &answer["workspace_id"]), (&json!(true), &json!("w")));
    let work = env.join("workdir");
    let brief = fs::read_to_string(work.join("CLAUDE.md")).unwrap();
    assert!(brief.starts_with("the repository's own\n\n\n") && !brief.contains("old brief"), "{brief}");
    assert_eq!(brief.matches(BEGIN).count(), 1);
    assert!(!work.join(".claude/skills/review-multica").exists());
    assert!(fs::read_to_string(work.join(".claude/skills/review/SKILL.md")).unwrap().contains("new"));
    assert_eq!(fs::read_to_string(work.join("src/main.rs")).unwrap(), "work");
    let meta: Value = serde_json::from_slice(&fs::read(env.join(".gc_meta.json")).unwrap()).unwrap();
    // Until the next run has ended, upstream's collector must not judge it by its parent.
    let parent = json!({"kind": "issue", "issue_id": "I", "completed_at": "2026-05-31T12:00:00.123456789Z"});
    assert_eq!((&meta["execenv"]["parent"], &meta["future"]), (&parent, &json!(1)));
    assert!(meta["issue_id"].is_null() && meta["completed_at"].is_null(), "{meta}");
    // And upstream can read what we wrote: two lists of absolute paths.
    let manifest: Value =
        serde_json::from_slice(&fs::read(env.join(".multica_sidecar_manifest.json")).unwrap()).unwrap();
    for list in ["files", "dirs"] {
        assert!(
            manifest[list].as_array().unwrap().iter().all(|path| path.as_str().unwrap().starts_with('/'))
        );
    }
}

#[test]
fn it_is_cleaned_and_prepared_anew_as_one_of_ours() {
    let t = TestEnv::new();
    let env = upstream_env(&t, issue());
    t.execenv(["cleanup", env.to_str().unwrap()]).ok();
    assert!(!env.join("workdir").exists() && env.join("output").is_dir());
    let t = TestEnv::new();
    let env = upstream_env(&t, issue());
    // Upstream's owner file says whose it is: the same task takes it over, another one keeps off.
    let other = t.prepare(["--workspace-id", "w", "--task-id", "ffffffff-0000-4000-9999-0123456789ab"]);
    assert_eq!(other.file_name().unwrap(), "99990123456789ab");
    assert_eq!(t.prepare(["--workspace-id", "w", "--task-id", "00000000-0000-4000-8000-0123456789ab"]), env);
    t.execenv(["cleanup", "--all", env.to_str().unwrap()]).ok();
    t.execenv(["trash", "restore", "0123456789ab"]).ok();
    assert_eq!(fs::read_to_string(env.join("workdir/src/main.rs")).unwrap(), "work");
}

#[test]
fn gc_judges_every_age_of_upstreams_record() {
    for (meta, now, reason) in [
        (issue(), "2026-06-01T12:00:00Z", "too_young"),
        (issue(), "2026-06-10T12:00:00Z", "unused"),
        (
            json!({"issue_id": "I", "workspace_id": "w", "completed_at": "2026-05-01T00:00:00Z"}),
            "2026-06-01T12:00:00Z",
            "unused",
        ),
        (
            json!({"kind": "chat", "chat_session_id": "c", "workspace_id": "w", "completed_at": "2026-05-31T00:00:00Z"}),
            "2026-06-01T12:00:00Z",
            "too_young",
        ),
        (
            json!({"kind": "issue", "issue_id": "I", "workspace_id": "w", "completed_at": "2020-01-01T00:00:00Z", "local_directory": true}),
            "2026-06-01T12:00:00Z",
            "local_directory",
        ),
    ] {
        let t = TestEnv::new();
        let env = upstream_env(&t, meta.clone());
        // Upstream notes no use but a run's end: the folder's own time counts as well.
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_770_000_000);
        fs::File::open(env).unwrap().set_modified(long_ago).unwrap();
        let run = t.execenv(["gc", "--dry-run", "-o", "json"]).var("EXECENV_TEST_NOW", now);
        let decision = run.json()["decisions"][0].clone();
        assert_eq!(decision["reason"], reason, "{meta}");
        let kind = if meta["kind"].is_null() { "issue" } else { meta["kind"].as_str().unwrap() };
        assert_eq!(decision["kind"], kind);
    }
}

#[test]
fn a_local_one_whose_folder_nobody_recorded_is_not_forgotten() {
    let t = TestEnv::new();
    let env = upstream_env(
        &t,
        json!({"kind": "issue", "issue_id": "I", "workspace_id": "w", "local_directory": true}),
    );
    fs::remove_dir_all(env.join("workdir")).unwrap();
    let sidecar = t.write("project/.agent_context/issue_context.md", "# old\n");
    let manifest = json!({"files": [sidecar], "dirs": [t.project.join(".agent_context")]}).to_string();
    t.write(env.join(".multica_sidecar_manifest.json"), &manifest);
    let before = t.project_now();
    t.execenv(["cleanup", "--all", env.to_str().unwrap()]).run().status(1);
    assert_same(&before, &t.project_now(), "the folder");
    assert_eq!(fs::read_to_string(env.join(".multica_sidecar_manifest.json")).unwrap(), manifest);
    t.execenv(["cleanup", "--all", "--force", env.to_str().unwrap()]).run().status(1);
    t.execenv(["cleanup", "--all", "--forget", env.to_str().unwrap()]).run().status(0);
    assert_same(&before, &t.project_now(), "the folder, forgotten");
}

#[test]
fn under_a_platform_the_task_has_a_configuration_of_its_own_and_the_root_a_mark() {
    use std::os::unix::fs::PermissionsExt;
    let t = TestEnv::new();
    t.write("task.json", r#"{"issue_id":"I","agent":{"id":"A","name":"Ada"}}"#);
    let prepared = t.execenv(["prepare", "--task", "task.json", "--task-id", "T", "-o", "json"]).json();
    let root = std::path::PathBuf::from(prepared["root_dir"].as_str().unwrap());
    let config = root.join("multica-config");
    assert_eq!(prepared["env"]["MULTICA_TASK_CONFIG_ROOT"], config.to_str().unwrap());
    assert_eq!(prepared["env"]["MULTICA_TASK_WORKSPACES_ROOT"], t.root.to_str().unwrap());
    assert_eq!(
        (&prepared["env"]["MULTICA_TASK_ID"], &prepared["env"]["MULTICA_AGENT_NAME"]),
        (&json!("T"), &json!("Ada"))
    );
    assert_eq!(config.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let mark = t.root.join(".multica/daemon_task_context.json");
    let ours = r#"{"managed_by":"multica-daemon-task"}"#;
    assert_eq!(fs::read_to_string(&mark).unwrap(), ours);
    // The next prepare or reuse replaces a damaged one; a file of another program stays and is reported.
    fs::write(&mark, r#"{"managed"#).unwrap();
    t.write(config.join("login"), "the platform's own");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o755)).unwrap();
    let key = root.file_name().unwrap().to_str().unwrap();
    t.execenv(["reuse", key, "--task", "task.json"]).ok();
    assert_eq!(fs::read_to_string(&mark).unwrap(), ours);
    assert_eq!(config.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert!(config.join("login").exists());
    fs::write(&mark, r#"{"owner":"somebody"}"#).unwrap();
    let told = t.execenv(["reuse", key, "--task", "task.json"]).run().status(0);
    assert!(told.stderr.contains("was created by another program"), "{told}");
    assert_eq!(fs::read_to_string(&mark).unwrap(), r#"{"owner":"somebody"}"#);
    // Without a platform there is neither.
    let plain = TestEnv::new();
    let env = plain.prepare([]);
    assert!(!env.join("multica-config").exists() && !plain.root.join(".multica").exists());
}

/// What a daemon of today makes for a task: folders with readable names, an owner file that is an object, an index; no
/// record before the task ends.
fn readable_env(t: &TestEnv, record: Option<Value>) -> PathBuf {
    t.write("root/.multica/daemon_task_context.json", r#"{"managed_by":"multica-daemon-task"}"#);
    let env = t.root.join("acme-00000000c0de/fix-login-0123456789ab");
    for folder in ["output", "logs", "workdir/src"] {
        fs::create_dir_all(env.join(folder)).unwrap();
    }
    t.write(env.join("workdir/src/main.rs"), "work");
    t.write(env.join(".task_owner"), json!({"workspace_id": WORKSPACE, "task_id": ITS_TASK}).to_string());
    let proof = json!({"managed_by": "multica-daemon-managed-env", "workspace_id": WORKSPACE, "issue_id": "I", "agent_id": "A"});
    t.write(env.join(".managed_env.json"), proof.to_string());
    t.write(env.join(".multica_sidecar_manifest.json"), r#"{"files":[],"dirs":[]}"#);
    if let Some(record) = record {
        t.write(env.join(".gc_meta.json"), record.to_string());
    }
    env
}

const WORKSPACE: &str = "00000000-0000-4000-9000-00000000c0de";
const ITS_TASK: &str = "00000000-0000-4000-8000-0123456789ab";

fn its_record() -> Option<Value> {
    Some(
        json!({"kind": "issue", "issue_id": "I", "workspace_id": WORKSPACE, "completed_at": "2026-05-31T12:00:00Z"}),
    )
}

#[test]
fn readable_names_are_names_and_the_ids_come_from_the_files() {
    for (record, has_index) in [(its_record(), true), (its_record(), false), (None, true), (None, false)] {
        let t = TestEnv::new();
        let env = readable_env(&t, record.clone());
        let when = format!("record {}, index {has_index}", record.is_some());
        if has_index {
            use sha2::Digest;
            let digest = sha2::Sha256::digest(format!("{WORKSPACE}\0{ITS_TASK}"));
            let digest: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
            let place = env.strip_prefix(&t.root).unwrap();
            let entry = json!({"workspace_id": WORKSPACE, "task_id": ITS_TASK, "relative_path": place});
            t.write(format!("root/.task_roots/{digest}/root.json"), entry.to_string());
        }
        let shown = t.execenv(["show", ITS_TASK, "-o", "json"]).run().status(0);
        let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!(shown["root_dir"], env.to_str().unwrap(), "{when}");
        assert_eq!(
            (&shown["task_id"], &shown["workspace_id"]),
            (&json!(ITS_TASK), &json!(WORKSPACE)),
            "{when}"
        );
        assert_eq!(shown["kind"], "issue", "{when}");
        let listed = t.execenv(["list", "--workspace", WORKSPACE, "-o", "json"]).json();
        assert_eq!(listed["environments"][0]["task_id"], ITS_TASK, "{when}: {listed}");
        assert_eq!(listed["environments"][0]["workspace_id"], WORKSPACE, "{when}");

        // The task has that environment, and no second one is made.
        let arguments = ["prepare", "--task-id", ITS_TASK, "--workspace-id", WORKSPACE];
        let kept = t.execenv(arguments.iter().chain(&["--keep-existing"])).run().status(0);
        assert_eq!(kept.stdout.trim_end(), env.to_str().unwrap(), "{when}: {kept}");
        assert_eq!(record.is_none(), kept.stderr.contains("has no record yet"), "{when}: {kept}");
        assert_eq!(fs::read_to_string(env.join("workdir/src/main.rs")).unwrap(), "work", "{when}");
        assert_eq!(t.prepare(arguments[1..].iter().chain(&["--replace"]).copied()), env, "{when}");
        t.execenv(["cleanup", "--all", ITS_TASK]).ok();
        t.execenv(["trash", "restore", "fix-login"]).ok();
        assert_eq!(fs::read_to_string(env.join("workdir/src/main.rs")).unwrap(), "work", "{when}");
        // Another task whose id ends alike gets another one.
        let other =
            t.prepare(["--task-id", "ffffffff-0000-4000-9999-0123456789ab", "--workspace-id", WORKSPACE]);
        assert_eq!(other, t.root.join(WORKSPACE).join("0123456789ab"), "{when}");
    }
}

#[test]
fn before_its_task_has_ended_it_is_shown_run_and_reused_by_what_its_files_say() {
    let t = TestEnv::new();
    let env = readable_env(&t, None);
    let name = env.to_str().unwrap();
    let no_record = "has no record yet";
    let shown = t.execenv(["show", name]).run().status(0);
    assert!(shown.stderr.contains(no_record) && shown.stdout.contains(ITS_TASK), "{shown}");
    let ran = t.execenv(["run", name, "--", "sh", "-c", "echo more > src/more.rs"]).run().status(0);
    assert!(ran.stderr.contains(no_record), "{ran}");
    let record: Value = serde_json::from_slice(&fs::read(env.join(".gc_meta.json")).unwrap()).unwrap();
    assert_eq!((&record["kind"], &record["issue_id"]), (&json!("issue"), &json!("I")));
    assert_eq!(
        (&record["workspace_id"], &record["execenv"]["task_id"]),
        (&json!(WORKSPACE), &json!(ITS_TASK))
    );

    let t = TestEnv::new();
    let env = readable_env(&t, None);
    let name = env.to_str().unwrap();
    t.write("t.json", json!({"provider": "claude", "issue_id": "J", "agent": {"id": "B"}}).to_string());
    let reused = t.execenv(["reuse", name, "--task", "t.json", "-o", "json"]).run().status(0);
    for told in [no_record, "made for the issue `I`, the task is of the issue `J`", "the agent `A`"] {
        assert!(reused.stderr.contains(told), "{told}: {reused}");
    }
    let reused: Value = serde_json::from_str(&reused.stdout).unwrap();
    assert_eq!((&reused["workspace_id"], &reused["task_id"]), (&json!(WORKSPACE), &json!(ITS_TASK)));
    assert_eq!(fs::read_to_string(env.join("workdir/src/main.rs")).unwrap(), "work");
    assert!(env.join("workdir/CLAUDE.md").exists());
    // From now on it is the one of this task, for every command.
    t.execenv(["run", ITS_TASK, "--", "true"]).ok();
    // The same issue and agent again: nothing to say.
    t.execenv(["reuse", ITS_TASK, "--task", "t.json"]).ok();

    // Nothing in it says whose it is: refused, without advice that would lose its work.
    let t = TestEnv::new();
    let env = readable_env(&t, None);
    for file in [".task_owner", ".managed_env.json"] {
        fs::remove_file(env.join(file)).unwrap();
    }
    let refused = t.execenv(["reuse", env.to_str().unwrap()]).run().status(3);
    assert!(refused.stderr.contains("copy what you need out of"), "{refused}");
}

#[test]
fn an_environment_of_ours_that_was_made_for_another_issue_is_reused_with_a_warning() {
    let t = TestEnv::new();
    let document = |issue: &str, agent: &str| json!({"issue_id": issue, "agent": {"id": agent}}).to_string();
    t.write("i.json", document("I", "A"));
    t.write("j.json", document("J", "A"));
    let env = t.prepare(["--task", "i.json"]);
    t.execenv(["reuse", env.to_str().unwrap(), "--task", "i.json"]).ok();
    let reused = t.execenv(["reuse", env.to_str().unwrap(), "--task", "j.json"]).run().status(0);
    assert!(reused.stderr.contains("made for the issue `I`"), "{reused}");
    assert!(!reused.stderr.contains("agent"), "{reused}");
}
