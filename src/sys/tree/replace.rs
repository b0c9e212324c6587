//! Files that appear whole: written beside their places, then renamed.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::{Tree, fault};

impl Tree {
    /// Writes a new file in place, without a temporary file. Only for trees that no other process uses yet.
    ///
    /// # Errors
    /// If the path is taken, and as the system reports them.
    pub fn create_unseen(&self, relative: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        fault::step()?;
        let (parent, name) = self.parent(relative)?;
        write_new(parent.as_fd(), name, bytes, mode, false)
    }

    /// Replaces or creates a file atomically, and syncs it. A link at the path is replaced; its target is not
    /// changed. A folder, which only another program can have put there, gets another name, as by [`Tree::clear_name`].
    ///
    /// # Errors
    /// As the system reports them; the old file is unchanged then.
    pub fn replace(&self, relative: &Path, bytes: &[u8], mode: u32, temporary: &str) -> io::Result<()> {
        self.replace_with(relative, bytes, mode, temporary, true)
    }

    /// As [`Tree::replace`] without syncing, for files that can be generated again.
    ///
    /// # Errors
    /// As the system reports them; the old file is unchanged then.
    pub fn replace_unsynced(
        &self,
        relative: &Path,
        bytes: &[u8],
        mode: u32,
        temporary: &str,
    ) -> io::Result<()> {
        self.replace_with(relative, bytes, mode, temporary, false)
    }

    fn replace_with(
        &self,
        relative: &Path,
        bytes: &[u8],
        mode: u32,
        temporary: &str,
        sync: bool,
    ) -> io::Result<()> {
        let (parent, name) = self.parent(relative)?;
        let parent = parent.as_fd();
        fault::step()?;
        // Left by a killed writer: the caller holds the lock, so no process uses it.
        clear(parent, OsStr::new(temporary))?;
        let exact = Mode::from_raw_mode(mode as rustix::fs::RawMode); // whatever the umask says
        let placed = write_new(parent, OsStr::new(temporary), bytes, mode, sync)
            .and_then(|()| Ok(rustix::fs::chmodat(parent, temporary, exact, AtFlags::empty())?))
            .and_then(|()| fault::step())
            .and_then(|()| match renameat(parent, temporary, parent, name) {
                Err(Errno::ISDIR) => {
                    clear(parent, name).and_then(|()| Ok(renameat(parent, temporary, parent, name)?))
                }
                renamed => Ok(renamed?),
            });
        if placed.is_err() {
            let _ = unlinkat(parent, temporary, AtFlags::empty());
        }
        placed
    }

    /// Makes a name of ours free: a file or a link is removed, and a folder that another program has put there gets another
    /// name beside it, because what is in it is not ours.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn clear_name(&self, relative: &Path) -> io::Result<()> {
        fault::step()?;
        let (parent, name) = self.parent(relative)?;
        clear(parent.as_fd(), name)
    }
}

/// See [`Tree::clear_name`].
fn clear(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        // Some systems say "not permitted" of a folder.
        Err(Errno::ISDIR | Errno::PERM) => {
            let mut aside = name.to_owned();
            aside.push(format!("-{}", uuid::Uuid::new_v4().simple()));
            fault::step()?;
            Ok(renameat(parent, name, parent, &aside)?)
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn create_new(parent: BorrowedFd<'_>, name: &OsStr, mode: u32) -> io::Result<std::fs::File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(parent, name, flags, Mode::from_raw_mode(mode as rustix::fs::RawMode))?.into())
}

pub(super) fn write_new(
    parent: BorrowedFd<'_>,
    name: &OsStr,
    bytes: &[u8],
    mode: u32,
    sync: bool,
) -> io::Result<()> {
    let mut file = create_new(parent, name, mode)?;
    let written = fault::step()
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| if sync { crate::sys::platform::fsync(&file) } else { Ok(()) });
    if written.is_err() {
        // O_EXCL proves that this call created the file, so a half-written one is removed.
        let _ = unlinkat(parent, name, AtFlags::empty());
    }
    written
}
