//! Folders with a mount point in them are neither moved nor deleted.

use std::path::Path;

use anyhow::Result;

use crate::failure::{Code, Failure};
use crate::sys::mount_points::mount_within;

/// Refuses to remove a folder in which something is mounted, before half of it is gone.
///
/// # Errors
/// A failure that names the mount.
pub(in crate::environment) fn refuse_mount(folder: &Path) -> Result<()> {
    let Some(mount) = mount_within(folder) else { return Ok(()) };
    let mount = mount.display();
    Err(Failure::new(
        Code::Failed,
        format!("{mount} is a mount; nothing of {} was removed", folder.display()),
    )
    .hint(format!("`umount {mount}`, then try again"))
    .into())
}
