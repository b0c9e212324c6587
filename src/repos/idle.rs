//! Shared repositories that a bound on the root may remove: no checkout uses them, and a remote has all that they hold.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};

use super::bare::BareRepo;
use super::cache::Cache;
use super::effects::DryRun;
use super::layout::{last_use, open_bare, plain_folders};
use super::policy::{RepoPolicy, RepoReport};
use super::shape::stands_alone;
use crate::environment::WorkspacesRoot;
use crate::git::Git;
use crate::layout::names;
use crate::order;
use crate::sys::tree::Tree;
use crate::sys::walk::measure;

/// A shared repository that may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdleRepo {
    /// Its path below the root.
    pub(super) relative: PathBuf,
    /// When it was last used.
    used: DateTime<Utc>,
    /// What it takes, in bytes.
    pub bytes: u64,
}

/// Those that were not used for the `repo_ttl` of this policy, the longest unused first. Changes nothing.
pub fn idle(
    root: &WorkspacesRoot,
    tree: &Tree,
    git: &Git,
    policy: &RepoPolicy,
    stop: &AtomicBool,
) -> Vec<IdleRepo> {
    let mut report = RepoReport::default();
    let mut found = Vec::new();
    for workspace in plain_folders(tree, Path::new(names::REPOS), &mut report) {
        let folder = Path::new(names::REPOS).join(workspace);
        for name in plain_folders(tree, &folder, &mut report) {
            if stop.load(Ordering::Relaxed) {
                return Vec::new();
            }
            let relative = folder.join(name);
            let Some(bare) = open_bare(tree, &relative) else { continue };
            let Some(used) = last_use(&bare) else { continue };
            let path = bare.path().to_owned();
            let bytes = || measure(&path).bytes;
            let git = BareRepo::new(git, &path, policy.limits.call, stop);
            let (effects, mut report) = (&DryRun, RepoReport::default());
            let relative_of = relative.clone();
            let mut cache =
                Cache { root, tree, relative, bare, git, effects, policy, stop, report: &mut report };
            // One that cannot be asked stays.
            let may_go = stands_alone(&cache.bare).is_ok()
                && {
                    let gone = cache.drop_registrations();
                    cache.is_due(&gone).unwrap_or(false)
                }
                && cache.git.has_unpushed().is_ok_and(|has| !has);
            if may_go {
                found.push(IdleRepo { relative: relative_of, used, bytes: bytes() });
            }
        }
    }
    order::sort_by(&mut found, |a, b| (a.used, &a.relative).cmp(&(b.used, &b.relative)));
    found
}
