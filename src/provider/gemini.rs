//! Gemini CLI: trust in the work dir, and a home of the task when its MCP servers are managed.
//!
//! In a folder that it does not trust the program ends with status 55. For managed servers it has no variable that an
//! ordinary user may use (its system settings count only where root owns them and every folder above, 0.61.0), so
//! `GEMINI_CLI_HOME` points at the env root, whose `.gemini` links to all of the user's but the settings. There
//! `mcp.allowed` hides the servers of the project and of extensions.

mod launch;

use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::plan::{Home, HomeContent, HomeEntry, HomePlan, HomeRequest, Mcp, McpMode};
use super::row::{HomeFolder, LoginFile, below};
use super::{mcp_server as server, overlay, user_file};
use crate::failure::{Code, Failure};
use crate::layout::names;

/// The folder in the home, and so the home's name in the env root.
const FOLDER: &str = names::GEMINI_HOME;
const SETTINGS: &str = "settings.json";
/// The user's instructions for all projects, to which the agent also adds (0.61.0).
const NOTES: &str = "GEMINI.md";
/// The switch below `experimental` for notes that it takes from past conversations.
const AUTO_MEMORY: &str = "autoMemory";

/// The home, as a folder.
pub(super) const HOME: HomeFolder = HomeFolder {
    name: FOLDER,
    own_files: &[SETTINGS],
    logins: &["google_accounts.json"],
    login_keys: &[],
    without_secrets: overlay::without_own_files,
};

pub use self::launch::{DIALECTS, OWN_ARGUMENTS};

/// Its conversations, where its home is the user's (0.61.0).
pub(super) const WRITES: &[LoginFile] = &[below(HOME_VARIABLE, "", ".gemini/tmp")];
/// Where it notes the projects that it has seen, at each start; its `history` has repositories, whose settings can name programs.
pub(super) const SCRATCH: &[LoginFile] = &[below(HOME_VARIABLE, "", ".gemini")];
/// An empty list allows every server; this one allows none, because no server has this name.
const NO_SERVER: &str = "execenv: no MCP server";
/// The variable that makes it trust the work dir.
pub(super) const TRUST_VARIABLE: &str = "GEMINI_CLI_TRUST_WORKSPACE";

/// The variable that names the folder above its home.
pub(super) const HOME_VARIABLE: &str = "GEMINI_CLI_HOME";

/// Plans the variables and the home.
///
/// # Errors
/// When a managed server has no Gemini form, the user's or the project's settings cannot be read, or the project's would
/// change which servers the agent sees.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let mut plan = HomePlan::default();
    if request.variable(TRUST_VARIABLE).is_none() {
        plan.exports.insert(TRUST_VARIABLE.into(), "true".into());
    }
    let Mcp::Managed(servers) = request.mcp else {
        plan.homes.push(overlay::empty_home(request, &HOME)?);
        return Ok(plan);
    };
    let user = user_file::named_folder(request, HOME_VARIABLE).or(request.user_home.map(ToOwned::to_owned));
    let user = user.map(|home| home.join(FOLDER));
    let theirs =
        user.as_ref().map(|user| user_file::read_object(&user.join(SETTINGS))).transpose()?.flatten();
    let project = user_file::read_object(&request.work_dir.join(FOLDER).join(SETTINGS))?.unwrap_or_default();
    let managed: Map<String, Value> = server::all(servers)
        .iter()
        .filter_map(|server| Some((server.name().to_owned(), server.for_gemini()?.into())))
        .collect();
    check_project(&project, &managed)?;
    let mut theirs = theirs.unwrap_or_default();
    if let Some(own) = theirs.get_mut("mcpServers").and_then(Value::as_object_mut) {
        own.retain(|name, _| !servers.contains_key(name));
    }
    let mut settings = settings(theirs, managed, request.options.mcp_mode);
    if !request.options.keeps_memory
        && let Some(experimental) = settings.get_mut("experimental").and_then(Value::as_object_mut)
        && experimental.contains_key(AUTO_MEMORY)
    {
        experimental.insert(AUTO_MEMORY.into(), false.into());
    }

    let mut entries = Vec::new();
    if let Some(user) = &user {
        // `tmp` and `history` are sessions, which belong to the task.
        let is_ours = |name: &str| matches!(name, SETTINGS | NOTES | "tmp" | "history");
        entries.extend(overlay::links_to(request, &HOME, user, is_ours)?);
        // The agent keeps notes for all projects there: in the task they are the task's own.
        if let Some(notes) = user_file::read_text(&user.join(NOTES))? {
            entries.push((NOTES.into(), notes_entry(request, user, notes)));
        }
    }
    let bytes = serde_json::to_vec_pretty(&settings)?;
    entries.push((SETTINGS.into(), HomeEntry::File { bytes, mode: 0o600 }));
    let dropped = overlay::stale_links(request, FOLDER, &entries)?;
    plan.homes.push(Home { name: FOLDER, content: HomeContent::Folder { mode: 0o700, entries, dropped } });
    plan.exports.insert(HOME_VARIABLE.into(), request.env_root.display().to_string());
    Ok(plan)
}

