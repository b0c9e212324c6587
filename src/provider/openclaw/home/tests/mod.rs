//! Plans made with a scripted CLI in OpenClaw's place: a shell script that answers from files and counts its calls.
#![expect(clippy::disallowed_methods, reason = "tests make their own fixtures")]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::provider::fixture::{World, home, private_json};

mod calls;

/// A world with an OpenClaw that answers `args` with what `answer` was told: the dispatcher's file is the arguments,
/// joined by `_`.
struct Claw {
    world: World,
    config: PathBuf,
}

const VERSION: &[&str] = &["--version"];
const FILE: &[&str] = &["config", "file"];
const LIST: &[&str] = &["config", "get", "agents.list", "--json"];
const ENTRIES: &[&str] = &["config", "get", "agents.entries", "--json"];
const REGISTRY: &[&str] = &["agents", "list", "--json"];
const WHOLE: &[&str] = &["config", "get", "--json"];
const UNKNOWN: &str = r#"echo '{"ok":false,"error":{"type":"cli_error","message":"Unknown config path: agents.list. Run openclaw config schema"}}'; exit 1"#;

impl Claw {
    /// A user with a configuration without agents, and the older schema.
    fn new() -> Claw {
        let mut world = World::new();
        let program = world.write(
            "bin/openclaw",
            "#!/bin/sh\nd=$(dirname \"$0\")/../answers\necho \"$*\" >> \"$d/../calls\"\n\
             f=\"$d/$(echo \"$*\" | tr ' ' '_')\"\n[ -e \"$f\" ] || { echo \"unscripted: $*\" >&2; exit 9; }\n. \"$f\"\n",
        );
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        world.options.openclaw = Some(program);
        let config = world.write("home/.openclaw/openclaw.json", "{ // JSON5\n agents: {} }");
        let claw = Claw { world, config };
        claw.prints(VERSION, "OpenClaw 2026.6.11 (1a2b3c4)");
        claw.prints(FILE, &format!("{}\n", claw.config.display()));
        claw.prints(LIST, "null");
        claw
    }

    /// The same with a list of two agents. The CLI has filled in a variable of one and redacted the other's secret.
    fn listed() -> Claw {
        let claw = Claw::new();
        claw.world.write(
            "home/.openclaw/openclaw.json",
            r#"{"agents":{"defaults":{"x":1},"list":[{"id":"main","workspace":"~/mine","temperature":0.10,"key":"${K}"},
                {"id":"b","model":"m"},"junk"]},"t":"${T}"}"#,
        );
        claw.prints(
            LIST,
            r#"[{"id":"main","workspace":"/home/u/mine","temperature":0.1,"key":"__OPENCLAW_REDACTED__"},{"id":"b","model":"m"},"junk"]"#,
        );
        claw
    }

    /// The same with the schema of 2026.9.
    fn keyed(config: &str) -> Claw {
        let claw = Claw::new();
        claw.world.write("home/.openclaw/openclaw.json", config);
        claw.answers(LIST, UNKNOWN);
        claw.prints(ENTRIES, r#"{"main":{"workspace":"/u"},"helper":{"key":"__OPENCLAW_REDACTED__"}}"#);
        claw
    }

    fn answers(&self, args: &[&str], script: &str) {
        self.world.write(format!("answers/{}", args.join("_")), script);
    }

    fn prints(&self, args: &[&str], text: &str) {
        self.answers(args, &format!("cat <<'END_OF_ANSWER'\n{text}\nEND_OF_ANSWER\n"));
    }

    fn plan(&self) -> Result<HomePlan> {
        plan(&self.world.request())
    }

    fn wrapper(&self) -> Value {
        private_json(home(&self.plan().unwrap(), CONFIG))
    }

    fn snapshot(&self) -> Value {
        private_json(home(&self.plan().unwrap(), SNAPSHOT))
    }

    fn error(&self) -> String {
        format!("{:#}", self.plan().unwrap_err())
    }

    fn work_dir(&self) -> &str {
        self.world.work_dir.to_str().unwrap()
    }

    /// The calls so far, without the question for the version that stands before the first.
    fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.world.tmp.join("calls")).unwrap_or_default();
        let mut calls = calls.lines().map(str::to_owned).peekable();
        calls.next_if_eq("--version");
        calls.collect()
    }
}

