//! One repository of the cache, open for its upkeep, and what upkeep may change of it.

use crate::sys::lock::FileLock;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::Result;

use super::bare::BareRepo;
use super::policy::{RepoPolicy, RepoReport};
use super::registration::Registration;
use crate::environment::WorkspacesRoot;
use crate::git::Branch;
use crate::sys::confine::can_confine;
use crate::sys::tree::Tree;

/// One repository of the cache.
pub(super) struct Cache<'a> {
    pub(super) root: &'a WorkspacesRoot,
    pub(super) tree: &'a Tree,
    /// Its path below the root.
    pub(super) relative: PathBuf,
    pub(super) bare: Tree,
    pub(super) git: BareRepo<'a>,
    pub(super) effects: &'a dyn Effects,
    pub(super) policy: &'a RepoPolicy,
    pub(super) stop: &'a AtomicBool,
    pub(super) report: &'a mut RepoReport,
}

impl Cache<'_> {
    pub(super) fn path(&self) -> String {
        self.bare.path().display().to_string()
    }

    /// Whether git may write to the repository: confined to it, or not at all. Reports a no once a cycle.
    pub(super) fn can_write(&mut self) -> bool {
        const WHY: &str = "branches of agents are kept and repositories are not packed: git writes to what an agent can \
                           shape only when confined by Landlock, which this system does not have (Linux 5.13 or later)";
        let can = can_confine();
        if !can && !self.report.notes.iter().any(|note| note == WHY) {
            self.note(WHY.to_owned());
        }
        can
    }

    pub(super) fn note(&mut self, note: String) {
        self.report.notes.push(note);
    }
}

/// Whether a repository may be worked on.
pub(super) enum Access {
    /// It is locked for as long as the file is open.
    Locked { _lock: FileLock },
    /// Nothing is changed, so no lock is needed.
    NotNeeded,
    /// Another process works on it.
    InUse,
    /// It is not a repository any more.
    Gone,
}

/// What upkeep changes.
pub(super) trait Effects {
    /// Finishes removals of repositories that an earlier cycle began in the folder of a workspace.
    fn finish_evictions(&self, tree: &Tree, folder: &Path, report: &mut RepoReport);

    /// Locks a repository.
    fn open(&self, cache: &mut Cache<'_>) -> Result<Access>;

    /// Drops registrations of worktrees. Adds to `dropped` those that are gone, also where an error ends it.
    fn drop_registrations(
        &self,
        cache: &Cache<'_>,
        stale: Vec<Registration>,
        dropped: &mut Vec<Registration>,
    ) -> Result<()>;

    /// Deletes branches, and returns how many.
    fn delete_branches(&self, cache: &mut Cache<'_>, idle: &[&Branch], gone: &[PathBuf]) -> Result<u64>;

    /// Notes that a repository is in use now, so that it is kept for another term.
    fn stamp_use(&self, cache: &Cache<'_>) -> Result<()>;

    /// Removes a repository of `bytes` bytes; `true`: it is gone.
    fn evict(&self, cache: &mut Cache<'_>, gone: &[PathBuf], bytes: u64) -> Result<bool>;

    /// Runs the maintenance that is pending, if now is a good time.
    fn maintain(&self, cache: &mut Cache<'_>);

    /// Removes the folder of a workspace if it is empty.
    fn remove_if_empty(&self, tree: &Tree, folder: &Path);
}

/// Quotes a word for a shell. An agent chooses the names of its branches.
pub(super) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
