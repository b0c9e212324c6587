//! The files of a commit, written into a new worktree or clone in which no one works yet.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::program::Git;
use super::remote::Remote;
use super::view::GitFolders;
use crate::sys::tree::Tree;

/// The longest that it may take: filters may fetch the files.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// A worktree that is to be filled.
#[derive(Clone, Copy, Debug)]
pub struct Empty<'a> {
    /// Its folder, which is open.
    pub folder: &'a Tree,
    /// Its own git folder: HEAD, the index.
    pub own: &'a Path,
    /// The repository, which is open: objects and refs.
    pub common: &'a Tree,
    /// Where a partial clone fetches what it lacks.
    pub remote: Option<&'a Remote>,
}

impl Git {
    /// Writes the index and the files of a commit. Git can write in the folder and in the repository only, and runs none of
    /// the programs that the repository names; the filters of the user's own configuration work.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn fill(&self, empty: Empty<'_>, commit: &str) -> Result<()> {
        let Empty { folder, own, common, remote } = empty;
        let folders = GitFolders { own: own.to_owned(), common: common.path().to_owned() };
        let worktree = self.at(folder.path()).within(LIMIT, self.stop()).confined_to(common);
        let view = worktree.view(&folders, false)?;
        let words = ["read-tree", "-m", "-u", "--no-recurse-submodules", commit];
        match remote {
            Some(remote) => worktree.remote_call(words, remote, &view)?.and_to(folder).output(),
            None => worktree.work(words).through(&view).and_to(view.tree()).and_to(folder).output(),
        }
        .map(drop)
    }

    /// Writes the index of a commit only. Nothing is fetched, and none of the programs that the repository names runs. `is_confined`:
    /// git can write in the repository only.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn fill_index(&self, empty: Empty<'_>, commit: &str, is_confined: bool) -> Result<()> {
        let Empty { folder, own, common, .. } = empty;
        let folders = GitFolders { own: own.to_owned(), common: common.path().to_owned() };
        let worktree = self.at(folder.path()).within(LIMIT, self.stop());
        let worktree = if is_confined { worktree.confined_to(common) } else { worktree };
        let view = worktree.view(&folders, false)?;
        worktree.work(["read-tree", commit]).through(&view).and_to(view.tree()).output().map(drop)
    }
}
