//! The variables that Codex passes on to its shell commands: a part of its configuration that only a run knows.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::layout::names;
use crate::provider::codex;
use crate::sys::tree::Tree;

const HOME: &str = names::CODEX_HOME;
const CONFIG: &str = "config.toml";
/// The longest configuration that is read, in bytes.
const MAX_CONFIG: u64 = 16 << 20;

type Variables = Vec<(OsString, OsString)>;

/// The names that Codex passes on: of the agent's `variables` all that are `set` by the environment or `given` by task and
/// operator, and of the inherited ones those that do not sound like secrets.
pub(super) fn shell_names(
    variables: &Variables,
    set: &Variables,
    given: impl Iterator<Item = OsString>,
) -> Vec<String> {
    let has = |name: &OsString| variables.binary_search_by(|(other, _)| other.cmp(name)).is_ok();
    let given: Vec<OsString> = given.filter(has).collect();
    codex::allowed_names(
        variables.iter().filter_map(|(name, _)| name.to_str()),
        set.iter().filter_map(|(name, _)| name.to_str()),
        given.iter().filter_map(|name| name.to_str()),
    )
}

/// Whether the configuration in the task's home has Codex confine its commands.
pub(super) fn confines_commands(env: &Tree) -> bool {
    const SWITCHED_OFF: &str = "sandbox_mode = \"danger-full-access\"";
    let read = env.subtree(Path::new(HOME)).and_then(|home| home.read(Path::new(CONFIG), MAX_CONFIG));
    !read.ok().flatten().is_some_and(|text| String::from_utf8_lossy(&text).contains(SWITCHED_OFF))
}

/// Writes the names into the configuration of the task's home, where they have changed.
///
/// # Errors
/// When there is no such configuration, or it cannot be read or replaced.
pub(super) fn renew_policy(env: &Tree, allowed: &[String]) -> Result<()> {
    let place = env.path().join(HOME).join(CONFIG);
    let doing = || format!("update {}", place.display());
    let home = env.subtree(Path::new(HOME)).with_context(doing)?;
    let bytes = home.read(Path::new(CONFIG), MAX_CONFIG).with_context(doing)?;
    let text = String::from_utf8(bytes.with_context(doing)?).with_context(doing)?;
    let updated = codex::shell_policy(&text, allowed).with_context(doing)?;
    if updated == text {
        return Ok(());
    }
    // Synced: a power cut may leave a renamed file empty, and this one holds the limits of the agent.
    home.replace(Path::new(CONFIG), updated.as_bytes(), 0o600, names::TEMPORARY).with_context(doing)
}
