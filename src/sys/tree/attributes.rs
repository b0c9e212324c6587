//! Modes, times and second names of what is in a [`Tree`].

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::SystemTime;

use cap_std::fs::MetadataExt;
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RawMode, Timespec, Timestamps, UTIME_NOW, chmodat, linkat, openat, unlinkat,
    utimensat,
};
use rustix::io::Errno;

use super::{FileKind, Tree, fault, kind_of};
use crate::sys::platform;

/// How deep a tree is looked into for its newest change.
const MAX_DEPTH: u32 = 100;

impl Tree {
    /// The permission bits of what stands at `relative`, a link's own; `None` for nothing.
    ///
    /// # Errors
    /// Everything but "not found".
    pub fn mode(&self, relative: &Path) -> io::Result<Option<u32>> {
        match self.root.symlink_metadata(relative) {
            Ok(metadata) => Ok(Some(metadata.mode() & 0o7777)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives a folder these permission bits; a link in its place is an error.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn set_dir_mode(&self, relative: &Path, mode: u32) -> io::Result<()> {
        fault::step()?;
        let (parent, name) = self.parent(relative)?;
        Ok(platform::set_dir_mode(parent.as_fd(), name, Mode::from_raw_mode(mode as RawMode))?)
    }

    /// Gives a file or folder that the caller has just made under a hidden name exactly these permission bits,
    /// whatever the umask has taken from them.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn set_mode_unseen(&self, relative: &Path, mode: u32) -> io::Result<()> {
        fault::step()?;
        let (parent, name) = self.parent(relative)?;
        let mode = Mode::from_raw_mode(mode as RawMode);
        Ok(chmodat(parent.as_fd(), name, mode, AtFlags::empty())?)
    }

    /// Gives the file `source`, which lies anywhere, a second name in this tree; a link to it where the file system
    /// or its owner does not let it have one. Fails where anything stands already.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn share(&self, relative: &Path, source: &Path) -> io::Result<()> {
        fault::step()?;
        let (parent, name) = self.parent(relative)?;
        match linkat(CWD, source, parent.as_fd(), name, AtFlags::SYMLINK_FOLLOW) {
            Err(Errno::XDEV | Errno::PERM | Errno::MLINK | Errno::NOTSUP | Errno::ACCESS) => {
                Ok(rustix::fs::symlinkat(source, parent.as_fd(), name)?)
            }
            other => Ok(other?),
        }
    }

    /// Makes a file of one's own, 0600, with the bytes of the file `source`, which lies anywhere: it shares the blocks
    /// where the file system can, and is copied where it cannot. One of more than `most` bytes that would have to be
    /// copied gets a second name instead, as by [`Tree::share`]. Fails where anything stands already.
    ///
    /// # Errors
    /// When `source` is no regular file, and as the system reports them; nothing is left then.
    pub fn duplicate(&self, relative: &Path, source: &Path, most: u64) -> io::Result<()> {
        fault::step()?;
        let mut options = std::fs::OpenOptions::new();
        // A FIFO must not make us wait.
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, OFlags::NONBLOCK.bits() as i32);
        let from = options.read(true).open(source)?;
        let metadata = from.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let (parent, name) = self.parent(relative)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut to = std::fs::File::from(openat(parent.as_fd(), name, flags, Mode::from_raw_mode(0o600))?);
        let done = fault::step().and_then(|()| {
            if shares_blocks(&to, &from) {
                return Ok(true);
            }
            let fits = metadata.len() <= most;
            if fits {
                // What is appended meanwhile is of the next turn.
                io::copy(&mut io::Read::take(&from, metadata.len()), &mut to)?;
            }
            Ok(fits)
        });
        if !matches!(done, Ok(true)) {
            let _ = unlinkat(parent.as_fd(), name, AtFlags::empty());
        }
        if done? { Ok(()) } else { self.share(relative, source) }
    }

    /// Whether a file of this tree is another name of the file at `path`.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn is_same_file(&self, relative: &Path, path: &Path) -> io::Result<bool> {
        let (ours, other) = (self.root.symlink_metadata(relative)?, std::fs::metadata(path)?);
        let identity =
            (std::os::unix::fs::MetadataExt::dev(&other), std::os::unix::fs::MetadataExt::ino(&other));
        Ok((ours.dev(), ours.ino()) == identity)
    }

    /// Renews the time of the last change of what stands at `relative`, a link's own.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn touch(&self, relative: &Path) -> io::Result<()> {
        fault::step()?;
        let (parent, name) = self.parent(relative)?;
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let times = Timestamps { last_access: now, last_modification: now };
        Ok(utimensat(parent.as_fd(), name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// The newest time of a change in what stands at `relative`, through no link.
    ///
    /// # Errors
    /// When any of it cannot be read, or is deeper than the limit: nothing is known then.
    pub fn newest_change(&self, relative: &Path) -> io::Result<SystemTime> {
        let time = self.root.symlink_metadata(relative)?.modified()?.into_std();
        match self.kind(relative)? {
            Some(FileKind::Dir) => {
                Ok(time.max(newest_in(&self.subtree(relative)?, MAX_DEPTH)?.unwrap_or(time)))
            }
            _ => Ok(time),
        }
    }
}

fn newest_in(tree: &Tree, depth: u32) -> io::Result<Option<SystemTime>> {
    if depth == 0 {
        return Err(io::Error::other("it is too deep"));
    }
    let mut newest: Option<SystemTime> = None;
    for entry in tree.root.read_dir(".")? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        newest = newest.max(Some(metadata.modified()?.into_std()));
        if kind_of(&metadata) == FileKind::Dir {
            let below = newest_in(&tree.subtree(Path::new(&entry.file_name()))?, depth - 1)?;
            newest = newest.max(below);
        }
    }
    Ok(newest)
}

/// Lets an empty file have the blocks of another, each its own from the first change on. `false`: it cannot.
#[cfg(target_os = "linux")]
fn shares_blocks(to: &std::fs::File, from: &std::fs::File) -> bool {
    rustix::fs::ioctl_ficlone(to, from).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn shares_blocks(_to: &std::fs::File, _from: &std::fs::File) -> bool {
    false
}
