//! The open folder itself: its identity and times, and opening a folder inside it under the strictest rules.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};
use std::time::{SystemTime, UNIX_EPOCH};

use cap_std::fs::{Dir, Metadata, MetadataExt};
use rustix::fs::{AtFlags, FlockOperation, Timespec, Timestamps, UTIME_OMIT, utimensat};
use rustix::io::Errno;

use super::Tree;
use crate::sys::{fault, platform};

/// The marks of a folder that the file system keeps. The device's number may change with each boot and each mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The number of its device.
    pub device: u64,
    /// The number of its inode.
    pub inode: u64,
    /// When it was created, in seconds and nanoseconds since 1970; `None` where the file system does not keep it.
    pub born: Option<(u64, u32)>,
}

impl Tree {
    /// Device and inode of the folder: its identity, independent of its path.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn identity(&self) -> io::Result<(u64, u64)> {
        let metadata = self.root.dir_metadata()?;
        Ok((metadata.dev(), metadata.ino()))
    }

    /// Handles that are of no use but to be closed: undoing what was made needs some, also when the process may have no more.
    ///
    /// # Errors
    /// When there are not that many.
    pub fn spare_handles(&self, count: usize) -> io::Result<Vec<OwnedFd>> {
        (0..count).map(|_| Ok(rustix::io::fcntl_dupfd_cloexec(&self.root, 0)?)).collect()
    }

    /// What distinguishes the folder from all others on this system; see [`Stamp`].
    ///
    /// # Errors
    /// As the system reports them.
    pub fn stamp(&self) -> io::Result<Stamp> {
        let metadata = self.root.dir_metadata()?;
        Ok(Stamp { device: metadata.dev(), inode: metadata.ino(), born: born(&metadata) })
    }

    /// When the entry at `relative` was created, as in [`Stamp`]; no program can make an entry older. `None` also if there is
    /// no such entry.
    pub fn born(&self, relative: &Path) -> Option<(u64, u32)> {
        born(&self.root.symlink_metadata(relative).ok()?)
    }

    /// Whether the folder belongs to the user of this process, and no other user may enter it.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn is_private(&self) -> io::Result<bool> {
        let metadata = self.root.dir_metadata()?;
        let is_mine = metadata.uid() == rustix::process::geteuid().as_raw();
        Ok(is_mine && metadata.mode() & 0o077 == 0)
    }

    /// When an entry of the folder was last made, removed or renamed.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn modified(&self) -> io::Result<SystemTime> {
        Ok(self.root.dir_metadata()?.modified()?.into_std())
    }

    /// When the entry at `relative` was last written.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn written(&self, relative: &Path) -> io::Result<SystemTime> {
        Ok(self.root.symlink_metadata(relative)?.modified()?.into_std())
    }

    /// Sets the time of [`Tree::modified`].
    ///
    /// # Errors
    /// As the system reports them; a time before 1970 is refused.
    pub fn set_modified(&self, at: SystemTime) -> io::Result<()> {
        fault::step()?;
        let since = at.duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
        let seconds = i64::try_from(since.as_secs()).map_err(io::Error::other)?;
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: seconds, tv_nsec: since.subsec_nanos().into() },
        };
        Ok(utimensat(self.root.as_fd(), ".", &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// A second handle on the folder.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn try_clone(&self) -> io::Result<Tree> {
        Ok(Tree { root: self.root.try_clone()?, path: self.path.clone() })
    }

    /// The same folder by a handle that can be locked: what [`Tree::open`] gives leads to the folder only (`O_PATH`).
    ///
    /// # Errors
    /// As the system reports them.
    pub fn lockable(&self) -> io::Result<Tree> {
        let root = platform::open_dir(&self.root, OsStr::new("."))?;
        Ok(Tree { root: Dir::from_std_file(root.into()), path: self.path.clone() })
    }

    /// Takes the lock on the folder itself, which ends with the last copy of this handle. `false`: another process has it.
    ///
    /// # Errors
    /// As the system reports them: not every file system locks folders. See [`Tree::lockable`].
    pub fn try_hold(&self) -> io::Result<bool> {
        match rustix::fs::flock(&self.root, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether its path leads to this folder: another process may have moved it, or put a link in its place. For what has to
    /// go by the path, right before it does.
    pub fn is_at_its_path(&self) -> bool {
        let there = Tree::open(&self.path).and_then(|tree| tree.identity());
        there.is_ok_and(|there| self.identity().is_ok_and(|ours| there == ours))
    }

    /// Opens a folder by its absolute path if every component is a folder: no link, but a mount may be on the way. No
    /// component needs to be readable.
    ///
    /// # Errors
    /// As the system reports them; a link, and a path that is not plain and absolute, are errors.
    pub fn open_unlinked(path: &Path) -> io::Result<Tree> {
        let mut steps = path.components();
        if steps.next() != Some(Component::RootDir) {
            return Err(Errno::INVAL.into());
        }
        let mut dir = Tree::open(Path::new("/"))?.root;
        for step in steps {
            let Component::Normal(name) = step else { return Err(Errno::INVAL.into()) };
            dir = Dir::from_std_file(platform::pass_dir(&dir, name)?.into());
        }
        Ok(Tree { root: dir, path: path.to_owned() })
    }

    /// Opens a folder inside if every component of its path is a folder: no link, but a mount may be on the way.
    ///
    /// # Errors
    /// As the system reports them; a link is an error.
    pub fn unlinked_subtree(&self, relative: &Path) -> io::Result<Tree> {
        let mut dir = self.root.try_clone()?;
        for step in relative.components() {
            let Component::Normal(name) = step else { return Err(Errno::INVAL.into()) };
            dir = Dir::from_std_file(platform::open_dir(&dir, name)?.into());
        }
        Ok(Tree { root: dir, path: self.path.join(relative) })
    }

    /// Opens a folder inside if every component of its path is a folder on this tree's own mount.
    ///
    /// # Errors
    /// As the system reports them; a link, a mount, and anything that is no folder are errors.
    pub fn plain_subtree(&self, relative: &Path) -> io::Result<Tree> {
        let mut dir = self.root.try_clone()?;
        for step in relative.components() {
            let Component::Normal(name) = step else { return Err(Errno::INVAL.into()) };
            dir = Dir::from_std_file(platform::open_dir_same_mount(&dir, name)?.into());
        }
        Ok(Tree { root: dir, path: self.path.join(relative) })
    }
}

fn born(metadata: &Metadata) -> Option<(u64, u32)> {
    let born = metadata.created().ok()?.into_std().duration_since(UNIX_EPOCH).ok()?;
    (!born.is_zero()).then(|| (born.as_secs(), born.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
    fn only_plain_folders_are_gone_through() {
        let tmp = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tmp.path().join("a/b")).unwrap();
        std::fs::write(tmp.path().join("a/file"), "").unwrap();
        std::os::unix::fs::symlink("a", tmp.path().join("link")).unwrap();
        let tree = Tree::open(tmp.path()).unwrap();
        assert!(tree.plain_subtree(Path::new("a/b")).is_ok());
        assert!(tree.unlinked_subtree(Path::new("a/b")).is_ok());
        for bad in ["link", "link/b", "a/file", "a/none", "a/../a", "/a"] {
            assert!(tree.plain_subtree(Path::new(bad)).is_err(), "{bad}");
            assert!(tree.unlinked_subtree(Path::new(bad)).is_err(), "{bad}");
        }
        let real = tmp.path().canonicalize().unwrap();
        assert!(Tree::open_unlinked(&real.join("a/b")).unwrap().is_at_its_path());
        for bad in ["link", "link/b", "a/file", "a/none", "a/../a"] {
            assert!(Tree::open_unlinked(&real.join(bad)).is_err(), "{bad}");
        }
        assert!(Tree::open_unlinked(Path::new("a")).is_err());
    }

    #[test]
    fn one_handle_at_a_time_has_the_lock() {
        let tmp = tempfile::tempdir().unwrap();
        let [first, second] = [0, 1].map(|_| Tree::open(tmp.path()).unwrap().lockable().unwrap());
        assert!(first.try_hold().unwrap());
        assert!(!second.try_hold().unwrap());
        drop(first);
        assert!(second.try_hold().unwrap());
    }
}
