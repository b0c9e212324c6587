//! The lock of one repository.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::layout::names;
use crate::sys::tree::Tree;

const BETWEEN_TRIES: Duration = Duration::from_millis(25);

/// Locks a repository of the cache for a change: clone, fetch, checkout, upkeep. `relative` is its path below the
/// root, so that the lock is the same by whatever name the root goes. Waits at most for `wait` (zero: does not wait),
/// and not once `stop` is set. `None`: another process has it.
///
/// The file lies outside the repository, which a clone needs absent and an eviction removes, and is never unlinked.
///
/// # Errors
/// As the system reports them: nobody can tell then, so it counts as held (decision D7).
pub fn repo_lock(root: &Tree, relative: &Path, wait: Duration, stop: &AtomicBool) -> Result<Option<File>> {
    let locking = || format!("lock {}", root.path().join(relative).display());
    let digest = crate::task::hex(&Sha256::digest(relative.as_os_str().as_encoded_bytes()));
    let folder = Path::new(names::LOCKS);
    root.ensure_dir(folder, 0o755).with_context(locking)?;
    let file = root
        .open_lock(&folder.join(format!("{}{}", names::REPO_LOCK, &digest[..32])), true)
        .with_context(locking)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(error)) => return Err(error).with_context(locking),
            Err(TryLockError::WouldBlock) if begun.elapsed() >= wait || stop.load(Ordering::Relaxed) => {
                return Ok(None);
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_TRIES),
        }
    }
}
