//! Whether a repository is one by itself: who can write to it can put links into it, or let it borrow the objects of another one,
//! and git would read, and copy on, what only the operator can reach.

use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::io::Errno;

use super::checkout::Checkout;
use crate::failure::{Code, Failure};
use crate::sys::silent;
use crate::sys::tree::{FileKind, Tree};
use crate::sys::walk::{Place, Visitor};

/// Where a folder of objects names others whose objects it borrows.
const ALTERNATES: &str = "info/alternates";
/// The longest such file that is read, in bytes.
const MOST_OF_ALTERNATES: u64 = 64 << 10;
/// As many times git follows such names.
const DEPTH: u32 = 5;
/// What of a git folder leads to objects and refs: folders, and files.
const FOLDERS: [&str; 3] = ["objects", "refs", "reftable"];
const FILES: [&str; 2] = ["packed-refs", "shallow"];
/// What of a git folder is written where a ref is deleted: folders, and files.
const FOLDERS_OF_REFS: [&str; 3] = ["refs", "logs", "reftable"];
const FILES_OF_REFS: [&str; 2] = ["packed-refs", "config"];

/// Something that leads out of a repository, and why.
pub type Elsewhere = (PathBuf, &'static str);

/// The first entry below a folder that is neither a folder nor a regular file on its file system, or could not be looked at.
///
/// # Errors
/// When the folder itself cannot be read.
pub fn leads_elsewhere(folder: &Tree) -> io::Result<Option<Elsewhere>> {
    let mut look = Look { folder: PathBuf::new(), found: None };
    folder.walk(&mut look)?;
    Ok(look.found)
}

/// The paths of folders of objects that one borrows from.
///
/// # Errors
/// When the list cannot be read.
pub fn borrows_from(objects: &Tree) -> io::Result<Vec<PathBuf>> {
    let listed = objects.read(Path::new(ALTERNATES), MOST_OF_ALTERNATES)?.unwrap_or_default();
    let lines = listed.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    Ok(lines
        .filter(|line| !line.starts_with(b"#"))
        .map(|line| objects.path().join(OsStr::from_bytes(line)))
        .collect())
}

impl Checkout {
    /// Refuses a repository that leads elsewhere: by links among its objects and refs, or by objects that it borrows from outside of
    /// the folders `within`.
    ///
    /// # Errors
    /// A [`Code::Failed`] failure that says what leads elsewhere; as the system reports it.
    pub fn refuse_what_leads_elsewhere(&self, within: &[PathBuf]) -> Result<()> {
        let within: Vec<PathBuf> = within.iter().filter_map(|folder| silent::resolve(folder)).collect();
        let folders = self.folders();
        let mut found = first_in(&folders.common, &within)?;
        if found.is_none() && folders.own != folders.common {
            found = first_in(&folders.own, &within)?;
        }
        let Some((path, why)) = found else { return Ok(()) };
        let message = format!("{} is not worked on: {} {why}", self.dir().display(), path.display());
        Err(Failure::new(Code::Failed, message)
            .hint(
                "an agent could have the content of another repository copied by that. Who has made the repository can let it \
                 stand by itself: `git repack -a -d` in it, then remove `objects/info/alternates` and the links",
            )
            .into())
    }
}

/// The first thing in the git folder that all worktrees share by which the deletion of a ref would change another repository.
///
/// # Errors
/// As the system reports it.
pub fn refs_lead_elsewhere(common: &Path) -> Result<Option<Elsewhere>> {
    first_of(common, &FILES_OF_REFS, &FOLDERS_OF_REFS, &[])
}

/// The first thing in a git folder that leads elsewhere.
fn first_in(git_folder: &Path, within: &[PathBuf]) -> Result<Option<Elsewhere>> {
    first_of(git_folder, &FILES, &FOLDERS, within)
}

fn first_of(
    git_folder: &Path,
    files: &[&str],
    folders: &[&str],
    within: &[PathBuf],
) -> Result<Option<Elsewhere>> {
    let looking = || format!("look at {}", git_folder.display());
    let tree = Tree::open(git_folder).with_context(looking)?;
    let is_link = |name: &str| (tree.path().join(name), "is a link or another special file");
    for name in files {
        if !matches!(tree.kind(Path::new(name)).with_context(looking)?, None | Some(FileKind::File { .. })) {
            return Ok(Some(is_link(name)));
        }
    }
    for name in folders {
        let folder = match tree.kind(Path::new(name)).with_context(looking)? {
            None => continue,
            Some(FileKind::Dir) => tree.unlinked_subtree(Path::new(name)).with_context(looking)?,
            Some(_) => return Ok(Some(is_link(name))),
        };
        let found = match *name {
            "objects" => first_in_objects(&folder, within, DEPTH),
            _ => {
                leads_elsewhere(&folder).map(|found| found.map(|(path, why)| (folder.path().join(path), why)))
            }
        };
        if let Some(found) = found.with_context(looking)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn first_in_objects(objects: &Tree, within: &[PathBuf], depth: u32) -> io::Result<Option<Elsewhere>> {
    if let Some((path, why)) = leads_elsewhere(objects)? {
        return Ok(Some((objects.path().join(path), why)));
    }
    for named in borrows_from(objects)? {
        let inside =
            silent::resolve(&named).filter(|real| within.iter().any(|folder| real.starts_with(folder)));
        let Some(real) = inside.filter(|_| depth > 0) else {
            return Ok(Some((objects.path().join(ALTERNATES), "names another repository")));
        };
        let found = first_in_objects(&Tree::open_unlinked(&real)?, within, depth - 1)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Finds the first thing that leads elsewhere.
struct Look {
    /// The folder that the walk is in.
    folder: PathBuf,
    found: Option<Elsewhere>,
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
