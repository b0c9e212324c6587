//! Finding and repairing environments whose last step was interrupted.

use std::path::{Path, PathBuf};

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::homes;
use super::lock::{EnvLock, Held};
use super::lookup::FoundEnv;
use super::record::{self, Durability, EnvStatus, LastResult, Meta};
use super::recover::recover;
use super::root::WorkspacesRoot;
use crate::layout::names;
use crate::sidecar::{Manifest, sweep_state_temporaries};
use crate::sys::tree::Tree;

/// What is wrong with one environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// Sidecars were announced in the manifest, but not all of them were written.
    UnfinishedSidecars,
    /// A change of the provider's homes was interrupted.
    UnfinishedHomes,
    /// Its run died without recording how it ended.
    CrashedRun,
    /// Its record or manifest cannot be read.
    Unreadable,
}

impl Complaint {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Complaint::UnfinishedSidecars => "unfinished_sidecars",
            Complaint::UnfinishedHomes => "unfinished_homes",
            Complaint::CrashedRun => "crashed_run",
            Complaint::Unreadable => "unreadable",
        }
    }
}

/// A problem of one environment.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The env root.
    pub path: PathBuf,
    /// The kind of problem.
    pub complaint: Complaint,
    /// Whether it has been repaired.
    pub fixed: bool,
    /// Why it could not be repaired, or details of what was found.
    pub note: String,
    /// The id of the run that died: processes with this id are left over from it.
    pub run_id: Option<String>,
}

/// Examines every environment that no process holds; with `fix`, repairs what can be repaired.
///
/// # Errors
/// When the root cannot be listed.
pub fn examine(root: &WorkspacesRoot, tree: &Tree, fix: bool, now: DateTime<Utc>) -> Result<Vec<Problem>> {
    let mut found = Vec::new();
    for workspace in root.workspaces(tree)? {
        let folder = Path::new(&workspace);
        for key in root.keys(tree, &workspace).unwrap_or_default() {
            found.extend(examine_one(&root.path().join(folder).join(key), fix, now));
        }
    }
    Ok(found)
}

fn examine_one(path: &Path, fix: bool, now: DateTime<Utc>) -> Vec<Problem> {
    let ailing = |complaint, note: String| Problem {
        path: path.to_owned(),
        complaint,
        fixed: false,
        note,
        run_id: None,
    };
    let mut found = match FoundEnv::open(path) {
        Ok(found) => found,
        Err(error) => return vec![ailing(Complaint::Unreadable, format!("{error:#}"))],
    };
    let lock = match EnvLock::try_hold(&found.env.tree, false) {
        Ok(lock) => Some(lock),
        Err(Held::NoLockFile) => None,
        Err(Held::ByOther | Held::Unknown(_) | Held::Moved) => return Vec::new(),
    };
    if lock.is_some() {
        // Read it again under the lock: no other process can change it now.
        let meta = Meta::load(&found.env.tree).unwrap_or(None);
        found = FoundEnv::new(found.env, meta);
    }
    // Without a record there is nothing to repair: multica writes it when a task ends. gc removes it by its age.
    let Some(meta) = found.meta.clone() else { return Vec::new() };
    if fix && lock.is_some() {
        // The next writer replaces them anyway.
        let _ = sweep_state_temporaries(&found.env.tree);
        let _ = record::sweep_temporary(&found.env.tree);
    }
    let mut complaints = Vec::new();
    match Manifest::load(&found.env.tree) {
        Err(error) => complaints.push(ailing(Complaint::Unreadable, format!("{error:#}"))),
        Ok(Some(manifest)) if !manifest.is_complete() => {
            let mut unfinished = ailing(Complaint::UnfinishedSidecars, "the sidecars are taken back".into());
            if fix {
                match recover(&found) {
                    Ok(_) => unfinished.fixed = true,
                    Err(error) => unfinished.note = format!("{error:#}"),
                }
            }
            complaints.push(unfinished);
        }
        Ok(_) => {}
    }
    if homes::has_leftovers(&found.env.tree) {
        let mut unfinished = ailing(Complaint::UnfinishedHomes, "the change of homes is finished".into());
        if fix {
            match homes::recover(&found.env.tree) {
                Ok(()) => unfinished.fixed = true,
                Err(error) => unfinished.note = format!("{error:#}"),
            }
        }
        complaints.push(unfinished);
    }
    let own = meta.own_or_rebuilt(path);
    if own.status.is_active() {
        let run_id = own.run.as_ref().map(|run| run.id.clone());
        let mut crashed = ailing(Complaint::CrashedRun, "the run is recorded as crashed".into());
        crashed.run_id = run_id;
        if fix {
            if let Some(run) = &own.run {
                super::forget_temporary(&found.env.tree, &run.id, run.temporary.as_deref());
            }
            let changed = Meta::change_own(&found.env.tree, Durability::Synced, |meta, own| {
                own.status = EnvStatus::Crashed;
                own.last_result = Some(LastResult {
                    status: EnvStatus::Crashed.word().into(),
                    exit_code: 125,
                    failure_reason: Some("crashed".into()),
                    file: format!("{}/{}", names::OUTPUT, names::RESULT),
                    ended_at: Some(now),
                    ..LastResult::default()
                });
                meta.completed_at = Some(now);
            });
            match changed {
                Ok(_) => crashed.fixed = true,
                Err(error) => crashed.note = format!("{error:#}"),
            }
        }
        complaints.push(crashed);
    }
    drop(lock);
    complaints
}
