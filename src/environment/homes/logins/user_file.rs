//! A login file of the user's, reached through no link.

use std::io;
use std::path::{Path, PathBuf};

use crate::sys::tree::{PlainFile, Tree};

/// The longest login file, in bytes.
pub(super) const MOST: u64 = 1 << 20;

/// A login file's name in its open folder.
#[derive(Debug)]
pub(super) struct UserFile {
    folder: Tree,
    name: PathBuf,
}

impl UserFile {
    /// Opens the folder of a file by a path without links; with one, it is another place by now.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn open(file: &Path) -> io::Result<UserFile> {
        let (Some(above), Some(name)) = (file.parent(), file.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        Ok(UserFile { folder: Tree::open_unlinked(above)?, name: name.into() })
    }

    /// Reads the file; `None`: it is gone.
    ///
    /// # Errors
    /// If it is a link, no regular file, or too long; as the system reports them.
    pub(super) fn read(&self) -> io::Result<Option<PlainFile>> {
        self.folder.read_plain(&self.name, MOST)
    }

    /// Removes what a killed process has left under the temporary name.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn forget(&self, temporary: &str) -> io::Result<()> {
        match self.folder.kind(Path::new(temporary))? {
            Some(_) => self.folder.remove_file(Path::new(temporary)),
            None => Ok(()),
        }
    }

    /// Replaces the file, if it still has the bytes `expected`, by one with the same mode, owner and attributes. The new
    /// bytes are on the disk before they get the name, and the name is before this returns: whatever happens, the file is
    /// the old one or the new one.
    ///
    /// # Errors
    /// As the system reports them, and [`has_changed`](crate::sys::tree::has_changed); the old file is unchanged then.
    pub(super) fn replace(&self, bytes: &[u8], expected: &[u8], temporary: &str) -> io::Result<()> {
        self.folder.write_beside_like(&self.name, temporary, bytes, None)?;
        let placed = self
            .folder
            .sync_beside(&self.name, temporary)
            .and_then(|()| self.folder.place_over(&self.name, temporary, expected));
        if placed.is_err() {
            let _ = self.folder.remove_file(Path::new(temporary)); // whoever looks next removes it
        }
        placed?;
        self.folder.sync()
    }
}
