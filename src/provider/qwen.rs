//! Qwen Code: managed MCP servers, and no memory, through its system settings, which `QWEN_CODE_SYSTEM_SETTINGS_PATH`
//! names.
//!
//! Its memory (0.24.4) reads and writes notes below the user's home at the end of each conversation, for every project.
//!
//! The servers go before the user's and the project's by name. Its lists `mcp.allowed` and `mcp.excluded` are the unions of
//! all scopes (0.24.4), and an excluded server is out whoever allows it: so every other server that is known is
//! excluded, and only the managed ones are allowed, which keeps out the others.

mod launch;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::plan::{Home, HomeContent, HomePlan, HomeRequest, Mcp, McpMode, Os};
use super::{mcp_server as server, user_file};
use crate::failure::{Code, Failure};
use crate::layout::names;

pub use self::launch::{DIALECTS, OWN_ARGUMENTS};

const FILE: &str = names::QWEN_SETTINGS;
/// The variable that names its system settings.
pub(super) const VARIABLE: &str = "QWEN_CODE_SYSTEM_SETTINGS_PATH";

/// What it remembers from one conversation to the next: notes of its own, their rearrangement, notes of a team.
const MEMORY_SWITCHES: [&str; 3] = ["enableManagedAutoMemory", "enableManagedAutoDream", "enableTeamMemory"];

/// Plans the settings file.
///
/// # Errors
/// When a managed server cannot be put in its words, or settings that name others cannot be read or exclude it.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let mut plan = HomePlan::default();
    if *request.mcp == Mcp::Unmanaged && request.options.keeps_memory {
        plan.homes.push(Home { name: FILE, content: HomeContent::Nothing });
        return Ok(plan);
    }
    let system = match request.variable(VARIABLE).map(Path::new) {
        // Run from inside a task: that file is the other task's.
        Some(path) if path.file_name().is_some_and(|name| name == FILE) => None,
        Some(path) => Some(path.to_owned()),
        None => Some(default_system(request.os).to_owned()),
    };
    let mut settings =
        system.map(|path| user_file::read_object(&path)).transpose()?.flatten().unwrap_or_default();
    if let Mcp::Managed(servers) = request.mcp {
        manage(request, servers, &mut settings)?;
    }
    if !request.options.keeps_memory {
        let memory = object_at(&mut settings, "memory");
        for switch in MEMORY_SWITCHES {
            memory.insert(switch.into(), false.into());
        }
    }
    let bytes = serde_json::to_vec_pretty(&settings)?;
    plan.homes.push(Home { name: FILE, content: HomeContent::File { bytes, mode: 0o600 } });
    plan.exports.insert(VARIABLE.into(), request.env_root.join(FILE).display().to_string());
    Ok(plan)
}

/// The object at a key, made where something else stands.
fn object_at<'a>(settings: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let value = settings.entry(key).or_insert_with(|| json!({}));
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it was made one")
}

/// Makes the managed servers the ones that the agent sees.
fn manage(
    request: &HomeRequest<'_>,
    servers: &Map<String, Value>,
    settings: &mut Map<String, Value>,
) -> Result<()> {
    let managed: Map<String, Value> = server::all(servers)
        .iter()
        .filter_map(|server| Some((server.name().to_owned(), server.for_gemini()?.into())))
        .collect();
    let mut known = BTreeSet::new();
    for path in other_files(request)? {
        let other = user_file::read_object(&path)?.unwrap_or_default();
        let excluded = user_file::texts(&other, "mcp", "excluded").unwrap_or_default();
        if let Some(name) = excluded.iter().find(|name| managed.contains_key(**name)) {
            let message =
                format!("{} excludes the managed MCP server `{}`", path.display(), name.escape_debug());
            return Err(Failure::new(Code::Occupied, message)
                .hint("give the server another name, or take it out of `mcp.excluded`")
                .into());
        }
        known.extend(user_file::object(&other, "mcpServers").map(|(name, _)| name.to_owned()));
        known.extend(user_file::texts(&other, "mcp", "allowed").into_iter().flatten().map(str::to_owned));
    }
    known.extend(user_file::object(settings, "mcpServers").map(|(name, _)| name.to_owned()));
    let mode = request.options.mcp_mode;
    let mut own = match mode {
        McpMode::Merge => settings.get("mcpServers").and_then(Value::as_object).cloned().unwrap_or_default(),
        McpMode::Strict => Map::new(),
    };
    let mcp = object_at(settings, "mcp");
    if mode == McpMode::Strict {
        mcp.insert("allowed".into(), managed.keys().cloned().collect());
        let excluded = known.iter().filter(|name| !managed.contains_key(*name)).cloned().collect();
        mcp.insert("excluded".into(), excluded);
    }
    own.retain(|name, _| !servers.contains_key(name));
    own.extend(managed);
    settings.insert("mcpServers".into(), own.into());
    Ok(())
}

