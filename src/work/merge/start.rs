//! Beginning a merge.

use std::path::PathBuf;

use anyhow::Result;

use super::branches::Chosen;
use super::commit::Committed;
use super::desk::Desk;
use super::state::State;
use crate::environment::{CurrentMerge, LockedEnv};
use crate::failure::{Code, Failure};
use crate::git::{Conflict, InTheWay, Merged, Named};
use crate::work::chosen::refuse_chosen;
use crate::work::lock::GitLock;
use crate::work::ours::ours;
use crate::work::place::shown;

/// Branches whose name is left out of a proposed message, as git does.
const PLAIN: [&str; 2] = ["main", "master"];

/// How a merge is begun.
#[derive(Clone, Copy, Debug, Default)]
pub struct StartOptions<'a> {
    /// Commit it too, if nothing conflicts.
    pub commit: bool,
    /// With one parent.
    pub squash: bool,
    /// With this message.
    pub message: Option<&'a str>,
}

/// A merge that was begun.
#[derive(Debug, Default)]
pub struct Started {
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// Its commit.
    pub source: String,
    /// HEAD has it already; nothing was begun.
    pub is_up_to_date: bool,
    /// The paths at which it stopped.
    pub conflicts: Vec<Conflict>,
    /// Git's words on them.
    pub messages: Vec<String>,
    /// The commit, if it was asked for and made.
    pub committed: Option<Committed>,
}

impl Desk<'_> {
    /// Merges a branch into index and working files.
    ///
    /// # Errors
    /// [`Code::Conflicts`] while another merge is in progress, [`Code::Dirty`] where uncommitted changes or another operation of
    /// git are in the way; as git and the system report them.
    pub fn start(&mut self, env: &LockedEnv, chosen: &Chosen, options: StartOptions<'_>) -> Result<Started> {
        let _lock = GitLock::acquire(&env.env)?;
        let (head, state) = self.settle(env)?;
        match state {
            // The same command was cut short before the commit.
            State::Merging(Some(current), _)
                if options.commit
                    && current.source == chosen.commit
                    && self.checkout.conflicts()?.is_empty() =>
            {
                let committed = self.commit_held(env, options.message, options.squash)?;
                let (branch, source) = (current.branch, current.source);
                return Ok(Started { branch, source, committed: Some(committed), ..Started::default() });
            }
            State::Merging(current, _) => return Err(self.is_merging(current.as_ref()).into()),
            State::Interrupted(current) => self.undo(env, &current).map(drop)?,
            State::Idle { .. } | State::Committed(..) => {}
        }
        let branch = head.branch.as_deref().ok_or_else(|| self.is_detached())?;
        refuse_chosen(env, self.place, &self.checkout, Some(branch), None)?;
        self.refuse_dirty()?;
        let source = chosen.commit.clone();
        let mut started =
            Started { branch: chosen.branch.clone(), source: source.clone(), ..Started::default() };
        if self.checkout.leads_to(&source, &head.commit)? {
            started.is_up_to_date = true;
            return Ok(started);
        }
        let theirs = Named { id: &source, name: &chosen.branch };
        let Merged { mut tree, conflicts, messages } = self.checkout.merge(&head.commit, theirs)?;
        let absent: Vec<PathBuf> = ours(self.env, self.place)?.absent.into_iter().collect();
        if let Some((without, count)) = self.checkout.without(&tree, &absent, &head.commit)? {
            log::info!("left out of the merge: {count} files that execenv put there");
            tree = without;
        }
        let in_the_way = self.checkout.in_the_way(&tree)?;
        if !in_the_way.is_empty() {
            let message = format!(
                "files in {} that git does not know are in the way of the merge: {}",
                self.place.path().display(),
                shown(&in_the_way)
            );
            let hint = "move or remove them, then repeat the command";
            return Err(Failure::new(Code::Dirty, message).hint(hint).into());
        }
        let current = CurrentMerge {
            repository: self.place.below().to_owned(),
            branch: chosen.branch.clone(),
            source: source.clone(),
            orig_head: head.commit.clone(),
            tree: tree.clone(),
            squash: options.squash,
            at: Some(self.now),
            ..CurrentMerge::default()
        };
        self.write(env, |record, _| record.current = Some(current))?;
        let in_the_way = match self.checkout.switch(&head.commit, &tree, None)? {
            Ok(changing) => {
                if !conflicts.is_empty() {
                    changing.put_conflicts(&conflicts)?;
                }
                changing.finish()?;
                None
            }
            Err(in_the_way) => Some(in_the_way),
        };
        if let Some(words) = in_the_way {
            return Err(self.not_written(env, words));
        }
        self.checkout.begin_merge(&source, &message(&chosen.branch, branch, &conflicts))?;
        self.write(env, |record, _| {
            if let Some(current) = &mut record.current {
                current.begun = true;
            }
        })?;
        started.conflicts = conflicts;
        started.messages = messages;
        if options.commit && started.conflicts.is_empty() {
            started.committed = Some(self.commit_held(env, options.message, options.squash)?);
        }
        Ok(started)
    }

    fn refuse_dirty(&self) -> Result<()> {
        let path = self.place.path().display();
        if let Some(operation) = self.checkout.other_operations()?.first() {
            return Err(Failure::new(Code::Dirty, format!("{operation} is in progress in {path}"))
                .hint("finish or abort it first: `git status` in that folder says how")
                .into());
        }
        let changed = self.checkout.working()?.changed(&self.sidecars()?)?;
        if changed.is_empty() {
            return Ok(());
        }
        Err(Failure::new(Code::Dirty, format!("{path} has uncommitted changes: {}", shown(&changed)))
            .hint("commit them first, or put them aside: `git stash` in that folder")
            .into())
    }

    /// Nothing was changed: files are in the way.
    fn not_written(&mut self, env: &LockedEnv, words: InTheWay) -> anyhow::Error {
        if let Err(trouble) = self.write(env, |record, _| record.current = None) {
            log::warn!("{trouble:#}");
        }
        let message = format!("files in {} are in the way of the merge", self.place.path().display());
        anyhow::anyhow!(words.0).context(
            Failure::new(Code::Dirty, message).hint("commit, move or remove them, then repeat the command"),
        )
    }

    /// The failure for a merge that is in progress.
    pub(super) fn is_merging(&self, current: Option<&CurrentMerge>) -> Failure {
        let path = self.place.path().display();
        let of = current.map(|current| format!(" of {}", current.branch)).unwrap_or_default();
        let key = self.key();
        Failure::new(Code::Conflicts, format!("a merge{of} is in progress in {path}"))
            .hint(format!("`execenv merge status {key}` shows it; `execenv merge commit {key}` or `execenv merge abort {key}` ends it"))
    }

    fn is_detached(&self) -> Failure {
        let message = format!("no branch is checked out in {}", self.place.path().display());
        Failure::new(Code::Failed, message)
            .hint(format!("`execenv branch {} NAME` makes one where the work is", self.key()))
    }
}

/// The message that git proposes for the commit.
fn message(branch: &str, into: &str, conflicts: &[Conflict]) -> String {
    let into = if PLAIN.contains(&into) { String::new() } else { format!(" into {into}") };
    let mut text = format!("Merge branch '{branch}'{into}\n");
    if !conflicts.is_empty() {
        text.push_str("\n# Conflicts:\n");
        for conflict in conflicts {
            text.push_str(&format!("#\t{}\n", conflict.path.to_string_lossy().escape_debug()));
        }
    }
    text
}
