//! Committing what is not committed yet.

use anyhow::Result;

use super::order::Job;
use crate::failure::{Code, Failure};
use crate::git::{NotNow, Saving};
use crate::work::chosen::refuse_chosen;
use crate::work::diff::{BOUNDS, too_much};
use crate::work::ours::ours;

impl Job<'_> {
    /// The commit that has all work, the branch that is checked out, and whether the commit was made now.
    pub(super) fn save(&self) -> Result<(String, Option<String>, bool)> {
        let path = self.place.path().display();
        self.checkout.repair()?;
        let is_merging = self.checkout.merge_in_progress()?.is_some();
        let operation =
            is_merging.then_some("a merge").or(self.checkout.other_operations()?.first().copied());
        if let Some(operation) = operation {
            return Err(self.in_progress(operation).into());
        }
        let head = self.checkout.head()?;
        refuse_chosen(self.env, self.place, &self.checkout, head.branch.as_deref(), self.order.branch)?;
        let message = format!("{}\n", self.title);
        let saving = Saving {
            head: &head,
            ours: &ours(self.env, self.place)?,
            bounds: BOUNDS,
            message: &message,
            by: &self.by,
            saved: None,
        };
        let saved = self.checkout.save(saving).map_err(|error| too_much(error, self.place))?;
        let Some(saved) = saved else {
            let Some(commit) = head.commit else {
                let message = format!("there is nothing to publish in {path}: it has no commit yet");
                return Err(Failure::new(Code::Failed, message).into());
            };
            return Ok((commit, head.branch, false));
        };
        if !self.order.commit {
            return Err(Failure::new(Code::Dirty, format!("{path} has uncommitted work"))
                .hint("commit it, or leave out `--no-commit`")
                .into());
        }
        match self.checkout.commit_on_branch(&saved, &head, "execenv publish")? {
            Ok(()) => Ok((saved.commit, head.branch, true)),
            Err(NotNow::NoBranch) => Err(self.is_detached().into()),
            Err(NotNow::Operation(operation)) => Err(self.in_progress(operation).into()),
            Err(why @ NotNow::IndexLocked) => {
                Err(Failure::new(Code::Dirty, format!("cannot commit in {path}: {why}"))
                    .hint("try again; if no git is running there, remove the lock")
                    .into())
            }
        }
    }

    fn in_progress(&self, operation: &str) -> Failure {
        let message = format!("{operation} is in progress in {}", self.place.path().display());
        Failure::new(Code::Dirty, message)
            .hint("finish or abort it first: `git status` in that folder says how")
    }
}
