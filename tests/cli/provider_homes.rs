//! What the smaller providers get, from prepare to cleanup: the user's own folders stay bit for bit as they are, and
//! no secret shows.

use serde_json::Value;

use crate::support::{TestEnv, assert_same, snapshot};

type Names = &'static [&'static str];

/// Provider, the user's files, the variables that a managed set brings, the entries of the env root.
const ROWS: &[(&str, Names, Names, Names)] = &[
    (
        "claude",
        &[".claude/settings.json"],
        &["EXECENV_MCP_CONFIG"],
        &["claude-runtime-skill-settings.json", "mcp-config.json"],
    ),
    ("codebuddy", &[], &["EXECENV_MCP_CONFIG"], &["mcp-config.json"]),
    ("qoder", &[], &["EXECENV_MCP_CONFIG"], &["mcp-config.json"]),
    ("omp", &[], &[], &["workdir/.omp/mcp.json"]),
    (
        "copilot",
        &[".copilot/config.json", ".copilot/logs/l"],
        &["COPILOT_HOME"],
        &["copilot-home/config.json"],
    ),
    (
        "gemini",
        &[".gemini/settings.json", ".gemini/oauth_creds.json"],
        &["GEMINI_CLI_HOME", "GEMINI_CLI_TRUST_WORKSPACE"],
        &[".gemini/oauth_creds.json", ".gemini/settings.json"],
    ),
    (
        "hermes",
        &[".hermes/config.yaml", ".hermes/auth.json", ".hermes/state.db", ".hermes/memories/m.md"],
        &["HERMES_HOME", "HERMES_YOLO_MODE"],
        &["hermes-home/auth.json", "hermes-home/skills/one/SKILL.md", "hermes-home/memories"],
    ),
    (
        "opencode",
        &[".config/opencode/opencode.json"],
        &[],
        &["launch/env/OPENCODE_CONFIG_CONTENT", "opencode-values/0", "workdir/.opencode/.gitignore"],
    ),
    ("qwen", &[".qwen/settings.json"], &["QWEN_CODE_SYSTEM_SETTINGS_PATH"], &["qwen-settings.json"]),
    (
        "qwenpaw",
        &[],
        &["EXECENV_QWENPAW_WORKSPACE"],
        &["qwenpaw-workspace/skill.json", "qwenpaw-workspace/skills/one/SKILL.md"],
    ),
    ("reasonix", &[".reasonix/config.toml"], &["REASONIX_STATE_HOME"], &["workdir/reasonix.toml"]),
    (
        "dsh",
        &[],
        &["DSH_TELEMETRY_DISABLED", "MULTICA_DSH_SESSION_ROOT"],
        &["workdir/.dsh/skills/one/SKILL.md"],
    ),
];

fn document(provider: &str, more: &str) -> String {
    format!(
        r#"{{"id":"one","provider":"{provider}","issue_id":"i-1","agent":{{"id":"agent-1","name":"A",
        "disabled_runtime_skills":[{{"root":"provider","key":"other"}}]{more}}}}}"#
    )
}

const SKILLS: &str = r#","skills":[{"name":"one","content":"body\n"}]"#;
const SERVERS: &str = r#","mcp_config":{"mcpServers":{"s":{"command":"serve","env":{"KEY":"sesame"}}}}"#;

#[test]
fn the_users_folders_stay_as_they_are_and_no_secret_shows() {
    for (provider, files, variables, entries) in ROWS {
        let t = TestEnv::new();
        for file in *files {
            t.write(format!("home/{file}"), if file.ends_with("json") { "{\"mine\":1}" } else { "" });
        }
        let before = snapshot(&t.home);
        t.write("task.json", document(provider, &format!("{SKILLS}{SERVERS}")));
        let run = |words: &[&str]| t.execenv(words.iter().chain(&["-q", "-o", "json"]).copied()).json();
        let made: Value = run(&["prepare", "--task", "task.json", "--platform-cli", "none"]);
        let root = std::path::PathBuf::from(made["root_dir"].as_str().unwrap());
        let exported: Vec<&String> = made["env"].as_object().unwrap().keys().collect();
        assert_eq!(exported, *variables, "{provider}");
        for entry in *entries {
            assert!(std::fs::symlink_metadata(root.join(entry)).is_ok(), "{provider}: {entry}");
        }
        assert!(!made.to_string().contains("sesame"), "{provider}");
        let first = snapshot(&root);
        run(&["reuse", root.to_str().unwrap(), "--task", "task.json", "--platform-cli", "none"]);
        let skip = |of: &crate::support::Snapshot| {
            // Times and tokens; what the manifest says is tested with it.
            let changing = [".gc_meta.json", ".multica_sidecar_manifest.json", "logs"];
            let shown = |path: &std::path::Path| !changing.iter().any(|name| path.starts_with(name));
            of.iter().filter(|(path, _)| shown(path)).map(|(p, e)| (p.clone(), e.clone())).collect()
        };
        assert_same(&skip(&first), &skip(&snapshot(&root)), &format!("{provider}: reuse with the same task"));

        // Another task without skills and servers takes back what it does not need.
        t.write("task.json", document(provider, ""));
        let again = run(&["reuse", root.to_str().unwrap(), "--task", "task.json", "--platform-cli", "none"]);
        for home in [
            "copilot-home",
            ".gemini",
            "hermes-home",
            "opencode-values",
            "qwenpaw-workspace/skills",
            "mcp-config.json",
            "workdir/.omp/mcp.json",
        ] {
            assert!(!root.join(home).exists(), "{provider}: {home} is left");
        }
        assert!(again["env"].get("HERMES_HOME").is_none());
        // Without servers it has one thing to say: no memory.
        let qwen = std::fs::read_to_string(root.join("qwen-settings.json")).unwrap_or_default();
        assert_eq!(qwen.contains("enableManagedAutoMemory"), *provider == "qwen", "{qwen}");
        assert!(!qwen.contains("mcpServers"), "{qwen}");
        t.execenv(["cleanup", "--all", root.to_str().unwrap()]).ok();
        assert!(!root.exists());
        assert_same(&before, &snapshot(&t.home), &format!("{provider}: the user's home"));
    }
}

