//! A checkout as a clone that stands alone: no link to the shared repository is left, and no object is shared with it.
//!
//! Its objects are copies. With hard links an agent in a sandbox could still change the shared repository's.

use std::path::Path;

use anyhow::{Context, Result};

use super::super::coauthor;
use super::super::create::{NewRepo, create};
use super::super::shared::{ORIGIN_HEAD, SharedRepo, fetch_limit};
use super::{Building, Wanted};
use crate::git::{Base, Empty, write_sparse};

/// Its git folder.
const GIT: &str = ".git";

impl SharedRepo<'_> {
    /// Builds a clone and moves it into its place; returns its branch.
    pub(super) fn isolate(
        &self,
        wanted: &Wanted<'_>,
        building: &Building<'_>,
        place: &Path,
        base: &Base,
    ) -> Result<String> {
        let cloning = || format!("make a clone in {}", building.folder.path().display());
        building.folder.make_dir(Path::new(GIT), 0o755).with_context(cloning)?;
        let git_dir = building.folder.plain_subtree(Path::new(GIT)).with_context(cloning)?;
        let new = NewRepo {
            address: self.url.address(),
            is_bare: false,
            is_partial: self.is_partial,
            is_sparse: !wanted.sparse.is_empty(),
            id_length: base.commit.len(),
            branch: Some(wanted.branch),
        };
        create(&git_dir, &new)?;
        let git = self.sharing.git.at(git_dir.path()).within(fetch_limit(), self.sharing.stop);
        let git = git.confined_to(&git_dir);
        git.copy_branches_from(self.git())?;
        if !git.holders(&base.commit).is_ok_and(|holders| !holders.is_empty()) {
            // No branch of the remote holds it. It is the remote's all the same, and no work of the agent's.
            git.copy_commit_from(self.git(), &base.commit)?;
        }
        let head = self.git().look(["for-each-ref", "--format=%(symref)", ORIGIN_HEAD]).text()?;
        if !head.is_empty() && git.has_ref(&head)? {
            git.point(ORIGIN_HEAD, &head)?;
        }
        git.create_ref(&format!("refs/heads/{}", wanted.branch), &base.commit)?;
        if !wanted.sparse.is_empty() {
            write_sparse(&git_dir, Path::new(""), wanted.sparse)?;
        }
        if let Err(error) = coauthor::set(&git_dir, wanted.coauthor) {
            log::warn!("{error:#}");
        }
        let remote = self.is_partial.then(|| self.remote());
        let remote = remote.as_ref();
        let empty = Empty { folder: &building.folder, own: git_dir.path(), common: &git_dir, remote };
        self.sharing.git.fill(empty, &base.commit)?;
        building.place(wanted.work_dir, place)?;
        Ok(wanted.branch.to_owned())
    }
}
