//! FIFOs, sockets and devices in place of files that git reads: it would wait there until its time limit.

use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::failure::{Code, Failure};
use crate::sys::silent;
use crate::sys::tree::{FileKind, Tree};
use crate::sys::walk::{Place, Visitor};

/// The folders of a git folder whose files git reads by their names.
const FOLDERS: [&str; 3] = ["info", "objects", "objects/info"];
/// What git reads in every folder of the working files.
const EVERYWHERE: [&str; 3] = [".gitignore", ".gitattributes", ".gitmodules"];
/// The socket of git's own file system monitor.
const SOCKET: &str = "fsmonitor--daemon.ipc";
/// The longest path in a `.git` file that is read, in bytes.
const MOST_OF_A_PATH: u64 = 16 << 10;
/// The longest that all folders are searched while a call to git lasts.
const SEARCHING: Duration = Duration::from_secs(10);

/// The failure for such a file.
pub(super) fn failure(trap: &Path) -> Failure {
    Failure::new(
        Code::Failed,
        format!("{} is a FIFO, a socket or a device: git would wait for it", trap.display()),
    )
    .hint("remove it, then repeat the command")
}

/// The first such file in the git folders of the repository whose working files are in `top`.
pub(super) fn in_repository(top: &Tree) -> Option<PathBuf> {
    let git = Path::new(".git");
    let own = match top.kind(git).ok()?? {
        FileKind::Other => return Some(top.path().join(git)),
        FileKind::Dir => top.plain_subtree(git).ok()?,
        FileKind::File { .. } => named(top, git, b"gitdir: ")?,
        FileKind::Link => return None,
    };
    in_git_folder(&own).or_else(|| in_git_folder(&named(&own, Path::new("commondir"), b"")?))
}

/// The folder that a file names, relative to its own.
fn named(folder: &Tree, file: &Path, before: &[u8]) -> Option<Tree> {
    let text = folder.read(file, MOST_OF_A_PATH).ok()??;
    let path = text.strip_prefix(before)?;
    let path = path.strip_suffix(b"\n").unwrap_or(path);
    Tree::open(&silent::resolve(&folder.path().join(OsStr::from_bytes(path)))?).ok()
}

/// The first such file in a git folder.
pub(super) fn in_git_folder(folder: &Tree) -> Option<PathBuf> {
    let enters = |path: &Path| FOLDERS.iter().any(|known| path == Path::new(known));
    let reads = |path: &Path| path != Path::new(SOCKET);
    find(folder, &enters, &reads, None)
}

/// The first such file anywhere in the folder in which a call to git works: asked when the call takes long.
pub(super) fn below(dir: &Path) -> Option<PathBuf> {
    let tree = Tree::open(dir).ok()?;
    let is_git_folder = matches!(tree.kind(Path::new("HEAD")), Ok(Some(FileKind::File { .. })));
    let reads = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        let is_in_git_folder = is_git_folder || path.components().any(|part| part.as_os_str() == ".git");
        (is_in_git_folder && name != SOCKET) || EVERYWHERE.iter().any(|known| name == *known)
    };
    find(&tree, &|_| true, &reads, Some(Instant::now() + SEARCHING))
}

fn find(
    tree: &Tree,
    enters: &dyn Fn(&Path) -> bool,
    reads: &dyn Fn(&Path) -> bool,
    until: Option<Instant>,
) -> Option<PathBuf> {
    let mut search = Search { tree, enters, reads, until, folder: PathBuf::new(), found: None };
    tree.walk(&mut search).ok()?;
    search.found.map(|path| tree.path().join(path))
}

struct Search<'a> {
    tree: &'a Tree,
    /// Whether a folder is looked into.
    enters: &'a dyn Fn(&Path) -> bool,
    /// Whether git reads a file of this path.
    reads: &'a dyn Fn(&Path) -> bool,
    until: Option<Instant>,
    /// The folder that the walk is in.
    folder: PathBuf,
    found: Option<PathBuf>,
}

impl Visitor for Search<'_> {
    fn enter(&mut self, place: Place<'_>, _: BorrowedFd<'_>) -> bool {
        let is_over = self.found.is_some() || self.until.is_some_and(|until| Instant::now() > until);
        let enters = !is_over && (self.enters)(place.path);
        if enters {
            place.path.clone_into(&mut self.folder);
        }
        enters
    }

    fn leave(&mut self, place: Place<'_>) {
        self.folder = place.path.parent().map(Path::to_owned).unwrap_or_default();
    }

    fn lost(&mut self, _: &Path) {}

    fn entry(&mut self, _: &OsStr, _: Option<u64>) {}

    fn special(&mut self, name: &OsStr) {
        let path = self.folder.join(name);
        if self.found.is_none()
            && (self.reads)(&path)
            && matches!(self.tree.kind(&path), Ok(Some(FileKind::Other)))
        {
            self.found = Some(path);
        }
    }

    fn closed(&mut self, _: &Path, _: Errno) {}

    fn unreadable(&mut self) {}

    fn wants_lengths(&self) -> bool {
        false
    }
}