#[test]
fn the_users_configuration_is_included_live() {
    let claw = Claw::new();
    let plan = claw.plan().unwrap();
    let wrapper = private_json(home(&plan, CONFIG));
    let expected = json!({"$include": [claw.config], "agents": {"defaults": {"workspace": claw.work_dir()}}});
    assert_eq!(wrapper, expected);
    assert_eq!(*home(&plan, SNAPSHOT), HomeContent::Nothing);
    let exports = [
        (CONFIG_VARIABLE.to_owned(), claw.world.env_root.join(CONFIG).display().to_string()),
        (ROOTS_VARIABLE.to_owned(), claw.world.home.join(".openclaw").display().to_string()),
    ];
    assert_eq!(plan.exports, exports.into());
    assert!(plan.warnings.is_empty() && plan.private_exports.is_empty());
    assert_eq!(claw.calls(), ["config file", "config get agents.list --json"]);
}

#[test]
fn every_agent_of_a_list_gets_the_work_dir_once() {
    let claw = Claw::listed();
    let plan = claw.plan().unwrap();
    let wrapper = private_json(home(&plan, CONFIG));
    assert_eq!(wrapper["agents"]["defaults"]["workspace"], claw.work_dir());
    let list = format!(
        r#"[{{"id":"main","key":"${{K}}","temperature":0.10,"workspace":"{0}"}},{{"id":"b","model":"m","workspace":"{0}"}}]"#,
        claw.work_dir()
    );
    assert_eq!(wrapper["agents"]["list"].to_string(), list);
    assert_eq!(wrapper["$include"], json!([claw.world.env_root.join(SNAPSHOT)]));
    let snapshot = private_json(home(&plan, SNAPSHOT));
    assert_eq!(snapshot, json!({"agents": {"defaults": {"x": 1}}, "t": "${T}"}));
    assert!(!plan.exports.contains_key(ROOTS_VARIABLE));
    claw.world.write("home/.openclaw/openclaw.json", "{ broken ");
    assert!(claw.error().contains("agents.list"));
}

