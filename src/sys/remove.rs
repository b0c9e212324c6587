//! Removes trees that another process may be changing.
//!
//! Works by directory handles: no link is followed, no mount is crossed. At most [`MAX_OPEN`] folders are open at a
//! time; a deeper one is first moved up beside the top, so that ten thousand levels need no ten thousand handles
//! and no path longer than the system takes.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, Dir, FileType, Mode, fchmod, renameat, unlinkat};
use rustix::io::Errno;

use super::{fault, platform};

const MAX_OPEN: usize = 100;
/// How often a folder is read again because another process creates files in it during the removal.
const AGAIN: u32 = 8;

struct Frame {
    dir: Dir,
    handle: OwnedFd,
    name: OsString,
}

impl Frame {
    fn open(parent: impl AsFd, name: &OsStr) -> Result<Frame, Errno> {
        let handle = match platform::open_dir_same_mount(&parent, name) {
            Err(Errno::ACCESS) => {
                platform::unlock_dir(&parent, name)?;
                platform::open_dir_same_mount(&parent, name)?
            }
            other => other?,
        };
        Ok(Frame { dir: Dir::read_from(&handle)?, handle, name: name.to_owned() })
    }

    fn unlink_file(&self, name: &OsStr) -> Result<(), Errno> {
        fault::step().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        self.unlink(name, AtFlags::empty())
    }

    fn unlink(&self, name: &OsStr, flags: AtFlags) -> Result<(), Errno> {
        self.unlocked(|| unlinkat(&self.handle, name, flags))
    }

    /// Runs a step that needs a writable folder. A read-only folder (Go's module cache is 0555) is made writable
    /// first: it is about to be removed.
    fn unlocked(&self, step: impl Fn() -> Result<(), Errno>) -> Result<(), Errno> {
        match step() {
            Err(Errno::ACCESS) => fchmod(&self.handle, Mode::RWXU).and_then(|()| step()),
            other => other,
        }
    }
}

/// A removal was asked to end before it was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// How many entries were removed by then.
    pub removed: u64,
}

impl Stopped {
    /// Whether a removal failed because it was asked to end.
    pub fn find(error: &anyhow::Error) -> Option<Stopped> {
        error.chain().find_map(|cause| Stopped::of(cause.downcast_ref()?))
    }

    fn of(error: &io::Error) -> Option<Stopped> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "stopped after {} entries", self.removed)
    }
}

impl std::error::Error for Stopped {}

/// Removes the entry `name` of the folder `parent`, whatever it is; a missing entry is success.
///
/// # Errors
/// The first thing that could not be removed; everything else is gone by then.
pub fn remove_tree(parent: impl AsFd, name: &OsStr) -> io::Result<()> {
    remove_tree_until(parent, name, &AtomicBool::new(false))
}

