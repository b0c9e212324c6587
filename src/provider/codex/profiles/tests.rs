use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::provider::codex::bench::{Bench, entry, remove};
use crate::provider::plan::{Mcp, McpMode};

const WORK: &str = "model = \"mine\" # comment\nsandbox_mode = \"danger-full-access\"\n\
    features = { memories = true, web = true }\nshell_environment_policy.inherit = \"all\"\n\
    [mcp_servers.profiled]\ncommand = \"p\"\n[projects.\"/x\"]\ntrust_level = \"trusted\"\n";

fn managed() -> Mcp {
    Mcp::Managed(json!({"managed": {"command": "m"}}).as_object().unwrap().clone())
}

#[test]
fn a_profile_comes_along_with_what_is_ours_in_it() {
    let mut bench = Bench::new(&[("work.config.toml", WORK)]);
    bench.mcp = managed();
    bench.prepare();
    let text = bench.read("work.config.toml").unwrap();
    let table: toml_edit::DocumentMut = text.parse().unwrap();
    assert!(text.contains("model = \"mine\" # comment\n"), "{text}");
    assert_eq!(table["sandbox_mode"].as_str(), Some("workspace-write"), "{text}");
    assert_eq!(table["features"]["memories"].as_bool(), Some(false), "{text}");
    assert_eq!(table["features"]["web"].as_bool(), Some(true), "{text}");
    let servers: Vec<_> = table["mcp_servers"].as_table().unwrap().iter().map(|(name, _)| name).collect();
    assert_eq!(servers, ["managed"], "{text}");
    for key in ["shell_environment_policy", "projects"] {
        assert!(table.get(key).is_none(), "{key}: {text}");
    }
    bench.prepare();
    assert_eq!(bench.read("work.config.toml").unwrap(), text, "a second time");
    let plan = bench.plan().unwrap();
    assert!(matches!(entry(&plan, "work.config.toml"), Some(HomeEntry::File { mode: 0o600, .. })));

    bench.options.mcp_mode = McpMode::Merge;
    bench.prepare();
    let text = bench.read("work.config.toml").unwrap();
    for part in ["[mcp_servers.profiled]", "[mcp_servers.managed]", "trust_level"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    remove(&bench.shared("work.config.toml"));
    bench.prepare();
    assert_eq!(bench.read("work.config.toml"), None, "a profile that is gone");
}

#[test]
fn files_and_switched_off_skills_of_a_profile_count() {
    let bench = Bench::new(&[("base.md", "be brief"), ("skills/off/SKILL.md", "x")]);
    let off = "[[skills.config]]\nname = \"off\"\nenabled = false\n";
    bench.write("work.config.toml", &format!("model_instructions_file = \"base.md\"\n{off}"));
    bench.prepare();
    assert_eq!(bench.read("base.md").unwrap(), "be brief");
    let path = format!("path = {:?}", bench.home("skills/off/SKILL.md"));
    for file in ["config.toml", "work.config.toml"] {
        let text = bench.read(file).unwrap();
        assert!(text.contains(&path) && !text.contains("name = \"off\""), "{file}: {text}");
    }
    // The cache of models may have been made with it.
    let bound = bench.read(".models_cache_config.sha256");
    bench.write("work.config.toml", "model_provider = \"other\"\n");
    bench.prepare();
    assert_ne!(bench.read(".models_cache_config.sha256"), bound);
}

#[test]
fn one_that_cannot_be_read_matters_if_it_is_asked_for() {
    for (text, expected) in [
        ("a = 1\na = 2\n", "/work.config.toml, line 2, column 1: duplicate key"),
        ("model_instructions_file = \"gone.md\"\n", "gone.md is missing"),
    ] {
        let mut bench = Bench::new(&[("work.config.toml", text), ("fine.config.toml", "model = \"m\"\n")]);
        let plan = bench.plan().unwrap();
        assert!(entry(&plan, "work.config.toml").is_none() && entry(&plan, "fine.config.toml").is_some());
        assert!(plan.warnings.iter().any(|warning| warning.contains(expected)), "{:?}", plan.warnings);
        bench.task.agent.custom_args = vec!["--profile".into(), "work".into()];
        let error = bench.plan().unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(Failure::code_of(&error), Code::BadConfig);
    }
}

#[test]
fn the_profile_of_the_arguments() {
    for (arguments, expected) in [
        (&["-p", "a"][..], Some("a")),
        (&["-m", "x", "--profile", "a"], Some("a")),
        (&["--profile=a"], Some("a")),
        (&["-pa"], Some("a")),
        (&["-p=a"], Some("a")),
        (&["--", "-p", "a"], None),
        (&["--path", "a"], None),
        (&["-p"], None),
        (&[], None),
    ] {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        assert_eq!(selected(&arguments), expected, "{arguments:?}");
    }
}

#[test]
fn names_are_plain() {
    for (file, expected) in [
        ("work.config.toml", Some("work")),
        ("A-1_b.config.toml", Some("A-1_b")),
        ("config.toml", None),
        (".config.toml", None),
        ("a b.config.toml", None),
        ("a.b.config.toml", None),
        ("work.config.toml.bak", None),
    ] {
        assert_eq!(profile_of(file), expected, "{file}");
    }
    let none = names(&PathBuf::from("/no/such/home")).unwrap();
    assert!(none.is_empty());
}
