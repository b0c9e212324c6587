//! The lock on an index that a git has left which was killed.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};

use super::checkout::Checkout;
use super::index_file::{IndexLock, LOCK};
use crate::sys::openers::may_be_open;
use crate::sys::tree::{FileKind, Tree};

/// What became of git's lock on the index of a checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaleLock {
    /// There is none.
    None,
    /// No git had it any more: it is removed.
    Removed,
    /// A git may have it.
    Kept,
}

impl Checkout {
    /// Removes git's lock on the index, if it is not younger than `died` and no process has it open: its git is gone. Git itself
    /// waits for it for ever. One of ours is [taken back](Checkout::repair).
    ///
    /// # Errors
    /// As the system reports them.
    pub fn remove_stale_lock(&self, died: SystemTime) -> Result<StaleLock> {
        let own = &self.folders().own;
        let looking = || format!("look at {}", own.display());
        let own = Tree::open(own).with_context(looking)?;
        if IndexLock::is_left(&own).with_context(looking)? {
            return Ok(StaleLock::Kept);
        }
        let lock = Path::new(LOCK);
        let Some(look) = own.look(lock).with_context(looking)? else { return Ok(StaleLock::None) };
        let is_file = matches!(own.kind(lock).with_context(looking)?, Some(FileKind::File { .. }));
        let is_old = own.written(lock).with_context(looking)? <= died;
        if !is_file || !is_old || may_be_open(look.identity) {
            return Ok(StaleLock::Kept);
        }
        own.remove_file(lock).with_context(|| format!("remove {}", own.path().join(lock).display()))?;
        Ok(StaleLock::Removed)
    }
}
