//! The MCP servers of a task: which forms are read, and what of them reaches each agent CLI.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{KEY, TASK, TestEnv};

/// Forms of one local server, as tools write them.
const LOCAL: &[&str] = &[
    r#"{"mcpServers":{"s":{"command":"serve","args":["one","two"],"env":{"K":"v"}}}}"#,
    r#"{"servers":{"s":{"type":"stdio","command":"serve","args":["one","two"],"env":{"K":"v"}}},"inputs":[]}"#,
    r#"{"mcp_servers":{"s":{"command":"serve","args":["one","two"],"env":{"K":"v"}}}}"#,
    r#"{"mcp":{"s":{"type":"local","command":["serve","one","two"],"environment":{"K":"v"}}}}"#,
    r#"{"context_servers":{"s":{"source":"custom","command":{"path":"serve","args":["one","two"],"env":{"K":"v"}}}}}"#,
    r#"{"s":{"command":"serve","args":"one two","env":{"K":"v"}}}"#,
    r#"{"mcpServers":{"s":{"command":["serve","one"],"args":["two"],"env":{"K":"v"},"headers":{},"description":"x"}}}"#,
];

/// Forms of one remote server.
const REMOTE: &[&str] = &[
    r#"{"mcpServers":{"s":{"type":"http","url":"https://u.test/mcp","headers":{"K":"v"}}}}"#,
    r#"{"mcpServers":{"s":{"httpUrl":"https://u.test/mcp","headers":{"K":"v"}}}}"#,
    r#"{"mcpServers":{"s":{"type":"streamable-http","serverUrl":"https://u.test/mcp","headers":{"K":"v"},"args":[]}}}"#,
    r#"{"mcp":{"s":{"type":"http","url":"https://u.test/mcp","headers":{"K":"v"},"enabled":true}}}"#,
];

/// The file in which each provider finds its servers, below the env root.
const PLACES: &[(&str, &str)] = &[
    ("claude", "mcp-config.json"),
    ("codebuddy", "mcp-config.json"),
    ("qoder", "mcp-config.json"),
    ("codex", "codex-home/config.toml"),
    ("copilot", "copilot-home/mcp-config.json"),
    ("cursor", "workdir/.cursor/mcp.json"),
    ("gemini", ".gemini/settings.json"),
    ("hermes", "hermes-home/config.yaml"),
    ("omp", "workdir/.omp/mcp.json"),
    ("opencode", "launch/env/OPENCODE_CONFIG_CONTENT"),
    ("qwen", "qwen-settings.json"),
];

/// The words of what prepare writes for a form, whatever their order, but for those that say what holds anyhow.
fn written(provider: &str, place: &str, form: &str) -> Vec<String> {
    let t = TestEnv::new();
    t.write("mcp.json", form);
    let prepare = ["prepare", "-q", "--provider", provider, "--mcp-config", "mcp.json", "--task-id", TASK];
    let done = t.execenv(prepare).run().status(0);
    let root = PathBuf::from(done.stdout.trim_end());
    let text =
        fs::read_to_string(root.join(place)).unwrap_or_else(|error| panic!("{place}: {error}: {done}"));
    assert_eq!(fs::metadata(root.join(place)).unwrap().permissions().mode() & 0o777, 0o600, "{provider}");
    let text = text.replace(t.tmp.to_str().unwrap(), "[T]").replace(' ', "").replace(":{", ":,");
    let words = text.split([',', '{', '}', '\n']).map(str::to_owned);
    let says_nothing = ["", "\"type\":\"stdio\"", "\"enabled\":true", "enabled=true"];
    let mut words: Vec<String> = words.filter(|word| !says_nothing.contains(&word.as_str())).collect();
    words.sort();
    words
}

#[test]
fn every_provider_reads_every_form_alike() {
    for (provider, place) in PLACES {
        for (forms, part) in [(LOCAL, "two"), (REMOTE, "https://u.test/mcp")] {
            let first = written(provider, place, forms[0]);
            // OpenCode reads values that may be secrets from files of their own.
            let is_there = *provider == "opencode" || first.iter().any(|word| word.contains(part));
            assert!(is_there, "{provider}: {first:?}");
            for form in &forms[1..] {
                assert_eq!(written(provider, place, form), first, "{provider}: {form}");
            }
        }
    }
}

