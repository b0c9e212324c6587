//! Copilot CLI: a home of the task when its MCP servers are managed.
//!
//! It reads the user's servers from `mcp-config.json` in `COPILOT_HOME` and has no variable for them alone (1.0.102;
//! `--additional-mcp-config` adds). A project's `.mcp.json` counts only where the folder is trusted, which a run in
//! prompt mode is not by itself. Its built-in GitHub server belongs to the program and stays.

mod launch;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::plan::{Home, HomeContent, HomeEntry, HomePlan, HomeRequest, Mcp, McpMode};
use super::row::HomeFolder;
use super::{mcp_server as server, overlay, user_file};
use crate::layout::names;

const HOME: &str = names::COPILOT_HOME;
/// The variable that names its home.
pub(super) const VARIABLE: &str = "COPILOT_HOME";
/// The files of the home that execenv writes.
const SERVERS: &str = "mcp-config.json";
const SETTINGS: &str = "settings.json";
const OURS: [&str; 2] = [SERVERS, SETTINGS];
/// What of the settings brings plugins, which add servers.
const PLUGINS: [&str; 2] = ["enabledPlugins", "extraKnownMarketplaces"];
/// What of `config.json` is the login. The rest is settings (trusted folders, plugins), which stay the user's.
const LOGIN_KEYS: [&str; 6] = [
    "copilot_tokens",
    "copilotTokens",
    "logged_in_users",
    "loggedInUsers",
    "last_logged_in_user",
    "lastLoggedInUser",
];

/// The home, as a folder.
pub(super) const FOLDER: HomeFolder = HomeFolder {
    name: HOME,
    own_files: &OURS,
    logins: &["config.json"],
    login_keys: &LOGIN_KEYS,
    without_secrets: overlay::without_own_files,
};

pub use self::launch::{DIALECTS, OWN_ARGUMENTS};

/// Plans the home.
///
/// # Errors
/// When a managed server has no Copilot form, or the user's servers are asked for and cannot be read.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let mut plan = HomePlan::default();
    let Mcp::Managed(servers) = request.mcp else {
        plan.homes.push(overlay::empty_home(request, &FOLDER)?);
        return Ok(plan);
    };
    let user = user_file::named_folder(request, VARIABLE)
        .or_else(|| request.user_home.map(|home| home.join(".copilot")));
    let merge = request.options.mcp_mode == McpMode::Merge;
    let mut all = Map::new();
    if let (true, Some(user)) = (merge, &user) {
        let theirs = user_file::read_object(&user.join(SERVERS))?.unwrap_or_default();
        all.extend(
            user_file::object(&theirs, "mcpServers").map(|(name, value)| (name.to_owned(), value.clone())),
        );
    }
    all.retain(|name, _| !servers.contains_key(name));
    all.extend(
        server::all(servers)
            .iter()
            .filter_map(|server| Some((server.name().to_owned(), Value::Object(server.for_copilot()?)))),
    );
    let mut entries = match &user {
        Some(user) => overlay::links_to(request, &FOLDER, user, |name| is_ours(name, merge))?,
        None => Vec::new(),
    };
    let bytes = serde_json::to_vec_pretty(&json!({ "mcpServers": all }))?;
    entries.push((SERVERS.into(), HomeEntry::File { bytes, mode: 0o600 }));
    if let (false, Some(user)) = (merge, &user)
        && let Some(mut settings) = user_file::read_object(&user.join(SETTINGS))?
    {
        PLUGINS.iter().for_each(|key| drop(settings.shift_remove(*key)));
        let bytes = serde_json::to_vec_pretty(&settings)?;
        entries.push((SETTINGS.into(), HomeEntry::File { bytes, mode: 0o600 }));
    }
    let dropped = overlay::stale_links(request, HOME, &entries)?;
    plan.homes.push(Home { name: HOME, content: HomeContent::Folder { mode: 0o700, entries, dropped } });
    plan.exports.insert(VARIABLE.into(), request.env_root.join(HOME).display().to_string());
    if !merge && request.inherited.iter().any(|(name, value)| name == "COPILOT_ALLOW_ALL" && value == "true")
    {
        plan.warnings.push(
            "COPILOT_ALLOW_ALL is `true`: Copilot trusts the folder and also starts the project's MCP servers"
                .into(),
        );
    }
    Ok(plan)
}

