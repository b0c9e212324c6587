//! The order of the steps.

use anyhow::Result;

use super::forge::Forge;
use super::order::{Job, Order, Published, To};
use crate::environment::LockedEnv;
use crate::git::Git;
use crate::work::Place;
use crate::work::lock::GitLock;

/// Publishes the work of an environment.
///
/// # Errors
/// [`Code::Dirty`](crate::failure::Code::Dirty) where uncommitted work or an operation of git is in the way, [`Code::Occupied`](crate::failure::Code::Occupied) where the branch has other
/// commits, [`Code::GhMissing`](crate::failure::Code::GhMissing); as git, gh and the system report them.
pub fn publish(
    env: &LockedEnv,
    place: &Place,
    order: &Order<'_>,
    git: &Git,
    forge: &Forge<'_>,
) -> Result<Published> {
    let _lock = GitLock::acquire(&env.env)?;
    let job = Job::new(env, place, order, git)?;
    // Before anything is committed.
    let into = if order.to == To::Merge { Some(job.merge_target()?) } else { None };
    let mut published = job.start()?;
    match (order.to, into) {
        (_, Some(into)) => job.to_merge(&into, &mut published)?,
        (To::Pr, None) => job.to_pr(&mut published, forge)?,
        (To::Branch | To::Merge, None) => job.to_branch(&mut published)?,
    }
    if published.conflicts.is_empty() {
        job.record(&published)?;
    }
    Ok(published)
}

/// Refuses what could not be published as it is ordered, whatever the work will be: for an agent that has not started yet. Changes nothing.
///
/// # Errors
/// [`Code::GhMissing`](crate::failure::Code::GhMissing), and those of [`publish`] for a branch to merge into that is not there, or has work in its
/// files. Without a repository there is none: why there is none is the failure then.
pub fn foresee(
    env: &LockedEnv,
    place: Result<Place>,
    order: &Order<'_>,
    git: &Git,
    forge: &Forge<'_>,
) -> Result<()> {
    match (order.to, place) {
        (To::Pr, _) => forge.program(None).map(drop),
        (To::Merge, place) => Job::new(env, &place?, order, git)?.merge_target()?.refuse_unready(git),
        // The agent may make its repository.
        (To::Branch, _) => Ok(()),
    }
}
