//! The tripwire on the checkout that the work dir's worktree came from: it is looked at before the agent starts and after it
//! has ended. Where the work dir is no worktree, this costs the attempt to open one file.

use crate::environment::{LockedEnv, Trust};
use crate::git::{Drift, Fingerprint, Git, SourceCheckout, summary};

/// A checkout that is watched for a run.
pub(super) struct SourceWatch<'a> {
    git: &'a Git,
    checkout: SourceCheckout,
    before: Fingerprint,
}

impl<'a> SourceWatch<'a> {
    /// Looks at the checkout. `None`: there is none, or what stands against looking at it is in the notice.
    pub(super) fn begin(
        env: &LockedEnv,
        git: &'a Git,
        trust: Trust<'_>,
    ) -> (Option<SourceWatch<'a>>, Option<String>) {
        let root = env.env.path.parent().and_then(std::path::Path::parent).unwrap_or(&env.env.path);
        let found = env.open_work_dir(trust).ok();
        let own = env.meta.as_ref().and_then(|meta| meta.own.as_ref());
        let named = own.and_then(|own| Some(own.repository.as_ref()?.source.as_path()));
        let checkout = found.and_then(|work_dir| SourceCheckout::of_worktree(git, &work_dir, root, named));
        let Some(checkout) = checkout else { return (None, None) };
        match git.fingerprint(&checkout) {
            Ok(before) => (Some(SourceWatch { git, checkout, before }), None),
            Err(error) => {
                let path = checkout.path().display();
                (None, Some(format!("{path}, which the worktree came from, is not watched: {error:#}")))
            }
        }
    }

    /// Looks again. What has changed, with a notice where that is anything.
    pub(super) fn end(self) -> (Option<Vec<Drift>>, Option<String>) {
        let path = self.checkout.path().display();
        match self.git.fingerprint(&self.checkout) {
            Ok(after) => {
                let drift = self.before.drift(&after);
                let notice = (!drift.is_empty()).then(|| {
                    format!(
                        "{path}, which the worktree came from, has changed while the agent ran: {}",
                        summary(&drift)
                    )
                });
                (Some(drift), notice)
            }
            Err(error) => {
                (None, Some(format!("{path}, which the worktree came from, cannot be compared: {error:#}")))
            }
        }
    }
}
