//! What a cycle changes, behind one trait: [`Disk`] changes it, [`DryRun`](super::dry_run::DryRun) remembers what would
//! be gone. A cycle decides and counts without knowing which of them it has, so that the two cannot differ.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use super::artifacts::{self, Artifacts};
use super::decide::Action;
use super::facts::GcFacts;
use super::hold::{self, HeldEnv, Holding, NotHeld};
use super::parallel::halved;
use super::request::{GcRequest, StorePolicy};
use super::staging::sweep_staging;
use super::way_out::with_way_out;
use crate::environment::{
    Deletion, Durability, Meta, Pruned, Pruning, Teardown, TrashEntry, WorkspacesRoot, prune_conversations,
    prune_stores, root_busy, root_lock, staging_lock_alone, sweep_run_folders, trash,
};
use crate::layout::names;
use crate::repos::{self, IdleRepo, RepoPolicy, RepoReport, upkeep};
use crate::sys::lock::{FileLock, IfMissing, NotLocked, Share, try_lock};
use crate::sys::remove::Stopped;
use crate::sys::space::free_space;
use crate::sys::tree::{FileKind, Tree};
use crate::sys::walk::measure;

/// Whether the facts that were read under the lock still lead to the same decision.
pub(super) type StillDue<'a> = dyn Fn(&GcFacts) -> bool + 'a;

/// What a cycle changes, and what it asks of the disk in between.
pub(super) trait Effects: Sync {
    /// Makes this the only cycle in the root. `None`: another one is at work.
    fn begin(&self) -> Result<Option<CycleLock>>;

    /// Finishes what a killed prepare or cycle left, and returns how much of it could not be removed.
    fn finish_interrupted_work(&self) -> Result<u64>;

    /// Holds the environment at `root_dir`; `first` is what was seen of it before.
    fn hold(&self, root_dir: &Path, first: Option<&GcFacts>) -> Result<Holding>;

    /// What an environment takes, in bytes, without what this cycle has removed from it.
    fn env_bytes(&self, root_dir: &Path) -> u64;

    /// Removes an environment of `bytes` bytes: for good, or into the trash. Before that its teardown runs.
    fn remove_env(&self, held: HeldEnv, bytes: u64, for_good: bool) -> Result<Teardown>;

    /// Removes from the environment that `first` describes what was `found` for `action`, and notes that in its record.
    fn remove_artifacts(
        &self,
        first: &GcFacts,
        action: Action,
        found: Artifacts,
        still_due: &StillDue<'_>,
    ) -> Result<std::result::Result<Artifacts, NotHeld>>;

