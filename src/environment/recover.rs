//! Recovering an environment whose last step was interrupted.

use std::path::Path;

use anyhow::Result;

use super::locked::LockedEnv;
use super::record;
use super::trust::Trust;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::provider;
use crate::sidecar::{Manifest, Site, TakenBack, sweep_state_temporaries, take_back};

impl LockedEnv {
    /// Removes the temporary files that a killed command left. One that cannot be removed stays: the next writer of its file
    /// replaces it.
    pub(crate) fn sweep_temporaries(&self) {
        let tree = &self.env.tree;
        let swept = sweep_state_temporaries(tree).map_err(anyhow::Error::from);
        if let Err(error) = swept.and_then(|()| record::sweep_temporary(tree)) {
            log::debug!("{}: {error:#}", self.env.path.display());
        }
    }

    /// Recovers an environment whose last step was interrupted, so that it matches its record: removes sidecars that were
    /// announced but not completed.
    ///
    /// # Errors
    /// If the manifest is damaged or a sidecar could not be removed.
    pub fn recover(&self, trust: Trust<'_>) -> Result<Option<TakenBack>> {
        self.recover_with(None, trust)
    }

    /// As [`LockedEnv::recover`], for a caller that has already locked the user folder with the identity `locked` (device
    /// and inode).
    pub(super) fn recover_with(
        &self,
        locked: Option<(u64, u64)>,
        trust: Trust<'_>,
    ) -> Result<Option<TakenBack>> {
        self.sweep_temporaries();
        let tree = &self.env.tree;
        let report = if self.work_dir.is_user_folder() {
            // They are removed before the environment is replaced.
            self.take_sidecars_back(trust, locked)?
        } else {
            let Some(mut manifest) = Manifest::load(tree)? else { return Ok(None) };
            if manifest.is_complete() {
                return Ok(None);
            }
            let Ok(work_tree) = tree.subtree(Path::new(names::WORK_DIR)) else { return Ok(None) };
            let work_dir = self.work_dir_path();
            let site = Site::managed(tree, &work_tree, &work_dir);
            take_back(&site, &mut manifest, &provider::every_brief_file())?
        };
        if let Some(error) = report.errors.first() {
            return Err(Failure::new(
                Code::Incomplete,
                format!("{}: execenv's files could not be removed: {error}", self.work_dir_path().display()),
            )
            .hint(format!("fix the cause, then `execenv cleanup {}`", self.env.path.display()))
            .into());
        }
        Ok(Some(report))
    }
}