/// Names that the task has of its own: sessions, logs, locks, and the plugins, because they add servers.
fn is_ours(name: &str, merge: bool) -> bool {
    matches!(name, SERVERS | "session-state" | "history-session-state" | "logs" | "tmp" | "cache")
        || name.starts_with("session-store.db")
        || name.ends_with(".lock")
        || (matches!(name, "installed-plugins" | SETTINGS) && !merge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use crate::provider::fixture::{World, file_text, links};

    fn world() -> World {
        let mut world = World::new().mcp(r#"{"a":{"command":"x","args":["y"]}}"#);
        for file in
            ["config.json", "session-store.db", "session-store.db-wal", "settings.json.lock", "logs/x"]
        {
            world = world.file(&format!("home/.copilot/{file}"), "{}");
        }
        world
            .dir("home/.copilot/installed-plugins")
            .file("home/.copilot/mcp-config.json", r#"{"mcpServers":{"u":{}}}"#)
    }

    #[test]
    fn the_home_has_the_managed_servers_and_links_to_the_login() {
        let world = world();
        let planned = world.plan(plan).unwrap();
        let config: Value = serde_json::from_str(&file_text(&planned, HOME, SERVERS, 0o600)).unwrap();
        let server = json!({ "type": "local", "command": "x", "args": ["y"], "env": {}, "tools": ["*"] });
        assert_eq!(config, json!({ "mcpServers": { "a": server } }));
        assert_eq!(links(&planned, HOME), [("config.json".into(), world.path("home/.copilot/config.json"))]);
        assert_eq!(planned.exports[VARIABLE], world.path("root/e").join(HOME).display().to_string());
    }

    #[test]
    fn the_settings_have_no_plugins_unless_merged() {
        let settings = r#"{"theme":"x","enabledPlugins":{"p@m":true},"extraKnownMarketplaces":{"m":{}}}"#;
        let with = |world: World| world.file("home/.copilot/settings.json", settings);
        let planned = with(world()).plan(plan).unwrap();
        let own: Value = serde_json::from_str(&file_text(&planned, HOME, SETTINGS, 0o600)).unwrap();
        assert_eq!(own, json!({ "theme": "x" }));
        let merged = with(world()).merge().plan(plan).unwrap();
        assert!(links(&merged, HOME).iter().any(|(name, _)| name == Path::new(SETTINGS)));
    }

    #[test]
    fn merged_it_has_the_users_servers_and_plugins_too() {
        let planned = world().merge().plan(plan).unwrap();
        let config: Value = serde_json::from_str(&file_text(&planned, HOME, SERVERS, 0o600)).unwrap();
        assert_eq!(config["mcpServers"].as_object().unwrap().len(), 2);
        assert_eq!(links(&planned, HOME).len(), 2);
    }

    #[test]
    fn unmanaged_the_users_home_is_used_as_it_is() {
        let planned = World::new().plan(plan).unwrap();
        assert!(planned.exports.is_empty());
        assert_eq!(planned.homes, [Home { name: HOME, content: HomeContent::Nothing }]);
    }

    #[test]
    fn what_the_agent_left_in_its_home_outlives_the_managed_set() {
        let world = World::new().file("root/e/copilot-home/mcp-config.json", "secret");
        assert_eq!(world.plan(plan).unwrap().homes[0].content, HomeContent::Nothing);
        let world = world.file("root/e/copilot-home/session-state/s", "x");
        std::os::unix::fs::symlink("/x", world.path("root/e/copilot-home/config.json")).unwrap();
        let dropped = vec!["config.json".into(), "mcp-config.json".into()];
        let content = HomeContent::Folder { mode: 0o700, entries: vec![], dropped };
        assert_eq!(world.plan(plan).unwrap().homes[0].content, content);
    }
}
