//! One environment, decided upon and dealt with.

use chrono::{DateTime, Utc};

use super::artifacts::Artifacts;
use super::decide::{Decision, decide};
use super::facts::GcFacts;
use super::request::GcRequest;
use crate::environment::{CleanupOutcome, Teardown};
use crate::git::Unsaved;
use crate::server::Parent;

/// One environment, decided upon and dealt with. In a dry run the outcome is the one that there would be.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What the decision rests on.
    pub facts: GcFacts,
    /// What is known of its parent.
    pub parent: Parent,
    /// The decision.
    pub decision: Decision,
    /// What became of it; `None` where nothing was to be removed, or only build artifacts.
    pub outcome: Option<CleanupOutcome>,
    /// What went wrong, or what keeps it.
    pub error: Option<String>,
    /// What to do about what went wrong, where the error says it.
    pub hint: Option<String>,
    /// The unsaved work that keeps it.
    pub unsaved: Vec<Unsaved>,
    /// What became of its teardown.
    pub teardown: Teardown,
    /// What was removed of it, in bytes.
    pub bytes: u64,
    /// The build artifacts that were removed from it.
    pub artifacts: Option<Artifacts>,
}

impl Judged {
    pub(super) fn new(facts: GcFacts, parent: Parent, decision: Decision) -> Judged {
        Judged {
            facts,
            parent,
            decision,
            outcome: None,
            error: None,
            hint: None,
            unsaved: Vec::new(),
            teardown: Teardown::default(),
            bytes: 0,
            artifacts: None,
        }
    }

    /// Decides on an environment.
    pub(super) fn of(facts: GcFacts, parent: Parent, request: &GcRequest<'_>) -> Judged {
        let decision = decide(&facts, &parent, &request.policy, request.now);
        Judged::new(facts, parent, decision)
    }

    /// Decides again, after more was looked at.
    pub(super) fn decide(&mut self, request: &GcRequest<'_>) {
        self.decision = decide(&self.facts, &self.parent, &request.policy, request.now);
    }

    /// Whether build artifacts were removed from it.
    pub fn has_artifacts(&self) -> bool {
        self.artifacts.as_ref().is_some_and(|found| found.count > 0)
    }

    /// Whether it was removed as a whole.
    pub fn is_gone(&self) -> bool {
        matches!(self.outcome, Some(CleanupOutcome::Removed | CleanupOutcome::Trashed))
    }

    /// There was nothing to remove from it: decides as for an environment whose artifacts are gone.
    pub(super) fn mark_swept(&mut self, request: &GcRequest<'_>) {
        self.artifacts = None;
        let swept = GcFacts { artifacts_swept_at: Some(DateTime::<Utc>::MAX_UTC), ..self.facts.clone() };
        self.decision = decide(&swept, &self.parent, &request.policy, request.now);
    }
}
