//! The working files as a commit, beside the branch that is checked out or on it.

use std::fmt;

use anyhow::{Context, Result};

use super::base::Head;
use super::checkout::Checkout;
use super::commit::NewCommit;
use super::identity::GitIdentity;
use super::index_file::IndexLock;
use super::picture::{Bounds, Objects, Ours, Picture};
use super::refs::CHECKPOINT;
use super::repository::Repository;
use crate::sys::tree::Tree;

/// What is saved, and how.
#[derive(Clone, Copy, Debug)]
pub struct Saving<'a> {
    /// What is checked out.
    pub head: &'a Head,
    /// What is left out.
    pub ours: &'a Ours,
    /// How much may be added.
    pub bounds: Bounds,
    /// The message of the commit.
    pub message: &'a str,
    /// In whose name it is made.
    pub by: &'a GitIdentity,
    /// A tree that is saved already: the same once more is none.
    pub saved: Option<&'a str>,
}

/// A commit of the working files. No ref holds it yet.
#[derive(Debug)]
pub struct Saved<'a> {
    /// Its files.
    pub picture: Picture<'a>,
    /// Its id.
    pub commit: String,
}

/// Why no commit can be made on the branch now. Nothing was changed.
#[derive(Debug, PartialEq, Eq)]
pub enum NotNow {
    /// A commit is checked out without a branch.
    NoBranch,
    /// Git is in the middle of this.
    Operation(&'static str),
    /// A git process has the index, or has left its lock.
    IndexLocked,
}

impl fmt::Display for NotNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotNow::NoBranch => f.write_str("no branch is checked out"),
            NotNow::Operation(operation) => write!(f, "{operation} is in progress"),
            NotNow::IndexLocked => f.write_str("a git process has the index locked (index.lock)"),
        }
    }
}

impl Repository<'_> {
    /// As [`Checkout::keep`].
    ///
    /// # Errors
    /// As git reports it.
    pub fn keep(&self, refs: &[String], commit: &str) -> Result<()> {
        let lines: String = refs.iter().map(|name| format!("update {name} {commit}\n")).collect();
        self.work(["update-ref", "--stdin"]).input(lines.into_bytes()).output().map(drop)
    }
}

impl Checkout {
    /// Saves the working files as a commit on what is checked out, and touches nothing but the store of objects: neither
    /// HEAD, nor the index, nor a branch. `None`: nothing differs from what is checked out, or from what is saved already.
    ///
    /// # Errors
    /// [`TooMuch`](super::TooMuch); as git reports it.
    pub fn save(&self, saving: Saving<'_>) -> Result<Option<Saved<'_>>> {
        let picture = self.picture(saving.ours, saving.bounds, Objects::Kept)?;
        picture.warn_of_special_files();
        let tree = picture.tree();
        let empty = super::empty_tree(tree);
        let checked_out = saving.head.tree.as_deref().unwrap_or(empty);
        if tree == checked_out || saving.saved == Some(tree) {
            return Ok(None);
        }
        let parents: Vec<&str> = saving.head.commit.as_deref().into_iter().collect();
        let Saving { message, by, .. } = saving;
        let commit = self.make_commit(NewCommit { tree, parents: &parents, message, by })?;
        Ok(Some(Saved { picture, commit }))
    }

    /// The numbers of the checkpoints that refs of ours hold for an environment.
    ///
    /// # Errors
    /// As git reports it.
    pub fn numbers_of_checkpoints(&self, key: &str) -> Result<Vec<u64>> {
        let refs = self.repository().own_refs(key)?;
        let number = |name: &str| name.rsplit('/').next()?.strip_prefix(CHECKPOINT)?.parse().ok();
        Ok(refs.iter().filter_map(|one| number(&one.name)).collect())
    }

    /// The commit that a ref holds, and its tree of files; `None`: there is no such ref.
    ///
    /// # Errors
    /// As git reports it.
    pub fn held_by(&self, name: &str) -> Result<Option<(String, String)>> {
        let list = ["for-each-ref", "--format=%(objectname) %(tree)", name];
        let listed = self.repository().look(list).text()?;
        let one = listed.lines().next().and_then(|line| line.split_once(' '));
        Ok(one.map(|(commit, tree)| (commit.to_owned(), tree.to_owned())))
    }

    /// Lets refs of ours (`refs/execenv/…`) hold a commit, whatever they held before.
    ///
    /// # Errors
    /// As git reports it.
    pub fn keep(&self, refs: &[String], commit: &str) -> Result<()> {
        self.repository().keep(refs, commit)
    }

    /// Why no commit can be made on the branch that is checked out; `None`: nothing is known to be in the way. What a killed command
    /// has left is [taken back](Checkout::repair) before.
    ///
    /// # Errors
    /// As [`Checkout::repair`].
    pub fn keeps_from_committing(&self, head: &Head) -> Result<Option<NotNow>> {
        let own = &self.folders().own;
        if head.branch.is_none() {
            return Ok(Some(NotNow::NoBranch));
        }
        if let Some(operation) = self.repository().in_progress(own)?.into_iter().next() {
            return Ok(Some(NotNow::Operation(operation)));
        }
        self.repair()?;
        let looking = || format!("look at {}", own.display());
        let own = Tree::open(own).with_context(looking)?;
        Ok(IndexLock::is_gits(&own).with_context(looking)?.then_some(NotNow::IndexLocked))
    }

    /// Puts a commit of the working files on the branch that is checked out, as `git commit --all` would have, and its files into
    /// the index. `why` goes into the logs of both.
    ///
    /// The index comes first: a kill in between leaves everything staged. Only whoever keeps other processes of ours away may
    /// call this.
    ///
    /// # Errors
    /// As git and the system report them, also where the branch has moved meanwhile.
    pub fn commit_on_branch(
        &self,
        saved: &Saved<'_>,
        head: &Head,
        why: &str,
    ) -> Result<std::result::Result<(), NotNow>> {
        if let Some(why) = self.keeps_from_committing(head)? {
            return Ok(Err(why));
        }
        let own = &self.folders().own;
        let own = Tree::open(own).with_context(|| format!("open {}", own.display()))?;
        let Some(lock) = IndexLock::take(own, b"")? else { return Ok(Err(NotNow::IndexLocked)) };
        let installed = lock.install(saved.picture.folder());
        lock.end()?;
        installed?;
        let before = head.commit.as_deref().unwrap_or("");
        // By its name: HEAD may lead elsewhere by now, and so may a branch that is another name for one.
        let name = format!("refs/heads/{}", head.branch.as_deref().unwrap_or_default());
        let moved = ["update-ref", "--no-deref", "-m", why, &name, &saved.commit, before];
        self.repository().work(moved).output()?;
        Ok(Ok(()))
    }
}
