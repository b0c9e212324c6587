//! A checkout as a worktree of the shared repository.

use std::path::Path;

use anyhow::Result;

use super::super::git_locks::without_new_locks;
use super::super::shared::SharedRepo;
use super::{Building, Wanted, lock_reason};
use crate::git::{Base, Fill, Made, NewWorktree};

impl SharedRepo<'_> {
    /// Builds a worktree and moves it into its place.
    pub(super) fn link(
        &self,
        wanted: &Wanted<'_>,
        building: &Building<'_>,
        target: &Path,
        place: &Path,
        base: &Base,
    ) -> Result<Made> {
        let key: String =
            wanted.key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let source = self.source();
        let new = NewWorktree {
            source: &source,
            folder: &building.folder,
            place: target,
            branch: wanted.branch,
            commit: &base.commit,
            name: &format!("execenv-{key}"),
            reason: &lock_reason(target),
            sparse: wanted.sparse,
            files: Fill::Files,
        };
        let made = without_new_locks(&self.bare, || self.sharing.git.make_worktree(&new))?;
        self.name_coauthor(wanted.coauthor);
        if let Err(error) = building.place(wanted.work_dir, place) {
            if let Err(trouble) = self.unregister(&made.registered, &made.branch, &base.commit) {
                log::warn!("{trouble:#}");
            }
            return Err(error);
        }
        Ok(made)
    }
}
