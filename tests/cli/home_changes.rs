//! Homes when something around them has changed: the provider, the caller's variables, what the agent took away.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::homes::codex_world;
use crate::support::{KEY, TestEnv, arg, assert_same, snapshot};

const SECRET: &str = "sesame-in-a-server";

fn document(provider: &str) -> String {
    json!({"id": "one", "provider": provider, "issue_id": "i-1", "agent": {
        "id": "agent-1",
        "skills": [{"name": "one", "content": "body\n"}],
        "mcp_config": {"mcpServers": {"s": {"command": "serve", "env": {"KEY": SECRET}}}}}})
    .to_string()
}

fn prepare(t: &TestEnv, provider: &str) -> PathBuf {
    t.write("task.json", document(provider));
    t.prepare(["-q", "--task", "task.json", "--platform-cli", "none"])
}

fn holders(env: &Path, secret: &str) -> Vec<PathBuf> {
    let all = snapshot(env).into_iter();
    all.filter(|(_, entry)| entry.contains(secret)).map(|(path, _)| path).collect()
}

#[test]
fn another_provider_finds_no_secret_of_the_one_before_and_every_session() {
    for (provider, session) in [
        ("copilot", "copilot-home/session-state/s"),
        ("gemini", ".gemini/tmp/s/chat.json"),
        ("hermes", "hermes-home/logs/s"),
        ("codex", "codex-home/sessions/2026/01/01/rollout-x.jsonl"),
        ("opencode", "output/s"),
        ("qwen", "output/s"),
    ] {
        let t = TestEnv::new();
        t.write("home/.hermes/.env", format!("TOKEN={SECRET}\n"));
        t.write("home/.hermes/config.yaml", format!("token: {SECRET}\n"));
        let env = prepare(&t, provider);
        let before = holders(&env, SECRET);
        assert!(before.len() > 1, "{provider}: {before:?}");
        t.write(env.join(session), "a conversation");
        t.write("other.json", r#"{"provider":"kimi"}"#);
        t.execenv([arg("reuse"), arg("-q"), arg(&env), arg("--task"), arg("other.json")]).ok();
        assert_eq!(holders(&env, SECRET), [] as [PathBuf; 0], "{provider}");
        assert_eq!(fs::read_to_string(env.join(session)).unwrap(), "a conversation", "{provider}");
        // And back again.
        t.execenv([arg("reuse"), arg("-q"), arg(&env), arg("--task"), arg("task.json")]).ok();
        assert_eq!(holders(&env, SECRET), before, "{provider}");
        assert_eq!(fs::read_to_string(env.join(session)).unwrap(), "a conversation", "{provider}");
    }
}

#[test]
fn a_clean_up_leaves_no_secret_and_every_session() {
    for (provider, session) in [
        ("claude", "output/s"),
        ("copilot", "copilot-home/session-state/s"),
        ("cursor", "cursor-data/projects/p/agent-transcripts/s"),
        ("gemini", ".gemini/tmp/s/chat.json"),
        ("hermes", "hermes-home/logs/s"),
        ("codex", "codex-home/sessions/2026/01/01/rollout-x.jsonl"),
        ("opencode", "output/s"),
        ("qwen", "output/s"),
    ] {
        for is_local in [false, true] {
            let t = TestEnv::new();
            t.make_project_a_repository();
            t.write("home/.hermes/.env", format!("TOKEN={SECRET}\n"));
            t.write("home/.hermes/config.yaml", format!("token: {SECRET}\n"));
            t.write("home/.codex/x.config.toml", format!("[mcp_servers.u.env]\nKEY = \"{SECRET}\"\n"));
            t.write("task.json", document(provider));
            let local: &[&str] = if is_local { &["--local-dir", "project"] } else { &[] };
            let words = ["-q", "--task", "task.json", "--platform-cli", "none"];
            let env = t.prepare(words.iter().chain(local).copied());
            let before = holders(&env, SECRET);
            assert!(before.len() + holders(&t.project, SECRET).len() > 0, "{provider}");
            t.write(env.join(session), "a conversation");
            for other in [
                "cursor-data/projects/p/mcp-auth.json",
                "openclaw-config.json",
                "openclaw-user-snapshot.json",
            ] {
                t.write(env.join(other), SECRET);
            }
            // Nothing is forgotten only because the agent has locked it away.
            if !session.starts_with("output") {
                let home = env.join(session.split('/').next().unwrap());
                fs::set_permissions(&home, fs::Permissions::from_mode(0o500)).unwrap();
            }
            t.execenv([arg("cleanup"), arg(&env)]).ok();
            assert_eq!(holders(&env, SECRET), [] as [PathBuf; 0], "{provider}");
            assert_eq!(fs::read_to_string(env.join(session)).unwrap(), "a conversation", "{provider}");
            for gone in ["codex-home/config.toml", "claude-runtime-skill-settings.json", "launch"] {
                assert!(!env.join(gone).exists(), "{provider}: {gone}");
            }
            t.assert_nothing_half_made(provider);
            let shown = t.execenv([arg("show"), arg(&env)]).ok();
            assert!(shown.stdout.contains("private files   removed by cleanup"), "{shown}");
            let settled = snapshot(&env);
            t.execenv([arg("cleanup"), arg(&env)]).ok();
            assert_same(&settled, &snapshot(&env), "the second clean-up");
            if is_local {
                t.execenv([arg("reuse"), arg("-q"), arg(&env), arg("--task"), arg("task.json")]).ok();
                assert_eq!(holders(&env, SECRET), before, "{provider}: reused");
                assert_eq!(fs::read_to_string(env.join(session)).unwrap(), "a conversation", "{provider}");
            }
        }
    }
}

#[test]
fn a_shell_with_an_environments_exports_still_means_the_users_own_home() {
    for (provider, variable, below, login) in [
        ("copilot", "COPILOT_HOME", "copilot-home", "config.json"),
        ("gemini", "GEMINI_CLI_HOME", ".gemini", "oauth_creds.json"),
        ("codex", "CODEX_HOME", "codex-home", "auth.json"),
        ("hermes", "HERMES_HOME", "hermes-home", "auth.json"),
    ] {
        let t = TestEnv::new();
        let own = t.write(format!("home/.{provider}/{login}"), "{\"login\":1}");
        let env = prepare(&t, provider);
        let link = env.join(below).join(login);
        assert_eq!(fs::read_link(&link).unwrap(), own, "{provider}");
        let made = t.execenv([arg("show"), arg(&env), arg("-o"), arg("json")]).json();
        let exported = made["env"][variable].as_str().unwrap();
        let reuse = [arg("reuse"), arg("-q"), arg(&env), arg("--task"), arg("task.json")];
        t.execenv(reuse).var(variable, exported).ok();
        assert_eq!(fs::read_link(&link).unwrap(), own, "{provider}: the same environment");
        // A task that prepares another one.
        let more = ["prepare", "-q", "--task", "task.json", "--task-id", "two"];
        let other = t.execenv(more).var(variable, exported).ok();
        let link = Path::new(other.stdout.trim()).join(below).join(login);
        assert_eq!(fs::read_link(&link).unwrap(), own, "{provider}: another environment");
    }
}

#[test]
fn a_home_named_by_a_relative_path_is_linked_by_an_absolute_one() {
    let t = TestEnv::new();
    t.write("mine/config.json", "{}");
    t.write("task.json", document("copilot"));
    let run =
        t.execenv(["prepare", "-q", "--task", "task.json"]).cwd(&t.tmp).var("COPILOT_HOME", "mine").ok();
    let link = Path::new(run.stdout.trim()).join("copilot-home/config.json");
    assert_eq!(fs::read_to_string(link).unwrap(), "{}");
    t.write("home/.copilot/config.json", "[]");
    let run = t.execenv(["prepare", "-q", "--task", "../task.json"]).cwd(&t.home).var("HOME", ".").ok();
    let link = Path::new(run.stdout.trim()).join("copilot-home/config.json");
    assert_eq!(fs::read_to_string(link).unwrap(), "[]");
}

#[test]
fn a_run_without_a_file_that_isolates_the_agent_is_refused() {
    for (provider, file) in [
        ("claude", "launch/task.json"),
        ("claude", "claude-runtime-skill-settings.json"),
        ("opencode", "launch/env/OPENCODE_CONFIG_CONTENT"),
        ("gemini", ".gemini/settings.json"),
        ("copilot", "copilot-home/mcp-config.json"),
        ("codex", "codex-home/config.toml"),
        ("hermes", "hermes-home/config.yaml"),
        ("qwen", "qwen-settings.json"),
    ] {
        let t = TestEnv::new();
        let disabled = r#""disabled_runtime_skills":[{"root":"provider","key":"other"}],"skills":"#;
        t.write("task.json", document(provider).replace("\"skills\":", disabled));
        let env = t.prepare(["-q", "--task", "task.json", "--platform-cli", "none"]);
        let run = || t.execenv([arg("run"), arg("-q"), arg(&env), arg("--"), arg("true")]);
        run().ok();
        let place = env.join(file);
        fs::rename(&place, t.tmp.join("moved")).unwrap();
        run().fails(3, &["is gone", file, "execenv reuse"]);
        let keep = ["prepare", "-q", "--task", "task.json", "--platform-cli", "none", "--keep-existing"];
        t.execenv(keep).fails(3, &["is gone", file]);
        std::os::unix::fs::symlink(t.tmp.join("moved"), &place).unwrap();
        run().fails(3, &[file]);
        t.execenv([arg("reuse"), arg("-q"), arg(&env), arg("--task"), arg("task.json")]).ok();
        run().ok();
    }
}

#[test]
fn openclaw_is_asked_once_for_tasks_that_start_together() {
    let t = TestEnv::new();
    let config = t.write("home/.openclaw/openclaw.json", "{}");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> '{}'\ncase \"$*\" in *file) echo '{}';; *) echo null;; esac\n",
        t.tmp.join("calls").display(),
        config.display()
    );
    let program = t.write("bin/openclaw", script);
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let prepare = |id: &str| {
        let words = ["prepare", "-q", "--provider", "openclaw", "--task-id", id, "--openclaw-bin"];
        t.execenv(words.map(arg).into_iter().chain([arg(&program)])).ok()
    };
    prepare("one");
    let calls = || fs::read_to_string(t.tmp.join("calls")).unwrap();
    let first = calls();
    assert!(!first.is_empty());
    prepare("two");
    assert_eq!(calls(), first, "the second asks nothing");
    t.execenv(["gc", "-q"]).ok();
    t.execenv(["doctor"]).ok();
}

