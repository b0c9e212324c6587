//! Walks a tree that another process may be changing, and adds up its sizes.
//!
//! Works by directory handles: no link is followed, no mount is crossed, nothing is opened but folders. The first
//! [`MAX_OPEN`] levels are read as they are gone through. Below them one folder is open at a time: what is in it is
//! listed at once, and the way back up is `..`, taken only if it leads to the folder that the walk came from.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, statat};
use rustix::io::Errno;

use super::platform;
use super::tree::Tree;

/// Levels whose folders stay open.
const MAX_OPEN: usize = 64;
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A folder that a walk has reached.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The open folder that it lies in.
    pub parent: BorrowedFd<'a>,
    /// Its name there.
    pub name: &'a OsStr,
    /// Its path from where the walk began.
    pub path: &'a Path,
}

/// Device and inode: which folder it is, whatever its name.
pub type Identity = (u64, u64);

/// Receives what a walk finds.
pub trait Visitor {
    /// A folder, already open; returns whether to enter it.
    fn enter(&mut self, place: Place<'_>, handle: BorrowedFd<'_>) -> bool;

    /// Everything in an entered folder has been visited. The visitor may remove the folder now.
    fn leave(&mut self, place: Place<'_>);

    /// An entered folder that the walk cannot leave through `..`: another process moved it or a folder above it.
    fn lost(&mut self, path: &Path);

    /// Anything but a folder. `len`: a regular file's length in bytes, if [`Visitor::wants_lengths`].
    fn entry(&mut self, name: &OsStr, len: Option<u64>);

    /// The same for what is no regular file either: a link, a FIFO, a socket, a device.
    fn special(&mut self, name: &OsStr) {
        self.entry(name, None);
    }

    /// A folder that cannot be opened: no permission, a mount point, or removed meanwhile.
    fn closed(&mut self, path: &Path, error: Errno);

    /// An entry of the current folder could not be examined.
    fn unreadable(&mut self);

    /// Whether to determine the lengths of files in the current folder.
    fn wants_lengths(&self) -> bool;
}

impl Tree {
    /// Shows `visitor` everything below the folder, depth first, in no order.
    ///
    /// # Errors
    /// When the folder itself cannot be read. All other errors go to the visitor.
    pub fn walk(&self, visitor: &mut dyn Visitor) -> io::Result<()> {
        Ok(walk(openat(self.root.as_fd(), ".", FOLDER, Mode::empty())?, visitor)?)
    }

    /// The size of everything in the folder.
    ///
    /// # Errors
    /// When the folder itself cannot be read.
    pub fn measure(&self) -> io::Result<Size> {
        let mut size = Size::default();
        self.walk(&mut size)?;
        Ok(size)
    }
}

/// The size of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Total length of all regular files, in bytes. A file with several names counts once per name.
    pub bytes: u64,
    /// Number of entries that could not be examined.
    pub unreadable: u64,
    /// Number of entries, folders included.
    pub entries: u64,
}

impl Visitor for Size {
    fn enter(&mut self, _: Place<'_>, _: BorrowedFd<'_>) -> bool {
        self.entries += 1;
        true
    }

