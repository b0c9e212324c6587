//! placeholder
use crate::environment::WorkspacesRoot;
use crate::git::Git;
use crate::sys::tree::Tree;
use chrono::{DateTime, Duration, Utc};
use std::sync::atomic::AtomicBool;
/// p
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct RepoPolicy {
    pub repo_ttl: Option<Duration>,
    pub maintenance: bool,
    pub dry_run: bool,
    pub now: DateTime<Utc>,
}
/// r
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct RepoReport {
    pub pruned: u64,
    pub branches_deleted: u64,
    pub branches_kept: u64,
    pub evicted: u64,
    pub bytes_reclaimed: u64,
    pub failed: u64,
    pub notes: Vec<String>,
}
/// u
pub fn upkeep(_: &WorkspacesRoot, _: &Tree, _: &Git, _: &RepoPolicy, _: &AtomicBool) -> RepoReport {
    RepoReport::default()
}
