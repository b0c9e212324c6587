//! The refs of ours in repositories of a user folder: they go at the clean-up, which leaves the folder itself.

use std::path::{Component, PathBuf};

use super::lookup::FoundEnv;
use super::own_refs::OwnRefs;
use super::record::CheckpointRecord;
use super::repository::Deletion;
use super::trust::Trust;
use crate::git::{Checkout, Git};
use crate::order;

impl FoundEnv {
    /// The repositories in a user folder of which checkpoints were made. A work dir of ours takes its worktrees
    /// out of their repositories when it goes, so there are none then.
    pub(super) fn checkpointed_in_user_folder(&self, trust: Trust<'_>, git: &Git) -> Vec<Checkout> {
        let checkpoints = self.checkpoints();
        if checkpoints.is_empty() || !self.work_dir.is_user_folder() {
            return Vec::new();
        }
        let found = self.open_work_dir(trust).map(|work_dir| {
            let opened = places(checkpoints).into_iter().filter_map(|place| {
                if place.as_os_str().is_empty() {
                    work_dir.try_clone()
                } else {
                    work_dir.plain_subtree(&place)
                }
                .ok()
            });
            opened.filter_map(|folder| Checkout::open(git, &folder).ok()).collect()
        });
        found.unwrap_or_else(|error| {
            log::debug!("{error:#}");
            Vec::new()
        })
    }

    /// Deletes the refs of ours in these repositories, as far as nothing is lost with them.
    pub(super) fn release_refs(&self, checkouts: &[Checkout], deletion: &Deletion<'_>) {
        let key = self.env.key();
        for checkout in checkouts {
            let refs = OwnRefs { key: &key, checkpoints: self.checkpoints() };
            if let Err(error) = deletion.release_refs(checkout, refs) {
                log::warn!("the refs of {key} in {} stay: {error:#}", checkout.git_dir().display());
            }
        }
    }

    fn checkpoints(&self) -> &[CheckpointRecord] {
        self.meta.as_ref().and_then(|meta| meta.own.as_ref()).map_or(&[], |own| &own.checkpoints)
    }
}

/// Where in the work dir checkpoints were made, as the record says.
fn places(checkpoints: &[CheckpointRecord]) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = checkpoints.iter().map(|one| PathBuf::from(&one.place)).collect();
    places.retain(|place| place.components().all(|part| matches!(part, Component::Normal(_))));
    order::sort(&mut places);
    places.dedup();
    places
}
