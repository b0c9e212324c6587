//! The proof that `prepare` or `reuse` has accepted the commands of a `.execenv.json` for an environment. Without it no teardown
//! runs there: the record, and what lies in the work dir, are claims of the agent's.

use std::path::Path;

use anyhow::{Context, Result};

use crate::environment::key::KeyFile;
use crate::layout::names;
use crate::sidecar::Seal;
use crate::sys::tree::Tree;

/// The longest proof that is read, in bytes.
const MOST: u64 = 1 << 10;
/// The permission bits of the file.
const MODE: u32 = 0o644;

/// Writes it into the env root `env`, durably.
///
/// # Errors
/// As the system reports them.
pub(in crate::environment) fn write(env: &Tree, digest: &str, seal: &Seal<'_>) -> Result<()> {
    let text = format!("{digest} {}", seal.of_commands(digest));
    env.replace(Path::new(names::SETUP_PROOF), text.as_bytes(), MODE, names::TEMPORARY)
        .with_context(|| format!("write {}", env.path().join(names::SETUP_PROOF).display()))
}

/// Whether there is one, which may be forged.
pub(super) fn is_there(env: &Tree) -> bool {
    matches!(env.kind(Path::new(names::SETUP_PROOF)), Ok(Some(_)))
}

/// Whether the environment with this key has a proof, of whatever file.
pub(super) fn is_proved(env: &Tree, key: &str, keys: &KeyFile) -> bool {
    let Ok(Some(bytes)) = env.read(Path::new(names::SETUP_PROOF), MOST) else { return false };
    let text = String::from_utf8_lossy(&bytes);
    let Some((digest, proof)) = text.split_once(' ') else { return false };
    keys.seal(key).is_some_and(|seal| seal.proves_commands(digest, proof))
}

/// Removes it: the teardown has run.
///
/// # Errors
/// As the system reports them.
pub(super) fn remove(env: &Tree) -> Result<()> {
    env.clear_name(Path::new(names::SETUP_PROOF))
        .with_context(|| format!("remove {}", env.path().join(names::SETUP_PROOF).display()))
}
