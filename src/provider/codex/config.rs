//! The `config.toml` of a task: the user's, with what is ours put in.
//!
//! It is made from the user's file each time, never from the task's earlier copy, so that a provider, a URL or a
//! key that the user took out is gone. What the user wrote keeps its bytes, comments included; blocks of ours that
//! the user's file holds (it may be the home of another environment) go first.
//!
//! From top to bottom: memory, child agents and sandbox as dotted keys between markers, where they can neither be
//! caught by a table before them nor catch a key behind them; the user's text; shell environment, switched-off skills
//! and MCP servers as tables between markers.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use toml_edit::{Document, Item, TableLike};

use super::blocks::{self, Block};
use super::hooks::{self, Move};
use super::sandbox::{self, Mode};
use super::{mcp, shell, source, switches};
use crate::provider::plan::{Mcp, McpMode};

/// What a task's configuration must contain.
#[derive(Clone, Debug)]
pub(super) struct Wishes<'a> {
    pub(super) sandbox: Mode,
    /// With `workspace-write`: commands reach the network.
    pub(super) network: bool,
    /// Folders that the agent can write with `workspace-write`, besides the work dir.
    pub(super) writable: Vec<String>,
    pub(super) keeps_multi_agent: bool,
    /// `agents.enabled` is known to be understood.
    pub(super) has_agents_switch: bool,
    pub(super) keeps_memory: bool,
    pub(super) mcp: &'a Mcp,
    pub(super) mcp_mode: McpMode,
    /// The `SKILL.md` of each skill that is switched off.
    pub(super) disabled_skills: Vec<String>,
    /// The variables of shell commands.
    pub(super) shell_names: Vec<String>,
    /// Where the user's hooks have gone, with the trust in them.
    pub(super) hooks: Move,
}

impl Wishes<'_> {
    /// Whether the agent may see the task's MCP servers only. The user's trust in projects is left out then: Codex would also
    /// start the servers of a project's configuration.
    pub(super) fn is_strict(&self) -> bool {
        matches!(self.mcp, Mcp::Managed(_)) && self.mcp_mode == McpMode::Strict
    }
}

/// Whether the user has plugins.
pub(super) fn has_plugins(document: &Document<&str>) -> bool {
    let plugins = document.as_table().get("plugins").and_then(Item::as_table_like);
    plugins.is_some_and(|plugins| !plugins.is_empty())
}

/// Makes the configuration.
///
/// # Errors
/// When `shared` is not TOML, and for MCP servers that cannot be written.
pub(super) fn build(shared: &str, wishes: &Wishes<'_>) -> Result<String> {
    finish(&shell::shell_policy(&but_for_the_shell(shared, wishes)?, &wishes.shell_names)?)
}

/// Makes a profile, which Codex lays over the configuration. `config.toml` alone decides which variables shell commands get.
///
/// # Errors
/// As [`build`].
pub(super) fn build_profile(shared: &str, wishes: &Wishes<'_>) -> Result<String> {
    finish(&shell::without_policy(&but_for_the_shell(shared, wishes)?)?)
}

fn finish(text: &str) -> Result<String> {
    source::parse(text).context("the configuration that was made does not read back")?;
    Ok(text.to_owned())
}

