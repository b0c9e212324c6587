//! Locks: the kernel's, so that they vanish with their holder (decisions D2, D7, D8).
//!
//! A lock file is never unlinked while its environment lives; who gets a lock checks that the path still names the
//! file that was locked, because the environment may have been moved away between opening and locking.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::busy::{Held, WAIT, busy, by, root_busy};
use super::elsewhere::{Sign, used_elsewhere};
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::sys::lock::{self, FileLock, IfMissing, NotLocked, Share};

use crate::sys::tree::Tree;

/// How often, and how far apart, a lock is tried: `list` and `gc` hold each one while they look at it.
const TRIES: u32 = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// The lock on one environment. Everything that changes the environment needs one.
#[derive(Debug)]
pub struct EnvLock {
    file: FileLock,
    /// What other machines can see of it, where the lock itself does not reach them.
    sign: Option<Sign>,
}

impl EnvLock {
    /// Tries to lock an open env root.
    ///
    /// With `create` off no file is made: looking at an environment must not renew the age of its folder.
    ///
    /// # Errors
    /// [`Held`]: another process has it, or the file system does not say.
    pub fn try_acquire(tree: &Tree, create: bool) -> std::result::Result<EnvLock, Held> {
        let if_missing = if create { IfMissing::Create } else { IfMissing::Fail };
        let file = lock::try_lock(tree, Path::new(names::LOCK), if_missing, Share::Alone)?;
        match used_elsewhere(tree) {
            Some(why) => Err(Held::Unknown(why.into())),
            None => Ok(EnvLock { file, sign: None }),
        }
    }

    /// Tries to lock an environment for a change: it must still stand where it was opened, or the lock would be on
    /// one that lies in the trash while the change goes to the one in its place.
    ///
    /// # Errors
    /// [`Held`]: another process has it, the file system does not say, or the environment is no longer there.
    pub fn try_hold(tree: &Tree, create: bool) -> std::result::Result<EnvLock, Held> {
        let is_there =
            || -> io::Result<bool> { Ok(Tree::open(tree.path())?.identity()? == tree.identity()?) };
        let check = || match is_there() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Held::Moved),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Held::Moved),
            Err(error) => Err(Held::Unknown(error.into())),
        };
        check()?; // no lock file is made in what has gone
        let mut tries = 1;
        let mut lock = loop {
            match EnvLock::try_acquire(tree, create) {
                Err(Held::ByOther) if tries < TRIES => std::thread::sleep(BETWEEN_TRIES),
                other => break other?,
            }
            tries += 1;
        };
        check()?;
        lock.sign = Sign::leave(tree, lock.file()).map_err(|why| Held::Unknown(why.into()))?;
        Ok(lock)
    }

    /// Locks an environment for a command that changes it.
    ///
    /// # Errors
    /// A [`Code::EnvBusy`] failure that says what holds it.
    pub fn acquire(tree: &Tree, root: &Path) -> Result<EnvLock> {
        EnvLock::try_hold(tree, true).map_err(|held| busy(root, &held))
    }

    /// The open lock file: a duplicate of it keeps the lock for the guard of a run.
    pub fn file(&self) -> &File {
        self.file.file()
    }
}

impl Drop for EnvLock {
    fn drop(&mut self) {
        if let Some(sign) = self.sign.take() {
            sign.remove(self.file.file());
        }
    }
}

/// A lock on a user's folder.
#[derive(Debug)]
pub struct PathLock {
    _held: File,
}

/// Locks a user's folder while sidecars go in or come out: the folder itself, so that it is one lock whatever root
/// an execenv works under.
///
/// # Errors
/// A [`Code::PathBusy`] failure when another process has it.
pub fn path_lock(root: &Tree, canonical: &Path) -> Result<PathLock> {
    lock_path(root, canonical, Share::Alone)
}

/// The same while a user's folder is only read, which several may do at a time.
///
/// # Errors
/// As [`path_lock`].
pub(super) fn path_lock_shared(root: &Tree, canonical: &Path) -> Result<PathLock> {
    lock_path(root, canonical, Share::Shared)
}

