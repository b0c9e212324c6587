//! Copies of whole folders, by handles: no link is followed, and nothing outside of either tree is read or written.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::{FileKind, Tree};

/// How many folders may lie in each other: two are open for each.
const MOST_DEPTH: usize = 256;

/// Copies folders, and notes what it left out.
pub struct Copying<'a> {
    /// Whether an entry is copied, by its path below the first folder.
    wants: &'a dyn Fn(&Path, FileKind) -> bool,
    /// Sockets and the like, which have no copy.
    pub left: Vec<PathBuf>,
}

impl std::fmt::Debug for Copying<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Copying({} left)", self.left.len())
    }
}

impl<'a> Copying<'a> {
    /// `wants`: whether an entry is copied, by its path below the first folder.
    pub fn new(wants: &'a dyn Fn(&Path, FileKind) -> bool) -> Copying<'a> {
        Copying { wants, left: Vec::new() }
    }

    /// Copies what is in `from` into `to`: files with their modes and times, sharing their blocks where the file system can;
    /// links as links. What is there already under a name stays if it is a folder, and is replaced otherwise. `below` is the
    /// path of both, for `wants`.
    ///
    /// # Errors
    /// As the system reports them; what was copied until then stays.
    pub fn folder(&mut self, from: &Tree, to: &Tree, below: &Path) -> io::Result<()> {
        if below.components().count() > MOST_DEPTH {
            return Err(io::Error::other(format!("{} lies too deep", from.path().display())));
        }
        for name in from.names(Path::new(""))? {
            self.entry(from, to, &name, below)?;
        }
        Ok(())
    }

    /// The same for one entry of `from`.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn entry(&mut self, from: &Tree, to: &Tree, name: &OsStr, below: &Path) -> io::Result<()> {
        let (path, entry) = (below.join(name), Path::new(name));
        // It may be gone again.
        let Some(kind) = from.kind(entry)? else { return Ok(()) };
        if !(self.wants)(&path, kind) {
            return Ok(());
        }
        if kind == FileKind::Other {
            self.left.push(path);
            return Ok(());
        }
        let there = to.kind(entry)?;
        if there.is_some() && !(kind == FileKind::Dir && there == Some(FileKind::Dir)) {
            to.remove_all(entry)?;
        }
        match kind {
            FileKind::Dir => {
                if there != Some(FileKind::Dir) {
                    to.make_dir(entry, 0o700)?;
                }
                self.folder(&from.plain_subtree(entry)?, &to.plain_subtree(entry)?, &path)?;
                let mode = from.mode(entry)?.unwrap_or(0o755);
                to.set_dir_mode(entry, mode & 0o777 | 0o700)
            }
            FileKind::Link => to.make_link(entry, &from.read_link(entry)?),
            FileKind::File { mode, .. } => to.copy_file(entry, from, mode & 0o777),
            FileKind::Other => Ok(()),
        }
    }
}
