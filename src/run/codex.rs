//! What only a run knows and Codex wants in its configuration: the variables that its shell commands get.

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

/// The names that shell commands get: of all `variables` of the agent, those that are `set` by the environment or
/// `given` by task and operator as they are, the host's but for those that sound like secrets.
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

/// Puts the names into the configuration of the task's home, where they are others than before.
///
/// # Errors
/// When there is no such configuration, or it cannot be read or replaced.
pub(super) fn renew_policy(env: &Tree, allowed: &[String]) -> Result<()> {
    let place = env.path().join(HOME).join(CONFIG);
    let doing = || format!("renew {}", place.display());
    let home = env.subtree(Path::new(HOME)).with_context(doing)?;
    let bytes = home.read(Path::new(CONFIG), MAX_CONFIG).with_context(doing)?;
    let text = String::from_utf8(bytes.with_context(doing)?).with_context(doing)?;
    let renewed = codex::shell_policy(&text, allowed).with_context(doing)?;
    if renewed == text {
        return Ok(());
    }
    home.replace_unsynced(Path::new(CONFIG), renewed.as_bytes(), 0o600, names::TEMPORARY).with_context(doing)
}