fn default_system(os: Os) -> &'static Path {
    Path::new(match os {
        Os::Linux => "/etc/qwen-code/settings.json",
        Os::MacOs => "/Library/Application Support/QwenCode/settings.json",
    })
}

/// The user's, the project's and the extensions' files that may name servers.
fn other_files(request: &HomeRequest<'_>) -> Result<Vec<PathBuf>> {
    let mut files = vec![request.work_dir.join(".qwen/settings.json"), request.work_dir.join(".mcp.json")];
    let home =
        request.variable("QWEN_HOME").map(PathBuf::from).or(request.user_home.map(|home| home.join(".qwen")));
    if let Some(home) = home {
        files.push(home.join("settings.json"));
        let extensions = home.join("extensions");
        let manifest = |name| extensions.join(name).join("qwen-extension.json");
        files.extend(user_file::names_in(&extensions)?.into_iter().map(manifest));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fixture::{World, file_text};

    fn world() -> World {
        World::new()
            .variable(VARIABLE, "[T]/system.json")
            .file("system.json", r#"{"ui":{"theme":"x"},"mcpServers":{"s":{"command":"s"}}}"#)
            .file(
                "home/.qwen/settings.json",
                r#"{"mcp":{"allowed":["listed"]},"mcpServers":{"u":{},"a":{}}}"#,
            )
            .file("home/.qwen/extensions/e/qwen-extension.json", r#"{"mcpServers":{"ext":{}}}"#)
            .file("root/e/workdir/.qwen/settings.json", r#"{"mcpServers":{"p":{}}}"#)
            .file("root/e/workdir/.mcp.json", r#"{"mcpServers":{"m":{}}}"#)
            .mcp(r#"{"a":{"command":"x"}}"#)
    }

    fn settings_of(planned: &HomePlan) -> Value {
        serde_json::from_str(&file_text(planned, FILE, "", 0o600)).unwrap()
    }

    #[test]
    fn every_other_server_is_excluded() {
        let world = world();
        let planned = world.plan(plan).unwrap();
        let settings = settings_of(&planned);
        assert_eq!(
            settings,
            json!({
                "ui": { "theme": "x" },
                "mcpServers": { "a": { "command": "x", "args": [], "env": {} } },
                "mcp": { "allowed": ["a"], "excluded": ["ext", "listed", "m", "p", "s", "u"] },
                "memory": {
                    "enableManagedAutoMemory": false, "enableManagedAutoDream": false, "enableTeamMemory": false,
                },
            })
        );
        assert_eq!(planned.exports[VARIABLE], world.path("root/e").join(FILE).display().to_string());
    }

    #[test]
    fn merged_the_others_stay() {
        let settings = settings_of(&world().merge().plan(plan).unwrap());
        assert_eq!(settings["mcp"], json!({}));
        assert_eq!(settings["mcpServers"].as_object().unwrap().len(), 2);
    }

    #[test]
    fn an_exclusion_that_would_hide_a_managed_server_is_an_error() {
        let world = World::new().file("home/.qwen/settings.json", r#"{"mcp":{"excluded":["a"]}}"#);
        assert!(world.mcp(r#"{"a":{"command":"x"}}"#).plan(plan).is_err());
    }

    #[test]
    fn unmanaged_the_file_switches_the_memory_off_and_the_system_settings_stay() {
        let world = World::new()
            .variable(VARIABLE, "[T]/system.json")
            .file("system.json", r#"{"ui":{"theme":"x"},"memory":{"enableManagedAutoMemory":true,"x":1}}"#);
        let planned = world.plan(plan).unwrap();
        let settings = settings_of(&planned);
        assert_eq!(
            settings,
            json!({
                "ui": { "theme": "x" },
                "memory": {
                    "enableManagedAutoMemory": false, "x": 1, "enableManagedAutoDream": false, "enableTeamMemory": false,
                },
            })
        );
        assert_eq!(planned.exports[VARIABLE], world.path("root/e").join(FILE).display().to_string());
    }

    #[test]
    fn there_is_no_file_where_nothing_is_managed_and_memory_is_asked_for() {
        let mut world = World::new();
        world.options.keeps_memory = true;
        let planned = world.plan(plan).unwrap();
        assert_eq!(planned.homes, [Home { name: FILE, content: HomeContent::Nothing }]);
        assert!(planned.exports.is_empty());
    }
}
