//! Whether a repository of the cache is one by itself: every agent can write to the cache, and a link below `objects` or
//! `refs` would lead git into another repository.

use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::io::Errno;

use crate::sys::tree::Tree;
use crate::sys::walk::{Place, Visitor};

/// Where a repository names others whose objects it uses.
const ALTERNATES: &str = "objects/info/alternates";
/// The longest such file that is read, in bytes.
const MOST_OF_ALTERNATES: u64 = 64 << 10;

/// Refuses a repository that leads elsewhere: one that holds anything but folders and regular files on one file system,
/// or borrows objects.
///
/// # Errors
/// What leads elsewhere, or what could not be looked at.
pub(super) fn stands_alone(bare: &Tree) -> Result<()> {
    let mut look = Look { folder: PathBuf::new(), found: None };
    bare.walk(&mut look).with_context(|| format!("look at {}", bare.path().display()))?;
    if let Some((path, why)) = look.found {
        bail!("left alone {}: {} {why}", bare.path().display(), path.display());
    }
    let alternates = Path::new(ALTERNATES);
    let reading = || format!("read {}", bare.path().join(alternates).display());
    let borrows = bare.read(alternates, MOST_OF_ALTERNATES).with_context(reading)?.unwrap_or_default();
    if borrows.iter().any(|byte| !byte.is_ascii_whitespace()) {
        bail!("left alone {}: {ALTERNATES} names another repository", bare.path().display());
    }
    Ok(())
}

/// Finds the first thing that leads elsewhere.
struct Look {
    /// The folder that the walk is in.
    folder: PathBuf,
    found: Option<(PathBuf, &'static str)>,
}

impl Look {
    fn refuse(&mut self, path: PathBuf, why: &'static str) {
        self.found.get_or_insert((path, why));
    }
}

impl Visitor for Look {
    fn enter(&mut self, place: Place<'_>, _: BorrowedFd<'_>) -> bool {
        if self.found.is_none() {
            place.path.clone_into(&mut self.folder);
        }
        self.found.is_none()
    }

    fn leave(&mut self, place: Place<'_>) {
        self.folder = place.path.parent().map(Path::to_owned).unwrap_or_default();
    }

    fn lost(&mut self, path: &Path) {
        self.refuse(path.to_owned(), "was moved meanwhile");
    }

    fn entry(&mut self, _: &OsStr, _: Option<u64>) {}

    fn special(&mut self, name: &OsStr) {
        self.refuse(self.folder.join(name), "is a link or another special file");
    }

    fn closed(&mut self, path: &Path, error: Errno) {
        match error {
            Errno::NOENT => {} // it was removed meanwhile
            Errno::XDEV => self.refuse(path.to_owned(), "is another file system"),
            _ => self.refuse(path.to_owned(), "cannot be opened"),
        }
    }

    fn unreadable(&mut self) {
        self.refuse(self.folder.clone(), "cannot be read");
    }

    fn wants_lengths(&self) -> bool {
        false
    }
}
