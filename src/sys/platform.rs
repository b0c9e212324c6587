//! Operations that need different system calls on Linux and macOS.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

const OPEN_DIR: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a folder inside another; a link is an error, a mount is none.
pub(super) fn open_dir(parent: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(parent, name, OPEN_DIR, Mode::empty())
}

/// Opens a folder inside another to go through it, which needs no right to list it; a link is an error, a mount is none.
pub(super) fn pass_dir(parent: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    #[cfg(target_os = "linux")]
    const PASS: OFlags = OFlags::PATH.union(OPEN_DIR);
    #[cfg(not(target_os = "linux"))]
    const PASS: OFlags = OPEN_DIR;
    rustix::fs::openat(parent, name, PASS, Mode::empty())
}

/// Opens a folder inside another for removal: through no link and over no mount, bind mounts included.
#[cfg(target_os = "linux")]
pub(super) fn open_dir_same_mount(parent: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    use rustix::fs::{ResolveFlags, openat2};
    let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    match openat2(&parent, name, OPEN_DIR, Mode::empty(), resolve) {
        // A kernel or a sandbox without openat2: compare devices instead.
        Err(Errno::NOSYS | Errno::PERM) => open_dir_same_device(parent, name),
        other => other,
    }
}

/// Opens a folder inside another for removal: through no link and over no mount.
#[cfg(not(target_os = "linux"))]
pub(super) fn open_dir_same_mount(parent: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    open_dir_same_device(parent, name)
}

fn open_dir_same_device(parent: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let dir = rustix::fs::openat(&parent, name, OPEN_DIR, Mode::empty())?;
    if rustix::fs::fstat(&dir)?.st_dev != rustix::fs::fstat(&parent)?.st_dev {
        return Err(Errno::XDEV);
    }
    Ok(dir)
}

/// Makes a folder that its owner has locked (module caches are 0555) readable and writable for its owner, never
/// through a link.
pub(super) fn unlock_dir(parent: impl AsFd, name: &OsStr) -> Result<(), Errno> {
    set_dir_mode(parent, name, Mode::RWXU)
}

/// Gives a folder these permission bits, never through a link.
#[cfg(target_os = "linux")]
pub(super) fn set_dir_mode(parent: impl AsFd, name: &OsStr, mode: Mode) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    // chmod knows no "do not follow" here: pin the folder first, then reach it through the pin.
    let pin = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = rustix::fs::openat(parent, name, pin, Mode::empty())?;
    rustix::fs::chmod(format!("/proc/self/fd/{}", dir.as_raw_fd()), mode)
}

/// Gives a folder these permission bits, never through a link.
#[cfg(not(target_os = "linux"))]
pub(super) fn set_dir_mode(parent: impl AsFd, name: &OsStr, mode: Mode) -> Result<(), Errno> {
    rustix::fs::chmodat(parent, name, mode, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
}

/// Syncs an open file or folder. A file system that cannot sync such a thing counts as one that needs not.
pub(super) fn fsync(entry: impl AsFd) -> std::io::Result<()> {
    let synced = super::fault::refused("fsync").map_or_else(|| rustix::fs::fsync(entry), Err);
    match synced {
        Ok(()) | Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
