//! The native features that are switched off: child agents, whose work is lost when the parent's turn ends before
//! theirs, and the memory, which carries notes from one task into another. Where the task's
//! MCP servers are to be the only ones, the connectors of the user's account too.

use anyhow::Result;

use super::blocks::Block;
use super::managed::{Managed, place};
use super::source;
use crate::provider::version::Version;

/// Names in `[features]` that Codex 0.169 also takes for child agents; `multi_agent_v2` is its present name.
const MULTI_AGENT_ALIASES: &[&str] = &["collab", "multi_agent_v2"];
/// `memory_tool = true` beats `memories = false` in Codex 0.169.
const MEMORY_ALIASES: &[&str] = &["memory_tool"];

/// Whether a variable's text keeps a feature: `1`, `true`, `yes`, `on`, in any case.
pub(super) fn is_on(value: Option<&str>) -> bool {
    let word = value.unwrap_or_default().trim().to_ascii_lowercase();
    matches!(word.as_str(), "1" | "true" | "yes" | "on")
}

/// The first version that is known to have `agents.enabled`. An earlier one took any key of `[agents]` for a role's
/// name and refused the file.
const HAS_AGENTS_SWITCH: Version = Version(0, 169, 0);

/// Whether a version, if it is known, has `agents.enabled`.
pub(super) fn has_agents_switch(version: Option<Version>) -> bool {
    version.is_some_and(|version| version >= HAS_AGENTS_SWITCH)
}

/// Switches child agents off. The second text is for the head of the file.
///
/// In Codex 0.169 the feature governs the older kind only, and a model may ask for the newer one: `by_table` says that
/// the switch for both can be set.
pub(super) fn without_multi_agent(text: &str, by_table: bool) -> Result<(String, String)> {
    let mut text = without_in_profiles(text, MULTI_AGENT_ALIASES, "multi_agent")?;
    let mut table_lines = String::new();
    if by_table {
        let keys = vec![("enabled", false.into())];
        let table = Managed { block: Block::MultiAgent, table: "agents", keys, aliases: &[] };
        (text, table_lines) = place(&text, &table)?;
    }
    let managed = Managed {
        block: Block::MultiAgent,
        table: "features",
        keys: vec![("multi_agent", false.into())],
        aliases: MULTI_AGENT_ALIASES,
    };
    let (text, lines) = place(&text, &managed)?;
    Ok((text, wrapped(Block::MultiAgent, &(lines + &table_lines))))
}

/// Switches off what brings MCP servers besides those of the configuration: the connectors that Codex reaches through the
/// user's account, and plugins. The second text is for the head of the file.
pub(super) fn without_apps(text: &str) -> Result<(String, String)> {
    let keys = vec![("apps", false.into()), ("plugins", false.into())];
    let (text, lines) =
        place(text, &Managed { block: Block::Apps, table: "features", keys, aliases: &["connectors"] })?;
    Ok((text, wrapped(Block::Apps, &lines)))
}

/// Switches the memory off. The second text is for the head of the file.
pub(super) fn without_memory(text: &str) -> Result<(String, String)> {
    let text = without_in_profiles(text, MEMORY_ALIASES, "memories")?;
    let switch = Managed {
        block: Block::MemorySwitch,
        table: "features",
        keys: vec![("memories", false.into())],
        aliases: MEMORY_ALIASES,
    };
    let settings = Managed {
        block: Block::MemorySettings,
        table: "memories",
        keys: vec![("generate_memories", false.into()), ("use_memories", false.into())],
        aliases: &[],
    };
    let (text, switch_lines) = place(&text, &switch)?;
    let (text, settings_lines) = place(&text, &settings)?;
    let head = wrapped(Block::MemorySwitch, &switch_lines) + &wrapped(Block::MemorySettings, &settings_lines);
    Ok((text, head))
}

/// A profile that is selected wins over the root.
fn without_in_profiles(text: &str, aliases: &[&str], key: &str) -> Result<String> {
    let names: Vec<Vec<&str>> = aliases.iter().chain([&key]).map(|name| vec!["features", *name]).collect();
    remove_in_profiles(text, &names)
}

/// The text without these keys of the user's profiles.
pub(super) fn remove_in_profiles(text: &str, keys: &[Vec<&str>]) -> Result<String> {
    let is_there = |key: &&Vec<&str>| key.iter().all(|name| source::may_have(text, name));
    let keys: Vec<_> = keys.iter().filter(is_there).collect();
    if keys.is_empty() {
        return Ok(text.to_owned());
    }
    let profiles = profiles(text)?;
    let paths: Vec<Vec<&str>> = profiles
        .iter()
        .flat_map(|profile| keys.iter().map(move |key| [&["profiles", profile.as_str()], &key[..]].concat()))
        .collect();
    source::remove_all(text, &paths)
}

/// The names of the user's profiles.
fn profiles(text: &str) -> Result<Vec<String>> {
    if !source::may_have(text, "profiles") {
        return Ok(Vec::new());
    }
    let document = source::parse(text)?;
    let profiles = document.as_table().get("profiles").and_then(|item| item.as_table_like());
    Ok(profiles.map(|table| table.iter().map(|(name, _)| name.to_owned()).collect()).unwrap_or_default())
}

fn wrapped(block: Block, lines: &str) -> String {
    if lines.is_empty() { String::new() } else { block.wrap(lines) }
}