/// The user's notes: a copy, or a link where the agent may remember things.
fn notes_entry(request: &HomeRequest<'_>, user: &Path, notes: String) -> HomeEntry {
    match request.options.keeps_memory {
        true => HomeEntry::Link { target: user.join(NOTES) },
        false => HomeEntry::File { bytes: notes.into_bytes(), mode: 0o600 },
    }
}

/// The user's settings with the managed servers.
fn settings(
    mut theirs: Map<String, Value>,
    managed: Map<String, Value>,
    mode: McpMode,
) -> Map<String, Value> {
    let names: Vec<String> = managed.keys().cloned().collect();
    let own =
        |key: &str| user_file::texts(&theirs, "mcp", key).map(|list| list.into_iter().map(str::to_owned));
    let excluded: Vec<String> =
        own("excluded").into_iter().flatten().filter(|name| !names.contains(name)).collect();
    let allowed = match mode {
        McpMode::Strict if names.is_empty() => Some(vec![NO_SERVER.to_owned()]),
        McpMode::Strict => Some(names),
        McpMode::Merge => own("allowed").map(|list| list.chain(names).collect()),
    };
    let mut servers = match mode {
        McpMode::Merge => {
            user_file::object(&theirs, "mcpServers").map(|(n, v)| (n.to_owned(), v.clone())).collect()
        }
        McpMode::Strict => Map::new(),
    };
    servers.extend(managed);
    theirs.insert("mcpServers".into(), servers.into());
    let mcp = theirs.entry("mcp").or_insert_with(|| json!({}));
    if !mcp.is_object() {
        *mcp = json!({});
    }
    mcp["excluded"] = json!(excluded);
    if let Some(allowed) = allowed {
        mcp["allowed"] = json!(allowed);
    }
    theirs
}

