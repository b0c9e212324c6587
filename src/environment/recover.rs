//! Recovering an environment whose last step was interrupted.

use std::path::Path;

use anyhow::{Context, Result};

use super::lock::path_lock;
use super::locked::LockedEnv;
use super::record;
use crate::failure::{Code, Failure};
use crate::provider;
use crate::sidecar::{Manifest, Record, State, TakenBack, sweep_state_temporaries, take_back};
use crate::sys::tree::Tree;

impl LockedEnv {
    /// Recovers an environment whose last step was interrupted, so that it matches its record: removes sidecars that were
    /// announced but not completed.
    ///
    /// # Errors
    /// If the manifest is damaged or a sidecar could not be removed.
    pub fn recover(&self) -> Result<Option<TakenBack>> {
        self.recover_with(None)
    }

    /// As [`LockedEnv::recover`], for a caller that has already locked the user folder with the identity `locked` (device
    /// and inode).
    pub(super) fn recover_with(&self, locked: Option<(u64, u64)>) -> Result<Option<TakenBack>> {
        let tree = &self.env.tree;
        let swept = sweep_state_temporaries(tree).map_err(anyhow::Error::from);
        if let Err(error) = swept.and_then(|()| record::sweep_temporary(tree)) {
            log::debug!("{}: {error}", self.env.path.display()); // the next writer replaces them anyway
        }
        let Some(mut manifest) = Manifest::load(&self.env.tree)? else { return Ok(None) };
        let is_user_folder = self.work_dir.is_user_folder();
        let needs = match &manifest.record {
            Some(Record { state: State::Applying | State::TakingBack, .. }) => true,
            // The sidecars in a user folder are removed before the environment is replaced.
            Some(Record { state: State::Applied, .. }) => is_user_folder,
            _ => is_user_folder && !(manifest.files.is_empty() && manifest.dirs.is_empty()),
        };
        if !needs {
            return Ok(None);
        }
        self.proven_user_folder(&manifest)?;
        let work_dir = self.work_dir_path();
        let work_tree = match Tree::open(&work_dir) {
            Ok(tree) => tree,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_user_folder => return Ok(None),
            // If the folder was moved, the sidecars are still in it: keep the manifest, which lists them.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Failure::new(
                    Code::WorkDirGone,
                    format!("{} is gone, so execenv cannot remove its files from it", work_dir.display()),
                )
                .hint(format!(
                    "move the folder back to its path; if it was deleted: `execenv cleanup --all --force {}`",
                    self.env.path.display()
                ))
                .into());
            }
            Err(error) => return Err(error).with_context(|| format!("open {}", work_dir.display())),
        };
        self.work_dir.check_identity(&work_tree)?;
        let looking = || format!("look at {}", work_dir.display());
        let _path_lock = if is_user_folder && locked != Some(work_tree.identity().with_context(looking)?) {
            let above = self.env.path.parent().and_then(Path::parent).unwrap_or(&self.env.path);
            let root = Tree::open(above).with_context(|| format!("open {}", above.display()))?;
            Some(path_lock(&root, &work_dir.canonicalize().with_context(looking)?)?)
        } else {
            None
        };
        let report =
            take_back(&self.env.tree, &work_tree, &work_dir, &mut manifest, &provider::every_brief_file())?;
        if let Some(error) = report.errors.first() {
            return Err(Failure::new(
                Code::Incomplete,
                format!("{}: execenv's files could not be removed: {error}", work_dir.display()),
            )
            .hint(format!("fix the cause, then `execenv cleanup {}`", self.env.path.display()))
            .into());
        }
        Ok(Some(report))
    }
}