#[test]
fn what_no_agent_could_use_names_file_server_and_key() {
    for provider in ["claude", "codex", "cursor", "gemini", "kimi", "pi", "command"] {
        let t = TestEnv::new();
        for (config, parts) in [
            (r#"{"mcpServers":{"s":{"command":"sk-x","url":"sk-x"}}}"#, &["`s`", "`url`"][..]),
            (r#"{"mcpServers":{"s":{"command":"sk-x","headers":{"A":"b"}}}}"#, &["`s`", "`headers`"]),
            (r#"{"mcpServers":{"s":{"command":"sk-x","zeta":1}}}"#, &["`s`", "`zeta`"]),
            (r#"{"mcpServers":{"s":{}}}"#, &["`s`", "`command`"]),
            (r#"{"servers":[]}"#, &["`servers`"]),
            (r#"{"other":{}}"#, &["`other`", "no `mcpServers`"]),
            (r#"{"inputs":[]}"#, &["`inputs`", "no `mcpServers`"]),
        ] {
            t.write("mcp.json", config);
            let done =
                t.execenv(["prepare", "--provider", provider, "--mcp-config", "mcp.json"]).fails(2, parts);
            assert!(done.stderr.contains("/mcp.json: ") && !done.stderr.contains("sk-x"), "{done}");
            t.write("t.json", format!(r#"{{"provider":"{provider}","agent":{{"mcp_config":{config}}}}}"#));
            let done = t.execenv(["prepare", "--task", "t.json"]).fails(2, parts);
            assert!(done.stderr.contains("t.json, field `agent.mcp_config`: "), "{done}");
            assert!(!done.stderr.contains("sk-x"), "{done}");
        }
        t.assert_nothing_half_made(provider);
    }
}

#[test]
fn codex_does_not_take_a_server_that_it_cannot_reach() {
    let t = TestEnv::new();
    t.write("mcp.json", r#"{"mcpServers":{"s":{"type":"sse","url":"https://u.test"}}}"#);
    t.execenv(["prepare", "--provider", "codex", "--mcp-config", "mcp.json"]).fails(2, &["`s`", "`sse`"]);
    t.write("mcp.json", r#"{"mcpServers":{"s":{"command":"x","includeTools":["a"]}}}"#);
    t.execenv(["prepare", "--provider", "codex", "--mcp-config", "mcp.json"])
        .fails(2, &["`s`", "`includeTools` is not understood by codex"]);
    t.execenv(["prepare", "-q", "--provider", "qwen", "--mcp-config", "mcp.json"]).run().status(0);
}

/// A program that prints its arguments.
fn echo(t: &TestEnv, name: &str) -> PathBuf {
    let path = t.write(format!("bin/{name}"), "#!/bin/sh\nfor a; do printf '%s\\n' \"$a\"; done\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_cli_that_takes_a_file_gets_it_by_variable_and_by_flag() {
    for (provider, program) in [("claude", "claude"), ("codebuddy", "codebuddy"), ("qoder", "qodercli")] {
        let t = TestEnv::new();
        let own = echo(&t, program);
        let other = echo(&t, "other");
        t.write(
            "mcp.json",
            r#"{"mcpServers":{"s":{"command":"serve"},"off":{"command":"x","disabled":true}}}"#,
        );
        let prepare = [
            "prepare",
            "--provider",
            provider,
            "--mcp-config",
            "mcp.json",
            "--task-id",
            TASK,
            "-q",
            "-o",
            "json",
        ];
        let answer: Value = t.execenv(prepare).json();
        let file = answer["env"]["EXECENV_MCP_CONFIG"].as_str().unwrap().to_owned();
        assert_eq!(fs::read_to_string(&file).unwrap(), r#"{"mcpServers":{"s":{"command":"serve"}}}"#);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let printed = |program: &Path, args: &[&str]| {
            let words = ["run", KEY, "-q", "--", program.to_str().unwrap()];
            t.execenv(words.into_iter().chain(args.iter().copied())).run().status(0).stdout
        };
        let shown = format!("-p\nhi\n--mcp-config\n{file}\n--strict-mcp-config\n");
        assert_eq!(printed(&own, &["-p", "hi"]), shown, "{provider}");
        assert_eq!(printed(&own, &["mcp", "list"]), "mcp\nlist\n", "{provider}");
        assert_eq!(printed(&other, &["-p", "hi"]), "-p\nhi\n", "{provider}");
        // Without managed servers the user's own set-up stays.
        t.execenv(["reuse", KEY, "-q", "--provider", provider]).run().status(0);
        assert!(!Path::new(&file).exists());
        assert_eq!(printed(&own, &["-p", "hi"]), "-p\nhi\n", "{provider}");
    }
}

#[test]
fn hermes_does_not_get_the_users_servers() {
    let t = TestEnv::new();
    t.write("home/.hermes/config.yaml", "# mine\nmodel: m\nmcp_servers:\n  mine: {command: users-own}\n");
    t.write("mcp.json", r#"{"mcpServers":{"s":{"command":"serve"}}}"#);
    for (mode, theirs) in [("strict", false), ("merge", true)] {
        let words = ["prepare", "--provider", "hermes", "--mcp-config", "mcp.json", "--mcp-mode", mode];
        let root = PathBuf::from(t.execenv(words).run().status(0).stdout.trim_end());
        let text = fs::read_to_string(root.join("hermes-home/config.yaml")).unwrap();
        assert!(text.starts_with("# mine\n") || text.contains("# mine\n"), "{text}");
        assert!(text.contains("serve") && text.contains("users-own") == theirs, "{mode}: {text}");
    }
}
