//! Operations on the contents of a folder, by paths that cannot leave it.
//!
//! The agent can write to the work dir and the env root, so paths are resolved beneath an open handle of the folder
//! (`cap-std`). The last step of each change uses a name inside an open parent folder and never follows a link. Files
//! appear whole: each is written beside its place, then renamed.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::AtomicBool;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, MetadataExt, OpenOptions, OpenOptionsExt};
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, mkdirat, openat, renameat, renameat_with, unlinkat};
use rustix::io::Errno;

use super::fault;

mod attributes;
mod beside;
mod carry;
mod copy;
mod durable;
mod folders;
mod full;
mod handle;
mod look;
mod moves;
mod plain;
mod replace;

pub use carry::Attributes;
pub use copy::{CopyCut, Copying, Most};
pub use durable::folders_of;
pub use folders::Folders;
pub use full::{is_full, is_never_writable, is_of_full_disk};
pub use handle::Stamp;
pub use look::Look;
pub use plain::PlainFile;

/// The type of the entry at a path; a link is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file: length in bytes and permission bits.
    File {
        /// Length in bytes.
        len: u64,
        /// Permission bits.
        mode: u32,
    },
    /// A folder.
    Dir,
    /// A symbolic link.
    Link,
    /// A socket, a FIFO, a device.
    Other,
}

/// An open folder.
#[derive(Debug)]
pub struct Tree {
    pub(super) root: Dir,
    path: PathBuf,
}

