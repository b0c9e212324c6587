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
