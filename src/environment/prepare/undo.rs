//! What a prepare that failed takes away again.

use std::path::Path;

use super::placing::{Placing, Staged};
use super::slot::Place;
use crate::environment::repository::{Deletion, release_staged};
use crate::environment::request::Request;
use crate::sidecar::{Manifest, Site, State, take_back};

impl Placing<'_> {
    pub(super) fn undo_local(&self, staged: &mut Staged) {
        staged.spare.clear();
        let Some(local) = self.local else { return };
        let Ok(work_tree) = local.open() else { return };
        let Ok(Some(mut manifest)) = Manifest::load(&staged.tree) else { return };
        let seal = self.request.keys.seal(&staged.key);
        let site = Site::user_folder(&staged.tree, &work_tree, &local.path, seal.as_ref());
        if let Ok(report) = take_back(&site, &mut manifest, &[]) {
            for error in report.errors {
                log::error!("{error}");
            }
        }
    }

    /// Whether an env root of a failed prepare holds no list of sidecars that are still in a user folder.
    pub(super) fn may_go(&self, staged: &Staged) -> bool {
        if self.local.is_none() {
            return true;
        }
        match Manifest::load(&staged.tree) {
            Ok(Some(manifest)) => {
                let state = manifest.record.map(|record| record.state);
                state == Some(State::TakenBack) && manifest.files.is_empty() && manifest.dirs.is_empty()
            }
            _ => false,
        }
    }

    /// Removes an env root that was not finished, with the worktree that was made for it.
    pub(super) fn discard(&self, name: &Path, at: &Place) {
        if self.checkout.is_some() {
            let Request { keys, hooks, options, .. } = self.request;
            let deletion = Deletion::new(self.git, keys, &hooks.trusted, &options.stop);
            let env_root = at.path(self.request.root);
            if let Err(error) = release_staged(self.root, name, &env_root, &at.key, &deletion) {
                log::warn!("{error:#}");
                return; // `doctor --fix` finds both
            }
        }
        if let Err(error) = self.root.remove_all(name) {
            log::warn!("cannot remove {}: {error}", self.root.path().join(name).display());
        }
    }
}
