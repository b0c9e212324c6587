//! The index of a checkout: a copy to work on, the lock, and the new one in its place.
//!
//! Git's own lock on an index, `index.lock`, stays when git is killed, and nothing tells it from that of a git that is still at
//! work. So git gets a copy of the index, and `index.lock` is here a second name of `index.execenv`, which is locked by the
//! kernel: by this process, and by each git that writes files for it. When all of them are gone, however they went, the next command
//! takes both names over; what stands in the file says what the killed command was doing.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::failure::{Code, Failure};
use crate::sys::lock::{IfMissing, NotLocked, Share, lock_within, write_text};
use crate::sys::tree::{FileKind, Tree};

/// The index in a git folder, and its copy in a view.
pub(super) const INDEX: &str = "index";
pub(super) const LOCK: &str = "index.lock";
/// A second name of a lock of ours.
const OURS: &str = "index.execenv";
/// The new index, before it has its name.
const NEXT: &str = "index.execenv-next";
/// The longest index that is copied, in bytes.
const MOST_OF_INDEX: u64 = 1 << 30;
/// The longest text in a lock that is read, in bytes.
const MOST_OF_TEXT: u64 = 64 << 20;
/// The longest wait for a git that a killed execenv has left.
const WAIT: Duration = Duration::from_secs(5);

/// Copies the index with its time: git reads a file again whose time is not older than that of the index.
pub(super) fn copy_index(own: &Tree, copy: &Tree) -> Result<()> {
    let name = Path::new(INDEX);
    let copying = || format!("copy {}", own.path().join(name).display());
    let look = own.look(name).with_context(copying)?;
    let bytes = own.read(name, MOST_OF_INDEX).with_context(copying)?;
    copy.remove_file(name).with_context(copying)?;
    let (Some(look), Some(bytes)) = (look, bytes) else { return Ok(()) };
    copy.create_unseen(name, &bytes, 0o600)
        .and_then(|()| copy.set_file_modified(name, time(look.modified)))
        .with_context(copying)
}

fn time((seconds, nanoseconds): (i64, i64)) -> (i64, u32) {
    (seconds, u32::try_from(nanoseconds).unwrap_or_default())
}

/// The index of a checkout, locked by us.
#[derive(Debug)]
pub(super) struct IndexLock {
    own: Tree,
    file: Arc<File>,
}

impl IndexLock {
    /// Locks the index in this git folder. The text says what is about to be done, and is on the disk then. `None`: another process
    /// has the index.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn take(own: Tree, text: &[u8]) -> Result<Option<IndexLock>> {
        let Some(lock) = IndexLock::open(own, IfMissing::Create)? else { return Ok(None) };
        if !text.is_empty() {
            write_text(&lock.file, text).with_context(|| lock.writing())?;
        }
        if lock.link()? {
            return Ok(Some(lock));
        }
        lock.end()?;
        Ok(None)
    }

    /// The lock that a killed process has left in this git folder, and its text. `None`: another process has the index.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn take_over(own: Tree) -> Result<Option<(IndexLock, Vec<u8>)>> {
        let Some(lock) = IndexLock::open(own, IfMissing::Fail)? else { return Ok(None) };
        let text = lock.own.read(Path::new(OURS), MOST_OF_TEXT).with_context(|| lock.writing())?;
        let text = text.unwrap_or_default();
        // Someone may have removed the one name and gone on.
        if !lock.link()? {
            if text.is_empty() {
                lock.end()?;
            }
            return Ok(None);
        }
        Ok(Some((lock, text)))
    }

    /// Whether this git folder has a lock of ours.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn is_left(own: &Tree) -> io::Result<bool> {
        Ok(own.look(Path::new(OURS))?.is_some())
    }

    /// Whether this git folder has a lock of git's.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn is_gits(own: &Tree) -> io::Result<bool> {
        Ok(own.look(Path::new(LOCK))?.is_some())
    }

    fn open(own: Tree, if_missing: IfMissing) -> Result<Option<IndexLock>> {
        let tried = lock_within(&own, Path::new(OURS), if_missing, Share::Alone, WAIT, &|| false);
        match tried {
            Ok(lock) => Ok(Some(IndexLock { file: Arc::new(lock.into_file()), own })),
            Err(NotLocked::Busy) => Ok(None),
            Err(NotLocked::Missing) => Ok(None),
            Err(why) => Err(anyhow::Error::new(io::Error::from(why))
                .context(format!("lock {}", own.path().join(OURS).display()))),
        }
    }

    /// Gives the lock its name that every git knows. `false`: another one has that name.
    fn link(&self) -> Result<bool> {
        let (ours, lock) = (Path::new(OURS), Path::new(LOCK));
        if self.is_linked()? {
            return Ok(true);
        }
        match self.own.link_new(ours, lock) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error).with_context(|| self.writing()),
        }
    }

    fn is_linked(&self) -> Result<bool> {
        let look = |name| self.own.look(Path::new(name)).with_context(|| self.writing());
        let (ours, lock) = (look(OURS)?, look(LOCK)?);
        Ok(ours.zip(lock).is_some_and(|(ours, lock)| ours.identity == lock.identity))
    }

    /// For a git that is to hold it, too.
    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Puts the index of this folder, a view, into the place of the old one, with its time.
    ///
    /// # Errors
    /// As the system reports them; the old index is unchanged then.
    pub(super) fn install(&self, copy: &Tree) -> Result<()> {
        let (index, next) = (Path::new(INDEX), Path::new(NEXT));
        let reading = || format!("read {}", copy.path().join(INDEX).display());
        let look = copy.look(index).with_context(reading)?;
        let bytes = copy.read(index, MOST_OF_INDEX).with_context(reading)?;
        let Some((look, bytes)) = look.zip(bytes) else { return Ok(()) };
        let writing = || format!("write {}", self.own.path().join(INDEX).display());
        let mode = match self.own.kind(index).with_context(writing)? {
            Some(FileKind::File { mode, .. }) => mode & 0o777,
            _ => 0o644,
        };
        self.own
            .remove_file(next)
            .and_then(|()| self.own.create_unseen(next, &bytes, mode))
            .and_then(|()| self.own.set_file_modified(next, time(look.modified)))
            .and_then(|()| self.own.keep_previous(next, index))
            .with_context(writing)
    }

    /// Lets others have the index.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn end(self) -> Result<()> {
        // What was to be done is done: a kill from here on leaves nothing to repair.
        if self.file.metadata().is_ok_and(|file| file.len() > 0) {
            write_text(&self.file, b"").with_context(|| self.writing())?;
        }
        if self.is_linked()? {
            self.own.remove_file(Path::new(LOCK)).with_context(|| self.writing())?;
        }
        self.own
            .remove_file(Path::new(NEXT))
            .and_then(|()| self.own.remove_file(Path::new(OURS)))
            .with_context(|| self.writing())
    }

    fn writing(&self) -> String {
        format!("lock {}", self.own.path().join(INDEX).display())
    }
}

/// The failure where another process has the index of a checkout.
pub(super) fn is_locked(own: &Path) -> Failure {
    let lock = own.join(LOCK);
    Failure::new(Code::Dirty, format!("a git process has the index locked: {}", lock.display()))
        .hint("wait for it to end; if no git is running there, remove that file, then repeat the command")
}
