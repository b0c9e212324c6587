//! Hard bounds on a root: by count, by size, by free space on the disk. They need no server.
//!
//! Pure: which environment is removed next, and which bound is not met yet. Never chosen: an environment that is in use or
//! leased, that works in a user's folder, that has no readable record, or that ended a short while ago. Each is checked for
//! unsaved work right before it is removed. Free space that all of them together cannot make is no reason to remove any.

use std::path::PathBuf;

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;

use super::decide::{Reason, protection};
use super::facts::{GcFacts, MetaState};
use crate::environment::EnvStatus;
use crate::server::Parent;
use crate::sys::tree::Tree;

/// The bounds of one cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most that everything below the root may take, in bytes: environments, trash, repositories, stores.
    pub max_total: Option<u64>,
    /// The most environments.
    pub max_count: Option<u64>,
    /// The least free space on the root's disk, in bytes.
    pub min_free: Option<u64>,
    /// The least that this cycle frees, in bytes.
    pub free: Option<u64>,
    /// No bound takes what ended less than this ago.
    pub keep_younger: Duration,
    /// Free space is made as far as possible, also where that does not meet `min_free` or `free`.
    pub as_far_as_possible: bool,
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BoundReport {
    /// Which one.
    pub bound: Bound,
    /// Its limit.
    pub limit: u64,
    /// The figure at the end.
    pub value: u64,
    /// Whether the figure is within the limit.
    pub met: bool,
    /// What could be freed in all, in bytes, where that is not enough and nothing was removed for this bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub could_free: Option<u64>,
}

impl Bounds {
    /// Whether there is any.
    pub fn any(&self) -> bool {
        [self.max_total, self.max_count, self.min_free, self.free].iter().any(Option::is_some)
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

    /// How many more bytes have to be freed for each bound on free space that is not met.
    pub(super) fn missing_space(&self, account: &Account) -> Vec<(Bound, u64)> {
        let reports = self.reports(account).into_iter();
        let unmet =
            reports.filter(|report| !report.met && matches!(report.bound, Bound::MinFree | Bound::Free));
        unmet.map(|report| (report.bound, report.limit - report.value)).collect()
    }

    /// The same bounds without one.
    #[must_use]
    pub(super) fn without(mut self, bound: Bound) -> Bounds {
        match bound {
            Bound::MaxTotal => self.max_total = None,
            Bound::MaxCount => self.max_count = None,
            Bound::MinFree => self.min_free = None,
            Bound::Free => self.free = None,
        }
        self
    }

    /// Whether something that was last used then is too young to be taken.
    pub(super) fn is_too_young(&self, last_used: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        last_used.is_some_and(|at| now - at < self.keep_younger)
    }

    /// The figure for each bound.
    pub(super) fn reports(&self, account: &Account) -> Vec<BoundReport> {
        let at_most = |bound, limit: Option<u64>, value| {
            limit.map(|limit| BoundReport { bound, limit, value, met: value <= limit, could_free: None })
        };
        let at_least = |bound, limit: Option<u64>, value| {
            limit.map(|limit| BoundReport { bound, limit, value, met: value >= limit, could_free: None })
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
    /// Its env root.
    pub(super) fn root_dir(&self, root: &Tree) -> PathBuf {
        root.path().join(&self.workspace).join(&self.key)
    }

    /// The environment as a candidate. `None`: no bound may remove it.
    pub(super) fn of(
        facts: &GcFacts,
        parent: &Parent,
        bounds: &Bounds,
        now: DateTime<Utc>,
    ) -> Option<Candidate> {
        // What execenv wrote into a user's folder is known here only, until it was taken back.
        let knows_a_folder = facts.local_directory && !facts.folder_restored;
        let is_ours_to_take =
            facts.meta == MetaState::Read && !knows_a_folder && protection(facts, now).is_none();
        let has_ended = facts.completed_at.is_some() || facts.status == EnvStatus::Cleaned;
        let need = match parent {
            _ if !is_ours_to_take || bounds.is_too_young(facts.last_used, now) => return None,
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

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        max_total: None,
        max_count: None,
        min_free: None,
        free: None,
        keep_younger: Duration::hours(1),
        as_far_as_possible: false,
    };

    #[test]
    fn missing_space_is_what_the_bounds_on_it_lack() {
        let account = Account { total: 50, count: 3, disk_free: 20, freed: 5 };
        for (bounds, expected) in [
            (Bounds { max_total: Some(1), max_count: Some(1), ..BOUNDS }, vec![]),
            (Bounds { min_free: Some(20), free: Some(5), ..BOUNDS }, vec![]),
            (Bounds { min_free: Some(25), ..BOUNDS }, vec![(Bound::MinFree, 5)]),
            (
                Bounds { min_free: Some(30), free: Some(6), ..BOUNDS },
                vec![(Bound::MinFree, 10), (Bound::Free, 1)],
            ),
        ] {
            assert_eq!(bounds.missing_space(&account), expected, "{bounds:?}");
        }
        let both = Bounds { min_free: Some(30), free: Some(6), ..BOUNDS };
        assert_eq!(both.without(Bound::MinFree).missing_space(&account), [(Bound::Free, 1)]);
        assert!(!both.without(Bound::MinFree).without(Bound::Free).any());
    }

    #[test]
    fn what_ended_a_short_while_ago_is_too_young() {
        let now = DateTime::UNIX_EPOCH + Duration::days(1);
        for (minutes, expected) in [(0, true), (59, true), (60, false), (-5, true)] {
            assert_eq!(
                BOUNDS.is_too_young(Some(now - Duration::minutes(minutes)), now),
                expected,
                "{minutes}"
            );
        }
        assert!(!BOUNDS.is_too_young(None, now));
        assert!(!Bounds { keep_younger: Duration::zero(), ..BOUNDS }.is_too_young(Some(now), now));
    }
}
