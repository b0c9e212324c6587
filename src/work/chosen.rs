//! Which branch of a user's repository gets commits. An agent in a sandbox cannot write the branches of others, but HEAD of its
//! worktree: it must not choose one for execenv to write.

use anyhow::Result;

use super::place::Place;
use crate::environment::{FoundEnv, Meta};
use crate::failure::{Code, Failure};
use crate::git::Checkout;
use crate::task::is_branch_of;

/// Refuses to commit on a branch that only HEAD names, in an environment whose agent was in a sandbox: of the repository's branches one is
/// the task's. `named`: the user's own word.
///
/// # Errors
/// A [`Code::Dirty`] failure.
pub(super) fn refuse_chosen(
    found: &FoundEnv,
    place: &Place,
    checkout: &Checkout,
    branch: Option<&str>,
    named: Option<&str>,
) -> Result<()> {
    // As it is now: the run that asks has written to it.
    let own = Meta::load(&found.env.tree)?.and_then(|meta| meta.own);
    let own = own.as_ref();
    let was_in_sandbox = own.and_then(|own| own.run.as_ref()).is_some_and(|run| run.sandboxed);
    let Some(branch) = branch.filter(|_| was_in_sandbox && checkout.is_linked()) else { return Ok(()) };
    if checkout.has_odd_logs(branch) {
        let message = format!("git's log of the branch {branch} is no file: an agent has made it");
        return Err(Failure::new(Code::Dirty, message)
            .hint(format!("look at `logs` in {}, and remove what is no file", checkout.git_dir().display()))
            .into());
    }
    let recorded = own.and_then(|own| own.repository.as_ref()).map(|repository| repository.branch.as_str());
    if named == Some(branch) || recorded == Some(branch) || is_branch_of(branch, &found.env.key()) {
        return Ok(());
    }
    let at = place.path().display();
    let message = format!(
        "the branch {branch} is checked out in {at}, which is not the task's: an agent in a sandbox may have chosen it"
    );
    let back = recorded.filter(|name| !name.is_empty()).unwrap_or("BRANCH");
    Err(Failure::new(Code::Dirty, message)
        .hint(format!(
            "`git -C {at} symbolic-ref HEAD refs/heads/{back}` takes the task's again; to publish, `--branch {branch}` says that this one is meant"
        ))
        .into())
}
