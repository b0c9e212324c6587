//! Free disk space.

use std::io;
use std::path::Path;

/// The bytes that this user can still write on the disk of `path`.
///
/// # Errors
/// As the system reports them.
pub fn free_space(path: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(path)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}