#[test]
fn servers_that_cannot_reach_the_agent_are_refused_and_nothing_is_made() {
    for provider in ["pi", "antigravity", "command"] {
        let t = TestEnv::new();
        t.write("task.json", document(provider, SERVERS));
        t.execenv(["prepare", "--task", "task.json"]).fails(2, &["MCP servers", provider]);
        t.assert_nothing_half_made(provider);
    }
}

#[test]
fn a_server_that_is_switched_off_hides_the_users_of_the_same_name() {
    let json = r#"{"mcpServers":{"dark":{"command":"users-own"},"bright":{"command":"bright"}}}"#;
    let toml = "[mcp_servers.dark]\ncommand = \"users-own\"\n[mcp_servers.bright]\ncommand = \"bright\"\n";
    let opencode = r#"{"mcp":{"dark":{"type":"local","command":["users-own"]}}}"#;
    for (provider, file, text) in [
        ("codex", ".codex/config.toml", toml),
        ("cursor", ".cursor/mcp.json", json),
        ("copilot", ".copilot/mcp-config.json", json),
        ("gemini", ".gemini/settings.json", json),
        ("qwen", "system.json", json),
        ("opencode", ".config/opencode/opencode.json", opencode),
    ] {
        let t = TestEnv::new();
        t.write(format!("home/{file}"), text);
        let servers = r#","mcp_config":{"mcpServers":{"dark":{"command":"serve","disabled":true}}}"#;
        t.write("t.json", document(provider, servers));
        let prepare = t.execenv(["prepare", "--task", "t.json", "--mcp-mode", "merge"]);
        let prepare = prepare.var("QWEN_CODE_SYSTEM_SETTINGS_PATH", t.home.join("system.json"));
        let env = std::path::PathBuf::from(prepare.run().status(0).stdout.trim_end());
        let texts: Vec<String> =
            snapshot(&env).keys().filter_map(|path| std::fs::read_to_string(env.join(path)).ok()).collect();
        assert!(!texts.iter().any(|text| text.contains("users-own")), "{provider}");
        let expected = if provider == "opencode" { r#""dark":{"enabled":false}"# } else { "bright" };
        assert!(texts.iter().any(|text| text.contains(expected)), "{provider}: {texts:?}");
    }
}

#[test]
fn a_server_that_is_switched_off_reaches_no_agent() {
    for provider in ["codex", "cursor", "copilot", "gemini", "opencode", "qwen"] {
        let t = TestEnv::new();
        let servers = r#","mcp_config":{"mcpServers":{"lit":{"command":"serve","disabled":false},
            "dark-one":{"command":"serve","disabled":true},"dark-two":{"command":"serve","enabled":false}}}"#;
        let task = t.write("t.json", document(provider, servers));
        // Some providers warn of skills that the document switches off.
        let prepared = t.execenv(["prepare", "--task", task.to_str().unwrap()]).run().status(0);
        let env = std::path::PathBuf::from(prepared.stdout.trim_end());
        let files = snapshot(&env);
        let with = |word: &str| -> Vec<_> {
            // What the task asked for is kept as it came, for the next run.
            let others = files.iter().filter(|(path, _)| !path.ends_with("launch/task.json"));
            let found = others.filter(|(path, _)| {
                std::fs::read_to_string(env.join(path)).is_ok_and(|text| text.contains(word))
            });
            found.map(|(path, _)| path.clone()).collect()
        };
        assert_eq!(with("dark-"), Vec::<std::path::PathBuf>::new(), "{provider}");
        assert!(!with("lit").is_empty(), "{provider}");
    }
}

#[test]
fn a_provider_with_a_store_needs_no_agent() {
    for (provider, variable) in [("reasonix", "REASONIX_STATE_HOME"), ("dsh", "MULTICA_DSH_SESSION_ROOT")] {
        let t = TestEnv::new();
        let prepare = |id: &str| {
            let made =
                t.execenv(["prepare", "-q", "-o", "json", "--provider", provider, "--task-id", id]).json();
            made["env"][variable].as_str().unwrap().to_owned()
        };
        let (one, other) = (prepare("one"), prepare("other"));
        assert!(std::path::Path::new(&one).is_dir(), "{one}");
        assert_ne!(one, other, "{provider}: tasks without an agent share nothing");
        assert_eq!(prepare("one"), one, "{provider}: the same task has the same state");
    }
}
