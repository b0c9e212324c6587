//! The order of the steps.

use anyhow::Result;

use super::forge::Forge;
use super::order::{Job, Order, Published, To};
use crate::environment::{LockedEnv, Own};
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
    let own = env.meta.as_ref().and_then(|meta| meta.own.as_ref());
    let by = git.committer(own.and_then(|own| own.git_identity.as_ref()));
    let title = order.title.map_or_else(|| title(own), str::to_owned);
    let job = Job { order, env, place, checkout: place.checkout(git)?, git, by, title };
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

/// What the work is called where nothing else is said.
fn title(own: Option<&Own>) -> String {
    let task = own.map(|own| own.task_id.as_str()).filter(|task| !task.is_empty()).unwrap_or("unknown");
    let agent = own.map(|own| own.agent_name.trim()).filter(|agent| !agent.is_empty());
    let text = match agent {
        Some(agent) => format!("Work of {agent} on task {task}"),
        None => format!("Work on task {task}"),
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
