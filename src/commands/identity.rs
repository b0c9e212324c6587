//! The option that says in whose name commits are made.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::failure::{Code, Failure};
use crate::git::GitIdentity;
use crate::invocation::Context;

/// In whose name commits are made
#[derive(Debug, Default, Args)]
pub struct IdentityArgs {
    /// Let the agent commit in the name that git uses in this folder: its user.name and user.email
    ///
    /// The agent gets the name by the variables GIT_AUTHOR_NAME, GIT_AUTHOR_EMAIL, GIT_COMMITTER_NAME and GIT_COMMITTER_EMAIL.
    /// No configuration of git is changed.
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub git_identity: Option<PathBuf>,
}

impl IdentityArgs {
    /// Asks git for the name.
    ///
    /// # Errors
    /// A [`Code::Usage`] failure where the folder does not exist, or git knows no name there.
    pub(super) fn read(&self, context: &Context) -> Result<Option<GitIdentity>> {
        let Some(dir) = &self.git_identity else { return Ok(None) };
        let dir = context.absolute(dir)?;
        if !dir.is_dir() {
            let message = format!("`--git-identity`: {} is not a folder", dir.display());
            return Err(Failure::new(Code::Usage, message).hint("name an existing folder").into());
        }
        let found = context.git().identity_in(&dir)?;
        if found.is_empty() {
            let message =
                format!("`--git-identity`: git has no user.name and no user.email in {}", dir.display());
            return Err(Failure::new(Code::Usage, message)
                .hint("set them: `git config --global user.name NAME`, `git config --global user.email ADDRESS`")
                .into());
        }
        Ok(Some(found))
    }
}
