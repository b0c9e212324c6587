//! `git gc`: minutes of work that hold a repository's lock. It runs only after something was deleted, and while no
//! environment is in use; until then a marker file remembers it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::cache::Cache;
use crate::environment::{EnvLock, Held};
use crate::git::was_cut_off;
use crate::layout::names;
use crate::sys::tree::{FileKind, Tree};

/// The marker file, by multica's name.
const PENDING: &str = ".multica-maintenance-pending";
/// Where git's lock files lie that a killed maintenance can leave, all levels of them.
const LOCK_FOLDERS: [&str; 4] = ["refs", "logs/refs", "objects/info", "objects/pack"];
/// Those that lie by themselves.
const LOCK_FILES: [&str; 2] = ["gc.pid", "packed-refs.lock"];
/// Deeper than names of refs go.
const MAX_DEPTH: usize = 32;

impl Cache<'_> {
    /// Remembers that maintenance is needed.
    pub(super) fn request_maintenance(&mut self) {
        let marking = || format!("mark {} for maintenance", self.bare.path().display());
        let marked = self.bare.replace_unsynced(Path::new(PENDING), b"", 0o600, names::TEMPORARY);
        if let Err(error) = marked.with_context(marking) {
            self.report.fail(&error);
        }
    }

    /// Runs pending maintenance, if no environment is in use.
    pub(super) fn maintain(&mut self) {
        let is_pending = matches!(self.bare.kind(Path::new(PENDING)), Ok(Some(FileKind::File { .. })));
        if !is_pending || !self.policy.maintenance || self.is_any_in_use() || !self.can_write() {
            return;
        }
        let before = lock_files(&self.bare);
        let expired = self.git.expire_reflogs(&self.bare);
        let collected = self.git.collect_garbage(&self.bare, self.policy.limits.heavy);
        if [&expired, &collected].into_iter().filter_map(|done| done.as_ref().err()).any(was_cut_off) {
            // Only new ones: another process made the others.
            for file in lock_files(&self.bare).difference(&before) {
                let _ = self.bare.remove_file(file);
            }
        }
        let mut done = true;
        for error in [expired, collected].into_iter().filter_map(Result::err) {
            done = false;
            if !self.stop.load(std::sync::atomic::Ordering::Relaxed) {
                self.report.fail(&error);
            }
        }
        if done && let Err(error) = self.bare.remove_file(Path::new(PENDING)) {
            self.report.fail(&anyhow::Error::new(error).context(format!("unmark {}", self.path())));
        }
    }

    /// Whether any environment under the root is held. What cannot be looked at counts as held (decision D7).
    fn is_any_in_use(&self) -> bool {
        let Ok(workspaces) = self.root.workspaces(self.tree) else { return true };
        workspaces.iter().map(Path::new).any(|workspace| {
            let Ok(keys) = self.tree.names(workspace) else { return true };
            keys.iter().any(|key| self.is_held(&workspace.join(key)))
        })
    }

    fn is_held(&self, relative: &Path) -> bool {
        if !matches!(self.tree.kind(relative), Ok(Some(FileKind::Dir))) {
            return false;
        }
        let Ok(env) = self.tree.subtree(relative) else { return true };
        !matches!(EnvLock::try_acquire(&env, false), Ok(_) | Err(Held::NoLockFile))
    }
}

/// The lock files that lie in a repository now.
fn lock_files(bare: &Tree) -> BTreeSet<PathBuf> {
    let mut found: BTreeSet<PathBuf> = LOCK_FILES
        .map(PathBuf::from)
        .into_iter()
        .filter(|file| matches!(bare.kind(file), Ok(Some(FileKind::File { .. }))))
        .collect();
    for folder in LOCK_FOLDERS {
        find_locks(bare, Path::new(folder), MAX_DEPTH, &mut found);
    }
    found
}

fn find_locks(bare: &Tree, folder: &Path, depth: usize, found: &mut BTreeSet<PathBuf>) {
    if depth == 0 || !matches!(bare.kind(folder), Ok(Some(FileKind::Dir))) {
        return;
    }
    for name in bare.names(folder).unwrap_or_default() {
        let path = folder.join(&name);
        match bare.kind(&path) {
            Ok(Some(FileKind::Dir)) => find_locks(bare, &path, depth - 1, found),
            Ok(Some(FileKind::File { .. })) if name.as_encoded_bytes().ends_with(b".lock") => {
                found.insert(path);
            }
            _ => {}
        }
    }
}
