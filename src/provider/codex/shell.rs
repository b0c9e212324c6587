//! Which variables the agent's shell commands get.
//!
//! Codex of itself hides variables with names like a secret's, so that the agent could not call the platform; a
//! pattern would let through what the host has. Hence a list of exact names.

use anyhow::Result;

use super::blocks::{self, Block};
use super::{source, switches};

use crate::order;

const TABLE: &str = "shell_environment_policy";

/// The names that commands get, sorted and each once, case aside.
///
/// `inherited` are the host's, `explicit` those that the environment sets, `custom` the agent's own that were accepted.
pub fn allowed_names<'a>(
    inherited: impl IntoIterator<Item = &'a str>,
    explicit: impl IntoIterator<Item = &'a str>,
    custom: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    let inherited = inherited.into_iter().filter(|name| !is_platform(name) && !sounds_secret(name));
    let explicit = explicit.into_iter().filter(|name| is_platform(name) || !sounds_secret(name));
    let all = explicit.chain(custom).chain(inherited);
    // The list is of patterns: a name with one of their signs would let others through.
    let mut names: Vec<String> =
        all.filter(|name| !name.is_empty() && !name.contains(['*', '?'])).map(str::to_owned).collect();
    order::sort_by_key(&mut names, |name| (name.to_ascii_lowercase(), name.clone()));
    names.dedup_by(|one, other| one.eq_ignore_ascii_case(other));
    names
}

fn is_platform(name: &str) -> bool {
    name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("MULTICA_"))
}

/// Begins the variables that name settings for git. It refuses to work where one of them is missing.
const GIT_SETTING: &str = "GIT_CONFIG_KEY_";

fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    if name.strip_prefix(GIT_SETTING).is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
        return false;
    }
    ["KEY", "SECRET", "TOKEN"].iter().any(|word| name.contains(word))
}

/// A configuration whose shell commands get exactly these variables: every definition of the policy, in the root and
/// in profiles, gives way to one table of ours. A second pass with the same names changes no byte.
///
/// # Errors
/// When `config` is not TOML; the message has line and column.
pub fn shell_policy(config: &str, names: &[String]) -> Result<String> {
    let text = without_policy(config)?;
    // Later blocks stay behind: the order of the tail is the same, whoever comes last.
    let later = blocks::first_of(&text, &[Block::Skills, Block::Mcp])?.unwrap_or(text.len());
    let (before, behind) = text.split_at(later);
    let mut parts = vec![before.trim_end_matches(['\n', '\r']).to_owned()];
    if !parts[0].is_empty() {
        parts[0].push('\n');
    }
    parts.push(block(names));
    parts.push(behind.to_owned());
    parts.retain(|part| !part.is_empty());
    let text = parts.join("\n");
    source::parse(&text)?;
    Ok(text)
}

/// A configuration without any definition of the policy.
///
/// # Errors
/// As [`shell_policy`].
pub(super) fn without_policy(config: &str) -> Result<String> {
    let text = blocks::remove(config, &[Block::ShellEnvironment])?;
    let text = source::remove(&text, &[TABLE])?;
    switches::remove_in_profiles(&text, &[vec![TABLE]])
}

fn block(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| source::basic_string(name)).collect();
    Block::ShellEnvironment.wrap(&format!(
        "[{TABLE}]\ninherit = \"all\"\nignore_default_excludes = true\ninclude_only = [{}]\n",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests;
