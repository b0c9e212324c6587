//! What `--force` makes of unsaved work.

use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, Utc};

use super::report::{CleanupReport, Kept};
use crate::environment::locked::LockedEnv;
use crate::environment::own_refs::ref_key;
use crate::environment::path::quoted;
use crate::git::{Fate, Git, Unsaved, UnsavedKind};
use crate::layout::names;
use crate::sidecar::Manifest;

/// The index of a snapshot, below the env root, and git's lock of it.
const SNAPSHOT_INDEX: &str = names::SNAPSHOT_INDEX;
const SNAPSHOT_INDEX_LOCK: &str = names::SNAPSHOT_INDEX_LOCK;

/// Writes work whose repository lies elsewhere into that repository, as refs of ours that the report names, and
/// gives back their names, and what could not be written. With `--force` nothing else stops the removal: work whose repository
/// goes, too, has to go to the trash.
pub(super) fn save_by_force(
    found: &LockedEnv,
    unsaved: Vec<Unsaved>,
    git: &Git,
    now: DateTime<Utc>,
    report: &mut CleanupReport,
) -> Forced {
    let work_tree = found.env.tree.plain_subtree(Path::new(names::WORK_DIR)).ok();
    let ours = Manifest::load(&found.env.tree).ok().flatten().unwrap_or_default().ours(work_tree.as_ref());
    let name = format!("{}/snapshot-{}", ref_key(&found.env.key()), now.timestamp());
    let (mut names, mut failed) = (Vec::new(), Vec::new());
    let mut only_here = Vec::new();
    let way = format!("`execenv trash restore {}`", quoted(&found.env.path));
    let here = |unsaved: &Unsaved| {
        let path = unsaved.path.display();
        format!(
            "{path}: {}: no other repository has it, so it goes to the trash; {way} restores it",
            unsaved.what
        )
    };
    let mut unsaved = unsaved.into_iter().peekable();
    let recorded = found.meta.as_ref().and_then(|meta| meta.own.as_ref()?.git_identity.as_ref());
    let by = unsaved.peek().map(|_| git.committer(recorded)).unwrap_or_default();
    for unsaved in unsaved {
        // Git must not write to a file that the agent put there, and must start with an empty index.
        let forget = || {
            [SNAPSHOT_INDEX, SNAPSHOT_INDEX_LOCK]
                .iter()
                .try_for_each(|name| found.env.tree.remove_all(Path::new(name)))
        };
        let index = found.env.path.join(SNAPSHOT_INDEX);
        let save = || match unsaved.fate {
            Fate::Goes => git.save_submodule((&unsaved.path, &found.env.path), &name, &index, &ours, &by),
            Fate::Stays => git.snapshot(&unsaved.path, &name, &index, &ours, &by).map(Some),
            Fate::OutOfReach => {
                anyhow::bail!("its repository cannot be asked, or does not know this worktree")
            }
        };
        let saved = forget()
            .context("make room for an index")
            .and_then(|()| found.refuse_moved())
            .and_then(|()| save());
        if let Err(error) = forget() {
            log::warn!("remove {}: {error}", index.display());
        }
        match saved {
            Ok(None) => only_here.push(here(&unsaved)),
            // Nothing is known of it.
            Err(error) if unsaved.fate == Fate::Goes && unsaved.kind == UnsavedKind::Unknown => {
                log::debug!("{error:#}");
                only_here.push(here(&unsaved));
            }
            Ok(Some(name)) => {
                let why = format!("{}, saved in its repository as {name}", unsaved.what);
                report.kept.push(Kept { path: unsaved.path, why, unsaved: unsaved.reasons });
                names.push(name);
            }
            Err(error) => {
                let path = unsaved.path.display();
                report.errors.push(format!("{path}: {}, and no snapshot of it: {error:#}", unsaved.what));
                failed.push(unsaved);
            }
        }
    }
    if !failed.is_empty() {
        only_here.clear(); // nothing is removed
    }
    Forced { refs: names, failed, only_here }
}

/// What `--force` made of unsaved work.
pub(super) struct Forced {
    /// The refs that hold it now.
    pub(super) refs: Vec<String>,
    /// What could not be saved.
    pub(super) failed: Vec<Unsaved>,
    /// What only a repository has that goes, too: where it is, in words.
    pub(super) only_here: Vec<String>,
}
