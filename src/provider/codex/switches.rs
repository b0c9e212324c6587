//! The native features that are switched off: child agents, whose work is lost when the parent's turn ends before
//! theirs, and the memory, which carries notes from one task into another (`providers.md` 2.8, 2.9).

use anyhow::Result;

use super::blocks::Block;
use super::managed::{Managed, place};
use super::source;

/// Names in `[features]` that Codex 0.169 also takes for child agents; `multi_agent_v2` is its present name.
const MULTI_AGENT_ALIASES: &[&str] = &["collab", "multi_agent_v2"];
/// `memory_tool = true` beats `memories = false` in Codex 0.169.
const MEMORY_ALIASES: &[&str] = &["memory_tool"];

/// Whether a variable's text keeps a feature: `1`, `true`, `yes`, `on`, in any case.
pub(super) fn is_on(value: Option<&str>) -> bool {
    let word = value.unwrap_or_default().trim().to_ascii_lowercase();
    matches!(word.as_str(), "1" | "true" | "yes" | "on")
}

/// Switches child agents off. The second text is for the head of the file.
pub(super) fn without_multi_agent(text: &str) -> Result<(String, String)> {
    let text = without_in_profiles(text, MULTI_AGENT_ALIASES, "multi_agent")?;
    let managed = Managed {
        block: Block::MultiAgent,
        table: "features",
        keys: vec![("multi_agent", false.into())],
        aliases: MULTI_AGENT_ALIASES,
    };
    let (text, lines) = place(&text, &managed)?;
    Ok((text, wrapped(Block::MultiAgent, &lines)))
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
    let mut text = text.to_owned();
    for profile in profiles(&text)? {
        for name in aliases.iter().chain([&key]) {
            text = source::remove(&text, &["profiles", &profile, "features", name])?;
        }
    }
    Ok(text)
}

/// The names of the user's profiles.
pub(super) fn profiles(text: &str) -> Result<Vec<String>> {
    let document = source::parse(text)?;
    let profiles = document.as_table().get("profiles").and_then(|item| item.as_table_like());
    Ok(profiles.map(|table| table.iter().map(|(name, _)| name.to_owned()).collect()).unwrap_or_default())
}

fn wrapped(block: Block, lines: &str) -> String {
    if lines.is_empty() { String::new() } else { block.wrap(lines) }
}
