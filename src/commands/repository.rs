//! Options of the commands that are about the repository in a work dir.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::environment::{FoundEnv, LockedEnv, LockedRoot};
use crate::git::Git;
use crate::invocation::Context;
use crate::work::Place;

/// Which repository a command is about
#[derive(Debug, Default, Args)]
pub struct RepositoryArgs {
    /// Folder of the work dir with the repository that is meant, if there are several
    #[arg(long = "in", value_name = "DIR")]
    pub inside: Option<PathBuf>,
    /// You say that the environment works in this folder of yours, where nothing else proves it
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub local_dir: Option<PathBuf>,
}

impl RepositoryArgs {
    /// The repository.
    ///
    /// # Errors
    /// As [`Place::find`].
    pub(super) fn find(&self, found: &FoundEnv, context: &Context) -> Result<Place> {
        let local_dir = self.local_dir.as_ref().map(|dir| context.absolute(dir)).transpose()?;
        Place::find(found, self.inside.as_deref(), context.trust(local_dir.as_deref()))
    }
}

/// The git of a command that has an environment locked: what it starts to write holds the lock to its own end.
///
/// # Errors
/// As the system reports them.
pub(super) fn git_under(env: &LockedEnv, context: &Context) -> Result<Git> {
    Ok(context.git().holding(env.lock_handle()?))
}

/// Locks an environment for a command that changes its working files.
///
/// # Errors
/// A [`Code::EnvBusy`](crate::failure::Code::EnvBusy) failure while another process has it.
pub(super) fn hold(env: &str, context: &Context) -> Result<LockedEnv> {
    LockedRoot::acquire(context.find(env)?.env)?.read()
}
