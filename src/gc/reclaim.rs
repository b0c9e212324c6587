//! Carries out the decision on one environment, after looking again under its lock.

use anyhow::Result;

use super::decide::{Action, decide};
use super::effects::Effects;
use super::facts::Facts;
use super::hold::{HeldEnv, NotHeld};
use super::judged::Judged;
use super::request::GcRequest;
use crate::environment::{Outcome, retained_for, unsaved_work};
use crate::server::Parent;

/// Decides on an environment and carries that out.
pub(super) fn deal_with(
    request: &GcRequest<'_>,
    effects: &dyn Effects,
    facts: Facts,
    parent: Parent,
) -> Judged {
    let decision = decide(&facts, &parent, &request.policy, request.now);
    let mut judged = Judged::new(facts, parent, decision);
    let done = match judged.decision.action {
        Action::Skip => return judged,
        Action::Clean | Action::Orphan => reclaim(request, effects, &mut judged),
        Action::Artifacts | Action::Managed => remove_artifacts(request, effects, &mut judged),
    };
    judged.note(done);
    judged
}

impl Judged {
    /// Notes how a removal ended.
    pub(super) fn note(&mut self, done: Result<()>) {
        if let Err(error) = done {
            self.outcome = Some(Outcome::Failed);
            self.error = Some(format!("{error:#}"));
        }
    }

    /// Whether the facts that were read under the lock lead to the same decision.
    fn is_still_due(&self, again: &Facts, request: &GcRequest<'_>) -> bool {
        // What was not read again.
        let Facts { has_cache, meta_written, .. } = self.facts;
        let again = Facts { has_cache, meta_written, ..again.clone() };
        decide(&again, &self.parent, &request.policy, request.now) == self.decision
    }
}

/// Removes one environment.
fn reclaim(request: &GcRequest<'_>, effects: &dyn Effects, judged: &mut Judged) -> Result<()> {
    let held = match effects.hold(&judged.facts.root_dir, Some(&judged.facts))? {
        Ok(held) if judged.is_still_due(&held.facts, request) => held,
        Ok(_) => return leave(judged, NotHeld::Raced),
        Err(why) => return leave(judged, why),
    };
    take(request, effects, judged, &held, request.trash_ttl.is_zero())
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
    held: &HeldEnv,
    for_good: bool,
) -> Result<()> {
    let bytes = effects.env_bytes(&held.found.env.path);
    // Last of all, right before it is removed: its time in the trash is short.
    let unsaved = unsaved_work(&held.found, true, request.git);
    if let Some(first) = unsaved.first() {
        judged.outcome = retained_for(&unsaved);
        judged.error = Some(format!("{}: {}", first.path.display(), first.what));
        return Ok(());
    }
    effects.remove_env(held, bytes, for_good)?;
    judged.bytes = bytes;
    judged.outcome = Some(if for_good { Outcome::Removed } else { Outcome::Trashed });
    Ok(())
}

/// Removes what can be built again.
fn remove_artifacts(request: &GcRequest<'_>, effects: &dyn Effects, judged: &mut Judged) -> Result<()> {
    let still_due = |again: &Facts| judged.is_still_due(again, request);
    let removed = match effects.remove_artifacts(&judged.facts, judged.decision.action, &still_due)? {
        Ok(removed) => removed,
        Err(why) => return leave(judged, why),
    };
    judged.bytes = removed.bytes;
    if let Some((path, why)) = removed.failed.first() {
        judged.error = Some(format!("{}: {why}", path.display()));
        judged.outcome = Some(Outcome::Failed);
    }
    judged.artifacts = Some(removed);
    if judged.outcome.is_none() && !judged.has_artifacts() {
        judged.call_it_swept(request);
    }
    Ok(())
}
