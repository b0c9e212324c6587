//! Modes, times and hard links of the entries of a [`Tree`].

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

/// How many levels of a tree are searched for its newest change.
const MAX_DEPTH: u32 = 100;

impl Tree {
    /// The permission bits of the entry at `relative`, not following a link; `None` if there is none.
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

    /// How long ago the file was last changed or touched. `None`: it is missing, or that is in the future.
    pub fn silence(&self, relative: &Path) -> Option<std::time::Duration> {
        self.root.symlink_metadata(relative).ok()?.modified().ok()?.into_std().elapsed().ok()
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

    /// Gives a file or folder that the caller has just created under a hidden name exactly these permission bits,
    /// which the umask may have reduced.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn set_mode_unseen(&self, relative: &Path, mode: u32) -> io::Result<()> {
        fault::step()?;
        let (parent, name) = self.parent(relative)?;
        let mode = Mode::from_raw_mode(mode as RawMode);
        Ok(chmodat(parent.as_fd(), name, mode, AtFlags::empty())?)
    }

    /// Creates a hard link to the file `source`, which may be outside the tree; a symbolic link if the file system or the
    /// owner of `source` prevents a hard link. Fails if the path is taken.
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

    /// Copies the file `source`, which may be outside the tree, with mode 0600. Shares its blocks where the file system
    /// supports that. A file of more than `most` bytes that would have to be copied gets a hard link instead, as by
    /// [`Tree::share`]. Fails if the path is taken.
    ///
    /// # Errors
    /// If `source` is not a regular file, and as the system reports them; no partial file is left.
    pub fn duplicate(&self, relative: &Path, source: &Path, most: u64) -> io::Result<()> {
        fault::step()?;
        let mut options = std::fs::OpenOptions::new();
        // A FIFO must not make us wait.
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, OFlags::NONBLOCK.bits() as i32);
        let from = options.read(true).open(source)?;
        if self.copy_open(relative, &from, most, &mut |_| Ok(()))? {
            Ok(())
        } else {
            self.share(relative, source)
        }
    }

    /// Copies the file of that name from another tree, with its time and its holes, and gives it this mode. Shares its blocks where
    /// the file system supports that. Fails if the path is taken. `meter` learns of each piece before it is copied, and may end it.
    ///
    /// # Errors
    /// If it is no regular file, and as the system reports them; no partial file is left.
    pub(super) fn copy_file(
        &self,
        relative: &Path,
        source: &Tree,
        mode: u32,
        meter: &mut dyn FnMut(u64) -> io::Result<()>,
    ) -> io::Result<()> {
        fault::step()?;
        let from = source.open_plain(relative)?.into_std();
        self.copy_open(relative, &from, u64::MAX, meter)?;
        let to = self.open_plain(relative)?.into_std();
        // The times last: whoever compares files by them sees none that is half done.
        rustix::fs::fchmod(&to, Mode::from_raw_mode(mode))?;
        to.set_times(std::fs::FileTimes::new().set_modified(from.metadata()?.modified()?))
    }

    /// Copies an open file. `false`: it has more than `most` bytes, and would have to be copied.
    fn copy_open(
        &self,
        relative: &Path,
        from: &std::fs::File,
        most: u64,
        meter: &mut dyn FnMut(u64) -> io::Result<()>,
    ) -> io::Result<bool> {
        let metadata = from.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let (parent, name) = self.parent(relative)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut to = std::fs::File::from(openat(parent.as_fd(), name, flags, Mode::from_raw_mode(0o600))?);
        let done = fault::step().and_then(|()| {
            if shares_blocks(&to, from) {
                return Ok(true);
            }
            let fits = metadata.len() <= most;
            if fits {
                // Bytes appended meanwhile belong to the next turn.
                copy_data(from, &mut to, metadata.len(), meter)?;
            }
            Ok(fits)
        });
        if !matches!(done, Ok(true)) {
            let _ = unlinkat(parent.as_fd(), name, AtFlags::empty());
        }
        done
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

    /// Sets the modification time of the entry at `relative` to now, not following a link.
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

    /// The newest modification time at and below `relative`, following no link.
    ///
    /// # Errors
    /// If any entry cannot be read or is deeper than the limit: the time is unknown then.
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

/// How much is copied at a time, in bytes.
const PIECE: u64 = 8 << 20;

/// Copies the data of a file and keeps its holes.
fn copy_data(
    mut from: &std::fs::File,
    to: &mut std::fs::File,
    length: u64,
    meter: &mut dyn FnMut(u64) -> io::Result<()>,
) -> io::Result<()> {
    use io::{Read as _, Seek as _, SeekFrom};
    let mut at = 0;
    while let Some((begin, end)) = next_data(from, at, length)? {
        at = begin;
        from.seek(SeekFrom::Start(begin))?;
        to.seek(SeekFrom::Start(begin))?;
        while at < end {
            let piece = (end - at).min(PIECE);
            meter(piece)?;
            let copied = io::copy(&mut from.take(piece), to)?;
            at += copied;
            if copied < piece {
                return Ok(()); // it has just become shorter
            }
        }
    }
    to.set_len(length)
}

/// Where the next data lies; `None`: only a hole is left.
#[cfg(target_os = "linux")]
fn next_data(from: &std::fs::File, at: u64, length: u64) -> io::Result<Option<(u64, u64)>> {
    use rustix::fs::{SeekFrom, seek};
    if at >= length {
        return Ok(None);
    }
    let begin = match seek(from, SeekFrom::Data(at)) {
        Ok(begin) => begin,
        Err(Errno::NXIO) => return Ok(None),
        Err(Errno::INVAL | Errno::NOTSUP) => return Ok(Some((at, length))),
        Err(error) => return Err(error.into()),
    };
    let end = seek(from, SeekFrom::Hole(begin))?;
    Ok((begin < length).then_some((begin, end.min(length))))
}

#[cfg(not(target_os = "linux"))]
fn next_data(_: &std::fs::File, at: u64, length: u64) -> io::Result<Option<(u64, u64)>> {
    Ok((at < length).then_some((at, length)))
}

/// Shares the blocks of another file with an empty one (copy on write). `false`: not supported.
#[cfg(target_os = "linux")]
fn shares_blocks(to: &std::fs::File, from: &std::fs::File) -> bool {
    rustix::fs::ioctl_ficlone(to, from).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn shares_blocks(_to: &std::fs::File, _from: &std::fs::File) -> bool {
    false
}
