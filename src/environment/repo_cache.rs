//! `<root>/.repos/<workspace>/<repository>`: bare clones whose worktrees are checked out into environments, and what
//! a checkout and the collector have to agree on.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use sha2::{Digest, Sha256};

use super::layout::{WorkspacesRoot, names};
use crate::sys::tree::Tree;

/// The folder of all caches, as a name inside the root. The collector takes the folder of a workspace away when it
/// finds it empty.
pub const REPOS: &str = ".repos";
/// How the reason begins with which a checkout locks its worktree (`git worktree lock`): such a lock does not outlive
/// the environment, a lock of anybody else's does.
pub const LOCK_REASON: &str = "execenv";
/// When a checkout last began, in upstream's format.
const LAST_USE: &str = ".multica_last_used";
/// The largest stamp that is read, in bytes.
const MOST_OF_A_STAMP: u64 = 256;

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
    let folder = Path::new(WorkspacesRoot::LOCKS);
    root.ensure_dir(folder, 0o755).with_context(locking)?;
    let file = root.open_lock(&folder.join(format!("repo-{}", &digest[..32])), true).with_context(locking)?;
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

/// When a checkout last began in an open repository. `None`: nobody knows.
pub fn last_use(bare: &Tree) -> Option<DateTime<Utc>> {
    let text = bare.read(Path::new(LAST_USE), MOST_OF_A_STAMP).ok()??;
    let text = std::str::from_utf8(&text).ok()?;
    Some(DateTime::parse_from_rfc3339(text.trim()).ok()?.to_utc())
}

/// Notes that a repository is in use now. The caller holds its lock.
///
/// # Errors
/// As the system reports them.
pub fn stamp_use(bare: &Tree, now: DateTime<Utc>) -> Result<()> {
    let text = now.to_rfc3339_opts(SecondsFormat::Nanos, true);
    bare.replace_unsynced(Path::new(LAST_USE), text.as_bytes(), 0o644, names::TEMPORARY)
        .with_context(|| format!("note the use of {}", bare.path().display()))
}
