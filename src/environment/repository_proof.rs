//! The proof that execenv has made the worktree of an environment in a certain repository: without it nothing in that repository
//! is changed when the environment goes, whatever the record and the work dir say.
//!
//! It stands in the env root before the worktree is made, so that what a killed `prepare` has left is proved, too. It says which
//! repository it is, not which registration: that one names the work dir itself.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result};

use super::key::KeyFile;
use super::lookup::FoundEnv;
use crate::layout::names;
use crate::sidecar::Seal;
use crate::sys::silent;
use crate::sys::tree::Tree;

/// The longest proof that is read, in bytes.
const MOST: u64 = 1 << 10;
/// The permission bits of the file.
const MODE: u32 = 0o644;

/// Writes it into the env root `env` of the workspaces root `root`. `common` is the git folder that all worktrees share.
///
/// # Errors
/// As the system reports them.
pub(super) fn write(env: &Tree, root: &Path, common: &Path, seal: &Seal<'_>) -> Result<()> {
    let real = silent::resolve(common).unwrap_or_else(|| common.to_owned());
    let proof = seal.of_repository(&covered(root, &real));
    env.create_unseen(Path::new(names::REPOSITORY_PROOF), proof.as_bytes(), MODE)
        .with_context(|| format!("write {}", env.path().join(names::REPOSITORY_PROOF).display()))
}

/// Whether the env root `env`, whose environment has this key and lies below `root`, has the proof for a repository, which is named
/// without links.
pub(super) fn is_proved(env: &Tree, (root, key): (&Path, &str), common: &Path, keys: &KeyFile) -> bool {
    let Ok(Some(proof)) = env.read(Path::new(names::REPOSITORY_PROOF), MOST) else { return false };
    let proof = String::from_utf8_lossy(&proof);
    keys.seal(key).is_some_and(|seal| seal.proves_repository(&covered(root, common), &proof))
}

impl FoundEnv {
    /// Whether execenv is known to have made the worktree of this environment in a repository, which is named without links.
    pub(crate) fn has_proof_of(&self, common: &Path, keys: &KeyFile) -> bool {
        let root = self.env.path.ancestors().nth(2).unwrap_or(&self.env.path);
        is_proved(&self.env.tree, (root, &self.env.key()), common, keys)
    }
}

/// What the proof covers: the path of the repository, below the root for one that moves with it.
fn covered(root: &Path, common: &Path) -> Vec<u8> {
    let root = silent::resolve(root).unwrap_or_else(|| root.to_owned());
    common.strip_prefix(root).unwrap_or(common).as_os_str().as_bytes().to_vec()
}
