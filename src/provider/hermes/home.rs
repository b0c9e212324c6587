//! Hermes: a home of the task laid over the user's, when the task has skills or manages MCP servers.
//!
//! It links to everything in the user's home except what the task must have of its own: its skills, a configuration that finds
//! the user's skills too, has the managed MCP servers and no memory provider, an `.env` that names this home (Hermes loads it over the
//! variables), and memories and sessions, which lie in stores of the agent's and outlive the environment.
//! The user's own memories and sessions are not carried over: they stay untouched, as their whole home does.

use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::source::{self, Source};
use crate::failure::{Code, Failure};
use crate::formats::yaml::edit as yaml;
use crate::layout::names;
use crate::provider::plan::{
    Home, HomeContent, HomeEntry, HomePlan, HomeRequest, Mcp, McpMode, is_switched_on,
};
use crate::provider::row::HomeFolder;
use crate::provider::{overlay, user_file};
use crate::sys::tree::FileKind;
use crate::task::safe_token;

const HOME: &str = names::HERMES_HOME;
/// The home's own files, removed when the task has no skills. They may hold the user's secrets.
const OURS: [&str; 3] = ["skills", "config.yaml", ".env"];
/// The variable that names its home.
pub(crate) const HOME_VARIABLE: &str = "HERMES_HOME";
/// The variable that makes it approve commands.
pub(crate) const YOLO_VARIABLE: &str = "HERMES_YOLO_MODE";
/// The servers, in the configuration.
const SERVERS: &str = "mcp_servers";

/// The home, as a folder.
pub(crate) const FOLDER: HomeFolder = HomeFolder {
    name: HOME,
    own_files: &OURS,
    logins: &[],
    login_keys: &[],
    without_secrets: overlay::without_own_files,
};

/// Plans the overlay.
///
/// # Errors
/// When the selected profile is not there, or a file of the user's home cannot be read.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let mut plan = HomePlan::default();
    plan.exports.insert(YOLO_VARIABLE.into(), "1".into()); // no person is there to approve commands
    if request.skills.is_empty() && *request.mcp == Mcp::Unmanaged {
        plan.homes.push(overlay::empty_home(request, &FOLDER)?);
        return Ok(plan);
    }
    let source = source_of(request)?;
    let overlay = request.env_root.join(HOME);
    let mut entries = overlay::links_to(request, &FOLDER, &source.home, is_ours)?;

    let config = user_file::read_text(&source.home.join("config.yaml"))?;
    if config.is_none() {
        plan.warnings.push(format!(
            "there is no Hermes configuration in {}; the task's own ({}) has only what the task needs",
            source.home.display(),
            overlay.display()
        ));
    }
    let config = config.unwrap_or_default();
    let text = match edited_config(request, &source.home, &config) {
        Some(text) => text,
        None if *request.mcp != Mcp::Unmanaged => {
            let message = format!(
                "{} is not one YAML mapping, so the task's MCP servers cannot be put into a copy of it",
                source.home.join("config.yaml").display()
            );
            return Err(Failure::new(Code::BadConfig, message)
                .hint("correct the file, or leave the task's MCP configuration out")
                .into());
        }
        None => {
            plan.warnings.push(
                "your Hermes config.yaml is not one YAML mapping, so the task gets an unchanged copy: your own skills may be \
                 missing, and the agent may use your memory provider"
                    .into(),
            );
            config.clone()
        }
    };
    entries.push(("config.yaml".into(), HomeEntry::File { bytes: text.into_bytes(), mode: 0o600 }));

    let env = user_file::read_text(&source.home.join(".env"))?.unwrap_or_default();
    let bytes = env_file(&env, &overlay).into_bytes();
    entries.push((".env".into(), HomeEntry::File { bytes, mode: 0o600 }));

    for skill in request.skills {
        if !entries.iter().any(|(path, _)| path == Path::new("skills")) {
            entries.push(("skills".into(), HomeEntry::Dir { mode: 0o700 }));
        }
        overlay::folder_of_skill(&mut entries, Path::new("skills"), skill, &skill.slug);
    }
    state(request, &source, &mut plan, &mut entries);
    let dropped = overlay::stale_links(request, HOME, &entries)?;
    plan.homes.push(Home { name: HOME, content: HomeContent::Folder { mode: 0o700, entries, dropped } });
    plan.exports.insert(HOME_VARIABLE.into(), overlay.display().to_string());
    Ok(plan)
}

/// Names that the overlay never links to.
fn is_ours(name: &str) -> bool {
    matches!(name, "skills" | "config.yaml" | "memories" | "active_profile" | "profiles" | ".env")
        || name == ".multica-task-local-state-v1"
        || name == "state.db"
        || name.starts_with("state.db-")
}

fn source_of(request: &HomeRequest<'_>) -> Result<Source> {
    let default = request.user_home.unwrap_or(Path::new("/")).join(".hermes");
    let own = request
        .task
        .agent
        .custom_env
        .get(HOME_VARIABLE)
        .map(String::as_str)
        .filter(|value| !value.is_empty());
    let base =
        own.or_else(|| request.variable(HOME_VARIABLE)).map(|path| clean(&request.work_dir.join(path)));
    // Run from inside another task: that overlay is the other's.
    let base = base.filter(|base| !base.ends_with(HOME));
    let args: Vec<String> =
        std::iter::once("acp".to_owned()).chain(request.task.agent.custom_args.iter().cloned()).collect();
    source::resolve(base, default, &args)
}

