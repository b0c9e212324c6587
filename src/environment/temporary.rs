//! Files that exist only during a run: its private folder for temporary files, and its file with the MCP servers.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::locked::LockedEnv;
use crate::layout::names;
use crate::sys::tree::Tree;

/// The name of a run's private folder inside its env root.
const TEMPORARY: &str = names::RUN_TEMPORARY;
/// The longest path of a folder for sockets: with a name of 40 characters it stays below 104 bytes.
const MAX_TEMPORARY: usize = 60;

/// A run's private folder for temporary files: below `base` if given, else in the env root if its path is short enough
/// for sockets, else below `/tmp`. Outside the env root its name contains the run's id.
pub(crate) fn temporary_dir(env_root: &Path, run_id: &str, base: Option<&Path>) -> PathBuf {
    let inside = env_root.join(TEMPORARY);
    match base {
        Some(base) => base.join(outside_name(run_id)),
        None if inside.as_os_str().len() <= MAX_TEMPORARY => inside,
        None => Path::new("/tmp").join(outside_name(run_id)),
    }
}

fn outside_name(run_id: &str) -> String {
    format!("execenv-{}", run_id.get(..13).unwrap_or(run_id))
}

/// The file with a run's MCP servers, below the env root.
pub(crate) fn mcp_file() -> PathBuf {
    Path::new(names::LAUNCH).join(names::LAUNCH_MCP)
}

impl LockedEnv {
    /// Creates a run's private folder, empty. The run must be recorded before, so that a crash leaves no folder without
    /// a record.
    ///
    /// # Errors
    /// As the system reports them.
    pub(crate) fn make_temporary(&self, path: &Path) -> Result<()> {
        let tree = &self.env.tree;
        let made = if path == tree.path().join(TEMPORARY) {
            tree.remove_all(Path::new(TEMPORARY)).and_then(|()| tree.make_dir(Path::new(TEMPORARY), 0o700))
        } else {
            let name = path.file_name().map(Path::new).unwrap_or(Path::new(TEMPORARY));
            path.parent().map_or(Ok(()), |parent| Tree::open(parent)?.make_dir(name, 0o700))
        };
        made.with_context(|| format!("make {}", path.display()))
    }

    /// Removes the files that exist only during a run. A file that cannot be removed causes a warning; the next run
    /// removes it.
    pub(crate) fn forget_temporary(&self, run_id: &str, outside: Option<&Path>) {
        let tree = &self.env.tree;
        let warn = |path: &Path, error: io::Error| log::warn!("cannot remove {}: {error}", path.display());
        if let Err(error) = tree.remove_all(Path::new(TEMPORARY)) {
            warn(&tree.path().join(TEMPORARY), error);
        }
        match tree.remove_file(&mcp_file()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                warn(&tree.path().join(mcp_file()), error)
            }
            _ => {}
        }
        forget_outside(run_id, outside);
    }

    /// Removes what the recorded run, which is dead, left outside its env root.
    pub(crate) fn forget_dead_run(&self) {
        let own = self.meta.as_ref().and_then(|meta| meta.own.as_ref());
        if let Some(run) = own.and_then(|own| own.run.as_ref()) {
            forget_outside(&run.id, run.temporary.as_deref());
        }
    }
}

/// The agent can write to the record, so only a path with an id and a name of execenv's own form is used.
fn forget_outside(run_id: &str, outside: Option<&Path>) {
    let is_ours =
        |path: &&Path| path.is_absolute() && path.file_name() == Some(OsStr::new(&outside_name(run_id)));
    if uuid::Uuid::try_parse(run_id).is_ok()
        && let Some(outside) = outside.filter(is_ours)
    {
        forget_outside_temporary(outside);
    }
}

/// Removes a run's private folder outside the env root, if it is a folder, not a link, of this user.
fn forget_outside_temporary(path: &Path) {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
    let is_ours = path.symlink_metadata().is_ok_and(|metadata| {
        metadata.is_dir()
            && std::os::unix::fs::MetadataExt::uid(&metadata) == rustix::process::geteuid().as_raw()
    });
    if !is_ours {
        return;
    }
    if let Ok(tree) = crate::sys::tree::Tree::open(parent)
        && let Err(error) = tree.remove_all(Path::new(name))
    {
        log::warn!("cannot remove {}: {error}", path.display());
    }
}
