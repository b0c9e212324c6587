//! A task that asks for everything at once, for each provider, on a home with the files of every agent CLI: the home
//! stays bit for bit as it is, a folder of the user's comes back so, and a secret lies in private files only.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Snapshot, TestEnv, assert_same, snapshot};

/// Every provider of the table.
pub fn providers() -> impl Iterator<Item = &'static str> {
    execenv::internals::all_providers().map(|row| row.name).filter(|name| *name != "command")
}

/// They have no way to be given servers, and refuse them.
const WITHOUT_SERVERS: [&str; 2] = ["pi", "antigravity"];

/// What each CLI of today keeps in a home: file, mode, text.
const HOME: &[(&str, u32, &str)] = &[
    (".agents/skills/shared/SKILL.md", 0o644, "---\nname: shared\ndescription: d\n---\nx\n"),
    (".claude.json", 0o600, r#"{"mcpServers":{"mine":{"command":"true"}}}"#),
    (".claude/.credentials.json", 0o600, r#"{"claudeAiOauth":{"accessToken":"a"}}"#),
    (".claude/settings.json", 0o644, r#"{"permissions":{"allow":["Bash(ls)"]},"model":"opus"}"#),
    (".claude/skills/own/SKILL.md", 0o644, "---\nname: own\ndescription: d\n---\nx\n"),
    (".claude/CLAUDE.md", 0o644, "# Mine\n"),
    (
        ".codex/config.toml",
        0o600,
        "model = \"o3\" # mine\n[mcp_servers.mine]\ncommand = \"true\"\n[tui]\nx = 1\n",
    ),
    (".codex/work.config.toml", 0o640, "model = \"o4\"\n"),
    (".codex/auth.json", 0o600, r#"{"OPENAI_API_KEY":"a"}"#),
    (".codex/skills/own/SKILL.md", 0o644, "---\nname: own\ndescription: d\n---\nx\n"),
    (".codex/skills/own/run.sh", 0o755, "#!/bin/sh\n"),
    (".codex/sessions/2026/11/20/rollout-2026-11-20T10-00-00-1b9d.jsonl", 0o644, "{}\n"),
    (".codex/plugins/cache/p/plugin.json", 0o644, "{}"),
    (".codex/history.jsonl", 0o600, "{}\n"),
    (
        ".config/opencode/opencode.jsonc",
        0o644,
        "{ // mine\n \"mcp\": {\"mine\":{\"type\":\"local\",\"command\":[\"true\"]}}, }\n",
    ),
    (".local/share/opencode/auth.json", 0o600, r#"{"x":{"type":"api","key":"a"}}"#),
    (".gemini/settings.json", 0o644, "{ // mine\n \"mcpServers\": {\"mine\":{\"command\":\"true\"}} }\n"),
    (".gemini/oauth_creds.json", 0o600, "{}"),
    (".gemini/google_accounts.json", 0o600, "{}"),
    (".gemini/GEMINI.md", 0o644, "# Mine\n"),
    (".copilot/config.json", 0o600, r#"{"trusted_folders":["/x"]}"#),
    (
        ".copilot/mcp-config.json",
        0o600,
        r#"{"mcpServers":{"mine":{"type":"local","command":"true","tools":["*"]}}}"#,
    ),
    (".copilot/session-state/s/events.jsonl", 0o644, "{}\n"),
    (".qwen/settings.json", 0o644, r#"{"mcpServers":{"mine":{"command":"true"}}}"#),
    (".qwen/oauth_creds.json", 0o600, "{}"),
    (".pi/agent/models.json", 0o644, r#"{"providers":{}}"#),
    (".pi/agent/auth.json", 0o600, "{}"),
    (".hermes/config.yaml", 0o644, "# mine\nmodel: {default: m}\nmcp_servers:\n  mine: {command: 'true'}\n"),
    (".hermes/.env", 0o600, "OPENROUTER_API_KEY=a\n"),
    (".hermes/auth.json", 0o600, "{}"),
    (".hermes/memories/MEMORY.md", 0o644, "remember\n"),
    (".hermes/skills/own/SKILL.md", 0o644, "---\nname: own\ndescription: d\n---\nx\n"),
    (".hermes/state.db", 0o644, ""),
    (
        ".openclaw/openclaw.json",
        0o600,
        r#"{"mcp":{"servers":{"mine":{"command":"true"}}},"agents":{"list":[{"id":"main","workspace":"~/w"}]}}"#,
    ),
    (".openclaw/credentials/x.json", 0o600, "{}"),
    (".cursor/mcp.json", 0o644, r#"{"mcpServers":{"mine":{"command":"true"}}}"#),
    (".cursor/cli-config.json", 0o600, r#"{"permissions":{"allow":[],"deny":[]},"version":1}"#),
    (".config/cursor/auth.json", 0o600, "{}"),
    (".reasonix/config.toml", 0o600, "model = \"m\"\n"),
];

/// Each is one of the task's secrets.
const SECRETS: [&str; 4] = ["sesame-server", "sesame-header", "sesame-variable", "sesame-gateway"];

fn document(provider: &str) -> Value {
    let servers = json!({"mcpServers": {
        "near": {"command": "serve", "args": ["--fast"], "env": {"KEY": SECRETS[0]}},
        "far": {"type": "http", "url": "https://mcp.example.test/mcp", "headers": {"Authorization": SECRETS[1]}},
    }});
    let gateway =
        json!({"mode": "gateway", "gateway": {"host": "127.0.0.1", "port": 9, "token": SECRETS[3]}});
    json!({
        "id": "everything", "provider": provider, "issue_id": "issue-1", "workspace_context": "we build things",
        "agent": {
            "id": "agent-1", "name": "Ada", "instructions": "be brief", "model": "some-model",
            "skills": [{
                "name": "Release Notes", "description": "how to write them", "content": "# Notes\n",
                "files": [
                    {"path": "scripts/collect.sh", "content": "#!/bin/sh\n"},
                    {"path": "a/b/c.md", "content": "deep\n"},
                ],
            }],
            "mcp_config": if WITHOUT_SERVERS.contains(&provider) { Value::Null } else { servers },
            "custom_env": {"CUSTOM": SECRETS[2]},
            "custom_args": ["--verbose"],
            "disabled_runtime_skills": [
                {"root": "provider", "key": "own"}, {"root": "universal", "key": "shared"},
            ],
            "runtime_config": gateway,
        },
    })
}

/// A home with everything, a project, and a program that answers as OpenClaw does for that home.
fn scene() -> (TestEnv, std::path::PathBuf) {
    let t = TestEnv::new();
    for (file, mode, text) in HOME {
        let path = t.write(format!("home/{file}"), text);
        fs::set_permissions(path, fs::Permissions::from_mode(*mode)).unwrap();
    }
    for brief in ["AGENTS.md", "CLAUDE.md", "GEMINI.md", "QWEN.md"] {
        t.write(format!("project/{brief}"), "# The project's\n");
    }
    t.make_project_a_repository();
    t.write("project/.mcp.json", r#"{"mcpServers":{"project":{"command":"true"}}}"#);
    t.write("project/opencode.json", r#"{"mcp":{"project":{"type":"local","command":["true"]}}}"#);
    t.write("project/.gemini/settings.json", r#"{"mcpServers":{"project":{"command":"true"}}}"#);
    t.write("project/.claude/skills/theirs/SKILL.md", "---\nname: theirs\n---\nx\n");
    let claw = t.write(
        "openclaw",
        "#!/bin/sh\ncase \"$*\" in\n\
         'config file') echo \"$HOME/.openclaw/openclaw.json\" ;;\n\
         'config get --json') cat \"$HOME/.openclaw/openclaw.json\" ;;\n\
         'config get agents.list --json') echo '[{\"id\":\"main\",\"workspace\":\"~/w\"}]' ;;\n\
         *) echo \"unexpected: $*\" >&2; exit 1 ;;\nesac\n",
    );
    fs::set_permissions(&claw, fs::Permissions::from_mode(0o755)).unwrap();
    (t, claw)
}

/// No secret where others could read it, nor in a record of what was done.
fn assert_secrets_are_private(folder: &Path, when: &str) {
    for (path, text) in snapshot(folder) {
        let Some(secret) = SECRETS.iter().find(|secret| text.contains(**secret)) else { continue };
        assert!(text.starts_with("0600 "), "{when}: {secret} in {}: {}", path.display(), &text[..5]);
        let name = path.to_string_lossy();
        let is_record = [".gc_meta.json", ".multica_sidecar_manifest.json", "logs/"];
        assert!(!is_record.iter().any(|record| name.starts_with(record)), "{when}: {secret} in {name}");
    }
}

fn cycle(t: &TestEnv, claw: &Path, provider: &str, place: &[&str], mode: &str) {
    let when = format!("{provider} {place:?} {mode}");
    let mode: &[&str] = &["--mcp-mode", mode];
    t.write("task.json", document(provider).to_string());
    let run = |words: &[&str]| {
        let run = t.execenv(words.iter().copied().chain(["-o", "json"])).var("MULTICA_OPENCLAW_PATH", claw);
        let done = run.run().status(0);
        for secret in SECRETS {
            assert!(
                !done.stdout.contains(secret) && !done.stderr.contains(secret),
                "{when}: {secret}\n{done}"
            );
        }
        done
    };
    let is_changing = |path: &Path| {
        // Times and tokens, and the first form of a file that is edited in place.
        [".gc_meta.json", ".multica_sidecar_manifest.json", "logs", "backup"]
            .iter()
            .any(|name| path.starts_with(name))
    };
    let lasting = |folder: &Path| -> Snapshot {
        snapshot(folder).into_iter().filter(|(path, _)| !is_changing(path)).collect()
    };
    let (home, project) = (snapshot(&t.home), snapshot(&t.project));

    let prepare = [&["prepare", "--task", "task.json"], mode, place].concat();
    let made: Value = serde_json::from_str(&run(&prepare).stdout).unwrap();
    let root = std::path::PathBuf::from(made["root_dir"].as_str().unwrap());
    let work_dir = std::path::PathBuf::from(made["work_dir"].as_str().unwrap());
    assert_same(&home, &snapshot(&t.home), &format!("{when}: the home after prepare"));
    assert_secrets_are_private(&root, &when);
    assert_secrets_are_private(&work_dir, &when);
    let has_skill = [&root, &work_dir]
        .iter()
        .flat_map(|folder| snapshot(folder))
        .any(|(path, _)| path.ends_with("release-notes/scripts/collect.sh"));
    assert!(has_skill, "{when}: no skill with its file");

    let before = (lasting(&root), snapshot(&work_dir));
    let shown = root.to_str().unwrap();
    run(&[&["reuse", shown, "--task", "task.json"], mode].concat());
    assert_same(&before.0, &lasting(&root), &format!("{when}: the env root after reuse"));
    assert_same(&before.1, &snapshot(&work_dir), &format!("{when}: the work dir after reuse"));
    assert_same(&home, &snapshot(&t.home), &format!("{when}: the home after reuse"));

    run(&["cleanup", "--all", shown]);
    assert!(!root.exists(), "{when}: {shown} is left");
    assert_same(&home, &snapshot(&t.home), &format!("{when}: the home after cleanup"));
    assert_same(&project, &snapshot(&t.project), &format!("{when}: the project after cleanup"));
}

#[test]
fn everything_at_once_leaves_the_users_home_and_folder_as_they_were() {
    for provider in providers() {
        let (t, claw) = scene();
        cycle(&t, &claw, provider, &[], "strict");
        cycle(&t, &claw, provider, &["--local-dir", "project"], "strict");
    }
}

#[test]
fn everything_at_once_with_the_users_own_servers_too() {
    // The others have no own servers that could be read.
    for provider in
        ["claude", "codex", "opencode", "gemini", "copilot", "qwen", "hermes", "openclaw", "cursor"]
    {
        let (t, claw) = scene();
        cycle(&t, &claw, provider, &["--local-dir", "project"], "merge");
    }
}
