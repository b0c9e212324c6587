//! Copies of whole folders, by handles: no link is followed, and nothing outside of either tree is read or written. Holes in files
//! stay holes.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{FileKind, Tree};

/// How many folders may lie in each other: two are open for each.
const MOST_DEPTH: usize = 256;

/// How much is copied at most.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// Files, folders and links.
    pub entries: u64,
    /// Bytes that take room on the disk: holes do not, and blocks that are shared do not.
    pub bytes: u64,
}

/// Why a copy was cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyCut {
    /// The stop flag was set.
    Stopped,
    /// There is more than was allowed.
    TooMuch,
}

/// Copies folders, and notes what it left out.
pub struct Copying<'a> {
    /// Whether an entry is copied, by its path below the first folder.
    wants: &'a dyn Fn(&Path, FileKind) -> bool,
    /// Sockets and the like, which have no copy.
    pub left: Vec<PathBuf>,
    /// Why it was cut short.
    pub cut: Option<CopyCut>,
    stop: &'a AtomicBool,
    /// What may still be copied.
    room: Most,
}

impl std::fmt::Debug for Copying<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Copying({} left)", self.left.len())
    }
}

impl<'a> Copying<'a> {
    /// `wants`: whether an entry is copied, by its path below the first folder. Nothing more is copied once `stop` is set.
    pub fn new(wants: &'a dyn Fn(&Path, FileKind) -> bool, most: Most, stop: &'a AtomicBool) -> Copying<'a> {
        Copying { wants, left: Vec::new(), cut: None, stop, room: most }
    }

    /// Takes so much off the room that is left.
    fn count(&mut self, entries: u64, bytes: u64) -> io::Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            self.cut = Some(CopyCut::Stopped);
            return Err(io::Error::other("it was stopped"));
        }
        match (self.room.entries.checked_sub(entries), self.room.bytes.checked_sub(bytes)) {
            (Some(entries), Some(bytes)) => {
                self.room = Most { entries, bytes };
                Ok(())
            }
            _ => {
                self.cut = Some(CopyCut::TooMuch);
                Err(io::Error::other("there is too much"))
            }
        }
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
        self.count(1, 0)?;
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
            FileKind::File { mode, .. } => {
                to.copy_file(entry, from, mode & 0o777, &mut |bytes| self.count(0, bytes))
            }
            FileKind::Other => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
    fn holes_stay_and_a_copy_ends_at_its_limit_or_when_it_is_stopped() {
        let tmp = tempfile::tempdir().unwrap();
        for folder in ["from", "to"] {
            std::fs::create_dir(tmp.path().join(folder)).unwrap();
        }
        let file = std::fs::File::create(tmp.path().join("from/sparse")).unwrap();
        file.set_len(4 << 30).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"in the middle", 2 << 30).unwrap();
        std::fs::write(tmp.path().join("from/empty"), "").unwrap();
        let copy = |entries, bytes, is_stopped| {
            let open = |name| Tree::open(&tmp.path().join(name)).unwrap();
            let (stop, all) = (AtomicBool::new(is_stopped), |_: &Path, _| true);
            let mut copying = Copying::new(&all, Most { entries, bytes }, &stop);
            let done = copying.folder(&open("from"), &open("to"), Path::new(""));
            assert_eq!(done.is_err(), copying.cut.is_some());
            copying.cut
        };
        assert_eq!(copy(2, 1 << 20, true), Some(CopyCut::Stopped));
        assert_eq!(copy(1, 1 << 20, false), Some(CopyCut::TooMuch));
        assert_eq!(copy(2, 1 << 20, false), None);
        let copied = tmp.path().join("to/sparse");
        let metadata = copied.metadata().unwrap();
        assert!(metadata.len() == 4 << 30 && metadata.blocks() < 4096, "{metadata:?}");
        let mut text = [0; 13];
        let file = std::fs::File::open(copied).unwrap();
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut text, 2 << 30).unwrap();
        assert_eq!(&text, b"in the middle");
    }
}
