//! Changes that a full disk does not prevent: they need no room of their own.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat};

use super::{Tree, fault};
use crate::sys::platform;

/// Whether a change failed because the disk, or the user's share of it, is full.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether an error has such a failure among its causes.
pub fn is_of_full_disk(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref().is_some_and(is_full))
}

/// Whether writing failed for want of the right to it, or of a file system that can be written: trying again does not help.
pub fn is_never_writable(error: &anyhow::Error) -> bool {
    let of_system = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    of_system.is_some_and(|error| {
        matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
    })
}

impl Tree {
    /// As [`Tree::replace`]. Where the disk has no room for a second file, the bytes of the old one are overwritten by one
    /// write, with blanks up to its old length: only for texts that may end with blanks.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn replace_in_any_room(
        &self,
        relative: &Path,
        bytes: &[u8],
        mode: u32,
        temporary: &str,
    ) -> io::Result<()> {
        match self.replace(relative, bytes, mode, temporary) {
            Err(error) if is_full(&error) => self.overwrite(relative, bytes).map_err(|_| error),
            other => other,
        }
    }

    fn overwrite(&self, relative: &Path, bytes: &[u8]) -> io::Result<()> {
        let file = self.open_to_write(relative)?;
        let mut whole = bytes.to_vec();
        whole.resize(whole.len().max(usize::try_from(file.metadata()?.len()).unwrap_or(0)), b' ');
        fault::step()?;
        file.write_all_at(&whole, 0)?;
        platform::fsync(&file)
    }

    /// Removes the end of a file whose bytes are `expected`, so that the first `len` are left.
    ///
    /// # Errors
    /// As the system reports them; see [`super::has_changed`].
    pub fn shorten(&self, relative: &Path, expected: &[u8], len: u64) -> io::Result<()> {
        let file = self.open_to_write(relative)?;
        fault::step()?;
        self.expect(relative, expected)?;
        file.set_len(len)?;
        platform::fsync(&file)
    }

    fn open_to_write(&self, relative: &Path) -> io::Result<std::fs::File> {
        let (parent, name) = self.parent(relative)?;
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = std::fs::File::from(openat(parent.as_fd(), name, flags, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]

    use super::*;

    #[test]
    fn an_overwritten_text_is_the_new_one_and_blanks() {
        let tmp = tempfile::tempdir().unwrap();
        let tree = Tree::open(tmp.path()).unwrap();
        let (name, at) = (Path::new("f"), tmp.path().join("f"));
        for (old, new, expected) in [("{\"a\":1}", "{}", "{}     "), ("{}", "{\"a\":1}", "{\"a\":1}")] {
            std::fs::write(&at, old).unwrap();
            tree.overwrite(name, new.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&at).unwrap(), expected);
        }
        tree.shorten(name, b"{\"a\":1}", 2).unwrap();
        assert_eq!(std::fs::read_to_string(&at).unwrap(), "{\"");
        assert!(super::super::has_changed(&tree.shorten(name, b"other", 1).unwrap_err()));
    }
}
