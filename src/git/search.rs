//! Finds repositories below a work dir, by handles: through no link and over no mount, which may not answer.

use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rustix::io::Errno;

use super::traps;
use crate::order;
use crate::sys::tree::{FileKind, Tree};
use crate::sys::walk::{Place, Visitor, is_empty};

/// A repository, or a worktree of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FoundRepository {
    /// Its folder.
    pub(super) path: PathBuf,
    /// It has no `.git`: it is a bare one itself.
    pub(super) is_bare: bool,
}

/// The result of a search.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// Folders with a `.git`, and bare repositories.
    pub(super) repositories: Vec<FoundRepository>,
    /// The first folder that was not searched, and why: a repository may lie in it.
    pub(super) gap: Option<(PathBuf, String)>,
}

/// How long a search may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience<'a> {
    /// It ends then.
    pub(super) deadline: Instant,
    /// It ends once this is set.
    pub(super) stop: &'a AtomicBool,
}

impl Patience<'_> {
    /// Why the search has to end now.
    pub(super) fn is_over(&self) -> Option<&'static str> {
        match () {
            () if self.stop.load(Ordering::Relaxed) => Some("execenv was asked to stop"),
            () if Instant::now() >= self.deadline => Some("it takes too long"),
            () => None,
        }
    }
}

/// Finds repositories in all folders below `work_dir`.
pub(super) fn search(work_dir: &Path, patience: Patience<'_>) -> Search {
    let mut searcher = Searcher {
        root: work_dir,
        patience,
        folders: vec![Signs::default()],
        mounts: Vec::new(),
        found: Search::default(),
    };
    let tree = match Tree::open(work_dir) {
        Ok(tree) => tree,
        Err(error) => {
            searcher.gap(work_dir.to_owned(), error.to_string());
            return searcher.found;
        }
    };
    if let Err(error) = tree.walk(&mut searcher) {
        searcher.gap(work_dir.to_owned(), error.to_string());
    }
    searcher.leave_folder(Path::new(""));
    let Searcher { mut found, mounts, .. } = searcher;
    // Git would go into the mount.
    found.repositories.retain(|repository| !mounts.iter().any(|mount| mount.starts_with(&repository.path)));
    order::sort(&mut found.repositories);
    let mut refused = Vec::new();
    found.repositories.retain(|repository| match refusal(&tree, work_dir, repository) {
        Some(Refusal::Trap(path)) => {
            refused.push(path);
            false
        }
        Some(Refusal::Nothing) => false,
        None => true,
    });
    if let Some(path) = refused.into_iter().next() {
        found.gap.get_or_insert_with(|| (path, "it is neither a file nor a folder".to_owned()));
    }
    found
}

/// Signs of a repository in one folder.
#[derive(Debug, Default)]
struct Signs {
    has_git: bool,
    /// How many of the parts of a bare repository it has.
    bare: u8,
}

const BARE: [&str; 3] = ["HEAD", "objects", "refs"];

struct Searcher<'a> {
    root: &'a Path,
    patience: Patience<'a>,
    /// The folders that the walk is in.
    folders: Vec<Signs>,
    mounts: Vec<PathBuf>,
    found: Search,
}

impl Searcher<'_> {
    fn gap(&mut self, path: PathBuf, why: String) {
        self.found.gap.get_or_insert((path, why));
    }

    fn note(&mut self, name: &OsStr) {
        let Some(signs) = self.folders.last_mut() else { return };
        signs.has_git |= name == ".git";
        signs.bare += u8::from(BARE.iter().any(|part| name == *part));
    }

    fn leave_folder(&mut self, path: &Path) {
        let Some(signs) = self.folders.pop() else { return };
        if signs.has_git || usize::from(signs.bare) == BARE.len() {
            let path = if path.as_os_str().is_empty() { self.root.to_owned() } else { self.root.join(path) };
            self.found.repositories.push(FoundRepository { path, is_bare: !signs.has_git });
        }
    }
}

impl Visitor for Searcher<'_> {
    fn enter(&mut self, place: Place<'_>, handle: BorrowedFd<'_>) -> bool {
        if place.name == ".git" {
            // For git an empty one is none either.
            if is_empty(handle) != Ok(true) {
                self.note(place.name);
            }
            return false;
        }
        self.note(place.name);
        if let Some(why) = self.patience.is_over() {
            self.gap(self.root.join(place.path), why.to_owned());
            return false;
        }
        self.folders.push(Signs::default());
        true
    }

    fn leave(&mut self, place: Place<'_>) {
        self.leave_folder(place.path);
    }

    fn lost(&mut self, path: &Path) {
        self.folders.pop();
        self.gap(self.root.join(path), "it was moved meanwhile".to_owned());
    }

    fn entry(&mut self, name: &OsStr, _: Option<u64>) {
        self.note(name);
    }

    fn closed(&mut self, path: &Path, error: Errno) {
        let path = self.root.join(path);
        match error {
            Errno::NOENT => {} // it was removed meanwhile
            Errno::XDEV => {
                self.gap(path.clone(), "another file system is mounted there".to_owned());
                self.mounts.push(path);
            }
            error => self.gap(path, std::io::Error::from(error).to_string()),
        }
    }

    fn unreadable(&mut self) {
        self.gap(self.root.to_owned(), "not everything in it can be read".to_owned());
    }

    fn wants_lengths(&self) -> bool {
        false
    }
}

/// Why git is not asked about a repository.
enum Refusal {
    /// Git would wait there: a FIFO, a socket, a device. An agent can put one deeper, too, which is looked for when a call takes
    /// long, or a link to one; then the time limit ends git.
    Trap(PathBuf),
    /// Its `.git` is an empty file.
    Nothing,
}

fn refusal(tree: &Tree, work_dir: &Path, repository: &FoundRepository) -> Option<Refusal> {
    let relative = repository.path.strip_prefix(work_dir).ok()?;
    let folder = tree.plain_subtree(relative).ok()?;
    if repository.is_bare {
        return traps::in_git_folder(&folder).map(Refusal::Trap);
    }
    if matches!(folder.kind(Path::new(".git")), Ok(Some(FileKind::File { len: 0, .. }))) {
        return Some(Refusal::Nothing);
    }
    traps::in_repository(&folder).map(Refusal::Trap)
}
