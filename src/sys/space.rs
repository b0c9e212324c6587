//! Disk space.

use std::io;
use std::path::Path;

/// The size of the disk of `path`, in bytes.
///
/// # Errors
/// As the system reports them.
pub fn disk_size(path: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(path)?;
    Ok(disk.f_blocks.saturating_mul(disk.f_frsize))
}

/// The bytes that this user can still write on the disk of `path`.
///
/// # Errors
/// As the system reports them.
pub fn free_space(path: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(path)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}
