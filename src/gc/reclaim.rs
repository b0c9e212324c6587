//! One environment: what is decided on it is done, after looking again under its lock.

use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use super::artifacts::{self, Found as Artifacts, Patterns};
use super::cycle::GcRequest;
use super::decide::{Action, Decision, Reason, decide};
use super::facts::{Facts, LockState, folder_time, look_at_record};
use crate::environment::{
    EnvLock, EnvRoot, Found, Held, Meta, Outcome, forget_dead_run, retained_for, trash, unsaved_work,
};
use crate::layout::names;
use crate::server::Parent;
use crate::sys::remove::measure;
use crate::sys::tree::Tree;

/// One environment, judged and dealt with.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What the decision rests on.
    pub facts: Facts,
    /// What is known of its parent.
    pub parent: Parent,
    /// The decision.
    pub decision: Decision,
    /// What came of it; `None` for what was left or only looked at.
    pub outcome: Option<Outcome>,
    /// What went wrong, or what keeps it.
    pub error: Option<String>,
    /// What it takes on the disk; measured only where it goes.
    pub bytes: u64,
    /// Whether what goes is not, or would not be, in the trash.
    pub for_good: bool,
    /// What went out of it that can be built again, or would go.
    pub artifacts: Option<Artifacts>,
}

impl Judged {
    pub(super) fn new(facts: Facts, parent: Parent, decision: Decision) -> Judged {
        Judged {
            facts,
            parent,
            decision,
            outcome: None,
            error: None,
            bytes: 0,
            for_good: false,
            artifacts: None,
        }
    }

    /// Whether anything in it can be built again, and went or would go.
    pub fn has_artifacts(&self) -> bool {
        self.artifacts.as_ref().is_some_and(|found| found.count > 0)
    }

    /// Whether a dry run has found nothing that would keep it from going.
    pub(super) fn would_go(&self, request: &GcRequest<'_>) -> bool {
        request.dry_run && self.decision.action.removes() && self.outcome.is_none()
    }

    /// Whether it has been taken.
    pub fn is_gone(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Removed | Outcome::Trashed))
    }
}

/// Why an environment is left although its decision was another.
enum Left {
    Raced,
    Live,
}

/// Decides on an environment and does it, or in a dry run finds out what would be done.
pub(super) fn deal_with(request: &GcRequest<'_>, tree: &Tree, facts: Facts, parent: Parent) -> Judged {
    let decision = decide(&facts, &parent, &request.policy, request.now);
    carry_out(request, tree, Judged::new(facts, parent, decision), request.trash_ttl.is_zero())
}

/// Does what is decided. `for_good`: what goes does not go to the trash.
pub(super) fn carry_out(request: &GcRequest<'_>, tree: &Tree, mut judged: Judged, for_good: bool) -> Judged {
    judged.for_good = for_good;
    let done = match judged.decision.action {
        Action::Skip => return judged,
        Action::Clean | Action::Orphan => {
            judged.bytes = measure(&judged.facts.root_dir).bytes;
            if request.dry_run {
                judged.keep_unsaved(request);
                return judged;
            }
            reclaim(request, tree, &mut judged, for_good).map(Some)
        }
        action @ (Action::Artifacts | Action::Managed) => {
            let swept = sweep_artifacts(request, tree, &mut judged, action);
            if swept.as_ref().is_ok_and(Option::is_none) && !judged.has_artifacts() {
                judged.call_it_swept(request);
            }
            swept
        }
    };
    match done {
        Ok(outcome) => judged.outcome = outcome,
        Err(error) => {
            judged.outcome = Some(Outcome::Failed);
            judged.error = Some(format!("{error:#}"));
        }
    }
    judged
}

/// Holds an environment, if everything is still as it was when it was decided upon.
fn hold(
    request: &GcRequest<'_>,
    tree: &Tree,
    judged: &Judged,
    by_bound: bool,
) -> Result<std::result::Result<(EnvRoot, EnvLock), Left>> {
    let first = &judged.facts;
    let env = match EnvRoot::open(&first.root_dir) {
        Err(_) if !first.root_dir.exists() => return Ok(Err(Left::Raced)),
        other => other?,
    };
    if first.by_folder && folder_time(&env.path).flatten() != first.last_used {
        return Ok(Err(Left::Raced));
    }
    // Made where there is none: without it a prepare could move in while git is asked. That renews the folder, by
    // whose time we and others judge it.
    let lock_file = Path::new(names::LOCK);
    let folder_age = env.tree.modified().ok().filter(|_| matches!(env.tree.kind(lock_file), Ok(None)));
    let lock = match EnvLock::try_hold(&env.tree, true) {
        Ok(lock) => lock,
        Err(Held::Moved | Held::NoLockFile) => return Ok(Err(Left::Raced)),
        Err(Held::ByOther | Held::Unknown(_)) => return Ok(Err(Left::Live)),
    };
    if let Some(age) = folder_age {
        env.tree.set_modified(age).with_context(|| format!("put back the age of {}", env.path.display()))?;
    }
    let key = Path::new(env.path.file_name().unwrap_or_default()); // which need not be text
    let Some(mut again) = look_at_record(tree, &env.workspace(), key) else { return Ok(Err(Left::Raced)) };
    again.lock = LockState::Free; // it is ours
    again.has_cache = first.has_cache;
    again.meta_written = first.meta_written;
    let is_same = match by_bound {
        true => Facts { lock: first.lock, ..again } == *first,
        false => decide(&again, &judged.parent, &request.policy, request.now) == judged.decision,
    };
    Ok(if is_same { Ok((env, lock)) } else { Err(Left::Raced) })
}