/// The project's settings go before the user's, and its lists narrow ours: an empty intersection would allow all.
fn check_project(project: &Map<String, Value>, managed: &Map<String, Value>) -> Result<(), Failure> {
    let refuse = |what: String| {
        let message =
            format!("the project's .gemini/settings.json {what}, so the managed MCP servers would not hold");
        Err(Failure::new(Code::Occupied, message)
            .hint("take it out of the project's file, or leave the task's MCP configuration out"))
    };
    if let Some((name, _)) =
        user_file::object(project, "mcpServers").find(|(name, _)| managed.contains_key(*name))
    {
        return refuse(format!("has a server `{}` of its own", name.escape_debug()));
    }
    if project.get("mcp").and_then(|mcp| mcp.get("allowed")).is_some_and(Value::is_array) {
        return refuse("has `mcp.allowed`".into());
    }
    let excluded = user_file::texts(project, "mcp", "excluded").unwrap_or_default();
    match excluded.iter().find(|name| managed.contains_key(**name)) {
        Some(name) => refuse(format!("excludes the server `{}`", name.escape_debug())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fixture::{World, file_text, links};

    fn settings_of(plan: &HomePlan) -> Value {
        serde_json::from_str(&file_text(plan, FOLDER, SETTINGS, 0o600)).unwrap()
    }

    #[test]
    fn the_work_dir_is_trusted_unless_the_user_has_decided() {
        let plan_of = |world: World| world.plan(plan).unwrap();
        assert_eq!(plan_of(World::new()).exports[TRUST_VARIABLE], "true");
        assert!(plan_of(World::new().variable(TRUST_VARIABLE, "false")).exports.is_empty());
        assert_eq!(plan_of(World::new()).homes[0].content, HomeContent::Nothing);
    }

    #[test]
    fn only_the_managed_servers_are_allowed() {
        let user = r#"{"security":{"auth":{"selectedType":"x"}},"mcp":{"excluded":["a","z"],"allowed":["u"]},"mcpServers":{"u":{"command":"u"}}}"#;
        let world = || {
            World::new()
                .file("home/.gemini/settings.json", user)
                .file("home/.gemini/oauth_creds.json", "{}")
                .dir("home/.gemini/tmp")
                .mcp(r#"{"a":{"command":"x"},"off":{"command":"x","disabled":true}}"#)
        };
        let strict = world();
        let planned = strict.plan(plan).unwrap();
        assert_eq!(
            settings_of(&planned),
            json!({
                "security": { "auth": { "selectedType": "x" } },
                "mcp": { "excluded": ["z"], "allowed": ["a"] },
                "mcpServers": { "a": { "command": "x", "args": [], "env": {} } },
            })
        );
        let creds = strict.path("home/.gemini/oauth_creds.json");
        assert_eq!(links(&planned, FOLDER), [("oauth_creds.json".into(), creds)]);
        assert_eq!(planned.exports["GEMINI_CLI_HOME"], strict.path("root/e").display().to_string());

        let merged = settings_of(&world().merge().plan(plan).unwrap());
        assert_eq!(merged["mcp"]["allowed"], json!(["u", "a"]));
        assert_eq!(merged["mcpServers"].as_object().unwrap().len(), 2);
        let none = settings_of(&World::new().mcp("{}").plan(plan).unwrap());
        assert_eq!(none["mcp"]["allowed"], json!([NO_SERVER]), "an empty list would allow all");
    }

    #[test]
    fn a_link_to_what_the_user_has_removed_goes_and_the_agents_own_stays() {
        let world = World::new().file("root/e/.gemini/oauth_creds.json", "own").mcp("{}");
        let world = world.file("home/.gemini/oauth_creds.json", "{}").file("home/.gemini/GEMINI.md", "x");
        std::os::unix::fs::symlink("/nowhere", world.path("root/e/.gemini/gone")).unwrap();
        let planned = world.plan(plan).unwrap();
        assert_eq!(
            links(&planned, FOLDER),
            [("oauth_creds.json".into(), world.path("home/.gemini/oauth_creds.json"))]
        );
        assert_eq!(file_text(&planned, FOLDER, NOTES, 0o600), "x");
        let HomeContent::Folder { dropped, .. } = &planned.homes[0].content else { panic!() };
        assert_eq!(dropped, &["gone"]);
    }

    #[test]
    fn what_it_remembers_stays_in_the_task_unless_that_is_asked_for() {
        let world = || {
            World::new()
                .file("home/.gemini/GEMINI.md", "mine")
                .file("home/.gemini/settings.json", r#"{"experimental":{"autoMemory":true}}"#)
                .mcp("{}")
        };
        let planned = world().plan(plan).unwrap();
        assert_eq!(settings_of(&planned)["experimental"]["autoMemory"], false);
        assert_eq!(file_text(&planned, FOLDER, NOTES, 0o600), "mine");
        let mut keeping = world();
        keeping.options.keeps_memory = true;
        let planned = keeping.plan(plan).unwrap();
        assert_eq!(settings_of(&planned)["experimental"]["autoMemory"], true);
        assert_eq!(links(&planned, FOLDER), [("GEMINI.md".into(), keeping.path("home/.gemini/GEMINI.md"))]);
    }

    #[test]
    fn a_project_that_would_change_the_set_is_refused() {
        for project in [
            r#"{"mcpServers":{"a":{"command":"p"}}}"#,
            r#"{"mcp":{"allowed":["p"]}}"#,
            r#"{"mcp":{"excluded":["a"]}}"#,
            "{",
        ] {
            let world = World::new().file("root/e/workdir/.gemini/settings.json", project);
            assert!(world.mcp(r#"{"a":{"command":"x"}}"#).plan(plan).is_err(), "{project}");
        }
        let world = World::new().file("root/e/workdir/.gemini/settings.json", r#"{"mcpServers":{"p":{}}}"#);
        assert!(world.mcp(r#"{"a":{"command":"x"}}"#).plan(plan).is_ok(), "it is not allowed");
    }
}
