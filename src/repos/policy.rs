//! What upkeep is asked to do, and what it reports.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// What upkeep is asked to do.
#[derive(Clone, Debug)]
pub struct RepoPolicy {
    /// How long a repository without checkouts is kept. `None` or zero: for ever.
    pub repo_ttl: Option<Duration>,
    /// Whether `git gc` may run, which takes minutes.
    pub maintenance: bool,
    /// Report, and change nothing.
    pub dry_run: bool,
    /// The present time.
    pub now: DateTime<Utc>,
    /// The time limits of single steps.
    pub limits: Limits,
}

/// The time limits of the steps of upkeep.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A call to git.
    pub call: Duration,
    /// `git gc`.
    pub heavy: Duration,
    /// Waiting for the lock of a repository.
    pub lock: Duration,
}

impl Default for Limits {
    /// The limits of multica's collector.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Limits { call: seconds(30), heavy: seconds(600), lock: seconds(10) }
    }
}

/// What upkeep did; in a dry run, what it would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepoReport {
    /// Repositories from which registrations of missing worktrees were dropped.
    pub pruned: u64,
    /// Branches of agents that were deleted.
    pub branches_deleted: u64,
    /// Branches without a worktree that are kept, because they hold commits that are nowhere else.
    pub branches_kept: u64,
    /// Repositories that were removed.
    pub evicted: u64,
    /// Their size in bytes.
    pub bytes_reclaimed: u64,
    /// Steps that failed; each has a note.
    pub failed: u64,
    /// For a person: what was kept and how to delete it, and what failed.
    pub notes: Vec<String>,
}

impl RepoReport {
    /// Adds what was done later.
    pub fn add(&mut self, later: RepoReport) {
        self.pruned += later.pruned;
        self.branches_deleted += later.branches_deleted;
        self.branches_kept += later.branches_kept;
        self.evicted += later.evicted;
        self.bytes_reclaimed += later.bytes_reclaimed;
        self.failed += later.failed;
        self.notes.extend(later.notes);
    }

    pub(super) fn fail(&mut self, error: &anyhow::Error) {
        self.failed += 1;
        self.notes.push(format!("{error:#}"));
    }
}
