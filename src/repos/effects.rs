//! The two ways to do what upkeep decides: [`Disk`] changes it, [`DryRun`] reports the same without changing anything.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::cache::{Access, Cache, Effects};
use super::evict;
use super::layout::{open_bare, remove_temporary, stamp_use};
use super::lock::repo_lock;
use super::policy::RepoReport;
use super::registration::Registration;
use crate::git::Branch;
use crate::sys::tree::Tree;

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
        remove_temporary(&cache.bare);
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