/// As [`remove_tree`], but it ends as soon as `stop` is set; what is left can be removed by another call.
///
/// # Errors
/// As [`remove_tree`], and [`Stopped`].
pub fn remove_tree_until(parent: impl AsFd, name: &OsStr, stop: &AtomicBool) -> io::Result<()> {
    let mut count = 0;
    fault::step()?;
    // Linux says EISDIR for a folder, macOS EPERM.
    let refusal = match unlinkat(&parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(error @ (Errno::ISDIR | Errno::PERM)) => error,
        Err(error) => return Err(error.into()),
    };
    let top = match Frame::open(&parent, name) {
        Err(Errno::NOENT) => return Ok(()), // another process removes it too
        other => other.map_err(|error| clearer_error(refusal, error))?,
    };
    let top_handle = top.handle.try_clone()?;
    let mut stack = vec![top];
    let mut first_error: Option<Errno> = None;
    // A serial number for the names beside the top, and whether any have come since the top was last opened.
    let mut serial = 0u64;
    let mut hoisted = false;
    let mut again = AGAIN;
    while let Some(frame) = stack.last_mut() {
        if stop.load(Ordering::Relaxed) {
            return Err(io::Error::other(Stopped { removed: count }));
        }
        let Some(entry) = frame.dir.read() else {
            fault::step()?;
            let Some(done) = stack.pop() else { break };
            let above = stack.last().map_or(parent.as_fd(), |frame| frame.handle.as_fd());
            let removed = match stack.last() {
                Some(above) => above.unlink(&done.name, AtFlags::REMOVEDIR),
                None => unlinkat(above, &done.name, AtFlags::REMOVEDIR),
            };
            match removed {
                Ok(()) | Err(Errno::NOENT) => count += 1,
                // Entries were moved up into the top while it was being read: read it once more.
                Err(Errno::NOTEMPTY | Errno::EXIST)
                    if stack.is_empty() && (hoisted || again > 0) && first_error.is_none() =>
                {
                    again -= u32::from(!hoisted);
                    hoisted = false;
                    match Frame::open(above, &done.name) {
                        Ok(top) => stack.push(top),
                        Err(Errno::NOENT) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(error) => _ = first_error.get_or_insert(error),
            }
            continue;
        };
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                first_error.get_or_insert(error);
                stack.pop();
                continue;
            }
        };
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let mut refusal = Errno::ISDIR;
        if entry.file_type() != FileType::Directory {
            match frame.unlink_file(name) {
                Ok(()) | Err(Errno::NOENT) => {
                    count += 1;
                    continue;
                }
                // A file system that does not report types, or an entry that was replaced meanwhile.
                Err(error @ (Errno::ISDIR | Errno::PERM)) => refusal = error,
                Err(error) => {
                    first_error.get_or_insert(error);
                    continue;
                }
            }
        }
        let Some(frame) = stack.last() else { break };
        if stack.len() >= MAX_OPEN {
            hoisted = true;
            match hoist(frame, name, &top_handle, &mut serial) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => _ = first_error.get_or_insert(error),
            }
            continue;
        }
        match Frame::open(&frame.handle, name) {
            Ok(deeper) => stack.push(deeper),
            Err(Errno::NOENT) => {}
            Err(error) => _ = first_error.get_or_insert(clearer_error(refusal, error)),
        }
    }
    match first_error {
        None => Ok(()),
        Some(error) => Err(error.into()),
    }
}

/// Which of two errors to report for an entry that could neither be unlinked nor opened as a folder: for an immutable
/// file, that it may not be unlinked, not that it is no folder.
fn clearer_error(unlinking: Errno, opening: Errno) -> Errno {
    match (unlinking, opening) {
        (Errno::PERM, Errno::NOTDIR | Errno::LOOP) => Errno::PERM,
        _ => opening,
    }
}

/// Moves a folder up beside the top, under an unused name.
fn hoist(from: &Frame, name: &OsStr, top: &OwnedFd, serial: &mut u64) -> Result<(), Errno> {
    // Moving a folder to another parent changes its `..`, so the folder itself must be writable.
    let _ = from.unlocked(|| platform::unlock_dir(&from.handle, name));
    loop {
        *serial += 1;
        let up = CString::new(format!(".execenv-deep-{serial}")).unwrap_or_default();
        match from.unlocked(|| renameat(&from.handle, name, top, &up)) {
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use rustix::fs::{OFlags, openat};

    #[test]
    fn a_file_that_may_not_go_is_not_called_a_folder() {
        assert_eq!(clearer_error(Errno::PERM, Errno::NOTDIR), Errno::PERM);
        assert_eq!(clearer_error(Errno::ISDIR, Errno::ACCESS), Errno::ACCESS);
        assert_eq!(clearer_error(Errno::PERM, Errno::XDEV), Errno::XDEV);
    }

    fn handle(path: &Path) -> OwnedFd {
        fs::File::open(path).unwrap().into()
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
    fn removes_deep_locked_and_linked_trees_and_nothing_outside() {
        let tmp = tempfile::tempdir().unwrap();
        let outside = tmp.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("keep"), "x").unwrap();
        let tree = tmp.path().join("tree");
        fs::create_dir(&tree).unwrap();
        symlink(&outside, tree.join("link")).unwrap();
        fs::create_dir(tree.join("locked")).unwrap();
        fs::write(tree.join("locked/file"), "x").unwrap();
        fs::set_permissions(tree.join("locked"), fs::Permissions::from_mode(0o555)).unwrap();
        let mut deep: OwnedFd = handle(&tree);
        for _ in 0..2_000 {
            rustix::fs::mkdirat(&deep, "d", Mode::RWXU).unwrap();
            deep = openat(&deep, "d", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        remove_tree(handle(tmp.path()), OsStr::new("tree")).unwrap();
        assert!(!tree.exists());
        assert_eq!(fs::read(outside.join("keep")).unwrap(), b"x");
        remove_tree(handle(tmp.path()), OsStr::new("tree")).unwrap();
    }
}
