//! The working files of a worktree as a commit in its repository, made before the worktree is removed by force.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use super::identity::GitIdentity;
use super::index::PrivateIndex;
use super::program::Git;
use super::repository::{Repository, patience};
use super::search::{Patience, search};
use super::view::GitFolders;
use crate::sys::tree::Tree;

impl Git {
    /// Writes the worktree at `path` as a commit on its HEAD into its repository, below a new ref
    /// `refs/execenv/<name>` (with a number where that exists), and returns the ref. `index` is the place of an index
    /// file of our own: the worktree's index stays as it is. Files in `ours` are left out. `by` makes the commit.
    ///
    /// # Errors
    /// As git reports them; there is no new ref then.
    pub fn snapshot(
        &self,
        path: &Path,
        name: &str,
        index: &Path,
        ours: &[PathBuf],
        by: &GitIdentity,
    ) -> Result<String> {
        let deadline = Instant::now() + patience();
        let worktree = self.at(path).before(deadline);
        let folders = worktree.git_folders()?;
        // Who can write a `.git` file can name any repository in it.
        let (common, known) = (folders.common.display(), folders.know_worktree(path));
        anyhow::ensure!(known, "the repository {common} does not know this worktree");
        // It may lead elsewhere by links.
        let opened = |path: &Path| Tree::open(path).with_context(|| format!("open {}", path.display()));
        let writable = [opened(&folders.common)?, opened(index.parent().unwrap_or(path))?];
        let worktree = worktree.around(&writable);
        let commit = worktree.snapshot_commit(&folders, index, ours, by)?;
        worktree.keep_commit(name, &commit)
    }
}

impl Repository<'_> {
    /// The working files as a commit that no ref holds yet.
    ///
    /// # Errors
    /// As git reports them.
    pub(super) fn snapshot_commit(
        &self,
        folders: &GitFolders,
        index: &Path,
        ours: &[PathBuf],
        by: &GitIdentity,
    ) -> Result<String> {
        let index = PrivateIndex::new(*self, folders, index)?;
        let has_head = self.has_head()?;
        if has_head {
            index.read_tree("HEAD")?;
        }
        // Repositories below are saved on their own; git would start a git in each.
        let below = search(self.dir(), Patience { deadline: Instant::now() + patience(), stop: self.stop() });
        index.add_all(below.repositories.iter().map(|found| &found.path).chain(ours))?;
        let tree = index.write_tree()?;
        // What an operation in progress holds, a rebase's autostash above all, is saved as further parents.
        let head = has_head.then(|| "HEAD".to_owned());
        let held = self.held_by_operation(&folders.own)?;
        let parents = head.into_iter().chain(held).flat_map(|parent| ["-p".to_owned(), parent]);
        let commit = ["commit-tree", "-m", "execenv: a worktree removed by force", &tree];
        self.git().note(self.work(commit).by(by).args(parents).text()?)
    }
}