/// Whether a path was refused because it leaves the tree through a link or `..`.
pub fn leaves_tree(error: &io::Error) -> bool {
    // cap-std reports an escape with an error of its own, which carries no errno.
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

/// Whether a replacement was refused because the file has changed since it was read.
pub fn has_changed(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ResourceBusy && error.raw_os_error().is_none()
}

/// Whether a read failed without a word about what stands there: no permission, a broken disk. (Something other than a file
/// in its place is not that.)
pub fn is_unreadable(error: &io::Error) -> bool {
    let Some(code) = Errno::from_io_error(error) else { return false };
    !matches!(
        code,
        Errno::LOOP | Errno::NOTDIR | Errno::ISDIR | Errno::NXIO | Errno::NODEV | Errno::NAMETOOLONG
    )
}

impl Tree {
    /// Opens a folder. `path` itself may be a link (the user chose it); links below that lead out are refused.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn open(path: &Path) -> io::Result<Tree> {
        fault::opening()?;
        Ok(Tree { root: Dir::open_ambient_dir(path, ambient_authority())?, path: path.to_owned() })
    }

    /// A second handle on the folder.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn handle(&self) -> io::Result<std::fs::File> {
        Ok(self.root.try_clone()?.into_std_file())
    }

    /// The folder's path as it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a folder inside; the last step may not be a link.
    ///
    /// # Errors
    /// As the system reports them; a link is an error.
    pub fn subtree(&self, relative: &Path) -> io::Result<Tree> {
        if self.kind(relative)? == Some(FileKind::Link) {
            return Err(Errno::LOOP.into());
        }
        let root = match self.parent(relative) {
            // A link may have come into its place since.
            Ok((parent, name)) => Dir::from_std_file(super::platform::open_dir(parent.as_fd(), name)?.into()),
            Err(_) => self.root.open_dir(relative)?,
        };
        Ok(Tree { root, path: self.path.join(relative) })
    }

    /// The type of the entry at `relative`; `None` if there is none.
    ///
    /// # Errors
    /// Everything but "not found"; see [`leaves_tree`].
    pub fn kind(&self, relative: &Path) -> io::Result<Option<FileKind>> {
        match self.root.symlink_metadata(relative) {
            Ok(metadata) => Ok(Some(kind_of(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The path with all links resolved, which must stay inside the tree.
    ///
    /// # Errors
    /// When the path leaves the tree, or nothing is there.
    pub fn resolve(&self, relative: &Path) -> io::Result<PathBuf> {
        self.root.canonicalize(relative)
    }

    /// The text of a link.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn read_link(&self, relative: &Path) -> io::Result<PathBuf> {
        self.root.read_link_contents(relative)
    }

    /// Creates a link with this text; fails if the path is taken.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn make_link(&self, relative: &Path, text: &Path) -> io::Result<()> {
        fault::step()?;
        let (parent, name) = self.parent(relative)?;
        Ok(rustix::fs::symlinkat(text, parent.as_fd(), name)?)
    }

    /// A regular file's bytes; `None` if it is missing.
    ///
    /// # Errors
    /// If the entry is not a regular file, or is longer than `limit` bytes (`FileTooLarge`).
    pub fn read(&self, relative: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let bytes = self.read_start(relative, limit + 1)?;
        if bytes.as_ref().is_some_and(|bytes| bytes.len() as u64 > limit) {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("longer than {limit} bytes")));
        }
        Ok(bytes)
    }

    /// The first bytes of a regular file, at most so many; `None` if it is missing.
    ///
    /// # Errors
    /// If the entry is not a regular file.
    pub fn read_start(&self, relative: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = self.open_file(relative)? else { return Ok(None) };
        let mut bytes =
            Vec::with_capacity(usize::try_from(file.metadata()?.len().min(most)).unwrap_or(0) + 1);
        file.take(most).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Opens a regular file for reading; `None` if it is missing.
    ///
    /// # Errors
    /// If the entry is not a regular file.
    pub fn open_file(&self, relative: &Path) -> io::Result<Option<std::fs::File>> {
        let mut options = OpenOptions::new();
        // A FIFO in a file's place must not make us wait for a writer.
        options.read(true).custom_flags((OFlags::NONBLOCK | OFlags::NOFOLLOW).bits() as i32);
        let file = match self.root.open_with(relative, &options) {
            Ok(file) => file.into_std(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        Ok(Some(file))
    }

    /// The names in a folder, unsorted.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn names(&self, relative: &Path) -> io::Result<Vec<OsString>> {
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OFlags::DIRECTORY.bits() as i32);
        // `read_dir` would open the folder a second time.
        let listed = rustix::fs::Dir::new(self.root.open_with(relative, &options)?)?;
        let names = listed.map(|entry| Ok(OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned()));
        names.filter(|name| !matches!(name, Ok(name) if name == "." || name == "..")).collect()
    }

    /// Creates a folder; fails if the path is taken.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn make_dir(&self, relative: &Path, mode: u32) -> io::Result<()> {
        fault::step()?;
        let (parent, name) = self.parent(relative)?;
        Ok(mkdirat(parent.as_fd(), name, Mode::from_raw_mode(mode as rustix::fs::RawMode))?)
    }

    /// Creates a folder unless it exists; a link at the path is an error.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn ensure_dir(&self, relative: &Path, mode: u32) -> io::Result<()> {
        match self.kind(relative)? {
            Some(FileKind::Dir) => Ok(()),
            Some(_) => Err(Errno::NOTDIR.into()),
            None => match self.make_dir(relative, mode) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                other => other,
            },
        }
    }

    /// Opens a file for writing from its start, 0600, never through a link.
    ///
    /// # Errors
    /// When something other than a regular file stands there.
    pub fn open_log(&self, relative: &Path) -> io::Result<std::fs::File> {
        fault::step()?;
        let (parent, name) = self.parent(relative)?;
        let flags = OFlags::RDWR
            | OFlags::CREATE
            | OFlags::TRUNC
            | OFlags::NOFOLLOW
            | OFlags::NONBLOCK
            | OFlags::CLOEXEC;
        let file = std::fs::File::from(openat(parent.as_fd(), name, flags, Mode::from_raw_mode(0o600))?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
    }

    /// Renames a file of the previous run to keep it; a missing file is success.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn keep_previous(&self, relative: &Path, previous: &Path) -> io::Result<()> {
        fault::step()?;
        let (parent, name) = self.parent(relative)?;
        let (previous_parent, previous_name) = self.parent(previous)?;
        match renameat(parent.as_fd(), name, previous_parent.as_fd(), previous_name) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a file for its lock, read and write, never through a link. Whoever can open it can hold the lock, so it is
    /// its owner's alone (0600). An older release made it readable for all: with `create` on that is mended, because
    /// without it the caller only looks.
    ///
    /// # Errors
    /// `NotFound` when it is missing and `create` is off.
    pub fn open_lock(&self, relative: &Path, create: bool) -> io::Result<std::fs::File> {
        let (parent, name) = self.parent(relative)?;
        let mut flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        if create {
            fault::step()?;
            flags |= OFlags::CREATE;
        }
        let file = std::fs::File::from(openat(parent.as_fd(), name, flags, Mode::from_raw_mode(0o600))?);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        if create && std::os::unix::fs::MetadataExt::mode(&metadata) & 0o077 != 0 {
            let private =
                fault::step().and_then(|()| Ok(rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR)?));
            // Another user's file, or a file system without modes: the lock works all the same.
            if let Err(error) = private {
                log::debug!("{} stays readable for others: {error}", self.path.join(relative).display());
            }
        }
        Ok(file)
    }

    /// Removes a file or a link, never a folder; a missing entry is success.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn remove_file(&self, relative: &Path) -> io::Result<()> {
        self.take_file(relative).map(drop)
    }

    /// The same; `false`: the entry was missing. Of several that remove one file, one gets `true`.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn take_file(&self, relative: &Path) -> io::Result<bool> {
        fault::step()?;
        let (parent, name) = match self.parent(relative) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            other => other?,
        };
        match unlinkat(parent.as_fd(), name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes an empty folder, never a file or a link; a missing entry is success.
    ///
    /// # Errors
    /// As the system reports them, `DirectoryNotEmpty` among them.
    pub fn remove_dir(&self, relative: &Path) -> io::Result<()> {
        fault::step()?;
        let (parent, name) = match self.parent(relative) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        match unlinkat(parent.as_fd(), name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the entry at `relative`, folders with everything in them.
    ///
    /// # Errors
    /// The first thing that could not be removed.
    pub fn remove_all(&self, relative: &Path) -> io::Result<()> {
        self.remove_all_until(relative, &AtomicBool::new(false))
    }

    /// As [`Tree::remove_all`], but it ends as soon as `stop` is set.
    ///
    /// # Errors
    /// As [`Tree::remove_all`], and [`Stopped`](super::remove::Stopped).
    pub fn remove_all_until(&self, relative: &Path, stop: &AtomicBool) -> io::Result<()> {
        let (parent, name) = match self.parent(relative) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        super::remove::remove_tree_until(parent.as_fd(), name, stop)
    }

    /// Whether the file has one name only, so that changing it changes no other path.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn link_count(&self, relative: &Path) -> io::Result<u64> {
        Ok(self.root.symlink_metadata(relative)?.nlink())
    }

    fn parent<'a>(&self, relative: &'a Path) -> io::Result<(Handle<'_>, &'a OsStr)> {
        let Some(Component::Normal(name)) = relative.components().next_back() else {
            return Err(Errno::INVAL.into());
        };
        match relative.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => {
                Ok((Handle::Opened(self.root.open_dir(parent)?), name))
            }
            _ => Ok((Handle::Root(&self.root), name)),
        }
    }
}

