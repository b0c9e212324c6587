//! The lock of one repository.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use sha2::{Digest, Sha256};

use crate::environment::{root_busy, root_lock};
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::sys::lock::{FileLock, IfMissing, NotLocked, Share, lock_within};
use crate::sys::tree::Tree;

/// Locks a repository of the cache for a clone, fetch, checkout or upkeep. `relative` is its path below the
/// root, so that the lock is the same under every name of the root. Waits at most for `wait` (zero: does not wait),
/// and not once `stop` is set. `None`: another process has it.
///
/// The file lies outside the repository, which a clone needs absent and an eviction removes, and is never unlinked.
///
/// # Errors
/// As the system reports them. The lock counts as held then (decision D7).
pub fn repo_lock(
    root: &Tree,
    relative: &Path,
    wait: Duration,
    stop: &AtomicBool,
) -> Result<Option<FileLock>> {
    let file = lock_file(root, relative)?;
    match lock_file_within(root, &file, wait, stop) {
        Err(NotLocked::Busy) => Ok(None),
        lock => lock.map(Some).map_err(|why| root_busy(root, &file, why)),
    }
}

/// The same for who needs the repository: that another process has it is a failure that names that process.
///
/// # Errors
/// As [`repo_lock`], and a [`Code::RootBusy`] failure.
pub(super) fn hold_repo(root: &Tree, relative: &Path, wait: Duration, stop: &AtomicBool) -> Result<FileLock> {
    let file = lock_file(root, relative)?;
    lock_file_within(root, &file, wait, stop).map_err(|why| match why {
        NotLocked::Busy if stop.load(Ordering::Relaxed) => {
            Failure::new(Code::Interrupted, "interrupted by a signal while waiting for a shared repository")
                .into()
        }
        why => root_busy(root, &file, why)
            .context(format!("use the shared repository {}", root.path().join(relative).display())),
    })
}

fn lock_file(root: &Tree, relative: &Path) -> Result<PathBuf> {
    let digest = crate::task::hex(&Sha256::digest(relative.as_os_str().as_encoded_bytes()));
    root_lock(root, &format!("{}{}", names::REPO_LOCK, &digest[..32]))
}

fn lock_file_within(
    root: &Tree,
    file: &Path,
    wait: Duration,
    stop: &AtomicBool,
) -> Result<FileLock, NotLocked> {
    lock_within(root, file, IfMissing::Create, Share::Alone, wait, &|| stop.load(Ordering::Relaxed))
}
