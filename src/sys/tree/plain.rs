//! A small regular file with what the system says of it, all by one handle: nothing can be swapped in between.

use std::io::{self, Read};
use std::path::Path;

use cap_std::fs::MetadataExt;

use super::Tree;

/// A regular file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainFile {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The id of the user to whom it belongs.
    pub owner: u32,
    /// How many names it has.
    pub names: u64,
    /// When its bytes were last changed: seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
}

impl Tree {
    /// Reads a regular file of at most `limit` bytes; `None` if it is missing. A link is an error.
    ///
    /// # Errors
    /// If the entry is not a regular file, or is longer (`FileTooLarge`); as the system reports them.
    pub fn read_plain(&self, relative: &Path, limit: u64) -> io::Result<Option<PlainFile>> {
        let file = match self.open_plain(relative) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {limit} bytes")));
        }
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Ok(Some(PlainFile { bytes, owner: metadata.uid(), names: metadata.nlink(), modified }))
    }
}
