//! One repository of an environment with all that is known of merges in it.

use std::path::PathBuf;

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::state::{Seen, State, judge};
use crate::environment::{CurrentMerge, Durability, FoundEnv, LockedEnv, MergeRecord, Meta, quoted};
use crate::failure::{Code, Failure};
use crate::git::{AtHead, Checkout, Conflict, Git, GitIdentity};
use crate::work::Place;
use crate::work::ours::ours;

/// A repository, for the steps of a merge.
#[derive(Debug)]
pub struct Desk<'a> {
    pub(super) env: &'a FoundEnv,
    pub(super) place: &'a Place,
    pub(super) git: &'a Git,
    pub(super) checkout: Checkout,
    pub(super) record: MergeRecord,
    pub(super) now: DateTime<Utc>,
}

/// How far a merge is.
#[derive(Debug, Default)]
pub struct Progress {
    /// A merge is in progress.
    pub is_merging: bool,
    /// A command was cut short while it began one.
    pub is_interrupted: bool,
    /// The branch that is merged.
    pub branch: Option<String>,
    /// Its commit.
    pub source: Option<String>,
    /// HEAD's commit.
    pub head: Option<String>,
    /// What is still to be resolved.
    pub conflicts: Vec<Conflict>,
}

impl<'a> Desk<'a> {
    /// Opens the repository.
    ///
    /// # Errors
    /// As [`Checkout::open`].
    pub fn open(env: &'a FoundEnv, place: &'a Place, git: &'a Git, now: DateTime<Utc>) -> Result<Desk<'a>> {
        let checkout = place.checkout(git)?;
        let own = env.meta.as_ref().and_then(|meta| meta.own.as_ref());
        let record = own.map(|own| own.merge.clone()).unwrap_or_default();
        Ok(Desk { env, place, git, checkout, record, now })
    }

    /// How far a merge is. Changes nothing.
    ///
    /// # Errors
    /// As git reports them.
    pub fn progress(&self) -> Result<Progress> {
        let Some(head) = self.checkout.at_head()? else { return Ok(Progress::default()) };
        let conflicts = self.checkout.conflicts()?;
        let head_commit = Some(head.commit.clone());
        let of = |current: &CurrentMerge| (Some(current.branch.clone()), Some(current.source.clone()));
        let (is_merging, is_interrupted, (branch, source)) = match self.state(&head)? {
            State::Idle { .. } | State::Committed(..) => (false, false, (None, None)),
            State::Interrupted(current) => (false, true, of(&current)),
            State::Merging(Some(current), _) => (true, false, of(&current)),
            State::Merging(None, heads) => {
                let source = heads.first().cloned();
                let branch = source.as_deref().map(|source| self.checkout.branch_at(source)).transpose()?;
                (true, false, (branch.flatten(), source))
            }
        };
        Ok(Progress { is_merging, is_interrupted, branch, source, head: head_commit, conflicts })
    }

    /// The merge of the record, if it is one in this repository.
    fn current(&self) -> Option<CurrentMerge> {
        self.record.current.clone().filter(|current| current.repository == self.place.below())
    }

    pub(super) fn state(&self, head: &AtHead) -> Result<State> {
        let current = self.current();
        let heads = self.checkout.merge_in_progress()?.map(|merge| merge.heads);
        let leads = |commit: Option<&str>| match commit {
            Some(commit) => self.checkout.leads_to(commit, &head.commit),
            None => Ok(false),
        };
        let seen = Seen {
            head: head.commit.clone(),
            heads,
            has_source: leads(current.as_ref().map(|current| current.source.as_str()))?,
            has_commit: leads(current.as_ref().and_then(|current| current.commit.as_deref()))?,
        };
        Ok(judge(current, &seen))
    }

    /// HEAD, and what has become of a merge; what is over is recorded as that, and what a kill left half written is taken back.
    ///
    /// # Errors
    /// A failure where there is no commit yet or no branch is checked out; as git and the system report them.
    pub(super) fn settle(&mut self, env: &LockedEnv) -> Result<(AtHead, State)> {
        self.checkout.repair()?;
        let Some(head) = self.checkout.at_head()? else {
            let message = format!("{} has no commit yet", self.place.path().display());
            return Err(Failure::new(Code::Failed, message).hint("commit something first").into());
        };
        if let Some(current) = self.record.current.as_ref().filter(|it| it.repository != self.place.below()) {
            let message = format!(
                "a merge of {} is in progress in {}",
                current.branch,
                self.place.work_dir().path().join(&current.repository).display()
            );
            return Err(Failure::new(Code::Conflicts, message)
                .hint(format!(
                    "finish it first; `--in {}` names that repository",
                    quoted(&current.repository)
                ))
                .into());
        }
        let state = match self.state(&head)? {
            // Killed before the index was written: what was written of the files is taken back, and an edit is no part of a merge.
            State::Interrupted(_) if self.checkout.staged()?.is_empty() => State::Idle { forget: true },
            state => state,
        };
        match &state {
            State::Committed(current, commit) => {
                if self.checkout.merge_in_progress()?.is_some() {
                    self.checkout.end_merge()?;
                }
                log::info!("the merge of {} is committed", current.branch);
                self.write(env, |record, now| record.finish(commit, now))?;
            }
            State::Idle { forget: true } => {
                log::info!("the merge that was begun is not in progress any more");
                self.write(env, |record, _| record.current = None)?;
            }
            State::Merging(None, _) if self.record.current.is_some() => {
                self.write(env, |record, _| record.current = None)?;
            }
            State::Idle { forget: false } | State::Interrupted(_) | State::Merging(..) => {}
        }
        Ok((head, state))
    }

    /// Changes the record.
    pub(super) fn write(
        &mut self,
        env: &LockedEnv,
        change: impl FnOnce(&mut MergeRecord, DateTime<Utc>),
    ) -> Result<()> {
        let now = self.now;
        let meta = Meta::change_own(&env.env.tree, Durability::Synced, |_, own| change(&mut own.merge, now))?;
        self.record = meta.own.map(|own| own.merge).unwrap_or_default();
        Ok(())
    }

    /// Who makes commits here.
    pub(super) fn committer(&self) -> GitIdentity {
        let own = self.env.meta.as_ref().and_then(|meta| meta.own.as_ref());
        self.git.committer(own.and_then(|own| own.git_identity.as_ref()))
    }

    /// What execenv put into the working files, as absolute paths: it does not count as a change, and is in no commit.
    ///
    /// # Errors
    /// As [`ours`].
    pub(super) fn sidecars(&self) -> Result<Vec<PathBuf>> {
        let ours = ours(self.env, self.place)?;
        let all = ours.absent.into_iter().chain(ours.instead.into_keys());
        Ok(all.map(|path| self.place.path().join(path)).collect())
    }

    /// What stands for the environment in a hint.
    pub fn key(&self) -> String {
        self.env.env.key()
    }
}
