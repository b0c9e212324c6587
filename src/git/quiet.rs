//! A moment in which no other execenv makes or deletes a branch of a task in a repository.
//!
//! A registration names its branch before that is made, so that a kill leaves none behind. Meanwhile the name may be another
//! task's, which must not take that for a second worktree of its branch.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::sys::tree::Tree;

/// The longest wait. The lock is held for a few calls to git, and never over network or checkout.
const WAIT: Duration = Duration::from_secs(5);
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// Held while branches of tasks come and go: the lock on the git folder that all worktrees share.
#[derive(Debug)]
pub struct Quiet {
    _held: Option<Tree>,
}

impl Quiet {
    /// Waits for the others, but not for ever: without the lock, which some file systems do not have, at worst a branch is left.
    pub fn in_repository(common: &Path) -> Quiet {
        let folder = match Tree::open(common).and_then(|folder| folder.lockable()) {
            Ok(folder) => folder,
            Err(error) => {
                log::debug!("open {}: {error}", common.display());
                return Quiet { _held: None };
            }
        };
        let begun = Instant::now();
        loop {
            match folder.try_hold() {
                Ok(true) => return Quiet { _held: Some(folder) },
                Ok(false) if begun.elapsed() < WAIT => std::thread::sleep(BETWEEN_TRIES),
                other => {
                    log::debug!("no lock on {}: {other:?}", common.display());
                    return Quiet { _held: None };
                }
            }
        }
    }
}
