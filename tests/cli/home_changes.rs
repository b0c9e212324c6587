//! Homes when something around them has changed: the provider, the caller's variables, what the agent took away.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{TestEnv, arg, snapshot};

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
}
