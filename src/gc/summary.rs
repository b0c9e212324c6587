//! A cycle's counts, by upstream's names.

use std::collections::BTreeMap;

use super::artifacts::Tally;
use super::bounds::BoundReport;
use super::decide::{Action, Reason};
use super::judged::Judged;
use crate::environment::Outcome;
use crate::repos::RepoReport;
use crate::server::Parent;

/// A cycle's counts, by upstream's names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Environments that were looked at.
    pub scanned: u64,
    /// Removed as done, or to be in a dry run.
    pub cleaned: u64,
    /// Removed as unknown, or to be in a dry run.
    pub orphaned: u64,
    /// Left.
    pub skipped: u64,
    /// Of the left ones, held by a live process.
    pub active: u64,
    /// Should have gone and could not go.
    pub failed: u64,
    /// Environments out of which something went that can be built again, or would go.
    pub artifact_dirs: u64,
    /// How many such folders.
    pub artifact_removed: u64,
    /// The same by pattern, with bytes.
    pub by_pattern: BTreeMap<String, Tally>,
    /// Bytes of the environments that were removed, the trash included.
    pub env_bytes: u64,
    /// Bytes of all that was removed, the trash included.
    pub bytes_reclaimed: u64,
    /// Bytes that the disk has got back, the trash's too; not of what lies in it still.
    pub bytes_freed: u64,
    /// What became of repository caches.
    pub repos: RepoReport,
    /// Stores of agents that nobody has used for long.
    pub stores_pruned: u64,
    /// Entries in the trash at the end.
    pub trash_entries: u64,
    /// Entries that left the trash for good.
    pub trash_swept: u64,
    /// What the entries that are left take on the disk.
    pub trash_bytes: u64,
    /// How each bound stands at the end.
    pub bounds: Vec<BoundReport>,
    /// How many requests the server got.
    pub requests: u64,
    /// Environments that stay because the server gave no answer on their parent that can be relied upon.
    pub parents_unknown: u64,
    /// What came instead of the first of these answers.
    pub parents_unknown_why: Option<String>,
    /// Environments that stay because nobody can be asked about their parent: its id is no UUID.
    pub parents_no_uuid: u64,
    /// The server was asked, and gave no single answer that can be relied upon.
    pub server_is_of_no_use: bool,
    /// Why the server was not asked to the end.
    pub server_trouble: Option<String>,
    /// Another cycle is at work in this root: nothing was done.
    pub already_running: bool,
    /// The cycle was asked to end before its end.
    pub interrupted: bool,
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
                    u64::from(judged.facts.is_held() || judged.outcome == Some(Outcome::RetainedLive));
                self.failed += u64::from(judged.outcome == Some(Outcome::Failed));
                return;
            }
        }
        self.env_bytes += judged.bytes;
        self.bytes_reclaimed += judged.bytes;
        if judged.outcome == Some(Outcome::Removed) {
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
            _ => {} // an answer, of which nothing follows
        }
    }

    /// Takes back the count of one that was left and goes after all.
    pub(super) fn uncount_left(&mut self) {
        self.scanned -= 1;
        self.skipped -= 1;
    }

    /// Whether every bound is kept.
    pub fn is_within_bounds(&self) -> bool {
        self.bounds.iter().all(|report| report.met)
    }
}