impl From<Left> for Outcome {
    fn from(left: Left) -> Outcome {
        match left {
            Left::Raced => Outcome::Raced,
            Left::Live => Outcome::RetainedLive,
        }
    }
}

/// Removes one environment.
fn reclaim(request: &GcRequest<'_>, tree: &Tree, judged: &mut Judged, for_good: bool) -> Result<Outcome> {
    let (env, _lock) = match hold(request, tree, judged, judged.is_by_bound())? {
        Ok(held) => held,
        Err(left) => return Ok(left.into()),
    };
    // Last of all, right before it would go.
    if judged.keep_unsaved(request) {
        return Ok(judged.outcome.unwrap_or(Outcome::Failed));
    }
    if let Ok(Some(meta)) = Meta::load(&env.tree) {
        forget_dead_run(&meta);
    }
    if for_good {
        trash::delete_env(tree, &env, false, request.now)?;
        Ok(Outcome::Removed)
    } else {
        trash::put_aside(tree, &env, false, request.now)?;
        Ok(Outcome::Trashed)
    }
}

/// Takes out what can be built again, and notes in the record that it was done: the next cycle need not look for it.
fn sweep_artifacts(
    request: &GcRequest<'_>,
    tree: &Tree,
    judged: &mut Judged,
    action: Action,
) -> Result<Option<Outcome>> {
    let none = Patterns::default();
    let patterns = if action == Action::Artifacts { &request.patterns } else { &none };
    if request.dry_run {
        let env = EnvRoot::open(&judged.facts.root_dir)?;
        judged.artifacts = Some(artifacts::find(&env.tree, patterns, true, request.git));
        judged.bytes = judged.artifacts.as_ref().map_or(0, |found| found.bytes);
        return Ok(None);
    }
    let (env, _lock) = match hold(request, tree, judged, false)? {
        Ok(held) => held,
        Err(left) => return Ok(Some(left.into())),
    };
    let found = artifacts::remove(&env.tree, patterns, true, request.git);
    judged.bytes = found.bytes;
    for (path, why) in &found.kept {
        log::info!("kept {}: {why}", path.display());
    }
    let failed = found.failed.first().map(|(path, why)| format!("{}: {why}", path.display()));
    judged.artifacts = Some(found);
    if failed.is_some() {
        judged.error = failed;
        return Ok(Some(Outcome::Failed));
    }
    if action == Action::Artifacts
        && let Some(mut meta) = Meta::load(&env.tree)?
        && let Some(own) = meta.own.as_mut()
    {
        own.artifacts_swept_at = Some(request.now);
        // A newer version's record is read, never written: it is swept again next time.
        if let Err(error) = meta.store_unsynced(&env.tree) {
            log::debug!("{error:#}");
        }
    }
    Ok(None)
}

impl Judged {
    /// Whether a bound decided, not the environment's own age.
    fn is_by_bound(&self) -> bool {
        use Reason::{OverMaxCount, OverMaxTotal, ToFree, UnderMinFree};
        matches!(self.decision.reason, OverMaxCount | OverMaxTotal | ToFree | UnderMinFree)
    }

    /// There was nothing to take out of it: what is decided then is told.
    pub(super) fn call_it_swept(&mut self, request: &GcRequest<'_>) {
        self.artifacts = None;
        let swept = Facts { artifacts_swept_at: Some(DateTime::<Utc>::MAX_UTC), ..self.facts.clone() };
        self.decision = decide(&swept, &self.parent, &request.policy, request.now);
    }

    /// Keeps an environment that holds work which is nowhere else: its time in the trash is short. `true`: it stays.
    fn keep_unsaved(&mut self, request: &GcRequest<'_>) -> bool {
        let found = match Found::open_even_damaged(&self.facts.root_dir) {
            Ok(found) => found,
            Err(error) => {
                // What cannot be looked at is not known to be empty.
                self.outcome = Some(Outcome::RetainedUnreadable);
                self.error = Some(format!("{error:#}"));
                self.bytes = 0;
                return true;
            }
        };
        let unsaved = unsaved_work(&found, true, request.git);
        let retained = retained_for(&unsaved);
        if let Some(first) = unsaved.first() {
            self.outcome = retained;
            self.error = Some(format!("{}: {}", first.path.display(), first.what));
            self.bytes = 0;
        }
        retained.is_some()
    }
}
