//! The folders of a repository elsewhere that git writes when it commits in a worktree: a sandbox has to let the agent write them.
//!
//! Of the repository these are the store of objects and the folder of the task's branch, never the configuration, hooks, or the
//! folders of other branches. What the record and HEAD say is a claim of the agent's: only a branch counts that carries the
//! environment's key and is there, in a repository of which it is proved that execenv made the worktree.

use std::path::{Path, PathBuf};

use super::FoundEnv;
use super::key::KeyFile;
use super::record::RepositoryRecord;
use super::repository::{Known, Leaving, place_of};
use crate::git::{Git, Registered, Registration};
use crate::layout::names;
use crate::task::is_branch_of;

/// Those of a worktree that was just made.
pub(super) fn written_in(made: &RepositoryRecord) -> Vec<PathBuf> {
    let registered = Registered::new(&made.git_dir, &made.worktree).and_then(|registered| registered.open());
    registered.map(|registered| registered.written_by_commits(&made.branch)).unwrap_or_default()
}

impl FoundEnv {
    /// Those of the work dir, if it is a worktree. The folders of its branch are made again where git has packed the branch.
    pub(crate) fn written_by_commits(&self, git: &Git, keys: &KeyFile) -> Vec<PathBuf> {
        let Some(registered) = self.registered_work_dir(keys) else { return Vec::new() };
        let Some(branch) = self.own_branch(&registered, git) else { return Vec::new() };
        let found = registered.repository(git).branch(&branch);
        match found.inspect_err(|error| log::warn!("{error:#}")) {
            Ok(Some(_)) => registered.written_by_commits(&branch),
            _ => Vec::new(),
        }
    }

    /// The registration of the work dir, if execenv is known to have made it a worktree.
    pub(in crate::environment) fn registered_work_dir(&self, keys: &KeyFile) -> Option<Registration> {
        let folder = self.env.tree.plain_subtree(Path::new(names::WORK_DIR)).ok()?;
        let known = Known::of(self.meta.as_ref().and_then(|meta| meta.own.as_ref()));
        let (place, key) = (place_of(&self.env.path), self.env.key());
        let leaving =
            Leaving { env: Some(&self.env.tree), folder: Some(&folder), place: &place, key: &key, known };
        leaving.proved(keys)?.ok()
    }

    /// The branch that is checked out there, without `refs/heads/`, if it is the task's: a sandboxed agent may commit on it.
    pub(in crate::environment) fn own_branch(&self, registered: &Registration, git: &Git) -> Option<String> {
        registered.branch(git).filter(|branch| is_branch_of(branch, &self.env.key()))
    }
}
