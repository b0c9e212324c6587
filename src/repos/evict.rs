//! Removal of repositories that have not been used for long. They can be cloned again.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result};

use super::cache::{Cache, quoted};
use super::layout::{CLONING, last_use};
use super::lock::repo_lock;
use super::policy::RepoReport;
use super::registration::WORKTREES;
use crate::sys::lock::FileLock;
use crate::sys::tree::{FileKind, Tree};
use crate::sys::walk::measure;

/// Begins the name of a repository that is being removed. No checkout uses it, and the next cycle finishes the removal.
const EVICTED: &str = ".evicted-";

/// Finishes removals that an earlier cycle began in the folder of a workspace, and removes what killed clones have left.
pub(super) fn finish(tree: &Tree, folder: &Path, report: &mut RepoReport) {
    let Ok(opened) = tree.plain_subtree(folder) else { return };
    for left in left(tree, folder, &opened) {
        remove(&opened, &left.name, report);
    }
}

/// A removal that was begun, or what a killed clone has left.
pub(super) struct Unfinished {
    /// Its name in the folder of the workspace.
    pub(super) name: PathBuf,
    /// Of a clone: the lock of the repository that it was going to be.
    lock: Option<FileLock>,
}

impl Unfinished {
    /// Whether it was to become a repository.
    pub(super) fn is_clone(&self) -> bool {
        self.lock.is_some()
    }
}

/// What killed commands have left in the open folder of a workspace, one at a time.
pub(super) fn left<'a>(
    tree: &'a Tree,
    folder: &'a Path,
    opened: &'a Tree,
) -> impl Iterator<Item = Unfinished> + 'a {
    opened.names(Path::new("")).unwrap_or_default().into_iter().filter_map(move |name| {
        let text = name.to_string_lossy();
        let lock = match text.strip_prefix(CLONING) {
            None if text.starts_with(EVICTED) => None,
            None => return None,
            Some(repository) => {
                let lock = repo_lock(tree, &folder.join(repository), Duration::ZERO, &AtomicBool::new(false));
                Some(lock.ok()??)
            }
        };
        let name = PathBuf::from(&name);
        matches!(opened.kind(&name), Ok(Some(FileKind::Dir))).then_some(Unfinished { name, lock })
    })
}

fn remove(workspace: &Tree, name: &Path, report: &mut RepoReport) -> bool {
    let path = workspace.path().join(name);
    let bytes = measure(&path).bytes;
    match workspace.remove_all(name).with_context(|| format!("remove {}", path.display())) {
        Ok(()) => {
            report.bytes_reclaimed += bytes;
            true
        }
        Err(error) => {
            report.fail(&error);
            false
        }
    }
}

impl Cache<'_> {
    /// Removes the repository if it is unused for long enough and holds nothing of its own; `true`: it is gone.
    pub(super) fn evict(&mut self, gone: &[PathBuf]) -> Result<bool> {
        if !self.is_due(gone)? {
            return Ok(false);
        }
        if self.git.has_unpushed()? {
            let path = self.path();
            self.note(format!(
                "kept {path}, unused for long: it holds commits or tags that are on no branch of a remote; list them: \
                  `git -C {} log --all --not --remotes`",
                quoted(&path)
            ));
            return Ok(false);
        }
        let bytes = measure(self.bare.path()).bytes;
        let effects = self.effects;
        effects.evict(self, gone, bytes)
    }

    /// Removes the repository, if it is still unused; `true`: it is out of the way.
    pub(super) fn remove(&mut self, gone: &[PathBuf]) -> Result<bool> {
        // Measuring takes time, in which a checkout may have come without a lock of ours.
        if !self.is_due(gone)? || self.git.has_unpushed()? {
            return Ok(false);
        }
        let parent = self.relative.parent().unwrap_or(Path::new(""));
        let name = Path::new(self.relative.file_name().unwrap_or(OsStr::new("")));
        let workspace =
            self.tree.plain_subtree(parent).context("open the folder of a workspace's repositories")?;
        let token = &uuid::Uuid::new_v4().simple().to_string()[..12];
        let doomed = PathBuf::from(format!("{EVICTED}{token}"));
        let moving = || format!("move {} out of the way", self.path());
        workspace.move_to(name, &workspace, &doomed).with_context(moving)?;
        // No checkout can begin now. If one began at the last moment, the repository is moved back.
        if workspace.names(&doomed.join(WORKTREES)).is_ok_and(|names| !names.is_empty()) {
            workspace.move_to(&doomed, &workspace, name).with_context(moving)?;
            return Ok(false);
        }
        let removed = remove(&workspace, &doomed, self.report);
        self.report.evicted += u64::from(removed);
        Ok(true)
    }

    /// Whether no worktree is left and the last use is long past. A repository whose last use is unknown gets a stamp and
    /// another term: otherwise every cache would be removed when execenv first looks at it.
    pub(super) fn is_due(&self, gone: &[PathBuf]) -> Result<bool> {
        let Some(ttl) = self.policy.repo_ttl.filter(|ttl| !ttl.is_zero()) else { return Ok(false) };
        let Some(used) = last_use(&self.bare) else {
            self.effects.stamp_use(self)?;
            return Ok(false);
        };
        // A clock that was set back only delays it.
        let is_old = (self.policy.now - used).to_std().is_ok_and(|age| age > ttl);
        // The first is the repository itself.
        Ok(is_old && self.worktrees(gone)?.len() == 1)
    }
}
