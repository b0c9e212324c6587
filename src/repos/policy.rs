//! What upkeep is asked to do, and what it reports.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// What upkeep is to do.
#[derive(Clone, Debug)]
pub struct RepoPolicy {
    /// How long a repository stays that nobody checks out from. `None`, or zero: for ever.
    pub repo_ttl: Option<Duration>,
    /// Whether `git gc` may run, which takes minutes.
    pub maintenance: bool,
    /// Ask and report, change nothing.
    pub dry_run: bool,
    /// The present time.
    pub now: DateTime<Utc>,
    /// How long single steps may take.
    pub limits: Limits,
}

/// How long the steps of upkeep may take.
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
    /// The limits of multica's daemon.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Limits { call: seconds(30), heavy: seconds(600), lock: seconds(10) }
    }
}

/// What came of it; in a dry run, what would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepoReport {
    /// Repositories that lost registrations of worktrees that are gone.
    pub pruned: u64,
    /// Branches of agents that went.
    pub branches_deleted: u64,
    /// Branches that no worktree stands on and that stay, because they hold commits that are nowhere else.
    pub branches_kept: u64,
    /// Repositories that went.
    pub evicted: u64,
    /// Bytes of these.
    pub bytes_reclaimed: u64,
    /// Steps that failed; each has a note.
    pub failed: u64,
    /// For a person: what was kept and how to let it go, what failed.
    pub notes: Vec<String>,
}

impl RepoReport {
    pub(super) fn fail(&mut self, error: &anyhow::Error) {
        self.failed += 1;
        self.notes.push(format!("{error:#}"));
    }
}
