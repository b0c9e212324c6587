//! What upkeep changes, behind one trait: [`Disk`] changes it, [`DryRun`] reports the same without changing anything.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::cache::Cache;
use super::evict;
use super::layout::{open_bare, stamp_use};
use super::lock::repo_lock;
use super::policy::RepoReport;
use super::registrations::Registration;
use crate::git::Branch;
use crate::sys::tree::Tree;

/// Whether a repository may be worked on.
pub(super) enum Access {
    /// It is locked for as long as the file is open.
    Locked { _lock: File },
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

/// Changes the disk.
pub(super) struct Disk;

impl Effects for Disk {
    fn finish_evictions(&self, tree: &Tree, folder: &Path, report: &mut RepoReport) {
        evict::finish(tree, folder, report);
    }

    fn open(&self, cache: &mut Cache<'_>) -> Result<Access> {
        let lock = repo_lock(cache.tree, &cache.relative, cache.policy.limits.lock, cache.stop)?;
        let Some(lock) = lock else { return Ok(Access::InUse) };
        // Opened again: whoever held the lock may have changed it.
        let Some(bare) = open_bare(cache.tree, &cache.relative) else { return Ok(Access::Gone) };
        cache.bare = bare;
        Ok(Access::Locked { _lock: lock })
    }

    fn drop_registrations(
        &self,
        cache: &Cache<'_>,
        stale: Vec<Registration>,
        dropped: &mut Vec<Registration>,
    ) -> Result<()> {
        cache.drop_each(&stale, dropped)
    }

    fn delete_branches(&self, cache: &mut Cache<'_>, idle: &[&Branch], gone: &[PathBuf]) -> Result<u64> {
        let deleted = cache.delete(idle, gone)?;
        if deleted > 0 {
            cache.request_maintenance();
        }
        Ok(deleted)
    }

    fn stamp_use(&self, cache: &Cache<'_>) -> Result<()> {
        stamp_use(&cache.bare, cache.policy.now)
    }

    fn evict(&self, cache: &mut Cache<'_>, gone: &[PathBuf], _: u64) -> Result<bool> {
        cache.remove(gone)
    }

    fn maintain(&self, cache: &mut Cache<'_>) {
        cache.maintain();
    }

    fn remove_if_empty(&self, tree: &Tree, folder: &Path) {
        let _ = tree.remove_dir(folder); // one that is not empty stays
    }
}

/// Changes nothing.
pub(super) struct DryRun;

impl Effects for DryRun {
    fn finish_evictions(&self, _: &Tree, _: &Path, _: &mut RepoReport) {}

    fn open(&self, _: &mut Cache<'_>) -> Result<Access> {
        Ok(Access::NotNeeded)
    }

    fn drop_registrations(
        &self,
        _: &Cache<'_>,
        stale: Vec<Registration>,
        dropped: &mut Vec<Registration>,
    ) -> Result<()> {
        *dropped = stale;
        Ok(())
    }

    fn delete_branches(&self, _: &mut Cache<'_>, idle: &[&Branch], _: &[PathBuf]) -> Result<u64> {
        Ok(idle.len() as u64)
    }

    fn stamp_use(&self, _: &Cache<'_>) -> Result<()> {
        Ok(())
    }

    fn evict(&self, cache: &mut Cache<'_>, _: &[PathBuf], bytes: u64) -> Result<bool> {
        cache.report.evicted += 1;
        cache.report.bytes_reclaimed += bytes;
        Ok(true)
    }

    fn maintain(&self, _: &mut Cache<'_>) {}

    fn remove_if_empty(&self, _: &Tree, _: &Path) {}
}
