//! Upkeep of the repository cache, once a cycle: registrations of worktrees that are gone, branches of agents that
//! nobody needs, repositories that nobody has used for long.
//!
//! Nothing is deleted that is not somewhere else too. A branch goes when another ref that stays holds its commit and
//! no worktree stands on it, and only if it still points there; a repository goes when a remote has all that it holds.
//! Everything happens under the repository's lock, and no call to git takes longer than its limit: what fails is
//! reported, and the cycle goes on.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::bare::BareRepo;
use super::evict;
use super::lock::repo_lock;
use crate::environment::WorkspacesRoot;
use crate::git::Git;
use crate::layout::names;
use crate::sys::tree::{Kind, Tree};

/// What upkeep is to do.
#[derive(Clone, Debug)]
pub struct RepoPolicy {
    /// How long a repository stays that nobody checks out from. `None`, or zero: for ever.
    pub repo_ttl: Option<Duration>,
    /// Whether `git gc` may run, which takes minutes.
    pub maintenance: bool,
    /// Ask and report, change nothing.
    pub dry_run: bool,
    /// The present time.
    pub now: DateTime<Utc>,
    /// How long single steps may take.
    pub limits: Limits,
}

/// How long the steps of upkeep may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A call to git.
    pub call: Duration,
    /// `git gc`.
    pub heavy: Duration,
    /// Waiting for the lock of a repository.
    pub lock: Duration,
}

impl Default for Limits {
    /// Upstream's (`gc-and-git.md` 1.10).
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Limits { call: seconds(30), heavy: seconds(600), lock: seconds(10) }
    }
}

/// What came of it; in a dry run, what would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepoReport {
    /// Repositories that lost registrations of worktrees that are gone.
    pub pruned: u64,
    /// Branches of agents that went.
    pub branches_deleted: u64,
    /// Branches that no worktree stands on and that stay, because they hold commits that are nowhere else.
    pub branches_kept: u64,
    /// Repositories that went.
    pub evicted: u64,
    /// Bytes of these.
    pub bytes_reclaimed: u64,
    /// Steps that failed; each has a note.
    pub failed: u64,
    /// For a person: what was kept and how to let it go, what failed.
    pub notes: Vec<String>,
}

impl RepoReport {
    pub(super) fn fail(&mut self, error: &anyhow::Error) {
        self.failed += 1;
        self.notes.push(format!("{error:#}"));
    }
}

/// Looks after every repository of the cache. The caller holds the collector's lock, unless this is a dry run.
pub fn upkeep(
    root: &WorkspacesRoot,
    tree: &Tree,
    git: &Git,
    policy: &RepoPolicy,
    stop: &AtomicBool,
) -> RepoReport {
    let mut report = RepoReport::default();
    for workspace in plain_folders(tree, Path::new(names::REPOS), &mut report) {
        let folder = Path::new(names::REPOS).join(workspace);
        if !policy.dry_run {
            evict::finish(tree, &folder, &mut report);
        }
        for name in plain_folders(tree, &folder, &mut report) {
            if stop.load(Ordering::Relaxed) {
                return report;
            }
            let relative = folder.join(name);
            let Some(bare) = open_bare(tree, &relative) else { continue };
            let path = bare.path().to_owned();
            let git = BareRepo::new(git, &path, policy.limits.call, stop);
            let mut cache = Cache { root, tree, relative, bare, git, policy, stop, report: &mut report };
            match cache.look_after() {
                Err(_) if stop.load(Ordering::Relaxed) => return report,
                done => done.unwrap_or_else(|error| report.fail(&error)),
            }
        }
        if !policy.dry_run {
            let _ = tree.remove_dir(&folder); // only an empty one goes
        }
    }
    report
}

/// Folders in a folder, sorted; no links, nothing whose name begins with a dot.
fn plain_folders(tree: &Tree, folder: &Path, report: &mut RepoReport) -> Vec<OsString> {
    let listed = tree.plain_subtree(folder).and_then(|opened| Ok((opened.names(Path::new(""))?, opened)));
    let (mut names, opened) = match listed {
        Ok(listed) => listed,
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                report.notes.push(format!("left alone {}: {error}", tree.path().join(folder).display()));
            }
            return Vec::new();
        }
    };
    names.retain(|name| {
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        !is_hidden && matches!(opened.kind(Path::new(name)), Ok(Some(Kind::Dir)))
    });
    names.sort_unstable();
    names
}

/// Opens what looks like a bare repository, and like one that stands by itself.
fn open_bare(tree: &Tree, relative: &Path) -> Option<Tree> {
    let bare = tree.plain_subtree(relative).ok()?;
    let kind = |name: &str| bare.kind(Path::new(name)).ok().flatten();
    let is_bare = matches!(kind("HEAD"), Some(Kind::File { .. })) && kind("objects") == Some(Kind::Dir);
    // With a `commondir` git would work on another repository.
    let stands_alone = matches!(bare.kind(Path::new("commondir")), Ok(None));
    (is_bare && stands_alone).then_some(bare)
}

/// A word as a shell takes it. An agent names its branches.
pub(super) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// One repository of the cache.
pub(super) struct Cache<'a> {
    pub(super) root: &'a WorkspacesRoot,
    pub(super) tree: &'a Tree,
    /// Its place below the root.
    pub(super) relative: PathBuf,
    pub(super) bare: Tree,
    pub(super) git: BareRepo<'a>,
    pub(super) policy: &'a RepoPolicy,
    pub(super) stop: &'a AtomicBool,
    pub(super) report: &'a mut RepoReport,
}

impl Cache<'_> {
    fn look_after(&mut self) -> Result<()> {
        let lock = if self.policy.dry_run {
            None
        } else {
            let lock = repo_lock(self.tree, &self.relative, self.policy.limits.lock, self.stop)?;
            if lock.is_none() {
                self.note(format!("{} is in use: left for the next cycle", self.path()));
                return Ok(());
            }
            // Looked at again: whoever held the lock may have changed it.
            let Some(bare) = open_bare(self.tree, &self.relative) else { return Ok(()) };
            self.bare = bare;
            lock
        };
        let gone = self.drop_registrations();
        let worktrees = self.worktrees(&gone)?;
        if self.delete_branches(&gone, worktrees)? > 0 && !self.policy.dry_run {
            self.request_maintenance();
        }
        if !self.evict(&gone)? {
            self.maintain();
        }
        drop(lock);
        Ok(())
    }

    pub(super) fn path(&self) -> String {
        self.bare.path().display().to_string()
    }

    pub(super) fn note(&mut self, note: String) {
        self.report.notes.push(note);
    }
}