/// Memories and the session database, in stores where agent and conversation are known. What an older overlay holds
/// of its own there is not moved: it stays, and is the task's alone.
fn state(
    request: &HomeRequest<'_>,
    source: &Source,
    plan: &mut HomePlan,
    entries: &mut Vec<(PathBuf, HomeEntry)>,
) {
    let holds = |name: &str, of: fn(&FileKind) -> bool| {
        let kind = request.present.and_then(|tree| tree.kind(&Path::new(HOME).join(name)).ok().flatten());
        kind.is_some_and(|kind| of(&kind))
    };
    let agent = request.task.agent_id();
    let segment = source.segment();
    if safe_token(agent) && !holds("memories", |kind| *kind == FileKind::Dir) {
        let store = request.stores.join(names::HERMES_MEMORIES).join(agent).join(&segment);
        entries.push(("memories".into(), HomeEntry::Link { target: store.clone() }));
        plan.stores.push(store);
    } else {
        entries.push(("memories".into(), HomeEntry::Kept { mode: 0o700 }));
    }
    let conversation = conversation(request);
    let Some(conversation) = conversation.filter(|_| safe_token(agent)) else { return };
    if !holds("state.db", |kind| matches!(kind, FileKind::File { .. })) {
        let store = request.stores.join(names::HERMES_SESSIONS).join(agent).join(&segment).join(conversation);
        entries.push(("state.db".into(), HomeEntry::Link { target: store.join("state.db") }));
        plan.stores.push(store);
    }
}

/// The conversation that several tasks may continue: an issue, or a chat.
fn conversation(request: &HomeRequest<'_>) -> Option<String> {
    let task = request.task;
    if safe_token(&task.issue_id) {
        return Some(task.issue_id.clone());
    }
    safe_token(&task.chat_session_id).then(|| format!("chat_{}", task.chat_session_id))
}

/// The user's configuration with the user's skills as external ones and without a memory provider.
fn edited_config(request: &HomeRequest<'_>, source: &Path, config: &str) -> Option<String> {
    let mut dirs: Vec<String> = Vec::new();
    let listed = yaml::texts(config, "skills", "external_dirs")?;
    let own = source.join("skills").display().to_string();
    for dir in listed.iter().map(|dir| absolute(request, source, dir)).chain([own]) {
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    let config = yaml::set(config, "skills", "external_dirs", &json!(dirs))?;
    let mut config = yaml::set(&config, "memory", "provider", &json!(""))?;
    let Mcp::Managed(servers) = request.mcp else { return Some(config) };
    let on = servers.iter().filter(|(_, server)| is_switched_on(server));
    let on: Map<String, Value> = on.map(|(name, server)| (name.clone(), in_its_words(server))).collect();
    if request.options.mcp_mode == McpMode::Strict {
        return yaml::set_whole(&config, SERVERS, &on.into());
    }
    // One that is switched off hides the user's of the same name.
    let off =
        servers.keys().filter(|name| !on.contains_key(*name)).map(|name| (name, json!({"enabled": false})));
    for (name, server) in on.iter().map(|(name, server)| (name, server.clone())).chain(off) {
        config = yaml::set(&config, SERVERS, name, &server)?;
    }
    Some(config)
}

/// A server as Hermes has it: no type but for SSE, and seconds.
fn in_its_words(server: &Value) -> Value {
    let mut server = server.as_object().cloned().unwrap_or_default();
    if server.shift_remove("type").is_some_and(|kind| kind == "sse") {
        server.insert("transport".into(), "sse".into());
    }
    server.shift_remove("disabled");
    let timeout = server.shift_remove("timeout").and_then(|timeout| timeout.as_f64());
    if let Some(milliseconds) = timeout {
        server.insert("timeout".into(), json!((milliseconds / 1000.0).ceil()));
    }
    server.into()
}

/// An entry of `external_dirs` as it is meant from the user's home. With an unknown variable it stays as it is.
fn absolute(request: &HomeRequest<'_>, source: &Path, entry: &str) -> String {
    let home = source.to_string_lossy().into_owned();
    let value = |name: &str| match name {
        HOME_VARIABLE => Some(home.clone()),
        _ => request
            .task
            .agent
            .custom_env
            .get(name)
            .cloned()
            .or_else(|| request.variable(name).map(str::to_owned)),
    };
    let mut expanded = String::new();
    let mut rest = entry;
    while let Some((before, behind)) = rest.split_once("${") {
        let Some((name, after)) = behind.split_once('}') else { break };
        let Some(value) = value(name) else { return entry.to_owned() };
        expanded.push_str(before);
        expanded.push_str(&value);
        rest = after;
    }
    expanded.push_str(rest);
    let tilde = expanded.strip_prefix("~/").or((expanded == "~").then_some(""));
    let path = match (tilde, request.user_home) {
        (Some(below), Some(home)) => home.join(below),
        _ => source.join(&expanded),
    };
    clean(&path).display().to_string()
}

/// A path without `.` and `..`, by its text alone.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(clean.pop()),
            other => clean.push(other),
        }
    }
    clean
}

/// The user's `.env` with this home in it.
fn env_file(theirs: &str, overlay: &Path) -> String {
    let assigns = |line: &&str| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        line.strip_prefix(HOME_VARIABLE).is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let mut text: String = theirs.split_inclusive('\n').filter(|line| !assigns(line)).collect();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let path = overlay.display().to_string().replace('\\', "\\\\").replace('\'', "\\'");
    text.push_str(&format!("{HOME_VARIABLE}='{path}'\n"));
    text
}

#[cfg(test)]
mod tests;