#[test]
fn a_conversation_of_the_users_is_gone_on_with_in_a_copy() {
    const ID: &str = "01a1fc08-9974-7000-8000-000000000001";
    let rollout = format!("2026/11/21/rollout-2026-11-21T00-00-00-{ID}.jsonl");
    for is_local in [false, true] {
        let t = TestEnv::new();
        let users = t.write(format!("home/.codex/sessions/{rollout}"), "the user's\n");
        t.write("project/file", "");
        let before = snapshot(&t.home);
        let task = json!({"id": "one", "provider": "codex", "issue_id": "i-1", "prior_session_id": ID,
            "agent": {"id": "agent-1", "name": "A"}});
        t.write("task.json", task.to_string());
        let local: &[&str] = if is_local { &["--local-dir", "project"] } else { &[] };
        let env = t.prepare(["-q", "--task", "task.json"].iter().chain(local).copied());
        let place = env.join("codex-home/sessions").join(&rollout);
        assert_eq!(fs::read_to_string(&place).unwrap(), "the user's\n", "local: {is_local}");
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(&place).unwrap()) & 0o777, 0o600);
        fs::write(&place, "the user's\nthe agent's\n").unwrap();
        crate::support::assert_same(&before, &snapshot(&t.home), "the user's home");
        // What was said stays when the task is taken up again.
        t.execenv([arg("reuse"), arg("-q"), arg(&env), arg("--task"), arg("task.json")]).ok();
        assert_eq!(fs::read_to_string(&place).unwrap(), "the user's\nthe agent's\n", "local: {is_local}");
        assert_eq!(fs::read_to_string(&users).unwrap(), "the user's\n");
    }
}

