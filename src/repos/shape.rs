//! Whether a repository of the cache is one by itself: every agent can write to the cache, and a link below `objects` or
//! `refs` would lead git into another repository.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::git::{borrows_from, leads_elsewhere};
use crate::sys::tree::Tree;

/// Where a repository has its objects.
const OBJECTS: &str = "objects";

/// Refuses a repository that leads elsewhere: one that holds anything but folders and regular files on one file system,
/// or borrows objects.
///
/// # Errors
/// What leads elsewhere, or what could not be looked at.
pub(super) fn stands_alone(bare: &Tree) -> Result<()> {
    let looking = || format!("look at {}", bare.path().display());
    if let Some((path, why)) = leads_elsewhere(bare).with_context(looking)? {
        bail!("left alone {}: {} {why}", bare.path().display(), path.display());
    }
    let Ok(objects) = bare.unlinked_subtree(Path::new(OBJECTS)) else { return Ok(()) };
    if !borrows_from(&objects).with_context(looking)?.is_empty() {
        bail!("left alone {}: objects/info/alternates names another repository", bare.path().display());
    }
    Ok(())
}