/// The folder that contains the last component of a path.
enum Handle<'a> {
    Root(&'a Dir),
    Opened(Dir),
}

impl AsFd for Handle<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Handle::Root(dir) => dir.as_fd(),
            Handle::Opened(dir) => dir.as_fd(),
        }
    }
}

fn kind_of(metadata: &Metadata) -> FileKind {
    let file_type = metadata.file_type();
    if file_type.is_symlink() {
        FileKind::Link
    } else if file_type.is_dir() {
        FileKind::Dir
    } else if file_type.is_file() {
        FileKind::File { len: metadata.len(), mode: metadata.mode() & 0o7777 }
    } else {
        FileKind::Other
    }
}

/// A rename that never replaces: by the kernel where it can, else by a hard link, which fails on an existing name.
fn rename_new(from: BorrowedFd<'_>, name: &OsStr, to: BorrowedFd<'_>, new_name: &OsStr) -> io::Result<()> {
    let renamed = match fault::refused("renameat2") {
        Some(error) => Err(error),
        None => renameat_with(from, name, to, new_name, RenameFlags::NOREPLACE),
    };
    match renamed {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            let linked = match fault::refused("linkat") {
                Some(error) => Err(error),
                None => rustix::fs::linkat(from, name, to, new_name, AtFlags::empty()),
            };
            match linked {
                Ok(()) => Ok(unlinkat(from, name, AtFlags::empty())?),
                // A folder has no second name, and some file systems know none at all.
                Err(Errno::PERM | Errno::NOSYS | Errno::NOTSUP) => rename_looked_at(from, name, to, new_name),
                Err(error) => Err(error.into()),
            }
        }
        other => Ok(other?),
    }
}

/// A rename to a name at which nothing stands, as far as a look can tell: where the file system has no other way.
fn rename_looked_at(
    from: BorrowedFd<'_>,
    name: &OsStr,
    to: BorrowedFd<'_>,
    new_name: &OsStr,
) -> io::Result<()> {
    match rustix::fs::statat(to, new_name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(renameat(from, name, to, new_name)?),
        Ok(_) => Err(Errno::EXIST.into()),
        Err(error) => Err(error.into()),
    }
}