#[test]
fn a_fresh_install_gets_a_wrapper_of_its_own_and_a_warning() {
    for servers in [None, Some(r#"{"f":{"command":"uvx","args":["x"]}}"#)] {
        let mut claw = Claw::new();
        std::fs::remove_file(&claw.config).unwrap();
        if let Some(servers) = servers {
            claw.world.manage(servers);
        }
        let plan = claw.plan().unwrap();
        let mut expected = json!({"agents": {"defaults": {"workspace": claw.work_dir()}}});
        if let Some(servers) = servers {
            expected["mcp"] = json!({"servers": serde_json::from_str::<Value>(servers).unwrap()});
        }
        assert_eq!(private_json(home(&plan, CONFIG)), expected);
        assert!(!plan.exports.contains_key(ROOTS_VARIABLE));
        assert_eq!(plan.warnings.len(), 1);
        assert_eq!(claw.calls(), ["config file"]);
    }
}

#[test]
fn a_path_may_be_short_and_stand_below_decorations() {
    let claw = Claw::new();
    claw.prints(FILE, "◇ Doctor warnings ─────\n│ something /x\n\n~/.openclaw/openclaw.json\n");
    assert_eq!(claw.wrapper()["$include"], json!([claw.config]));
}

#[test]
fn what_the_cli_does_not_answer_clearly_is_an_error_that_names_the_step() {
    let locate = "locate openclaw active config";
    let agents = "agents.list";
    let whole = "resolved config";
    let claw = Claw::new();
    let folder = claw.world.home.display().to_string();
    for (managed, args, script, named) in [
        (false, FILE, "echo 'EACCES: no way' >&2; exit 1", &[locate, "EACCES: no way"][..]),
        (false, FILE, "exit 3", &[locate, "printed nothing"]),
        (false, FILE, "true", &[locate, "printed nothing"]),
        (false, FILE, "echo openclaw.json", &[locate, "not an absolute path"]),
        (false, FILE, &format!("echo {folder}"), &[locate, "is not a file"]),
        (false, FILE, "echo '$OPENCLAW_HOME/x'", &[locate, "OPENCLAW_HOME"]),
        (false, LIST, "echo garbage", &[agents]),
        (false, LIST, "echo '{\"a\":1}'", &[agents]),
        (false, LIST, "echo boom >&2; exit 1", &[agents, "boom"]),
        (
            false,
            LIST,
            "echo '{\"error\":\"OPENAI_API_KEY is not set\"}'; exit 1",
            &[agents, "OPENAI_API_KEY"],
        ),
        (true, WHOLE, "echo boom >&2; exit 1", &[whole, "boom"]),
        (true, WHOLE, "echo '[]'", &[whole]),
        (true, WHOLE, "echo '{'", &[whole]),
    ] {
        let mut claw = Claw::new();
        if managed {
            claw.world.manage("{}");
        }
        claw.answers(args, script);
        let error = claw.error();
        assert!(named.iter().all(|words| error.contains(words)), "{script}: {error}");
    }
}

#[test]
fn the_registry_is_asked_where_there_is_no_list_and_never_written() {
    for (list, registry) in [
        ("echo 'No value at agents.list' >&2; exit 1", "echo '[{\"id\":\"main\",\"agentDir\":\"/x\"}]'"),
        ("echo '{\"error\":\"Config path not found: agents.list\"}'; exit 1", "echo '[]'"),
        ("echo 'agents.list is NOT SET' >&2; exit 1", "true"),
        (
            "echo 'missing key agents.list' >&2; exit 1",
            "echo \"error: unknown command 'agents'\" >&2; exit 1",
        ),
        ("echo 'No value at agents.list' >&2; exit 1", "echo \"error: unknown option '--json'\" >&2; exit 1"),
    ] {
        let claw = Claw::new();
        claw.answers(LIST, list);
        claw.answers(REGISTRY, registry);
        assert_eq!(claw.wrapper()["agents"], json!({"defaults": {"workspace": claw.work_dir()}}), "{list}");
        assert_eq!(claw.calls()[2], "agents list --json");
        claw.answers(REGISTRY, "echo garbage");
        assert!(claw.error().contains("agents.list"));
    }
    let claw = Claw::new();
    claw.prints(LIST, "null");
    assert_eq!(claw.wrapper()["agents"], json!({"defaults": {"workspace": claw.work_dir()}}));
}

#[test]
fn managed_servers_are_the_only_ones() {
    let mut claw = Claw::listed();
    claw.world.manage(r#"{"same":{"command":"task"},"far":{"url":"https://x.test","transport":"sse"}}"#);
    claw.prints(
        WHOLE,
        r#"{"gateway":{"auth":{"token":"gw"}},"models":{"n":1.50},"agents":{"list":[{"id":"main","workspace":"~/mine"}]},
            "mcp":{"servers":{"same":{"command":"user","env":{"T":"s"}},"global":{"command":"g"}}}}"#,
    );
    let plan = claw.plan().unwrap();
    let wrapper = private_json(home(&plan, CONFIG));
    let snapshot = private_json(home(&plan, SNAPSHOT));
    assert_eq!(
        wrapper["mcp"]["servers"],
        json!({"same": {"command": "task"}, "far": {"url": "https://x.test", "transport": "sse"}})
    );
    assert_eq!(wrapper["$include"], json!([claw.world.env_root.join(SNAPSHOT)]));
    assert_eq!(
        snapshot.to_string(),
        r#"{"agents":{},"gateway":{"auth":{"token":"gw"}},"models":{"n":1.50}}"#
    );
    assert_eq!(wrapper["agents"]["list"][0]["workspace"], claw.work_dir());
    assert!(!plan.exports.contains_key(ROOTS_VARIABLE));
    assert_eq!(claw.calls().len(), 3);

    claw.world.options.mcp_mode = McpMode::Merge;
    let merged = claw.wrapper()["mcp"]["servers"].clone();
    assert_eq!((&merged["same"], &merged["global"]), (&json!({"command": "task"}), &json!({"command": "g"})));
}

#[test]
fn other_mcp_settings_stay_and_no_server_is_none() {
    let mut claw = Claw::new();
    claw.world.manage("{}");
    claw.prints(WHOLE, r#"{"mcp":{"sessionIdleTtlMs":300000,"servers":{"a":{"command":"a"}}}}"#);
    assert_eq!(claw.snapshot().to_string(), r#"{"mcp":{"sessionIdleTtlMs":300000}}"#);
    assert_eq!(claw.wrapper()["mcp"].to_string(), r#"{"servers":{}}"#);
    for nothing in ["", "null"] {
        claw.prints(WHOLE, nothing);
        assert_eq!(claw.wrapper().get("$include"), None);
        assert_eq!(*home(&claw.plan().unwrap(), SNAPSHOT), HomeContent::Nothing);
    }
}

#[test]
fn a_server_that_is_none_is_refused_before_any_call() {
    for servers in
        [r#"{"s":{"args":[]}}"#, r#"{"s":"x"}"#, r#"{"s":{"command":" "}}"#, r#"{"":{"command":"x"}}"#]
    {
        // The reader of every provider's servers refuses it, before a provider is asked for a plan.
        let servers: Value = serde_json::from_str(servers).unwrap();
        assert!(Mcp::parse(Some(&json!({ "mcpServers": servers }))).is_err(), "{servers}");
    }
}

#[test]
fn a_remote_server_has_a_transport() {
    let mut claw = Claw::new();
    claw.prints(WHOLE, "{}");
    claw.world.manage(
        r#"{"a":{"type":"http","url":"u"},"b":{"type":"sse","url":"v"},"c":{"type":"stdio","command":"x"}}"#,
    );
    assert_eq!(
        claw.wrapper()["mcp"]["servers"],
        json!({"a": {"url": "u", "transport": "streamable-http"}, "b": {"url": "v", "transport": "sse"}, "c": {"command": "x"}})
    );
}

#[test]
fn the_newer_schema_is_pinned_by_entries() {
    let claw = Claw::keyed("{ agents: { entries: { main: {}, helper: { key: 'k' } } } }");
    let wrapper = claw.wrapper();
    let pin = json!({"workspace": claw.work_dir()});
    assert_eq!(wrapper["agents"], json!({"defaults": pin, "entries": {"main": pin, "helper": pin}}));
    assert_eq!(wrapper["$include"], json!([claw.config]));
    // `agents list` would write to the user's state folder.
    assert_eq!(claw.calls().len(), 3);
}

#[test]
fn a_version_of_the_newer_schema_is_asked_for_entries_only() {
    let claw = Claw::keyed("{ agents: { entries: { main: {} } } }");
    claw.prints(VERSION, "OpenClaw 2026.9.6");
    let pin = json!({"workspace": claw.work_dir()});
    assert_eq!(claw.wrapper()["agents"]["entries"]["main"], pin);
    assert_eq!(claw.calls(), ["config file", "config get agents.entries --json"]);
}

#[test]
fn the_users_own_skills_are_found_beside_the_users_configuration() {
    let mut claw = Claw::new();
    assert!(claw.wrapper().get("skills").is_none());
    claw.world.write("home/.openclaw/skills/mine/SKILL.md", "mine");
    let skills = claw.world.home.join(".openclaw/skills");
    assert_eq!(claw.wrapper()["skills"], json!({"load": {"extraDirs": [skills]}}));
    // With a folder of state, OpenClaw looks there by itself.
    claw.world.set_variable("OPENCLAW_STATE_DIR", claw.world.home.join(".openclaw"));
    assert!(claw.wrapper().get("skills").is_none());
}

#[test]
fn the_newer_schema_with_an_older_list_keeps_it_a_list() {
    let claw =
        Claw::keyed("{ agents: { list: [ { id: 'main', default: true, workspace: '~/x' } ] }, t: '${T}' }");
    let expected = json!({"defaults": {"workspace": claw.work_dir()},
        "list": [{"id": "main", "default": true, "workspace": claw.work_dir()}]});
    assert_eq!(claw.wrapper()["agents"], expected);
    assert_eq!(claw.snapshot(), json!({"agents": {}, "t": "${T}"}));
    assert!(!claw.plan().unwrap().exports.contains_key(ROOTS_VARIABLE));
}

#[test]
fn the_newer_schema_takes_managed_servers_from_the_files() {
    let mut claw = Claw::keyed(
        "{ $include: './more.json', agents: { entries: { main: { workspace: '/u' } } }, key: '${K}' }",
    );
    claw.world.write("home/.openclaw/more.json", r#"{"mcp":{"ttl":1,"servers":{"user":{"command":"u"}}}}"#);
    claw.world.manage(r#"{"task":{"command":"t"}}"#);
    let pin = json!({"workspace": claw.work_dir()});
    assert_eq!(
        claw.snapshot(),
        json!({"agents": {"entries": {"main": {"workspace": "/u"}}}, "key": "${K}", "mcp": {"ttl": 1}})
    );
    assert_eq!(claw.wrapper()["agents"]["entries"]["main"], pin);
    assert_eq!(claw.wrapper()["mcp"]["servers"], json!({"task": {"command": "t"}}));
    claw.world.options.mcp_mode = McpMode::Merge;
    assert_eq!(claw.wrapper()["mcp"]["servers"]["user"], json!({"command": "u"}));
    claw.world.write("home/.openclaw/more.json", "{ mcp: 'sk-secret' oops }");
    let error = claw.error();
    assert!(error.contains("resolved config") && !error.contains("sk-secret"), "{error}");
}

#[test]
fn a_middle_version_is_read_from_the_files_where_it_redacts_or_wants_a_path() {
    for script in [
        "echo '{\"k\":\"__OPENCLAW_REDACTED__\"}'",
        "echo '{\"ok\":false,\"error\":{\"message\":\"Missing required argument \\\"path\\\".\"}}'; exit 1",
        "echo \"error: missing required argument 'path'\" >&2; exit 1",
    ] {
        let mut claw = Claw::new();
        claw.world.write("home/.openclaw/openclaw.json", "{ k: 'sk', mcp: { servers: { u: {} } } }");
        claw.world.manage("{}");
        claw.answers(WHOLE, script);
        assert_eq!(claw.snapshot(), json!({"k": "sk"}), "{script}");
    }
}

#[test]
fn a_redacted_list_that_no_file_has_is_refused() {
    let mut claw = Claw::listed();
    claw.world.manage("{}");
    claw.prints(WHOLE, "{}");
    assert!(claw.error().contains("contains secrets"));
}

#[test]
fn a_gateway_is_pinned_only_for_its_mode() {
    let mut claw = Claw::new();
    let gateway = json!({"host": "h", "port": 7, "token": "tok"});
    claw.world.task.agent.runtime_config = Some(json!({"mode": "gateway", "gateway": gateway}));
    let plan = claw.plan().unwrap();
    assert_eq!(private_json(home(&plan, CONFIG))["gateway"]["remote"]["url"], "ws://h:7");
    assert!(!format!("{:?}", plan.exports).contains("tok"));
    for (mode, warns) in [("gatway", true), ("local", false)] {
        claw.world.task.agent.runtime_config = Some(json!({"mode": mode, "gateway": gateway}));
        let plan = claw.plan().unwrap();
        assert_eq!(plan.warnings.len(), usize::from(warns));
        assert!(plan.warnings.iter().all(|warning| !warning.contains("tok")));
        assert_eq!(private_json(home(&plan, CONFIG)).get("gateway"), None);
    }
}

#[test]
fn include_roots_are_ours_first_and_each_once() {
    for (granted, inherited, expected) in [
        (&[][..], Some("/a"), None),
        (&["/o"], None, Some("/o")),
        (&["/o"], Some("/a:/b"), Some("/o:/a:/b")),
        (&["/o"], Some("/a:/o:/a"), Some("/o:/a")),
        (&["/o"], Some("::/a:"), Some("/o:/a")),
    ] {
        let granted: Vec<String> = granted.iter().map(|root: &&str| (*root).to_owned()).collect();
        assert_eq!(include_roots(&granted, inherited).as_deref(), expected);
    }
}

#[test]
fn a_linked_configuration_grants_both_folders() {
    let claw = Claw::new();
    let real = claw.world.write("home/dotfiles/openclaw.json", "{}");
    std::fs::remove_file(&claw.config).unwrap();
    std::os::unix::fs::symlink(&real, &claw.config).unwrap();
    let roots = format!("{0}/.openclaw:{0}/dotfiles", claw.world.home.display());
    assert_eq!(claw.plan().unwrap().exports[ROOTS_VARIABLE], roots);
}

#[test]
fn an_older_cli_is_searched_for() {
    let claw = Claw::new();
    let old = "error: too many arguments for 'config'. Expected 0 arguments but got 1.";
    claw.answers(FILE, &format!("echo \"{old}\" >&2; exit 1"));
    assert_eq!(claw.wrapper()["$include"], json!([claw.config]));
    std::fs::remove_file(&claw.config).unwrap();
    let moved = claw.world.write("home/.clawdbot/moltbot.json", "{}");
    assert_eq!(claw.wrapper()["$include"], json!([moved]));
    let mut claw = claw;
    claw.world.set_variable("OPENCLAW_CONFIG_PATH", claw.world.tmp.join("missing.json"));
    assert_eq!(claw.wrapper().get("$include"), None);
    let folder = claw.world.home.clone();
    claw.world.set_variable("OPENCLAW_CONFIG_PATH", &folder);
    let error = claw.error();
    assert!(error.contains("too many arguments") && error.contains("is not a file"), "{error}");
}
