//! Upkeep of the repository cache, once a cycle: registrations of worktrees that are gone, branches of agents that no
//! worktree needs, repositories that have not been used for long.
//!
//! Nothing is deleted that is not somewhere else too. A branch is deleted when another ref that stays holds its commit
//! and no worktree uses it, and only if it still points there; a repository is removed when a remote has all that it
//! holds. Agents can write to the cache, so a repository that leads elsewhere is left alone, and git writes only where it is
//! confined to the repository. Everything happens under the repository's lock, and no call to git takes longer than its limit: what fails is
//! reported, and the cycle goes on.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

use super::bare::BareRepo;
use super::cache::{Access, Cache, Effects};
use super::effects::{Disk, DryRun};
use super::idle::IdleRepo;
use super::layout::{open_bare, plain_folders};
use super::policy::{RepoPolicy, RepoReport};
use super::shape::stands_alone;
use crate::environment::WorkspacesRoot;
use crate::git::Git;
use crate::layout::names;
use crate::sys::tree::Tree;

/// Looks after every repository of the cache. The caller holds the collector's lock, unless this is a dry run.
pub fn upkeep(
    root: &WorkspacesRoot,
    tree: &Tree,
    git: &Git,
    policy: &RepoPolicy,
    stop: &AtomicBool,
) -> RepoReport {
    let effects: &dyn Effects = if policy.dry_run { &DryRun } else { &Disk };
    let mut report = RepoReport::default();
    for workspace in plain_folders(tree, Path::new(names::REPOS), &mut report) {
        let folder = Path::new(names::REPOS).join(workspace);
        effects.finish_evictions(tree, &folder, &mut report);
        for name in plain_folders(tree, &folder, &mut report) {
            if stop.load(Ordering::Relaxed) {
                return report;
            }
            let relative = folder.join(name);
            let Some(bare) = open_bare(tree, &relative) else { continue };
            let path = bare.path().to_owned();
            let git = BareRepo::new(git, &path, policy.limits.call, stop);
            let mut cache =
                Cache { root, tree, relative, bare, git, effects, policy, stop, report: &mut report };
            match cache.look_after() {
                Err(_) if stop.load(Ordering::Relaxed) => return report,
                done => done.unwrap_or_else(|error| report.fail(&error)),
            }
        }
        effects.remove_if_empty(tree, &folder);
    }
    report
}

/// Removes one that was idle, if it still is.
pub fn evict_idle(
    root: &WorkspacesRoot,
    tree: &Tree,
    git: &Git,
    policy: &RepoPolicy,
    stop: &AtomicBool,
    idle: &IdleRepo,
) -> RepoReport {
    let effects: &dyn Effects = if policy.dry_run { &DryRun } else { &Disk };
    let mut report = RepoReport::default();
    let relative = idle.relative.clone();
    let Some(bare) = open_bare(tree, &relative) else { return report };
    let path = bare.path().to_owned();
    let git = BareRepo::new(git, &path, policy.limits.call, stop);
    let mut cache = Cache { root, tree, relative, bare, git, effects, policy, stop, report: &mut report };
    if let Err(error) = cache.evict_if_idle() {
        report.fail(&error);
    }
    if let Some(folder) = idle.relative.parent() {
        effects.remove_if_empty(tree, folder);
    }
    report
}

impl Cache<'_> {
    fn evict_if_idle(&mut self) -> Result<()> {
        let _access = match self.effects.open(self)? {
            Access::InUse | Access::Gone => return Ok(()),
            access => access,
        };
        stands_alone(&self.bare)?;
        let gone = self.drop_registrations();
        self.evict(&gone).map(drop)
    }

    fn look_after(&mut self) -> Result<()> {
        let _access = match self.effects.open(self)? {
            Access::InUse => {
                self.note(format!("{} is in use: left for the next cycle", self.path()));
                return Ok(());
            }
            Access::Gone => return Ok(()),
            access => access,
        };
        stands_alone(&self.bare)?;
        let gone = self.drop_registrations();
        let worktrees = self.worktrees(&gone)?;
        self.delete_branches(&gone, worktrees)?;
        if !self.evict(&gone)? {
            self.effects.maintain(self);
        }
        Ok(())
    }
}
