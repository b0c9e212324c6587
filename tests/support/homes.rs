//! Environments whose provider has a home: Cursor's has a folder, files with secrets, a variable and a sidecar; Codex'
//! is mostly links, beside what the agent keeps.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{TASK, TestEnv};

pub const SECRET: &str = "sesame-4711-secret";

pub fn document(provider: &str, servers: Value) -> String {
    json!({"id": TASK, "provider": provider, "agent": {"name": "A", "mcp_config": {"mcpServers": servers}}})
        .to_string()
}

/// A world with two tasks: the same environment with one server, and with another.
pub fn cursor_world() -> TestEnv {
    let t = TestEnv::new();
    t.make_project_a_repository();
    let server = |value: &str| json!({"one": {"command": "serve", "env": {"KEY": value}}});
    t.write("one.json", document("cursor", server(SECRET)));
    t.write("two.json", document("cursor", server("another")));
    t.write("other.json", json!({"id": TASK, "provider": "claude"}).to_string());
    t
}

pub fn prepare(t: &TestEnv, more: &[&str]) -> PathBuf {
    let all = ["-q", "--task", "one.json"].iter().chain(more).copied();
    t.prepare(all)
}

pub fn approvals(env: &Path) -> PathBuf {
    let projects = env.join("cursor-data/projects");
    let project = fs::read_dir(projects).unwrap().next().unwrap().unwrap().path();
    project.join("mcp-approvals.json")
}

pub fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

/// What an agent leaves in its home.
pub fn work(env: &Path) -> PathBuf {
    let session = env.join("cursor-data/chats/s1/store.db");
    fs::create_dir_all(session.parent().unwrap()).unwrap();
    fs::write(&session, "a long conversation").unwrap();
    fs::write(approvals(env).with_file_name("terminal.log"), "beside our files").unwrap();
    session
}

/// Codex stands for homes that are mostly links, beside what the agent keeps for ever.
pub fn codex_world() -> (TestEnv, PathBuf, PathBuf) {
    let t = TestEnv::new();
    t.write("home/.codex/config.toml", "model = \"one\"\n");
    t.write("home/.codex/auth.json", "{\"OPENAI_API_KEY\":\"sesame\"}");
    t.write("home/.codex/skills/mine/SKILL.md", "the user's own");
    t.write("home/.codex/instructions.md", "be brief");
    t.write(
        "task.json",
        json!({"id": TASK, "provider": "codex", "agent": {"custom_env": {"MY_KEY": "k"},
        "skills": [{"name": "Review", "description": "d", "content": "Look."}]}})
        .to_string(),
    );
    let env = t.prepare(["-q", "--task", "task.json"]);
    let session = t.write(env.join("codex-home/sessions/2026/rollout.jsonl"), "a long conversation");
    t.write(env.join("codex-home/history.jsonl"), "what was typed");
    (t, env, session)
}
