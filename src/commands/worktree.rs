//! The options that make the work dir a worktree of a repository.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::environment::{RepositoryFrom, RepositoryRequest};
use crate::invocation::Context;

/// The repository
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct WorktreeArgs {
    /// Make the work dir a git worktree of this repository, on a new branch `agent/<agent>/<key>`
    ///
    /// DIR is a folder in the repository, a bare one, or a worktree of it. Its index, HEAD, configuration, hooks and working
    /// files stay as they are. Hooks do not run; filters such as git-lfs do. If DIR is in no repository, or the
    /// repository has no commit, the work dir is an empty folder, and a warning says so.
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath, conflicts_with = "local_dir")]
    pub repo: Option<PathBuf>,
    /// With --repo: the branch, tag or commit to begin from [default: the default branch of origin, else HEAD]
    #[arg(long, value_name = "REF", requires = "repo")]
    pub base: Option<String>,
    /// With --repo: bring along the ignored files that match the patterns in this file [default: .worktreeinclude of the checkout, if there is one]
    ///
    /// The patterns have the syntax of .gitignore. Copied are files that git does not track in the checkout and ignores in the
    /// worktree, such as `.env`: at most 2,000 files and 200 MiB, with their modes, and relative links. Files that the branch has, nested
    /// repositories and the worktree folders of other tools are left out. `cleanup` removes the copies.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, requires = "repo")]
    pub include: Option<PathBuf>,
}

impl WorktreeArgs {
    /// What was asked for.
    ///
    /// # Errors
    /// When the path cannot be made absolute.
    pub(super) fn request(&self, context: &Context) -> Result<Option<RepositoryRequest>> {
        let Some(repo) = &self.repo else { return Ok(None) };
        let include = self.include.as_ref().map(|file| context.absolute(file)).transpose()?;
        let from = RepositoryFrom::Existing { path: context.absolute(repo)?, base: self.base.clone() };
        Ok(Some(RepositoryRequest { from, include }))
    }
}
