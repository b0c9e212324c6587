//! Making what was written durable: it survives a power cut once these calls have returned.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use cap_std::fs::{DirEntry, OpenOptions, OpenOptionsExt};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::Tree;
use crate::order;
use crate::sys::platform::fsync;

/// How many entries are synced at a time: a journal commits what waits for it at one time in one go.
const AT_A_TIME: usize = 8;
/// As many entries as this are synced by one thread: starting others would take longer.
const BY_ONE: usize = 3;

impl Tree {
    /// Makes the folder's own entries durable.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn sync(&self) -> io::Result<()> {
        // The handle is `O_PATH`, which cannot be synced, so the folder is opened for reading.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        fsync(openat(self.root.as_fd(), ".", flags, Mode::empty())?)
    }

    /// Makes entries durable: the bytes of a file, the names in a folder. An empty path is the tree's own folder. Links
    /// and what is missing are skipped, and so is everything on a file system in memory.
    ///
    /// # Errors
    /// The first one, as the system reports it.
    pub fn sync_entries<P: AsRef<Path> + Sync>(&self, entries: &[P]) -> io::Result<()> {
        if entries.is_empty() || is_in_memory(&self.root) {
            return Ok(());
        }
        let next = AtomicUsize::new(0);
        let sync = || {
            while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.sync_entry(entry.as_ref())?;
            }
            Ok(())
        };
        if entries.len() <= BY_ONE {
            return sync();
        }
        thread::scope(|scope| {
            let helper = |_| thread::Builder::new().name("sync".into()).spawn_scoped(scope, sync);
            // Without a helper, this thread does its share.
            let helpers: Vec<_> = (1..AT_A_TIME.min(entries.len())).filter_map(|n| helper(n).ok()).collect();
            let done = sync();
            helpers.into_iter().fold(done, |done, helper| {
                done.and(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            })
        })
    }

    /// Makes everything at and below `relative` durable. For trees that this program has just made.
    ///
    /// # Errors
    /// The first one, as the system reports it.
    pub fn sync_all(&self, relative: &Path) -> io::Result<()> {
        if is_in_memory(&self.root) {
            return Ok(());
        }
        let mut all = vec![relative.to_owned()];
        let mut folders = vec![relative.to_owned()];
        while let Some(folder) = folders.pop() {
            let at = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
            if !self.root.symlink_metadata(at)?.is_dir() {
                continue;
            }
            for entry in self.root.read_dir(at)? {
                let entry: DirEntry = entry?;
                let path = folder.join(entry.file_name());
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push(path.clone());
                }
                if kind.is_dir() || kind.is_file() {
                    all.push(path);
                }
            }
        }
        self.sync_entries(&all)
    }

    /// Makes everything at and below `relative` durable, and the folders that lead to it.
    ///
    /// # Errors
    /// The first one, as the system reports it.
    pub fn sync_all_of(&self, relative: &Path) -> io::Result<()> {
        self.sync_all(relative)?;
        self.sync_entries(&relative.ancestors().skip(1).collect::<Vec<_>>())
    }

    fn sync_entry(&self, relative: &Path) -> io::Result<()> {
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        let mut options = OpenOptions::new();
        options.read(true).custom_flags((OFlags::NONBLOCK | OFlags::NOFOLLOW).bits() as i32);
        match self.root.open_with(relative, &options) {
            Ok(entry) => fsync(&entry),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
                    || error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Each path's folder, once each: where an entry was made, removed or renamed, the folder is what must be synced.
pub fn folders_of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        paths.into_iter().filter_map(|path| path.parent().map(Path::to_owned)).collect();
    order::sort(&mut folders);
    folders.dedup();
    folders
}

/// Whether the file system has no disk, so that nothing on it survives a power cut anyway.
#[cfg(target_os = "linux")]
fn is_in_memory(folder: impl AsFd) -> bool {
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58f6;
    rustix::fs::fstatfs(folder).is_ok_and(|system| [TMPFS, RAMFS].contains(&(system.f_type as u64)))
}

#[cfg(not(target_os = "linux"))]
fn is_in_memory(_folder: impl AsFd) -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "the tests make their own fixtures")]

    use super::*;

    #[test]
    fn what_is_missing_or_a_link_is_skipped() {
        let tmp = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(tmp.path().join("a/b")).unwrap();
        std::os::unix::fs::symlink("nowhere", tmp.path().join("a/link")).unwrap();
        let tree = Tree::open(tmp.path()).unwrap();
        for n in 0..20 {
            std::fs::write(tmp.path().join(format!("a/b/{n}")), "x").unwrap();
        }
        tree.sync_all(Path::new("")).unwrap();
        tree.sync_entries(&["", "a", "a/b/3", "a/link", "none", "a/b/3/x", "none/x"]).unwrap();
    }

    #[test]
    fn each_folder_is_named_once() {
        let paths = ["a/b", "a/c", "x", "a/b/c"].map(Path::new);
        assert_eq!(folders_of(paths), ["", "a", "a/b"].map(PathBuf::from));
    }
}