fn but_for_the_shell(shared: &str, wishes: &Wishes<'_>) -> Result<String> {
    let text = blocks::remove(shared, &Block::ALL)?;
    let text = hooks::with_trust_moved(&text, &wishes.hooks)?.unwrap_or(text);
    // Codex's desktop application writes entries that its command line refuses; skills come as folders.
    let mut text = source::remove(&text, &["skills", "config"])?;
    let (mut memory, mut multi_agent, mut apps) = (String::new(), String::new(), String::new());
    // Each goes directly below a header: the last one in is the first to be read.
    if wishes.is_strict() {
        (text, apps) = switches::without_apps(&text)?;
        // In a folder that the user trusts, Codex also starts the servers of its `.codex/config.toml`.
        text = source::remove(&text, &["projects"])?;
    }
    if !wishes.keeps_multi_agent {
        (text, multi_agent) = switches::without_multi_agent(&text, wishes.has_agents_switch)?;
    }
    if !wishes.keeps_memory {
        (text, memory) = switches::without_memory(&text)?;
    }
    let (text, sandbox) = sandbox::apply(&text, wishes.sandbox, wishes.network, &wishes.writable)?;
    let (text, servers) = mcp::apply(&text, wishes.mcp, wishes.mcp_mode)?;
    let rest = text.trim_start_matches(['\n', '\r']);
    let rest = if rest.trim().is_empty() { "" } else { rest };
    let skills = disabled(&wishes.disabled_skills);
    Ok(join(&[&join(&[&memory, &multi_agent, &apps, &sandbox, rest]), &skills, &servers]))
}

/// The parts that are not empty, one blank line between them.
fn join(parts: &[&str]) -> String {
    let mut joined = String::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if !joined.is_empty() {
            joined.truncate(joined.trim_end_matches(['\n', '\r']).len());
            joined.push_str("\n\n");
        }
        joined.push_str(part);
    }
    joined
}

fn disabled(skills: &[String]) -> String {
    if skills.is_empty() {
        return String::new();
    }
    let entry = |path: &String| {
        format!("[[skills.config]]\npath = {}\nenabled = false\n", source::basic_string(path))
    };
    Block::Skills.wrap(&skills.iter().map(entry).collect::<String>())
}

/// The skills that the user has switched off: by `SKILL.md`, and, as Codex 0.169 also takes them, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Disabled {
    pub(super) paths: Vec<PathBuf>,
    pub(super) names: Vec<String>,
}

/// What the user has switched off.
pub(super) fn disabled_by_user(document: &Document<&str>) -> Disabled {
    let config = document.as_table().get("skills").and_then(|skills| skills.as_table_like()?.get("config"));
    let mut off = Disabled::default();
    let mut look = |entry: &dyn TableLike| {
        let is_off = entry.get("enabled").and_then(|item| item.as_bool()) == Some(false);
        let text = |key: &str| entry.get(key).and_then(|item| item.as_str()).filter(|_| is_off);
        match (text("path"), text("name")) {
            (Some(path), _) => off.paths.push(path.into()),
            (None, name) => off.names.extend(name.map(str::to_owned)),
        }
    };
    if let Some(tables) = config.and_then(|item| item.as_array_of_tables()) {
        tables.iter().for_each(|table| look(table));
    } else if let Some(values) = config.and_then(|item| item.as_array()) {
        values.iter().filter_map(|value| value.as_inline_table()).for_each(|table| look(table));
    }
    off
}

/// Keys whose value names a file.
const FILE_KEYS: [&str; 3] =
    ["model_catalog_json", "model_instructions_file", "experimental_instructions_file"];

/// The files that the configuration names, in the root and in profiles: key and value.
pub(super) fn named_files(document: &Document<&str>) -> Vec<(&'static str, String)> {
    let root = document.as_table();
    let mut named = Vec::new();
    let mut look = |table: &dyn TableLike| {
        for key in FILE_KEYS {
            let value = table.get(key).and_then(|item| item.as_str());
            named.extend(value.map(|value| (key, value.to_owned())));
        }
    };
    look(root);
    let profiles = root.get("profiles").and_then(|item| item.as_table_like());
    for (_, profile) in profiles.into_iter().flat_map(|profiles| profiles.iter()) {
        profile.as_table_like().into_iter().for_each(&mut look);
    }
    named
}

/// The path below `home` that a path below `shared` becomes; any other as it is.
pub(super) fn moved(path: &Path, shared: &Path, home: &Path) -> PathBuf {
    path.strip_prefix(shared).map_or_else(|_| path.to_owned(), |rest| home.join(rest))
}

#[cfg(test)]
mod tests;