    /// Notes in the record that there was nothing to remove, so that the next cycle need not look.
    fn note_no_artifacts(&self, first: &GcFacts, action: Action, still_due: &StillDue<'_>) -> Result<()>;

    /// Looks after the shared repositories.
    fn keep_repos(&self, policy: &RepoPolicy) -> RepoReport;

    /// The shared repositories that a bound may remove, the longest unused first.
    fn idle_repos(&self, policy: &RepoPolicy) -> Vec<IdleRepo>;

    /// Removes one of them, if it is still unused.
    fn evict_repo(&self, policy: &RepoPolicy, idle: &IdleRepo) -> RepoReport;

    /// Removes stores that have not been used for long.
    fn prune_stores(&self, policy: &StorePolicy) -> Result<Vec<Pruned>>;

    /// What is in the trash, oldest first.
    fn trash(&self) -> Result<Vec<TrashItem>>;

    /// Deletes something from the trash for good.
    fn delete(&self, item: &TrashItem, bytes: u64) -> Result<()>;

    /// What everything below the root takes, in bytes.
    fn total_bytes(&self) -> u64;

    /// What is free on the root's disk, in bytes.
    fn disk_free(&self) -> Result<u64>;

    /// Removes those of these workspaces that are empty.
    fn remove_empty_workspaces(&self, workspaces: &[String]) -> Result<()>;
}

/// Removes stores that have not been used for long, and conversations with environments that are gone.
///
/// # Errors
/// When one of their folders cannot be listed.
pub(super) fn prune(
    tree: &Tree,
    policy: &StorePolicy,
    now: DateTime<Utc>,
    deed: Pruning,
) -> Result<Vec<Pruned>> {
    let mut pruned = prune_stores(tree, now, &|store| policy.ttl(store), deed)?;
    if let Some(projects) = &policy.claude_projects {
        pruned.extend(prune_conversations(tree, projects, now, deed)?);
    }
    Ok(pruned)
}

/// Held while a cycle is at work in a root.
#[derive(Debug)]
pub(super) struct CycleLock {
    /// `None` in a dry run, which others may disturb.
    _file: Option<FileLock>,
}

impl CycleLock {
    /// For a cycle that changes nothing.
    pub(super) fn not_needed() -> CycleLock {
        CycleLock { _file: None }
    }
}

/// Something in the trash.
#[derive(Clone, Debug)]
pub(super) enum TrashItem {
    /// An entry.
    Entry(TrashEntry),
    /// An environment that would have been put there by now.
    WouldBe {
        /// Where it still stands.
        root_dir: PathBuf,
        /// What it takes.
        bytes: u64,
    },
}

impl TrashItem {
    /// What it takes, in bytes.
    pub(super) fn bytes(&self, root: &WorkspacesRoot) -> u64 {
        match self {
            TrashItem::Entry(entry) => trash::size_of(root, entry),
            TrashItem::WouldBe { bytes, .. } => *bytes,
        }
    }
}

/// Changes the disk.
pub(super) struct Disk<'a> {
    pub(super) request: &'a GcRequest<'a>,
    pub(super) tree: &'a Tree,
}

impl Disk<'_> {
    fn deletion(&self) -> Deletion<'_> {
        let GcRequest { git, keys, stop, .. } = self.request;
        Deletion::new(git, keys, &self.request.trust().hooks.trusted, stop)
    }

    /// Notes in the record that all artifacts were removed.
    fn note_swept(&self, held: &HeldEnv, action: Action) {
        if action != Action::Artifacts {
            return;
        }
        let noted = Meta::change(&held.found().env.tree, Durability::Synced, |meta| {
            if let Some(own) = meta.own.as_mut() {
                own.artifacts_swept_at = Some(self.request.now);
            }
        });
        // A newer version's record is read, never written: its environment is looked at again next time.
        if let Err(error) = noted {
            log::debug!("{error:#}");
        }
    }
}

