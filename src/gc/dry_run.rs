//! A dry run: nothing changes, and every question is answered as if everything before had happened.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use super::artifacts::Artifacts;
use super::decide::Action;
use super::effects::{CycleLock, Disk, Effects, StillDue, TrashItem, prune};
use super::facts::GcFacts;
use super::hold::{self, HeldEnv, Holding, NotHeld};
use super::request::StorePolicy;
use crate::environment::{Pruned, Pruning, Teardown};
use crate::repos::{IdleRepo, RepoPolicy, RepoReport};

/// Remembers what would be gone.
pub(super) struct DryRun<'a> {
    disk: Disk<'a>,
    gone: Mutex<Gone>,
}

#[derive(Default)]
struct Gone {
    /// Freed for good, in bytes.
    freed: u64,
    /// Of these, the artifacts of single environments.
    artifacts: HashMap<PathBuf, u64>,
    /// Environments that would be in the trash, by their paths, with their bytes.
    trashed: BTreeMap<PathBuf, u64>,
    /// Entries of the trash that would be deleted.
    deleted: BTreeSet<String>,
}

impl<'a> DryRun<'a> {
    pub(super) fn new(disk: Disk<'a>) -> DryRun<'a> {
        DryRun { disk, gone: Mutex::default() }
    }

    fn gone(&self) -> MutexGuard<'_, Gone> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Effects for DryRun<'_> {
    fn begin(&self) -> Result<Option<CycleLock>> {
        Ok(Some(CycleLock::not_needed()))
    }

    fn finish_interrupted_work(&self) -> Result<u64> {
        Ok(0)
    }

    fn hold(&self, root_dir: &Path, first: Option<&GcFacts>) -> Result<Holding> {
        hold::open(self.disk.tree, root_dir, first, self.disk.request)
    }

    fn env_bytes(&self, root_dir: &Path) -> u64 {
        let artifacts = self.gone().artifacts.get(root_dir).copied().unwrap_or(0);
        self.disk.env_bytes(root_dir).saturating_sub(artifacts)
    }

    fn remove_env(&self, held: HeldEnv, bytes: u64, for_good: bool) -> Result<Teardown> {
        let teardown = held.found().foresee_teardown(self.disk.request.trust());
        let mut gone = self.gone();
        if for_good {
            gone.freed += bytes;
        } else {
            gone.trashed.insert(held.facts.root_dir.clone(), bytes);
        }
        Ok(teardown)
    }

    fn remove_artifacts(
        &self,
        first: &GcFacts,
        _: Action,
        found: Artifacts,
        _: &StillDue<'_>,
    ) -> Result<std::result::Result<Artifacts, NotHeld>> {
        let mut gone = self.gone();
        gone.freed += found.bytes;
        gone.artifacts.insert(first.root_dir.clone(), found.bytes);
        Ok(Ok(found))
    }

    fn note_no_artifacts(&self, _: &GcFacts, _: Action, _: &StillDue<'_>) -> Result<()> {
        Ok(())
    }

    fn keep_repos(&self, policy: &RepoPolicy) -> RepoReport {
        let report = self.disk.keep_repos(&RepoPolicy { dry_run: true, ..policy.clone() });
        self.gone().freed += report.bytes_reclaimed;
        report
    }

    fn idle_repos(&self, policy: &RepoPolicy) -> Vec<IdleRepo> {
        // Those that are due by their age are counted as gone already.
        let by_age =
            self.disk.request.repos.as_ref().map(|repos| self.disk.idle_repos(repos)).unwrap_or_default();
        let mut idle = self.disk.idle_repos(policy);
        idle.retain(|repo| !by_age.contains(repo));
        idle
    }

    fn evict_repo(&self, policy: &RepoPolicy, idle: &IdleRepo) -> RepoReport {
        let report = self.disk.evict_repo(&RepoPolicy { dry_run: true, ..policy.clone() }, idle);
        self.gone().freed += report.bytes_reclaimed;
        report
    }

    fn prune_stores(&self, policy: &StorePolicy) -> Result<Vec<Pruned>> {
        let pruned = prune(self.disk.tree, policy, self.disk.request.now, Pruning::Find)?;
        self.gone().freed += pruned.iter().map(|store| store.bytes).sum::<u64>();
        Ok(pruned)
    }

    fn trash(&self) -> Result<Vec<TrashItem>> {
        let mut items = self.disk.trash()?;
        let gone = self.gone();
        items.retain(|item| !matches!(item, TrashItem::Entry(entry) if gone.deleted.contains(&entry.name)));
        let would_be = gone.trashed.iter();
        items.extend(
            would_be
                .map(|(root_dir, bytes)| TrashItem::WouldBe { root_dir: root_dir.clone(), bytes: *bytes }),
        );
        Ok(items)
    }

    fn delete(&self, item: &TrashItem, bytes: u64) -> Result<()> {
        let mut gone = self.gone();
        match item {
            TrashItem::Entry(entry) => _ = gone.deleted.insert(entry.name.clone()),
            TrashItem::WouldBe { root_dir, .. } => _ = gone.trashed.remove(root_dir),
        }
        gone.freed += bytes;
        Ok(())
    }

    fn total_bytes(&self) -> u64 {
        self.disk.total_bytes().saturating_sub(self.gone().freed)
    }

    fn disk_free(&self) -> Result<u64> {
        Ok(self.disk.disk_free()? + self.gone().freed)
    }

    fn remove_empty_workspaces(&self, _: &[String]) -> Result<()> {
        Ok(())
    }
}
