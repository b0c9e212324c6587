//! Hard bounds on a root: by count, by size, by free space on the disk. They need no server.
//!
//! Pure: which environment is removed next, and which bound is not met yet. Never chosen: an environment that is in use or
//! leased, that works in a user's folder, or that has no readable record. Each is checked for unsaved work right before
//! it is removed.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::decide::{Reason, protection};
use super::facts::{GcFacts, MetaState};
use crate::environment::EnvStatus;
use crate::server::Parent;

/// The bounds of one cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The most that everything below the root may take, in bytes: environments, trash, repositories, stores.
    pub max_total: Option<u64>,
    /// The most environments.
    pub max_count: Option<u64>,
    /// The least free space on the root's disk, in bytes.
    pub min_free: Option<u64>,
    /// The least that this cycle frees, in bytes.
    pub free: Option<u64>,
}

/// The figures that the bounds are compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// What everything below the root takes, in bytes.
    pub(super) total: u64,
    /// Environments.
    pub(super) count: u64,
    /// Free on the disk, in bytes.
    pub(super) disk_free: u64,
    /// Freed for good by this cycle, in bytes.
    pub(super) freed: u64,
}

impl Account {
    /// Notes bytes that were deleted for good.
    pub(super) fn free(&mut self, bytes: u64) {
        self.total = self.total.saturating_sub(bytes);
        self.disk_free += bytes;
        self.freed += bytes;
    }
}

/// A kind of bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// `--max-total`.
    MaxTotal,
    /// `--max-count`.
    MaxCount,
    /// `--min-free`.
    MinFree,
    /// `--free`.
    Free,
}

impl Bound {
    /// Its flag.
    pub fn flag(self) -> &'static str {
        match self {
            Bound::MaxTotal => "--max-total",
            Bound::MaxCount => "--max-count",
            Bound::MinFree => "--min-free",
            Bound::Free => "--free",
        }
    }

    /// Why an environment is removed while it is not met.
    fn reason(self) -> Reason {
        match self {
            Bound::MaxTotal => Reason::OverMaxTotal,
            Bound::MaxCount => Reason::OverMaxCount,
            Bound::MinFree => Reason::UnderMinFree,
            Bound::Free => Reason::ToFree,
        }
    }
}

/// One bound at the end of a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BoundReport {
    /// Which one.
    pub bound: Bound,
    /// Its limit.
    pub limit: u64,
    /// The figure at the end.
    pub value: u64,
    /// Whether the figure is within the limit.
    pub met: bool,
}

impl Bounds {
    /// Whether there is any.
    pub fn any(&self) -> bool {
        *self != Bounds::default()
    }

    /// The first bound on bytes that is not met.
    pub(super) fn short_of_bytes(&self, account: &Account) -> Option<Reason> {
        let unmet = self.reports(account).into_iter().filter(|report| !report.met);
        unmet.map(|report| report.bound).find(|bound| *bound != Bound::MaxCount).map(Bound::reason)
    }

    /// The first bound that is not met; bytes first, because freeing them also lowers the count.
    pub(super) fn unmet(&self, account: &Account) -> Option<Reason> {
        let over = self.max_count.is_some_and(|most| account.count > most);
        self.short_of_bytes(account).or(over.then_some(Bound::MaxCount.reason()))
    }

    /// The figure for each bound.
    pub(super) fn reports(&self, account: &Account) -> Vec<BoundReport> {
        let at_most = |bound, limit: Option<u64>, value| {
            limit.map(|limit| BoundReport { bound, limit, value, met: value <= limit })
        };
        let at_least = |bound, limit: Option<u64>, value| {
            limit.map(|limit| BoundReport { bound, limit, value, met: value >= limit })
        };
        [
            at_most(Bound::MaxTotal, self.max_total, account.total),
            at_most(Bound::MaxCount, self.max_count, account.count),
            at_least(Bound::MinFree, self.min_free, account.disk_free),
            at_least(Bound::Free, self.free, account.freed),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The order in which environments are removed: the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// Its run has ended, and no parent is known to be open.
    Finished,
    /// Its run has ended, but its parent is open or unknown.
    MayGoOn,
    /// Prepared and never run; its lease has ended.
    NeverRun,
}

/// An environment that a bound may remove.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub(super) need: Need,
    /// When it was last used; the oldest is removed first.
    pub(super) at: Option<DateTime<Utc>>,
    pub(super) workspace: String,
    pub(super) key: PathBuf,
    /// The bytes of its artifacts, where it was reported for them already.
    pub(super) reported: Option<u64>,
}

impl Candidate {
    /// The environment as a candidate. `None`: no bound may remove it.
    pub(super) fn of(facts: &GcFacts, parent: &Parent, now: DateTime<Utc>) -> Option<Candidate> {
        let is_ours_to_take =
            facts.meta == MetaState::Read && !facts.local_directory && protection(facts, now).is_none();
        let has_ended = facts.completed_at.is_some() || facts.status == EnvStatus::Cleaned;
        let need = match parent {
            _ if !is_ours_to_take => return None,
            // Another tool's record without an end does not say whether it is in use.
            _ if !has_ended && facts.is_foreign => return None,
            _ if !has_ended => Need::NeverRun,
            Parent::Found { .. } | Parent::Unknown { .. } | Parent::Unaskable { .. } => Need::MayGoOn,
            _ => Need::Finished,
        };
        Some(Candidate {
            need,
            at: facts.last_used,
            workspace: facts.workspace.clone(),
            key: facts.root_dir.file_name().map(PathBuf::from)?,
            reported: None,
        })
    }
}
