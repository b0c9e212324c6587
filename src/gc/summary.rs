//! The counts of a cycle, by the names that multica's collector uses.

use std::collections::BTreeMap;

use super::artifacts::Tally;
use super::bounds::BoundReport;
use super::decide::{Action, Reason};
use super::judged::Judged;
use crate::environment::CleanupOutcome;
use crate::repos::RepoReport;
use crate::server::Parent;
use crate::sys::lock::Holder;

/// The counts of a cycle, by the names that multica's collector uses. In a dry run they are those of the plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Environments that were looked at.
    pub scanned: u64,
    /// Removed as finished.
    pub cleaned: u64,
    /// Removed because the parent is unknown.
    pub orphaned: u64,
    /// Kept.
    pub skipped: u64,
    /// Of the kept ones, in use by a running process.
    pub active: u64,
    /// Removals and other steps that failed.
    pub failed: u64,
    /// Environments from which build artifacts were removed.
    pub artifact_dirs: u64,
    /// How many folders of build artifacts were removed.
    pub artifact_removed: u64,
    /// The same by pattern, with bytes.
    pub by_pattern: BTreeMap<String, Tally>,
    /// Bytes of the environments that were removed, the trash included.
    pub env_bytes: u64,
    /// Bytes of all that was removed, the trash included.
    pub bytes_reclaimed: u64,
    /// Bytes that were freed on the disk, from the trash too; not those that are still in it.
    pub bytes_freed: u64,
    /// The upkeep of the repository caches.
    pub repos: RepoReport,
    /// Stores of agents that were removed as unused.
    pub stores_pruned: u64,
    /// Entries in the trash at the end.
    pub trash_entries: u64,
    /// Entries that were deleted from the trash for good.
    pub trash_swept: u64,
    /// What these entries take on the disk, in bytes.
    pub trash_bytes: u64,
    /// Each bound at the end.
    pub bounds: Vec<BoundReport>,
    /// How many requests were sent to the server.
    pub requests: u64,
    /// Environments kept because the server's answer about their parent is missing or unclear.
    pub parents_unknown: u64,
    /// Why, for the first of them.
    pub parents_unknown_why: Option<String>,
    /// Environments kept because the id of their parent is not a UUID, so that no server can be asked.
    pub parents_no_uuid: u64,
    /// The server was asked and gave not one clear answer.
    pub server_is_of_no_use: bool,
    /// Why the server was not asked to the end.
    pub server_trouble: Option<String>,
    /// Another cycle is at work in this root: nothing was done.
    pub already_running: bool,
    /// The process of that cycle, as far as the system tells.
    pub held_by: Option<Holder>,
    /// The cycle was asked to stop, and did.
    pub interrupted: bool,
    /// Environments in the root that such a cycle did not come to; `None`: not counted.
    pub not_reached: Option<u64>,
}

impl Summary {
    /// Counts one environment.
    pub(super) fn count(&mut self, judged: &Judged) {
        self.scanned += 1;
        if let Some(artifacts) = &judged.artifacts {
            self.artifact_dirs += u64::from(artifacts.count > 0);
            self.artifact_removed += artifacts.count;
            for (pattern, tally) in &artifacts.by_pattern {
                let sum = self.by_pattern.entry(pattern.clone()).or_default();
                sum.count += tally.count;
                sum.bytes += tally.bytes;
            }
            self.bytes_reclaimed += artifacts.bytes;
            self.bytes_freed += artifacts.bytes;
        }
        match judged.decision.action {
            Action::Clean if judged.is_gone() => self.cleaned += 1,
            Action::Orphan if judged.is_gone() => self.orphaned += 1,
            _ => {
                self.skipped += 1;
                self.count_unknown(judged);
                self.active +=
                    u64::from(judged.facts.is_held() || judged.outcome == Some(CleanupOutcome::RetainedLive));
                self.failed += u64::from(judged.outcome == Some(CleanupOutcome::Failed));
                return;
            }
        }
        // What its setup has started may still be there.
        self.failed += u64::from(judged.teardown.has_failed());
        self.env_bytes += judged.bytes;
        self.bytes_reclaimed += judged.bytes;
        if judged.outcome == Some(CleanupOutcome::Removed) {
            self.bytes_freed += judged.bytes;
        }
    }

    fn count_unknown(&mut self, judged: &Judged) {
        match &judged.parent {
            _ if judged.decision.reason != Reason::ParentUnknown => {}
            Parent::Unaskable { .. } => self.parents_no_uuid += 1,
            Parent::Unknown { why } => {
                self.parents_unknown += 1;
                self.parents_unknown_why.get_or_insert_with(|| why.clone());
            }
            _ => {} // an answer from which nothing follows
        }
    }

    /// Takes back the count of one that was kept and is removed after all.
    pub(super) fn uncount_left(&mut self) {
        self.scanned -= 1;
        self.skipped -= 1;
    }

    /// Whether every bound is met.
    pub fn is_within_bounds(&self) -> bool {
        self.bounds.iter().all(|report| report.met)
    }
}
