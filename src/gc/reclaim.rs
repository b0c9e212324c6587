//! Carries out the decision on one environment, after looking again under its lock.

use anyhow::Result;

use super::artifacts;
use super::decide::{Action, Reason, decide};
use super::effects::Effects;
use super::facts::{GcFacts, LockState};
use super::hold::{HeldEnv, NotHeld, open_root};
use super::judged::Judged;
use super::request::GcRequest;
use crate::environment::{CleanupOutcome, cannot_lock, quoted, retained_for, unsaved_work};
use crate::failure::Failure;
use crate::server::Parent;
use crate::sys::tree::Tree;

/// Decides on an environment and carries that out.
pub(super) fn decide_and_apply(
    request: &GcRequest<'_>,
    effects: &dyn Effects,
    root: &Tree,
    facts: GcFacts,
    parent: Parent,
) -> Judged {
    let mut judged = Judged::of(facts, parent, request);
    if judged.decision.action == Action::Skip && judged.facts.may_have_cache(request) {
        judged.facts.look_at_cache(root);
        judged.decide(request);
    }
    let done = match judged.decision.action {
        Action::Skip => {
            judged.name_what_cannot_be_locked();
            return judged;
        }
        Action::Clean | Action::Orphan => reclaim(request, effects, root, &mut judged),
        Action::Artifacts | Action::Managed => remove_artifacts(request, effects, root, &mut judged),
    };
    judged.note(done);
    judged.name_what_cannot_be_locked();
    judged
}

impl Judged {
    /// Warns of an environment that stays because no process can lock it: no later cycle removes it either.
    fn name_what_cannot_be_locked(&self) {
        if self.decision.reason == Reason::LockUnknown
            && let Some((why, hint)) = cannot_lock(&self.facts.root_dir)
        {
            log::warn!("{} stays, as it cannot be locked ({why}): {hint}", self.facts.root_dir.display());
        }
    }

    /// Notes how a removal ended.
    pub(super) fn note(&mut self, done: Result<()>) {
        if let Err(error) = done {
            self.outcome = Some(CleanupOutcome::Failed);
            self.error = Some(format!("{error:#}"));
            self.hint = Failure::hint_of(&error);
        }
    }

    /// Looks at the lock, now that something would be removed, and decides again; `true`: it stays.
    fn is_in_use(&mut self, request: &GcRequest<'_>, root: &Tree) -> bool {
        if self.facts.lock == LockState::NotAsked {
            self.facts.look_at_lock(root);
            self.decide(request);
        }
        self.decision.action == Action::Skip
    }

    /// Whether the facts that were read under the lock lead to the same decision.
    fn is_still_due(&self, again: &GcFacts, request: &GcRequest<'_>) -> bool {
        // What was not read again.
        let GcFacts { has_cache, meta_written, .. } = self.facts;
        let again = GcFacts { has_cache, meta_written, ..again.clone() };
        decide(&again, &self.parent, &request.policy, request.now) == self.decision
    }
}

/// Removes one environment.
fn reclaim(request: &GcRequest<'_>, effects: &dyn Effects, root: &Tree, judged: &mut Judged) -> Result<()> {
    if judged.is_in_use(request, root) {
        return Ok(());
    }
    let held = match effects.hold(&judged.facts.root_dir, Some(&judged.facts))? {
        Ok(held) if judged.is_still_due(&held.facts, request) => held,
        Ok(_) => return leave(judged, NotHeld::Raced),
        Err(why) => return leave(judged, why),
    };
    take(request, effects, judged, held, request.trash_ttl.is_zero())
}

fn leave(judged: &mut Judged, why: NotHeld) -> Result<()> {
    judged.outcome = Some(why.into());
    Ok(())
}

/// Removes a held environment, unless it holds unsaved work. `for_good`: not into the trash.
pub(super) fn take(
    request: &GcRequest<'_>,
    effects: &dyn Effects,
    judged: &mut Judged,
    held: HeldEnv,
    for_good: bool,
) -> Result<()> {
    let bytes = effects.env_bytes(&held.found().env.path);
    // Last of all, right before it is removed: its time in the trash is short.
    let unsaved = unsaved_work(held.found(), true, request.git);
    if let Some(first) = unsaved.first() {
        judged.outcome = retained_for(&unsaved);
        judged.error = Some(format!("{}: {}", first.path.display(), first.what));
        judged.unsaved = unsaved;
        return Ok(());
    }
    if let Some(who) = request.occupants.of(&held.found().env.path) {
        judged.outcome = Some(CleanupOutcome::RetainedLive);
        judged.error = Some(who);
        judged.hint =
            Some(format!("end it, then `execenv cleanup --all {}`", quoted(&judged.facts.root_dir)));
        return Ok(());
    }
    judged.teardown = effects.remove_env(held, bytes, for_good)?;
    if judged.teardown.is_stopped() {
        judged.error = Some("stopped during its teardown, which begins again in the next cycle".to_owned());
        judged.outcome = Some(CleanupOutcome::RetainedLive);
        return Ok(());
    }
    judged.bytes = bytes;
    judged.outcome = Some(if for_good { CleanupOutcome::Removed } else { CleanupOutcome::Trashed });
    Ok(())
}

/// Removes what can be built again.
fn remove_artifacts(
    request: &GcRequest<'_>,
    effects: &dyn Effects,
    root: &Tree,
    judged: &mut Judged,
) -> Result<()> {
    let action = judged.decision.action;
    // Most environments hold nothing of it: their locks need not be looked at.
    let Some(env) = open_root(&judged.facts.root_dir)? else { return leave(judged, NotHeld::Raced) };
    let found = artifacts::find(&env.tree, request.patterns(action), true, request.git);
    let done = if found.count == 0 {
        let still_due = |again: &GcFacts| judged.is_still_due(again, request);
        effects.note_no_artifacts(&judged.facts, action, &still_due)?;
        found
    } else {
        if judged.is_in_use(request, root) {
            return Ok(());
        }
        if request.occupants.of(&judged.facts.root_dir).is_some() {
            return leave(judged, NotHeld::Live);
        }
        let still_due = |again: &GcFacts| judged.is_still_due(again, request);
        match effects.remove_artifacts(&judged.facts, action, found, &still_due)? {
            Ok(removed) => removed,
            Err(why) => return leave(judged, why),
        }
    };
    for (path, why) in &done.kept {
        log::info!("kept {}: {why}", path.display());
    }
    judged.bytes = done.bytes;
    if let Some((path, why)) = done.failed.first() {
        judged.error = Some(format!("{}: {why}", path.display()));
        judged.outcome = Some(CleanupOutcome::Failed);
    }
    judged.artifacts = Some(done);
    if judged.outcome.is_none() && !judged.has_artifacts() {
        judged.mark_swept(request);
    }
    Ok(())
}
