//! What `doctor` finds out and repairs of runs and of work in repositories.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::document::{DeadRunReport, SavedWork};
use crate::environment::health::Above;
use crate::environment::{FoundEnv, LockedEnv, Trust};
use crate::git::Git;
use crate::output::counted;
use crate::run::{DeadRun, recover, way_on};
use crate::supervise;
use crate::work::{is_half_switched, take_switch_back};

/// The most processes that are named.
const MOST_NAMED: usize = 5;

/// What is needed for that, and what was found of runs that died.
pub(super) struct Repairs<'a> {
    pub(super) git: &'a Git,
    pub(super) trust: Trust<'a>,
    pub(super) now: DateTime<Utc>,
    pub(super) dead_runs: HashMap<PathBuf, DeadRun>,
}

impl Above for Repairs<'_> {
    fn is_half_switched(&self, found: &FoundEnv) -> bool {
        is_half_switched(found, self.trust)
    }

    fn take_switch_back(&self, found: &LockedEnv) -> Result<()> {
        take_switch_back(found, self.git, self.trust)
    }

    fn recover_run(&mut self, found: &LockedEnv) -> Result<()> {
        let dead = recover(found, self.git, self.trust, self.now)?;
        self.dead_runs.extend(dead.map(|dead| (found.env.path.clone(), dead)));
        Ok(())
    }
}

impl Repairs<'_> {
    /// What is known of a run that died, in words, and as JSON: what was found of it if it was recovered, what may be left of it
    /// without its marks, because an agent can drop them, and what to do next.
    pub(super) fn of_dead_run(&self, env_root: &Path) -> (String, Option<DeadRunReport>) {
        let dead = self.dead_runs.get(env_root);
        let mut text = dead.map(|dead| format!("; {}", dead.words())).unwrap_or_default();
        let found = FoundEnv::open(env_root).ok();
        let work_dir = found.as_ref().map(FoundEnv::work_dir_path);
        text.push_str(&at_work(&[Some(env_root), work_dir.as_deref()]));
        let Some(found) = found else { return (text, None) };
        let (recoverable, next) = way_on(&found, self.trust);
        let saved = dead.and_then(|dead| dead.left.saved.clone());
        let report = DeadRunReport {
            recoverable: recoverable.word(),
            next,
            status: dead.map(|dead| dead.status.word()),
            killed: dead.map(|dead| dead.killed),
            checkpoint: saved.map(|(n, commit)| SavedWork { n, commit }),
            operations: dead.map(|dead| dead.left.operations.clone()),
            notes: dead.map(|dead| dead.left.notes.clone()),
        };
        (text, Some(report))
    }
}

/// Names the processes that work in these folders.
fn at_work(folders: &[Option<&Path>]) -> String {
    let folders: Vec<&Path> = folders.iter().copied().flatten().collect();
    let left = supervise::working_in(&folders);
    let names: Vec<String> =
        left.iter().take(MOST_NAMED).map(|(pid, name)| format!("{pid} ({name})")).collect();
    let mut text = String::new();
    match left.len() {
        0 => {}
        count => text.push_str(&format!(
            "; {} at work in its folders, perhaps of that run: {}{}",
            counted(count as u64, "process is", "processes are"),
            names.join(", "),
            if count > MOST_NAMED { ", …" } else { "" }
        )),
    }
    text.push_str(
        "; one of its processes that works elsewhere and has dropped its variables cannot be found",
    );
    text
}