#[test]
fn the_operators_folder_for_temporary_files_is_used_or_the_start_fails() {
    let t = TestEnv::new();
    let env = t.prepare(["-q", "--provider", "claude"]);
    let base = t.tmp.join("temporary");
    fs::create_dir(&base).unwrap();
    let run = |value: &Path, script: &str| {
        t.execenv([arg("run"), arg("-q"), arg(&env), arg("--"), arg("sh"), arg("-c"), arg(script)])
            .var("MULTICA_AGENT_TEMP_BASE", value)
    };
    let seen = run(
        &base,
        "stat -c '%a %n' \"$TMPDIR\"; touch \"$TMPDIR/x\"; [ \"$TMP$TEMP\" = \"$TMPDIR$TMPDIR\" ]",
    )
    .ok();
    let expected = format!("700 {}/execenv-", base.display());
    assert!(seen.stdout.starts_with(&expected), "{seen}");
    assert_eq!(fs::read_dir(&base).unwrap().count(), 0, "it goes with the run");
    t.write("a-file", "");
    for (value, what) in [
        (PathBuf::from("temporary"), "absolute"),
        (base.join("gone"), "does not exist"),
        (t.tmp.join("a-file"), "not a folder"),
    ] {
        let failed = run(&value, "touch ran").run();
        assert!(failed.status != Some(0) && failed.stderr.contains("MULTICA_AGENT_TEMP_BASE"), "{failed}");
        assert!(failed.stderr.contains(what), "{failed}");
        assert!(!env.join("workdir/ran").exists());
    }
    // A run that dies leaves a folder that the next command takes away.
    run(&base, "kill -9 $PPID; sleep 1").run();
    t.execenv(["doctor", "--fix"]).run();
    assert_eq!(fs::read_dir(&base).unwrap().count(), 0, "a run that died");
}

