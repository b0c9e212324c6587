//! Files that are written beside their place, made durable together, and then put into it by one rename each.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, renameat, unlinkat};

use super::replace::{create_new, write_new};
use super::{Tree, carry, fault, rename_new};
use crate::sys::platform;

impl Tree {
    /// Writes a new file with the name `temporary` into the folder of `relative`.
    ///
    /// # Errors
    /// As the system reports them; nothing is left then.
    pub fn write_beside(&self, relative: &Path, temporary: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        fault::step()?;
        let (parent, _) = self.parent(relative)?;
        write_new(parent.as_fd(), OsStr::new(temporary), bytes, mode, false)
    }

    /// As [`Tree::write_beside`], with the mode, the owner and all other attributes of the file at `relative`. `owner` is the
    /// owner where this process cannot give the file to that one's.
    ///
    /// # Errors
    /// As the system reports them; nothing is left then.
    pub fn write_beside_like(
        &self,
        relative: &Path,
        temporary: &str,
        bytes: &[u8],
        owner: Option<(u32, u32)>,
    ) -> io::Result<()> {
        let like = self.open_plain(relative)?;
        fault::step()?;
        let (parent, _) = self.parent(relative)?;
        let mut file = create_new(parent.as_fd(), OsStr::new(temporary), 0o600)?;
        let written = carry::carry(&like, &file, owner)
            .and_then(|()| fault::step())
            .and_then(|()| file.write_all(bytes));
        if written.is_err() {
            let _ = unlinkat(parent.as_fd(), temporary, AtFlags::empty());
        }
        written
    }

    /// Makes a file that was written beside `relative` durable.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn sync_beside(&self, relative: &Path, temporary: &str) -> io::Result<()> {
        platform::fsync(self.open_plain(&relative.with_file_name(temporary))?)
    }

    /// Puts a file that was written beside `relative` into its place, if nothing is there.
    ///
    /// # Errors
    /// `AlreadyExists` when the place is taken; the temporary file stays.
    pub fn place_new(&self, relative: &Path, temporary: &str) -> io::Result<()> {
        fault::step()?;
        let (parent, name) = self.parent(relative)?;
        rename_new(parent.as_fd(), OsStr::new(temporary), parent.as_fd(), name)
    }

    /// Puts a file that was written beside `relative` into its place, over a file with the bytes `expected`. So an editor's
    /// save since these were read is not lost, except between the last look and the rename.
    ///
    /// # Errors
    /// As the system reports them; see [`super::has_changed`]. The temporary file stays.
    pub fn place_over(&self, relative: &Path, temporary: &str, expected: &[u8]) -> io::Result<()> {
        fault::step()?;
        let (parent, name) = self.parent(relative)?;
        self.expect(relative, expected)?;
        Ok(renameat(parent.as_fd(), temporary, parent.as_fd(), name)?)
    }

    pub(super) fn expect(&self, relative: &Path, expected: &[u8]) -> io::Result<()> {
        // One byte more than expected is enough to detect a longer file.
        match self.read(relative, expected.len() as u64) {
            Ok(Some(bytes)) if bytes == expected => Ok(()),
            Err(error) if error.raw_os_error().is_some() => Err(error),
            _ => Err(io::Error::new(io::ErrorKind::ResourceBusy, "it has just changed")),
        }
    }
}
