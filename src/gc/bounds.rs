//! Hard bounds on a root: by count, by bytes, by what is free on the disk. They need no server.
//!
//! Who goes first, and which bound still asks for more, are pure; `cycle` does what they say. Never chosen: what a
//! process holds, what is promised to somebody, the record of a user's folder, what has no readable record. Whether
//! there is work in it that is nowhere else is asked of each right before it would go.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::decide::{Reason, protection};
use super::facts::{Facts, MetaState};
use crate::environment::Status;
use crate::server::Parent;

/// The bounds of one cycle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The most that everything below the root may take, in bytes: environments, trash, repositories, stores.
    pub max_total: Option<u64>,
    /// The most environments that may stand.
    pub max_count: Option<u64>,
    /// What is to be free on the root's disk, in bytes.
    pub min_free: Option<u64>,
    /// What this cycle is to free at least, in bytes.
    pub free: Option<u64>,
}

/// What the bounds are held against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// What everything below the root takes, in bytes.
    pub(super) total: u64,
    /// Environments that stand.
    pub(super) count: u64,
    /// Free on the disk, in bytes.
    pub(super) disk_free: u64,
    /// Freed for good by this cycle, in bytes.
    pub(super) freed: u64,
}

impl Account {
    /// Notes bytes that are gone for good.
    pub(super) fn free(&mut self, bytes: u64) {
        self.total = self.total.saturating_sub(bytes);
        self.disk_free += bytes;
        self.freed += bytes;
    }
}

/// One bound at the end of a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BoundReport {
    /// Its flag's name with underscores.
    pub bound: &'static str,
    /// What was asked for.
    pub limit: u64,
    /// How it stands.
    pub value: u64,
    /// Whether that is within it.
    pub met: bool,
}

impl Bounds {
    /// Whether there is any.
    pub fn any(&self) -> bool {
        *self != Bounds::default()
    }

    /// The bound on bytes that is not met yet.
    pub(super) fn short_of_bytes(&self, account: &Account) -> Option<Reason> {
        self.reports(account).into_iter().filter(|report| !report.met).find_map(|report| match report.bound {
            "max_total" => Some(Reason::OverMaxTotal),
            "min_free" => Some(Reason::UnderMinFree),
            "free" => Some(Reason::ToFree),
            _ => None,
        })
    }

    /// The bound that is not met yet; bytes first, because freeing them brings the count down too.
    pub(super) fn unmet(&self, account: &Account) -> Option<Reason> {
        let over = self.max_count.is_some_and(|most| account.count > most);
        self.short_of_bytes(account).or(over.then_some(Reason::OverMaxCount))
    }

    /// How each bound stands.
    pub(super) fn reports(&self, account: &Account) -> Vec<BoundReport> {
        let at_most = |bound, limit: Option<u64>, value| {
            limit.map(|limit| BoundReport { bound, limit, value, met: value <= limit })
        };
        let at_least = |bound, limit: Option<u64>, value| {
            limit.map(|limit| BoundReport { bound, limit, value, met: value >= limit })
        };
        [
            at_most("max_total", self.max_total, account.total),
            at_most("max_count", self.max_count, account.count),
            at_least("min_free", self.min_free, account.disk_free),
            at_least("free", self.free, account.freed),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// In which order environments go: the first to go is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// Its run has ended, and nobody is known to wait for more.
    Finished,
    /// Its run has ended, but what it is for goes on, or nobody can say.
    MayGoOn,
    /// Prepared, never run, and promised to nobody any more.
    NeverRun,
}

/// An environment that a bound may take.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub(super) need: Need,
    /// When it was last used; the oldest goes first.
    pub(super) at: Option<DateTime<Utc>>,
    pub(super) workspace: String,
    pub(super) key: PathBuf,
    /// The bytes of its artifacts, where it was reported for them already.
    pub(super) reported: Option<u64>,
}

impl Candidate {
    /// The environment as a candidate. `None`: no bound may take it.
    pub(super) fn of(facts: &Facts, parent: &Parent, now: DateTime<Utc>) -> Option<Candidate> {
        let is_ours_to_take =
            facts.meta == MetaState::Read && !facts.local_directory && protection(facts, now).is_none();
        let has_ended = facts.completed_at.is_some() || facts.status == Status::Cleaned;
        let need = match parent {
            _ if !is_ours_to_take => return None,
            // Another tool's record without an end says nothing of whether it is in use.
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