fn lock_path(root: &Tree, canonical: &Path, share: Share) -> Result<PathLock> {
    let locking = || format!("lock {}", canonical.display());
    let busy = |file: Option<&File>| {
        let holder = file.and_then(lock::holder_of);
        let message = format!("another execenv is at work in {}{}", canonical.display(), by(holder.as_ref()));
        Failure::new(Code::PathBusy, message).hint("wait for it to end, then try again")
    };
    let folder = File::open(canonical).with_context(locking)?;
    let locked = match share {
        Share::Alone => folder.try_lock(),
        Share::Shared => folder.try_lock_shared(),
    };
    match locked {
        Ok(()) => return Ok(PathLock { _held: folder }),
        Err(TryLockError::WouldBlock) => return Err(busy(Some(&folder)).into()),
        // Network file systems lock only what is open for writing, which a folder never is: there one file a path,
        // below the root, keeps at least the users of one root apart.
        Err(TryLockError::Error(error)) => log::debug!("{}: {error}", locking()),
    }
    let digest = crate::task::hex(&Sha256::digest(canonical.as_os_str().as_encoded_bytes()));
    let file = root_lock(root, &format!("{}{}", names::PATH_LOCK, &digest[..32]))?;
    match lock::try_lock(root, &file, IfMissing::Create, share) {
        Ok(lock) => Ok(PathLock { _held: lock.into_file() }),
        Err(NotLocked::Busy) => Err(busy(root.open_lock(&file, false).ok().as_ref()).into()),
        Err(why) => Err(root_busy(root, &file, why)),
    }
}

/// The path of one of a root's own locks below the root, in a folder that is there then.
///
/// # Errors
/// As the system reports them.
pub(crate) fn root_lock(root: &Tree, name: &str) -> Result<PathBuf> {
    let folder = Path::new(names::LOCKS);
    root.ensure_dir(folder, 0o700)
        .with_context(|| format!("make the folder of locks in {}", root.path().display()))?;
    // An older release made it readable for all. In a root of another user's it stays as it is.
    if root.mode(folder).ok().flatten().is_some_and(|mode| mode & 0o077 != 0)
        && let Err(error) = root.set_dir_mode(folder, 0o700)
    {
        log::debug!("{} stays readable for others: {error}", root.path().join(folder).display());
    }
    Ok(folder.join(name))
}

/// Takes a prepare's share of the staging lock: every prepare holds it while it builds an env root under a nameless
/// place.
///
/// # Errors
/// As the system reports them.
pub(crate) fn staging_lock(root: &Tree) -> Result<FileLock> {
    let file = root_lock(root, names::STAGING_LOCK)?;
    lock::lock_within(root, &file, IfMissing::Create, Share::Shared, WAIT, &|| false)
        .map_err(|why| root_busy(root, &file, why))
}

/// Takes the staging lock exclusively, without waiting: no prepare is at work in this root while it is held, so that
/// every staging folder is a leftover. `None`: a prepare is at work.
///
/// # Errors
/// As the system reports them.
pub(crate) fn staging_lock_alone(root: &Tree) -> Result<Option<FileLock>> {
    // A file that is there is not touched: `doctor` only looks.
    let file = Path::new(names::LOCKS).join(names::STAGING_LOCK);
    let tried = match lock::try_lock(root, &file, IfMissing::Fail, Share::Alone) {
        Err(NotLocked::Missing) => {
            root_lock(root, names::STAGING_LOCK)?;
            lock::try_lock(root, &file, IfMissing::Create, Share::Alone)
        }
        tried => tried,
    };
    match tried {
        Err(NotLocked::Busy) => Ok(None),
        lock => lock.map(Some).map_err(|why| root_busy(root, &file, why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
    fn an_environment_that_was_replaced_after_it_was_opened_cannot_be_held() {
        let tmp = tempfile::tempdir().unwrap();
        let (place, trash) = (tmp.path().join("env"), tmp.path().join("trash"));
        std::fs::create_dir(&place).unwrap();
        let opened = Tree::open(&place).unwrap();
        assert!(EnvLock::try_hold(&opened, true).is_ok());
        std::fs::rename(&place, &trash).unwrap();
        assert_eq!(EnvLock::try_hold(&opened, true).unwrap_err(), Held::Moved);
        std::fs::create_dir(&place).unwrap();
        assert_eq!(EnvLock::try_hold(&opened, true).unwrap_err(), Held::Moved);
        assert!(EnvLock::try_hold(&Tree::open(&place).unwrap(), true).is_ok());
    }
}
