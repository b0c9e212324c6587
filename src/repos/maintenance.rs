//! `git gc`: minutes of work that hold a repository's lock. It runs only after something was deleted, and while no
//! environment is in use; until then a marker file remembers it.

use std::path::Path;

use anyhow::{Context, Result};

use super::cache::Cache;
use super::git_locks::without_new_locks;
use crate::environment::{EnvLock, Held};
use crate::layout::names;
use crate::sys::tree::FileKind;

/// The marker file, by multica's name.
const PENDING: &str = ".multica-maintenance-pending";
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
        let expired = without_new_locks(&self.bare, || self.git.expire_reflogs(&self.bare));
        let collect = || self.git.collect_garbage(&self.bare, self.policy.limits.heavy);
        let collected = without_new_locks(&self.bare, collect);
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
