//! The options that make the work dir a worktree of a repository.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::environment::RepositoryRequest;
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
}

impl WorktreeArgs {
    /// What was asked for.
    ///
    /// # Errors
    /// When the path cannot be made absolute.
    pub(super) fn request(&self, context: &Context) -> Result<Option<RepositoryRequest>> {
        let Some(repo) = &self.repo else { return Ok(None) };
        Ok(Some(RepositoryRequest { path: context.absolute(repo)?, base: self.base.clone() }))
    }
}
