//! Taking a merge back.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;

use super::desk::Desk;
use super::state::State;
use crate::environment::{CurrentMerge, LockedEnv};
use crate::failure::{Code, Failure};
use crate::work::lock::GitLock;

/// A merge that was taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aborted {
    /// The branch that was being merged; `None`: no merge was in progress.
    pub branch: Option<String>,
    /// HEAD's commit, as it was before.
    pub head: String,
    /// A ref with the files that were edited by hand.
    pub kept: Option<String>,
}

impl Desk<'_> {
    /// Takes the merge in progress back. Files that it did not change stay as they are.
    ///
    /// # Errors
    /// [`Code::Failed`] where HEAD has been moved since; as git and the system report them.
    pub fn abort(&mut self, env: &LockedEnv) -> Result<Aborted> {
        let _lock = GitLock::acquire(&env.env)?;
        let (head, state) = self.settle(env)?;
        let current = match state {
            State::Idle { .. } | State::Committed(..) => {
                return Ok(Aborted { head: head.commit, ..Aborted::default() });
            }
            State::Interrupted(current) | State::Merging(Some(current), _) => current,
            State::Merging(None, heads) => self.foreign(&head.commit, heads)?,
        };
        if head.commit != current.orig_head {
            let message = format!(
                "{} was at {} when the merge began and is at {} now",
                self.place.path().display(),
                current.orig_head,
                head.commit
            );
            return Err(Failure::new(Code::Failed, message)
                .hint("commits were made meanwhile: finish the merge, or decide with git in that folder")
                .into());
        }
        let kept = self.undo(env, &current)?;
        Ok(Aborted { branch: Some(current.branch), head: head.commit, kept })
    }

    /// A merge that was begun with git. The tree that it wrote is not known; what execenv would have written is near enough to
    /// tell which files were edited.
    fn foreign(&self, head: &str, heads: Vec<String>) -> Result<CurrentMerge> {
        let source = heads.into_iter().next().unwrap_or_default();
        let tree = self.checkout.merge(head, crate::git::Named { id: &source, name: &source })?.tree;
        let branch = self.checkout.branch_at(&source)?.unwrap_or_else(|| source.clone());
        Ok(CurrentMerge {
            branch,
            source,
            orig_head: head.to_owned(),
            tree,
            begun: true,
            ..CurrentMerge::default()
        })
    }

    /// Brings the files that a merge changed back to HEAD's commit.
    pub(super) fn undo(&mut self, env: &LockedEnv, current: &CurrentMerge) -> Result<Option<String>> {
        let mut current = current.clone();
        // The record is a claim: a tree that is not there is made again.
        if self.checkout.tree_of(&current.tree).is_err() {
            current = self.foreign(&current.orig_head, vec![current.source.clone()])?;
        }
        let mut files: BTreeSet<PathBuf> =
            self.checkout.changed_between(&current.orig_head, &current.tree)?.into_iter().collect();
        files.extend(self.checkout.conflicts()?.into_iter().map(|conflict| conflict.path));
        let files: Vec<PathBuf> = files.into_iter().collect();
        let changing = self.checkout.change()?;
        let kept = self.keep_edits(&changing, &current, &files)?;
        changing.restore(&files)?;
        changing.finish()?;
        self.checkout.end_merge()?;
        self.write(env, |record, _| record.current = None)?;
        Ok(kept)
    }
}
