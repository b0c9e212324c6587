//! File locks. The kernel owns them, so they end with their holder (decisions D2, D7, D8).
//!
//! After locking, the lock checks that its file is still at the path: a file that was moved, replaced or removed
//! between opening and locking is opened again.
//!
//! A lock file is its owner's alone (0600): to hold a lock it is enough to read its file. Every wait has a limit.

use std::fs::{File, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};

use super::fault;
use super::tree::Tree;

mod holder;

pub use holder::{Holder, holder_of};

/// How often the file may be replaced between opening and locking.
const TRIES: u32 = 1_000;
const BETWEEN_TRIES: Duration = Duration::from_millis(2);
/// A wait that is this long already tries less often.
const LONG: Duration = Duration::from_millis(100);
const BETWEEN_LATER_TRIES: Duration = Duration::from_millis(20);
/// After this time a wait is reported, once.
const UNTIL_REPORT: Duration = Duration::from_secs(1);

/// Whether other processes may hold the lock at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// No other process.
    Alone,
    /// Every process that shares it, too.
    Shared,
}

/// Whether to create a missing lock file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMissing {
    /// Create an empty file.
    Create,
    /// Create nothing, and lock nothing.
    Fail,
}

/// Why a file could not be locked.
#[derive(Debug)]
pub enum NotLocked {
    /// Another process has the lock.
    Busy,
    /// There is no such file, and none was to be made.
    Missing,
    /// The file system cannot lock: the lock counts as held (decision D7).
    Refused(io::Error),
    /// The lock file cannot be opened. It counts as held, too.
    Failed(io::Error),
}

impl NotLocked {
    /// `None` for a lock that another process has, the error for all else.
    ///
    /// # Errors
    /// Every error but a lock that another process has.
    pub fn or_busy<T>(self) -> io::Result<Option<T>> {
        if matches!(self, NotLocked::Busy) { Ok(None) } else { Err(self.into()) }
    }
}

impl From<NotLocked> for io::Error {
    fn from(why: NotLocked) -> io::Error {
        match why {
            NotLocked::Busy => io::ErrorKind::WouldBlock.into(),
            NotLocked::Missing => io::ErrorKind::NotFound.into(),
            NotLocked::Refused(error) | NotLocked::Failed(error) => error,
        }
    }
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

impl FileLock {
    /// The open lock file: a process that inherits a duplicate of it keeps the lock.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The same, with the lock.
    pub fn into_file(self) -> File {
        self.file
    }
}

/// The longest text of a lock file that is read, in bytes.
const MAX_TEXT: u64 = 4 << 10;

/// Writes a text into a lock file, durably: those whom the lock does not reach can read it. An empty one removes it.
///
/// # Errors
/// As the system reports them.
pub fn write_text(mut file: &File, text: impl AsRef<[u8]>) -> io::Result<()> {
    fault::step()?;
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(text.as_ref())?;
    file.sync_all()
}

/// The text of a lock file; empty where none can be read.
pub fn read_text(tree: &Tree, path: &Path) -> String {
    let bytes = tree.read(path, MAX_TEXT).ok().flatten().unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// Locks a file of an open folder, without waiting.
///
/// # Errors
/// [`NotLocked`].
pub fn try_lock(
    tree: &Tree,
    path: &Path,
    if_missing: IfMissing,
    share: Share,
) -> Result<FileLock, NotLocked> {
    lock_present(tree, path, if_missing, |file| {
        let tried = if share == Share::Alone { file.try_lock() } else { file.try_lock_shared() };
        tried.map_err(|error| match error {
            TryLockError::WouldBlock => NotLocked::Busy,
            TryLockError::Error(error) => NotLocked::Refused(error),
        })
    })
}

/// Locks an open folder itself, without waiting: the lock stays with the folder when that is renamed.
///
/// # Errors
/// [`NotLocked`]; network file systems lock no folders.
pub fn try_lock_folder(folder: &Tree) -> Result<FileLock, NotLocked> {
    let file = folder.handle().map_err(NotLocked::Failed)?;
    match file.try_lock() {
        Ok(()) => Ok(FileLock { file }),
        Err(TryLockError::WouldBlock) => Err(NotLocked::Busy),
        Err(TryLockError::Error(error)) => Err(NotLocked::Refused(error)),
    }
}

/// Sets the time of a lock file to now: a sign of life for those whom the lock does not reach.
///
/// # Errors
/// As the system reports them.
pub fn touch(file: &File) -> io::Result<()> {
    fault::step()?;
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Ok(futimens(file, &Timestamps { last_access: now, last_modification: now })?)
}

/// Who has the lock on a file of an open folder, as far as the system tells.
pub fn holder(tree: &Tree, path: &Path) -> Option<Holder> {
    holder_of(&tree.open_lock(path, false).ok()?)
}

/// Locks a file of an open folder; waits at most for `wait`, and not once `is_stopped`. A long wait is reported.
///
/// # Errors
/// [`NotLocked`].
pub fn lock_within(
    tree: &Tree,
    path: &Path,
    if_missing: IfMissing,
    share: Share,
    wait: Duration,
    is_stopped: &dyn Fn() -> bool,
) -> Result<FileLock, NotLocked> {
    let begun = Instant::now();
    let mut is_reported = false;
    loop {
        match try_lock(tree, path, if_missing, share) {
            Err(NotLocked::Busy) if begun.elapsed() < wait && !is_stopped() => {
                if !is_reported && begun.elapsed() >= UNTIL_REPORT {
                    is_reported = true;
                    report_wait(tree, path, wait);
                }
                let is_long = begun.elapsed() >= LONG;
                std::thread::sleep(if is_long { BETWEEN_LATER_TRIES } else { BETWEEN_TRIES });
            }
            other => return other,
        }
    }
}

fn report_wait(tree: &Tree, path: &Path, wait: Duration) {
    let by = holder(tree, path).map(|holder| format!(" ({holder})")).unwrap_or_default();
    log::warn!("waiting at most {wait:?} for the lock {}{by}", tree.path().join(path).display());
}

fn lock_present(
    tree: &Tree,
    path: &Path,
    if_missing: IfMissing,
    lock: impl Fn(&File) -> Result<(), NotLocked>,
) -> Result<FileLock, NotLocked> {
    for _ in 0..TRIES {
        let file = tree.open_lock(path, if_missing == IfMissing::Create).map_err(|error| {
            match (error.kind(), if_missing) {
                (io::ErrorKind::NotFound, IfMissing::Fail) => NotLocked::Missing,
                _ => NotLocked::Failed(error),
            }
        })?;
        lock(&file)?;
        match is_at(tree, path, &file) {
            Ok(true) => return Ok(FileLock { file }),
            Ok(false) => {}
            Err(error) => return Err(NotLocked::Failed(error)),
        }
    }
    Err(NotLocked::Failed(io::Error::other("the lock file keeps changing")))
}

/// Whether an open file is still the one at the path.
fn is_at(tree: &Tree, path: &Path, file: &File) -> io::Result<bool> {
    match tree.open_lock(path, false) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => {
            let (now, ours) = (other?.metadata()?, file.metadata()?);
            Ok((now.dev(), now.ino()) == (ours.dev(), ours.ino()))
        }
    }
}
