//! How much room a disk has.

use std::io;
use std::path::Path;

/// What is free for this user on the disk of `path`, in bytes.
///
/// # Errors
/// As the system reports them.
pub fn free_space(path: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(path)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}
