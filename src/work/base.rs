//! The commit from which an environment's work is counted.

use anyhow::Result;

use crate::environment::FoundEnv;
use crate::git::{Checkout, Head, is_commit_id};

/// What is preferred where a branch of a remote and the recorded base differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefer {
    /// The base of the task: all of its work counts, what was pushed, too.
    Base,
    /// What can be fetched again when the machine is lost.
    Remote,
}

/// The commit since which work counts. `None`: all of it, as nothing of the repository outlives the environment.
///
/// # Errors
/// As git reports it.
pub(super) fn base(
    checkout: &Checkout,
    head: &Head,
    found: &FoundEnv,
    prefer: Prefer,
) -> Result<Option<String>> {
    let Some(commit) = &head.commit else { return Ok(None) };
    let recorded = found.meta.as_ref().and_then(|meta| meta.own.as_ref()?.repository.as_ref());
    let recorded = recorded.map(|repository| &*repository.base_commit).filter(|id| is_commit_id(id));
    let of_task = || match recorded {
        Some(base) => checkout.fork_point(commit, base),
        None => Ok(None),
    };
    let of_remote = || checkout.newest_on_a_remote(commit);
    let base = match prefer {
        Prefer::Base => match of_task()? {
            None => of_remote()?,
            found => found,
        },
        Prefer::Remote => match of_remote()? {
            None => of_task()?,
            found => found,
        },
    };
    let stays = || checkout.outlives(&found.env.path).then(|| commit.clone());
    Ok(base.or_else(stays))
}
