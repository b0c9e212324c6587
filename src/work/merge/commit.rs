//! Committing a merge.

use anyhow::{Context, Result};

use super::desk::Desk;
use super::state::State;
use crate::environment::{CurrentMerge, LockedEnv, MergedBranch};
use crate::failure::{Code, Failure};
use crate::git::{AtHead, Conflict, Move, NewCommit};
use crate::work::chosen::refuse_chosen;
use crate::work::lock::GitLock;

/// The most paths that a message names.
const SHOWN: usize = 5;

/// A merge that is committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The commit.
    pub commit: String,
    /// The branch that it has.
    pub branch: String,
    /// It has one parent.
    pub squash: bool,
    /// It was there before this call.
    pub was_there: bool,
}

impl Desk<'_> {
    /// Commits the merge in progress, and records what was merged. One that is committed already is recorded.
    ///
    /// # Errors
    /// [`Code::Conflicts`] where paths are still to be resolved, [`Code::Failed`] where no merge is in progress; as git and the
    /// system report them.
    pub fn commit(&mut self, env: &LockedEnv, message: Option<&str>, squash: bool) -> Result<Committed> {
        let _lock = GitLock::acquire(&env.env)?;
        self.commit_held(env, message, squash)
    }

    /// The same under the lock.
    pub(super) fn commit_held(
        &mut self,
        env: &LockedEnv,
        message: Option<&str>,
        squash: bool,
    ) -> Result<Committed> {
        let (head, state) = self.settle(env)?;
        let (current, heads) = match state {
            State::Merging(current, heads) => {
                refuse_chosen(env, self.place, &self.checkout, head.branch.as_deref(), None)?;
                (current, heads)
            }
            State::Committed(current, commit) => {
                let squash = current.squash;
                return Ok(Committed { commit, branch: current.branch, squash, was_there: true });
            }
            State::Interrupted(current) => return Err(self.is_interrupted(&current).into()),
            State::Idle { .. } => return self.last_commit(&head)?.ok_or_else(|| self.is_idle().into()),
        };
        let conflicts = self.checkout.conflicts()?;
        if !conflicts.is_empty() {
            return Err(self.unresolved(&conflicts).into());
        }
        let source = heads.first().context("git does not say what is merged")?.clone();
        let mut current = match current {
            Some(current) => current,
            None => CurrentMerge {
                repository: self.place.below().to_owned(),
                branch: self.checkout.branch_at(&source)?.unwrap_or_else(|| source.clone()),
                source,
                orig_head: head.commit.clone(),
                begun: true,
                at: Some(self.now),
                ..CurrentMerge::default()
            },
        };
        current.squash |= squash;
        self.leave_sidecars_out()?;
        let tree = self.checkout.working()?.index_tree()?;
        let commit = match current.squash && tree == self.checkout.tree_of(&head.commit)? {
            true => head.commit.clone(),
            false => {
                let proposed = self.checkout.merge_in_progress()?.map(|merge| merge.message);
                let message = message.map(str::to_owned).or(proposed).filter(|text| !text.trim().is_empty());
                let message = message.unwrap_or_else(|| format!("Merge branch '{}'", current.branch));
                let mut parents = vec![head.commit.as_str()];
                if !current.squash {
                    parents.extend(heads.iter().map(String::as_str));
                }
                let (message, by) = (format!("{}\n", message.trim_end()), self.committer());
                self.checkout.make_commit(NewCommit {
                    tree: &tree,
                    parents: &parents,
                    message: &message,
                    by: &by,
                })?
            }
        };
        current.commit = Some(commit.clone());
        let (branch, squash) = (current.branch.clone(), current.squash);
        self.write(env, |record, _| record.current = Some(current))?;
        if commit != head.commit {
            let why = format!("execenv merge {branch}");
            self.checkout.move_ref(Move { name: "HEAD", from: &head.commit, to: &commit, why: &why })?;
        }
        self.checkout.end_merge()?;
        self.write(env, |record, now| record.finish(&commit, now))?;
        Ok(Committed { commit, branch, squash, was_there: false })
    }

    /// The merge that HEAD is the commit of: it was made, but its caller may not have learned of it.
    fn last_commit(&self, head: &AtHead) -> Result<Option<Committed>> {
        let is_heads =
            |merged: &&MergedBranch| merged.repository == self.place.below() && merged.commit == head.commit;
        let Some(merged) = self.record.merged.last().filter(is_heads) else { return Ok(None) };
        let squash = !self.checkout.leads_to(&merged.source, &head.commit)?;
        let (commit, branch) = (merged.commit.clone(), merged.branch.clone());
        Ok(Some(Committed { commit, branch, squash, was_there: true }))
    }

    /// Takes our files out of the index, should the agent have added them.
    fn leave_sidecars_out(&self) -> Result<()> {
        let sidecars = self.sidecars()?;
        if sidecars.is_empty() {
            return Ok(());
        }
        let mut staged = self.checkout.staged()?;
        staged.retain(|file| sidecars.contains(&self.place.path().join(file)));
        if staged.is_empty() {
            return Ok(());
        }
        log::info!("left out of the commit: {} files that execenv put there", staged.len());
        let changing = self.checkout.change()?;
        changing.unstage(&staged)?;
        changing.finish()
    }

    /// The failure for paths that are still to be resolved.
    pub(super) fn unresolved(&self, conflicts: &[Conflict]) -> Failure {
        let shown = conflicts.iter().take(SHOWN);
        let mut shown: Vec<String> =
            shown.map(|it| it.path.to_string_lossy().escape_debug().to_string()).collect();
        if conflicts.len() > SHOWN {
            shown.push(format!("{} more", conflicts.len() - SHOWN));
        }
        let key = self.key();
        let message = format!("conflicts in {}: {}", self.place.path().display(), shown.join(", "));
        Failure::new(Code::Conflicts, message).hint(format!(
            "`execenv merge resolve {key} FILE ours|theirs`, or edit the file and `execenv merge resolve {key} FILE edited`; \
             `execenv merge abort {key}` gives up"
        ))
    }

    pub(super) fn is_idle(&self) -> Failure {
        let message = format!("no merge is in progress in {}", self.place.path().display());
        Failure::new(Code::Failed, message)
            .hint(format!("`execenv merge start {} BRANCH` begins one", self.key()))
    }

    pub(super) fn is_interrupted(&self, current: &CurrentMerge) -> Failure {
        let (path, key) = (self.place.path().display(), self.key());
        let message = format!("a merge of {} in {path} was cut short while it began", current.branch);
        Failure::new(Code::Conflicts, message).hint(format!(
            "`execenv merge start {key} {}` begins again; `execenv merge abort {key}` takes it back",
            current.branch
        ))
    }
}
