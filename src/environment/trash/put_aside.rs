//! What goes into the trash.

use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use super::deletion::{delete, doom, finish};
use super::mounts::refuse_mount;
use super::name::{TrashName, key_of};
use crate::environment::locked::LockedEnv;
use crate::environment::repository::{Deletion, Known, Leaving, place_of};
use crate::layout::names;
use crate::sys::tree::{Tree, is_of_full_disk};

impl LockedEnv {
    /// Moves the environment, or only its work dir, to the trash by one rename, and returns the entry's name.
    ///
    /// # Errors
    /// As the system reports them; nothing has moved then.
    pub(crate) fn put_aside(&self, root: &Tree, work_dir_only: bool, now: DateTime<Utc>) -> Result<String> {
        let env_root = &self.env;
        // A rename goes by the name: no other folder is renamed because an agent has put it there.
        self.refuse_moved()?;
        let name = env_root.path.file_name().unwrap_or_default();
        let source = Path::new(&env_root.workspace()).join(name);
        let source = if work_dir_only { source.join(names::WORK_DIR) } else { source };
        put_aside_as(root, &source, &env_root.workspace(), &key_of(env_root), work_dir_only, now)
    }

    /// Deletes the environment's folder permanently, by moving it to the trash first. The lock is released once no process
    /// finds the folder any more and before its files go: NFS and FUSE file systems keep a deleted file that is open,
    /// and the folder with it.
    ///
    /// # Errors
    /// If it could not be moved or removed.
    pub(crate) fn delete(self, root: &Tree, now: DateTime<Utc>, deletion: &Deletion<'_>) -> Result<()> {
        let Some(name) = self.put_aside_or_remove(root, false, now, deletion)? else { return Ok(()) };
        let doomed = doom(root, &name)?;
        drop(self);
        doomed.map_or(Ok(()), |doomed| finish(root, &doomed, deletion))
    }

    /// Deletes the environment's work dir permanently, by moving it to the trash first.
    ///
    /// # Errors
    /// If it could not be moved or removed.
    pub(crate) fn delete_work_dir(
        &self,
        root: &Tree,
        now: DateTime<Utc>,
        deletion: &Deletion<'_>,
    ) -> Result<()> {
        let name = self.put_aside_or_remove(root, true, now, deletion)?;
        name.map_or(Ok(()), |name| delete(root, &name, deletion))
    }

    /// As [`LockedEnv::put_aside`]. The trash itself may need room that a full disk does not have: then the folder is
    /// removed where it stands, and there is no entry.
    fn put_aside_or_remove(
        &self,
        root: &Tree,
        work_dir_only: bool,
        now: DateTime<Utc>,
        deletion: &Deletion<'_>,
    ) -> Result<Option<String>> {
        match self.put_aside(root, work_dir_only, now) {
            Err(error) if is_of_full_disk(&error) => {
                log::debug!("{error:#}");
                self.refuse_moved()?;
                let folder = self.env.tree.subtree(Path::new(names::WORK_DIR)).ok();
                let own = self.meta.as_ref().and_then(|meta| meta.own.as_ref());
                let place = place_of(&self.env.path);
                let (key, folder) = (key_of(&self.env), folder.as_ref());
                deletion.release(&Leaving {
                    env: Some(&self.env.tree),
                    folder,
                    place: &place,
                    key: &key,
                    known: Known::of(own),
                })?;
                let name = self.env.path.file_name().unwrap_or_default();
                let place = Path::new(&self.env.workspace()).join(name);
                let place = if work_dir_only { place.join(names::WORK_DIR) } else { place };
                let doing = || format!("remove {}", root.path().join(&place).display());
                root.remove_all(&place).with_context(doing).map(|()| None)
            }
            aside => aside.map(Some),
        }
    }
}

/// Moves the folder `source` below the root to the trash as if it were the environment `key`.
pub(crate) fn put_aside_as(
    root: &Tree,
    source: &Path,
    workspace: &str,
    key: &str,
    work_dir_only: bool,
    now: DateTime<Utc>,
) -> Result<String> {
    let trash = Path::new(names::TRASH);
    let doing = || format!("move {} to the trash", root.path().join(source).display());
    refuse_mount(&root.path().join(source))?;
    root.ensure_dir(trash, 0o700).with_context(doing)?;
    let name = TrashName::new(workspace, key, now, work_dir_only);
    root.move_to(source, root, &trash.join(&name.text)).with_context(doing)?;
    Ok(name.text)
}