#[test]
fn a_task_that_prepares_another_one_hands_on_none_of_its_servers() {
    let t = TestEnv::new();
    let env = prepare(&t, "opencode");
    let content = fs::read_to_string(env.join("launch/env/OPENCODE_CONFIG_CONTENT")).unwrap();
    t.write(
        "other.json",
        r#"{"id":"two","provider":"opencode","agent":{"mcp_config":{"mcpServers":{"o":{"command":"x"}}}}}"#,
    );
    let more = ["prepare", "-q", "--task", "other.json", "--mcp-mode", "merge"];
    let run = || t.execenv(more).var("OPENCODE_CONFIG_CONTENT", &content);
    let made = |done: crate::support::Done| {
        let file = Path::new(done.stdout.trim()).join("launch/env/OPENCODE_CONFIG_CONTENT");
        fs::read_to_string(file).unwrap()
    };
    assert!(made(run().ok()).contains(r#""s":{"#), "the user's own are merged");
    let nested = made(run().var("EXECENV_ROOT", &env).ok());
    assert!(nested.contains(r#""o":{"#) && !nested.contains(r#""s":{"#), "{nested}");
}

#[test]
fn a_login_that_the_agent_made_a_file_is_a_link_again_and_leaves_with_the_secrets() {
    let (t, env, session) = codex_world();
    let (login, user) = (env.join("codex-home/auth.json"), t.home.join(".codex/auth.json"));
    let before = fs::read_to_string(&user).unwrap();
    let replace = "rm \"$CODEX_HOME/auth.json\"; echo stolen > \"$CODEX_HOME/auth.json\"";
    let done = t.execenv(["run", KEY, "--", "sh", "-c", replace]).run().status(0);
    assert!(
        done.stderr.contains("the link is there again") && done.stderr.contains("log in again"),
        "{done}"
    );
    assert_eq!(fs::read_link(&login).unwrap(), user);
    assert_eq!(fs::read_to_string(&user).unwrap(), before, "the user's file is not written");
    // After a run that was killed before it could look.
    fs::remove_file(&login).unwrap();
    fs::write(&login, "stolen").unwrap();
    let done = t.execenv(["cleanup", KEY]).run().status(0);
    assert!(done.stderr.contains("which is not kept"), "{done}");
    assert!(!login.exists() && session.exists());
    assert_eq!(fs::read_to_string(&user).unwrap(), before);
}

#[test]
fn copilots_copy_of_the_login_goes_with_the_home() {
    let t = TestEnv::new();
    t.write("home/.copilot/config.json", "{\"tokens\":1}");
    t.write("t.json", document("copilot"));
    let env = t.prepare(["-q", "--task", "t.json"]);
    let copy = env.join("copilot-home/config.json");
    let replace = || {
        fs::remove_file(&copy).unwrap();
        fs::write(&copy, "{\"tokens\":2}").unwrap();
    };
    replace();
    t.write(env.join("copilot-home/session-state/s/events.jsonl"), "a long conversation");
    t.execenv(["reuse", "-q", env.to_str().unwrap(), "--task", "t.json"]).ok();
    assert_eq!(fs::read_link(&copy).unwrap(), t.home.join(".copilot/config.json"));
    replace();
    let done = t.execenv(["cleanup", env.to_str().unwrap()]).run().status(0);
    assert!(done.stderr.contains("which is not kept"), "{done}");
    assert!(!copy.exists() && env.join("copilot-home/session-state/s/events.jsonl").exists());
}
