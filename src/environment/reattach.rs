//! A worktree and its registration name each other. Where a root was moved, or the work dir has lost its `.git`, one of them does
//! so alone, and is believed if it is certain: then the other one is written again.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyhow::{Context, Result};

use super::key::KeyFile;
use super::locked::LockedEnv;
use super::repository::{Known, Leaving, place_of};
use crate::git::Registration;
use crate::layout::names;
use crate::sys::silent::is_one_path;
use crate::sys::tree::{FileKind, Tree};

impl LockedEnv {
    /// Lets the work dir and its registration name each other again, if it is a worktree of which one of both still knows. The
    /// registration is changed only where execenv is known to have made it.
    ///
    /// # Errors
    /// As the system reports them; where nothing proves a registration that names another path.
    pub fn reattach(&self, keys: &KeyFile) -> Result<()> {
        if self.work_dir.is_user_folder() {
            return Ok(());
        }
        let Ok(folder) = self.env.tree.plain_subtree(Path::new(names::WORK_DIR)) else { return Ok(()) };
        let known = Known::of(self.meta.as_ref().and_then(|meta| meta.own.as_ref()));
        let (place, key) = (place_of(&self.env.path), self.env.key());
        let env = Some(&self.env.tree);
        let leaving = Leaving { env, folder: Some(&folder), place: &place, key: &key, known };
        let Some(registered) = leaving.registered() else { return Ok(()) };
        let Some(named) = registered.place() else { return Ok(()) };
        if named != place && !is_one_path(&named, &place) {
            anyhow::ensure!(
                leaving.is_proved(&registered, keys),
                "nothing proves that execenv made the worktree in {}; `git worktree repair` there, with the path {}, mends it",
                registered.common().display(),
                place.display()
            );
            registered.move_to(&place)?;
        }
        match folder.kind(Path::new(".git")) {
            Ok(None | Some(FileKind::File { len: 0, .. })) => name_registration(&folder, &registered),
            _ => Ok(()),
        }
    }
}

/// Writes the file by which git knows a folder as the worktree of this registration.
///
/// # Errors
/// As the system reports them.
pub fn name_registration(folder: &Tree, registered: &Registration) -> Result<()> {
    let target = registered.git_dir();
    let text = [b"gitdir: ", target.as_os_str().as_bytes(), b"\n"].concat();
    folder
        .replace(Path::new(".git"), &text, 0o644, names::TEMPORARY)
        .with_context(|| format!("make {} a worktree again", folder.path().display()))
}