    fn leave(&mut self, _: Place<'_>) {}

    fn lost(&mut self, _: &Path) {
        self.unreadable += 1;
    }

    fn entry(&mut self, _: &OsStr, len: Option<u64>) {
        self.entries += 1;
        self.bytes += len.unwrap_or(0);
    }

    fn closed(&mut self, _: &Path, _: Errno) {
        self.unreadable += 1;
    }

    fn unreadable(&mut self) {
        self.unreadable += 1;
    }

    fn wants_lengths(&self) -> bool {
        true
    }
}

/// Adds up a tree without following a link or crossing a mount.
pub fn measure(path: &Path) -> Size {
    let mut size = Size::default();
    let _ = super::fault::opening();
    let top = openat(rustix::fs::CWD, path, FOLDER | OFlags::NOFOLLOW, Mode::empty());
    if top.and_then(|top| walk(top, &mut size)).is_err() {
        size.unreadable += 1;
    }
    size
}

/// Device and inode of an open folder.
///
/// # Errors
/// As the system reports them.
pub(crate) fn identity(folder: impl AsFd) -> Result<Identity, Errno> {
    Ok(identity_of(&fstat(folder)?))
}

/// Whether an open folder has no entries.
///
/// # Errors
/// As the system reports them.
pub(crate) fn is_empty(folder: impl AsFd) -> Result<bool, Errno> {
    for entry in Dir::read_from(folder)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether `name` still is the folder with this identity.
pub(crate) fn is_still(place: Place<'_>, known: Identity) -> bool {
    let stat = statat(place.parent, place.name, AtFlags::SYMLINK_NOFOLLOW);
    stat.is_ok_and(|stat| identity_of(&stat) == known)
}

fn identity_of(stat: &rustix::fs::Stat) -> Identity {
    // The system's numbers, whose widths differ: they are compared, never shown.
    (stat.st_dev as _, stat.st_ino as _)
}

/// A folder that the walk has entered.
enum Level {
    /// Open; read entry by entry.
    Open(Dir),
    /// Closed, or open in `Walk::deepest`; the names of its folders that are not yet visited.
    Listed { identity: Identity, folders: Names },
}

struct Walk {
    levels: Vec<Level>,
    /// The open folder of the last level where that is a listed one.
    deepest: Option<OwnedFd>,
    path: PathBuf,
}

fn walk(top: OwnedFd, visitor: &mut dyn Visitor) -> Result<(), Errno> {
    let mut walk = Walk { levels: vec![Level::Open(Dir::new(top)?)], deepest: None, path: PathBuf::new() };
    loop {
        match walk.next_folder(visitor) {
            Some(name) => walk.descend(name, visitor),
            None if walk.levels.len() == 1 => return Ok(()),
            None => walk.ascend(visitor),
        }
    }
}

impl Walk {
    fn next_folder(&mut self, visitor: &mut dyn Visitor) -> Option<OsString> {
        match self.levels.last_mut()? {
            Level::Open(dir) => next_folder_of(dir, visitor),
            Level::Listed { folders, .. } => folders.pop(),
        }
    }

    fn descend(&mut self, name: OsString, visitor: &mut dyn Visitor) {
        self.path.push(&name);
        let place = |parent| Place { parent, name: &name, path: &self.path };
        let is_deep = self.levels.len() >= MAX_OPEN;
        let entered = current(&self.levels, self.deepest.as_ref()).and_then(|parent| {
            let handle = platform::open_dir_same_mount(parent, &name)?;
            if !visitor.enter(place(parent), handle.as_fd()) {
                return Ok(None);
            }
            // From here on `leave` must be called for this folder.
            let opened = if is_deep { list(&handle, visitor) } else { Ok(None) };
            Ok(Some((handle, opened)))
        });
        match entered {
            Err(error) => visitor.closed(&self.path, error),
            Ok(None) => {}
            Ok(Some((handle, Ok(Some(level))))) => {
                self.levels.push(level);
                self.deepest = Some(handle);
                return;
            }
            Ok(Some((handle, Ok(None)))) => match Dir::new(handle) {
                Ok(dir) => {
                    self.levels.push(Level::Open(dir));
                    return;
                }
                Err(_) => self.leave_unread(&name, visitor),
            },
            Ok(Some((_, Err(_)))) => self.leave_unread(&name, visitor),
        }
        self.path.pop();
    }

    /// An entered folder that cannot be read.
    fn leave_unread(&self, name: &OsStr, visitor: &mut dyn Visitor) {
        visitor.unreadable();
        match current(&self.levels, self.deepest.as_ref()) {
            Ok(parent) => visitor.leave(Place { parent, name, path: &self.path }),
            Err(_) => visitor.lost(&self.path),
        }
    }

    fn ascend(&mut self, visitor: &mut dyn Visitor) {
        self.levels.pop();
        let below = self.deepest.take();
        self.deepest = match (self.levels.last(), below) {
            (Some(Level::Listed { identity: known, .. }), Some(below)) => {
                let above = openat(&below, "..", FOLDER, Mode::empty()).ok();
                above.filter(|above| identity(above) == Ok(*known))
            }
            _ => None,
        };
        match current(&self.levels, self.deepest.as_ref()) {
            Ok(parent) => {
                let name = self.path.file_name().unwrap_or_default();
                visitor.leave(Place { parent, name, path: &self.path });
            }
            Err(_) => {
                visitor.lost(&self.path);
                // The remaining entries of these folders can no longer be reached.
                if let Some(Level::Listed { folders, .. }) = self.levels.last_mut() {
                    *folders = Names::default();
                }
            }
        }
        self.path.pop();
    }
}

/// The open folder of the last level.
fn current<'a>(levels: &'a [Level], deepest: Option<&'a OwnedFd>) -> Result<BorrowedFd<'a>, Errno> {
    match (levels.last(), deepest) {
        (Some(Level::Open(dir)), _) => dir.fd(),
        (Some(Level::Listed { .. }), Some(handle)) => Ok(handle.as_fd()),
        _ => Err(Errno::STALE),
    }
}

/// Visits the entries of a deep folder, and keeps the names of its folders for later.
fn list(handle: &OwnedFd, visitor: &mut dyn Visitor) -> Result<Option<Level>, Errno> {
    let mut dir = Dir::read_from(handle)?;
    let mut folders = Names::default();
    while let Some(name) = next_folder_of(&mut dir, visitor) {
        folders.push(&name);
    }
    Ok(Some(Level::Listed { identity: identity(handle)?, folders }))
}

/// Visits entries up to the next folder, and returns that folder.
fn next_folder_of(dir: &mut Dir, visitor: &mut dyn Visitor) -> Option<OsString> {
    loop {
        let Ok(entry) = dir.read()? else {
            visitor.unreadable();
            return None;
        };
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let told = entry.file_type();
        let must_look = told == FileType::Unknown || told == FileType::RegularFile && visitor.wants_lengths();
        if !must_look {
            if told == FileType::Directory {
                return Some(name.to_owned());
            }
            match told {
                FileType::RegularFile => visitor.entry(name, None),
                _ => visitor.special(name),
            }
            continue;
        }
        let looked = dir.fd().and_then(|folder| statat(folder, name, AtFlags::SYMLINK_NOFOLLOW));
        match looked.map(|stat| (FileType::from_raw_mode(stat.st_mode), stat.st_size)) {
            Ok((FileType::Directory, _)) => return Some(name.to_owned()),
            Ok((FileType::RegularFile, len)) => visitor.entry(name, u64::try_from(len).ok()),
            Ok(_) => visitor.special(name),
            Err(Errno::NOENT) => {}
            Err(_) => visitor.unreadable(),
        }
    }
}

/// Names in one buffer: there may be very many.
#[derive(Default)]
struct Names(Vec<u8>);

impl Names {
    fn push(&mut self, name: &OsStr) {
        self.0.extend(name.as_bytes());
        self.0.push(0);
    }

    fn pop(&mut self) -> Option<OsString> {
        self.0.pop()?;
        let start = self.0.iter().rposition(|byte| *byte == 0).map_or(0, |end| end + 1);
        Some(OsString::from_vec(self.0.split_off(start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn names_come_back_last_first_and_need_not_be_text() {
        let mut names = Names::default();
        let all: [&[u8]; 3] = [b"a", b"\xff\xfe", b"c d"];
        all.iter().for_each(|name| names.push(OsStr::from_bytes(name)));
        let back: Vec<OsString> = std::iter::from_fn(|| names.pop()).collect();
        assert_eq!(
            back,
            all.map(|name| OsStr::from_bytes(name).to_owned()).into_iter().rev().collect::<Vec<_>>()
        );
    }

    /// A chain of folders, deeper than any path may be long, with a file of one byte in each.
    fn chain(top: &Path, levels: usize) {
        let mut deep: OwnedFd = fs::File::open(top).unwrap().into();
        for _ in 0..levels {
            rustix::fs::mkdirat(&deep, "d", Mode::RWXU).unwrap();
            deep = openat(&deep, "d", FOLDER, Mode::empty()).unwrap();
            let file = openat(&deep, "f", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).unwrap();
            rustix::io::write(file, b"x").unwrap();
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
    fn adds_up_every_level_and_nothing_that_is_no_file_of_the_tree() {
        // In memory where there is such a place: a disk takes seconds for ten thousand folders.
        let tmp = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let top = tmp.path().join("top");
        fs::create_dir(&top).unwrap();
        fs::write(tmp.path().join("outside"), [0; 5_000]).unwrap();
        symlink("../outside", top.join("link")).unwrap();
        symlink("..", top.join("folder-link")).unwrap();
        fs::write(top.join("one"), [0; 7]).unwrap();
        fs::hard_link(top.join("one"), top.join("two")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(top.join("fifo")).status().unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(top.join("socket")).unwrap();
        chain(&top, 10_000);
        assert_eq!(measure(&top), Size { bytes: 10_014, unreadable: 0, entries: 20_006 });
        assert_eq!(Tree::open(&top).unwrap().measure().unwrap(), measure(&top));
        assert_eq!(measure(&top.join("link")), Size { unreadable: 1, ..Size::default() });
        super::super::remove::remove_tree(fs::File::open(tmp.path()).unwrap(), OsStr::new("top")).unwrap();
    }

    /// Moves the folder that it comes to at a depth to the top.
    struct Mover<'a> {
        top: &'a Tree,
        depth: usize,
        lost: usize,
        left: usize,
    }

    impl Visitor for Mover<'_> {
        fn enter(&mut self, place: Place<'_>, _: BorrowedFd<'_>) -> bool {
            if place.path.components().count() == self.depth {
                rustix::fs::renameat(place.parent, place.name, self.top.root.as_fd(), "moved").unwrap();
            }
            true
        }

        fn leave(&mut self, _: Place<'_>) {
            self.left += 1;
        }

        fn lost(&mut self, _: &Path) {
            self.lost += 1;
        }

        fn entry(&mut self, _: &OsStr, _: Option<u64>) {}

        fn closed(&mut self, _: &Path, _: Errno) {}

        fn unreadable(&mut self) {}

        fn wants_lengths(&self) -> bool {
            false
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
    fn a_folder_that_is_moved_away_leads_the_walk_nowhere_else() {
        let tmp = tempfile::tempdir().unwrap();
        let top = tmp.path().join("top");
        fs::create_dir(&top).unwrap();
        chain(&top, 200);
        let tree = Tree::open(&top).unwrap();
        let mut mover = Mover { top: &tree, depth: 100, lost: 0, left: 0 };
        tree.walk(&mut mover).unwrap();
        // All levels are left or lost, but for those that the walk meets a second time under the new name.
        assert!(mover.lost > 0, "the walk went up through a folder that was not the one it came from");
        assert!(mover.lost + mover.left >= 200);
        super::super::remove::remove_tree(fs::File::open(tmp.path()).unwrap(), OsStr::new("top")).unwrap();
    }
}
