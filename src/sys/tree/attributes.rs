//! Modes, times and second names of what is in a [`Tree`].

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::SystemTime;

use cap_std::fs::MetadataExt;
use rustix::fs::{AtFlags, CWD, Mode, RawMode, Timespec, Timestamps, UTIME_NOW, chmodat, linkat, utimensat};
use rustix::io::Errno;

use super::{Kind, Tree, fault, kind_of};
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

    /// Gives a file or folder that the caller has just made, where nobody else looks, exactly these permission bits,
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
    /// When any of it cannot be looked at, or is deeper than anybody looks: nothing is known then.
    pub fn newest_change(&self, relative: &Path) -> io::Result<SystemTime> {
        let time = self.root.symlink_metadata(relative)?.modified()?.into_std();
        match self.kind(relative)? {
            Some(Kind::Dir) => Ok(time.max(newest_in(&self.subtree(relative)?, MAX_DEPTH)?.unwrap_or(time))),
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
        if kind_of(&metadata) == Kind::Dir {
            let below = newest_in(&tree.subtree(Path::new(&entry.file_name()))?, depth - 1)?;
            newest = newest.max(below);
        }
    }
    Ok(newest)
}
