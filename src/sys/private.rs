//! A small file that only its owner can read, and that is written once.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::fault;
use super::tree::Tree;

/// An open private file.
#[derive(Debug)]
pub struct PrivateFile(File);

/// What a private file holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Its bytes: as many as were asked for, or more.
    Whole(Vec<u8>),
    /// Fewer: it was just made, or who made it died.
    Part,
    /// Another user can have read or written it: why.
    OfOthers(String),
}

impl PrivateFile {
    /// Opens a file; `None` if it is missing. A link is followed: a person may keep such files elsewhere.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn open(folder: &Tree, name: &Path) -> io::Result<Option<PrivateFile>> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(folder.root.as_fd(), name, flags, Mode::empty()) {
            Ok(file) => Ok(Some(PrivateFile(file.into()))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a file to be filled if it is missing or not whole. The lock on it, which ends with this value, lets one
    /// process do that.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn open_or_create(folder: &Tree, name: &Path) -> io::Result<PrivateFile> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK | OFlags::CLOEXEC;
        fault::step()?;
        let file = match openat(folder.root.as_fd(), name, flags, Mode::from_raw_mode(0o600)) {
            // A file system or a file that can only be read.
            Err(error @ (Errno::ROFS | Errno::ACCESS | Errno::PERM)) => {
                return PrivateFile::open(folder, name)?.ok_or_else(|| error.into());
            }
            other => File::from(other?),
        };
        file.lock()?;
        Ok(PrivateFile(file))
    }

    /// Reads it, if it is to have `len` bytes.
    ///
    /// # Errors
    /// As the system reports them; an entry that is no regular file is an error.
    pub fn read(&self, len: usize) -> io::Result<Found> {
        Ok(match self.read_whole(2 * len as u64)? {
            Found::Whole(bytes) if bytes.len() < len => Found::Part,
            found => found,
        })
    }

    /// Reads all of it, but no more than `most` bytes. What another user can have read or written has no bytes.
    ///
    /// # Errors
    /// As the system reports them; an entry that is no regular file is an error.
    pub fn read_whole(&self, most: u64) -> io::Result<Found> {
        let metadata = self.0.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let me = rustix::process::geteuid().as_raw();
        if metadata.uid() != me && metadata.uid() != 0 {
            return Ok(Found::OfOthers(format!("it belongs to the user {}, not to {me}", metadata.uid())));
        }
        if metadata.mode() & 0o077 != 0 {
            return Ok(Found::OfOthers(format!("its mode is {:04o}, not 0600", metadata.mode() & 0o7777)));
        }
        let mut file = &self.0;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.take(most).read_to_end(&mut bytes)?;
        Ok(Found::Whole(bytes))
    }

    /// Writes it, durably. It must have been opened by [`PrivateFile::open_or_create`].
    ///
    /// # Errors
    /// As the system reports them.
    pub fn write(&self, folder: &Tree, bytes: &[u8]) -> io::Result<()> {
        fault::step()?;
        let mut file = &self.0;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(bytes)?;
        // What is proved by it must not outlive it.
        file.sync_data()?;
        folder.sync()
    }
}