impl Effects for Disk<'_> {
    fn begin(&self) -> Result<Option<CycleLock>> {
        let file = root_lock(self.tree, names::GC_LOCK)?;
        match try_lock(self.tree, &file, IfMissing::Create, Share::Alone) {
            Ok(lock) => Ok(Some(CycleLock { _file: Some(lock) })),
            Err(NotLocked::Busy) => Ok(None),
            Err(why) => Err(root_busy(self.tree, &file, why)),
        }
    }

    fn finish_interrupted_work(&self) -> Result<u64> {
        let deletion = self.deletion();
        sweep_staging(self.request.root, self.tree, Some(&deletion), self.request.now)?;
        sweep_run_folders(&self.request.run_folders);
        let mut failed = 0;
        for name in trash::half_deleted(self.tree)? {
            if let Err(error) = trash::delete(self.tree, &name, &deletion) {
                if Stopped::find(&error).is_some() {
                    break;
                }
                log::error!("{}", with_way_out(&error));
                failed += 1;
            }
        }
        Ok(failed)
    }

    fn hold(&self, root_dir: &Path, first: Option<&GcFacts>) -> Result<Holding> {
        hold::lock(self.tree, root_dir, first, self.request)
    }

    fn env_bytes(&self, root_dir: &Path) -> u64 {
        measure(root_dir).bytes
    }

    fn remove_env(&self, held: HeldEnv, _: u64, for_good: bool) -> Result<Teardown> {
        let env = held.into_locked()?;
        let teardown = env.tear_down(self.request.trust());
        if teardown.is_stopped() {
            return Ok(teardown);
        }
        env.forget_dead_run();
        if for_good {
            // One that is asked to stop is out of its place; the next cycle deletes the rest, and counts nothing of it.
            match env.delete(self.tree, self.request.now, &self.deletion()) {
                Err(error) if Stopped::find(&error).is_some() => {}
                deleted => deleted?,
            }
        } else {
            env.put_aside(self.tree, false, self.request.now)?;
        }
        Ok(teardown)
    }

    fn remove_artifacts(
        &self,
        first: &GcFacts,
        action: Action,
        _: Artifacts,
        still_due: &StillDue<'_>,
    ) -> Result<std::result::Result<Artifacts, NotHeld>> {
        let held = match self.hold(&first.root_dir, Some(first))? {
            Ok(held) if still_due(&held.facts) => held,
            Ok(_) => return Ok(Err(NotHeld::Raced)),
            Err(why) => return Ok(Err(why)),
        };
        let env = held.locked()?;
        let removed = artifacts::remove(env, self.request.patterns(action), true, self.request.git);
        if removed.failed.is_empty() {
            self.note_swept(&held, action);
        }
        Ok(Ok(removed))
    }

    fn note_no_artifacts(&self, first: &GcFacts, action: Action, still_due: &StillDue<'_>) -> Result<()> {
        // One that is in use, or was used meanwhile, is looked at again next time.
        if let Ok(held) = self.hold(&first.root_dir, Some(first))?
            && still_due(&held.facts)
        {
            self.note_swept(&held, action);
        }
        Ok(())
    }

    fn keep_repos(&self, policy: &RepoPolicy) -> RepoReport {
        let GcRequest { root, git, stop, .. } = self.request;
        upkeep(root, self.tree, git, policy, stop)
    }

    fn idle_repos(&self, policy: &RepoPolicy) -> Vec<IdleRepo> {
        let GcRequest { root, git, stop, .. } = self.request;
        repos::idle(root, self.tree, git, policy, stop)
    }

    fn evict_repo(&self, policy: &RepoPolicy, idle: &IdleRepo) -> RepoReport {
        let GcRequest { root, git, stop, .. } = self.request;
        repos::evict_idle(root, self.tree, git, policy, stop, idle)
    }

    fn prune_stores(&self, policy: &StorePolicy) -> Result<Vec<Pruned>> {
        prune(self.tree, policy, self.request.now, Pruning::Remove)
    }

    fn trash(&self) -> Result<Vec<TrashItem>> {
        let entries = trash::entries(self.request.root, self.tree)?;
        Ok(entries.into_iter().map(TrashItem::Entry).collect())
    }

    fn delete(&self, item: &TrashItem, _: u64) -> Result<()> {
        match item {
            TrashItem::Entry(entry) => trash::delete(self.tree, &entry.name, &self.deletion()),
            TrashItem::WouldBe { .. } => Ok(()),
        }
    }

    fn total_bytes(&self) -> u64 {
        let root = self.tree.path();
        let mut folders = Vec::new();
        let mut sum = 0;
        for name in self.tree.names(Path::new("")).unwrap_or_default() {
            if let Ok(Some(FileKind::File { .. })) = self.tree.kind(Path::new(&name)) {
                // Folders are measured; what lies beside them has to be added.
                sum += root.join(&name).symlink_metadata().map_or(0, |file| file.len());
            }
            let below = self.tree.names(Path::new(&name)).unwrap_or_default();
            folders.extend(below.into_iter().map(|key| root.join(&name).join(key)));
        }
        let two = folders.len() >= 64;
        sum + halved(folders, two, |folder| measure(&folder).bytes).into_iter().sum::<u64>()
    }

    fn disk_free(&self) -> Result<u64> {
        let path = self.tree.path();
        free_space(path).with_context(|| format!("ask how much is free on the disk of {}", path.display()))
    }

    fn remove_empty_workspaces(&self, workspaces: &[String]) -> Result<()> {
        if workspaces.is_empty() {
            return Ok(());
        }
        // Only while no prepare is at work: its staging folder may be about to appear there.
        if let Some(_alone) = staging_lock_alone(self.tree)? {
            for workspace in workspaces {
                let _ = self.tree.remove_dir(Path::new(workspace)); // one that is not empty stays
            }
        }
        Ok(())
    }
}
