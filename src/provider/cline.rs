//! Cline (3.0): driven by ACP; the task's MCP servers in a file that a variable names.
//!
//! It reads one file of servers, so a managed set is strict by itself, and those that a session names are not started. For
//! its sessions it would start a daemon that all its processes of the user share and that outlives them: a run would end the
//! one that another run uses, so each process keeps its sessions itself.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::Value;

use super::launch::Dialect;
use super::plan::{Home, HomeContent, HomePlan, HomeRequest, Mcp, McpMode};
use super::row::{LoginFile, OwnArgument, Takes, login_file};
use super::{acp, mcp_file, user_file};
use crate::layout::names;
use crate::protocol::acp::Profile;

/// The variable that names the file of MCP servers.
pub(super) const SERVERS_VARIABLE: &str = "CLINE_MCP_SETTINGS_PATH";
/// The variable that says who keeps the sessions.
pub(super) const SESSIONS_VARIABLE: &str = "CLINE_SESSION_BACKEND_MODE";
/// The folder of its data, and its files there.
const DATA_VARIABLE: &str = "CLINE_DATA_DIR";
const DATA: &str = ".cline/data";
const SERVERS: &str = "settings/cline_mcp_settings.json";
/// The file that `cline auth` writes.
pub(super) const LOGIN: Option<LoginFile> = login_file(DATA_VARIABLE, DATA, "settings/providers.json");

/// How Cline is run. Its own JSON lines name no session, and resume none.
pub const DIALECTS: &[Dialect] = &[acp::dialect(
    |request| acp::Agent::new(&["--acp"], &["--auto-approve", "true"], Profile::PLAIN).plan(request),
    false,
)];

/// The arguments that a start sets, or that would make it something else than an agent of the protocol.
pub const OWN_ARGUMENTS: &[OwnArgument] = &[
    ("--acp", Takes::Nothing),
    ("--auto-approve", Takes::Value),
    ("--json", Takes::Nothing),
    ("--id", Takes::Value),
    ("-i", Takes::Nothing),
    ("--tui", Takes::Nothing),
    ("-z", Takes::Nothing),
    ("--zen", Takes::Nothing),
    ("--worktree", Takes::Nothing),
    ("--kanban", Takes::Nothing),
    ("--update", Takes::Nothing),
];

/// Plans the file of servers.
///
/// # Errors
/// When the user's servers are asked for and cannot be read.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let mut plan = HomePlan::default();
    plan.exports.insert(SESSIONS_VARIABLE.into(), "local".into());
    let content = match request.mcp {
        Mcp::Unmanaged => HomeContent::Nothing,
        Mcp::Managed(servers) => {
            let mut all = match request.options.mcp_mode {
                McpMode::Strict => serde_json::Map::new(),
                McpMode::Merge => own_servers(request)?,
            };
            all.extend(servers.iter().map(|(name, server)| (name.clone(), in_its_words(server))));
            let path = request.env_root.join(names::MCP_CONFIG);
            plan.exports.insert(SERVERS_VARIABLE.into(), path.display().to_string());
            HomeContent::File { bytes: mcp_file::bytes(&all), mode: 0o600 }
        }
    };
    plan.homes.push(Home { name: names::MCP_CONFIG, content });
    Ok(plan)
}

/// A server as Cline reads it, which leaves out one of an unknown type without a word.
fn in_its_words(server: &Value) -> Value {
    let mut server = server.clone();
    if server.get("url").is_some() && server["type"] != "sse" {
        server["type"] = "streamableHttp".into();
    }
    server
}

/// The servers that the user has.
fn own_servers(request: &HomeRequest<'_>) -> Result<serde_json::Map<String, Value>> {
    let named = user_file::named_folder(request, SERVERS_VARIABLE); // not one of an environment
    let data = || {
        let home = request.user_home.map(|home| home.join(DATA));
        user_file::named_folder(request, DATA_VARIABLE).or(home).map(|data| data.join(SERVERS))
    };
    let file: Option<PathBuf> = named.or_else(data);
    let theirs = file.map(|path| user_file::read_object(&path)).transpose()?.flatten().unwrap_or_default();
    let servers = user_file::object(&theirs, "mcpServers");
    Ok(servers.map(|(name, server)| (name.to_owned(), server.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Permission;
    use crate::provider::fixture::{World, home, private_json};
    use crate::provider::launch::LaunchRequest;
    use crate::sys::tree::Tree;

    #[test]
    fn its_command_line_says_yes_or_asks() {
        let folder = tempfile::tempdir().unwrap();
        let env = Tree::open(folder.path()).unwrap();
        let bare = LaunchRequest::example(&env, folder.path());
        for (permission, expected) in
            [(Permission::Allow, &["--acp", "--auto-approve", "true"][..]), (Permission::Deny, &["--acp"])]
        {
            let plan = (DIALECTS[0].start)(&LaunchRequest { permission, ..bare }).unwrap();
            assert_eq!(plan.args, expected);
        }
    }

    #[test]
    fn a_managed_set_is_the_only_one_and_merged_the_users_stay() {
        let world = || {
            World::new()
                .file(
                    "home/.cline/data/settings/cline_mcp_settings.json",
                    r#"{"mcpServers":{"u":{"command":"u"},"a":{"command":"old"}}}"#,
                )
                .mcp(r#"{"a":{"command":"x"},"off":{"command":"y","disabled":true},
                    "far":{"type":"http","url":"https://a.test"},"near":{"type":"sse","url":"https://b.test"}}"#)
        };
        for (world, names) in
            [(world(), &["a", "far", "near"][..]), (world().merge(), &["a", "far", "near", "u"])]
        {
            let planned = world.plan(plan).unwrap();
            let file = private_json(home(&planned, names::MCP_CONFIG));
            let mut shown: Vec<_> = file["mcpServers"].as_object().unwrap().keys().collect();
            shown.sort();
            assert_eq!(shown, names);
            assert_eq!(file["mcpServers"]["a"]["command"], "x");
            assert_eq!(file["mcpServers"]["far"]["type"], "streamableHttp");
            assert_eq!(file["mcpServers"]["near"]["type"], "sse");
            let path = world.path("root/e").join(names::MCP_CONFIG);
            assert_eq!(planned.exports[SERVERS_VARIABLE], path.display().to_string());
            assert_eq!(planned.exports[SESSIONS_VARIABLE], "local");
        }
        let planned = World::new().plan(plan).unwrap();
        assert!(!planned.exports.contains_key(SERVERS_VARIABLE));
    }
}
