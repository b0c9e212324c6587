//! A checkout as a worktree of the shared repository.

use std::path::Path;

use anyhow::Result;

use super::super::git_locks::without_new_locks;
use super::super::shared::SharedRepo;
use super::{Building, Wanted, lock_reason};
use crate::git::{Base, Branch, Fill, NewWorktree};

impl SharedRepo<'_> {
    /// Builds a worktree and moves it into its place; returns its branch.
    pub(super) fn link(
        &self,
        wanted: &Wanted<'_>,
        building: &Building<'_>,
        target: &Path,
        place: &Path,
        base: &Base,
    ) -> Result<String> {
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
            let branch = Branch { name: format!("refs/heads/{}", made.branch), tip: base.commit.clone() };
            let undone = [
                made.registered.open().map_or(Ok(()), |made| made.remove()),
                without_new_locks(&self.bare, || self.git().delete_branch(&branch)),
            ];
            for trouble in undone.into_iter().filter_map(Result::err) {
                log::warn!("{trouble:#}");
            }
            return Err(error);
        }
        Ok(made.branch)
    }
}
