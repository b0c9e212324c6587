//! What the system says of one entry of a [`Tree`], without opening it.

use std::io;
use std::path::Path;

use cap_std::fs::MetadataExt;

use super::{FileKind, Tree, kind_of};

/// One entry, as it stands at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Its type.
    pub kind: FileKind,
    /// Permission bits.
    pub mode: u32,
    /// Device and inode.
    pub identity: (u64, u64),
    /// When its bytes were last changed: seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
    /// When it was last changed in any way; no program can set this time.
    pub changed: (i64, i64),
}

impl Tree {
    /// Looks at the entry at `relative`, not following a link; `None` if there is none.
    ///
    /// # Errors
    /// Everything but "not found".
    pub fn look(&self, relative: &Path) -> io::Result<Option<Look>> {
        match self.root.symlink_metadata(relative) {
            Ok(metadata) => Ok(Some(Look {
                kind: kind_of(&metadata),
                mode: metadata.mode() & 0o7777,
                identity: (metadata.dev(), metadata.ino()),
                modified: (metadata.mtime(), metadata.mtime_nsec()),
                changed: (metadata.ctime(), metadata.ctime_nsec()),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
