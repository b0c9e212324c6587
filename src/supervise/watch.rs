//! What a run looks after while its agent works, besides the agent.

use std::time::{Duration, Instant};

use crate::protocol::Event;

/// How often it is looked.
pub(super) const EVERY: Duration = Duration::from_millis(500);

/// Looks after the surroundings of an agent.
pub trait Watch {
    /// Called about twice a second while the agent is neither paused nor ending; events go to `tell`. `Some`: why the agent
    /// cannot go on.
    fn look(&mut self, now: Instant, tell: &mut dyn FnMut(Event<'_>)) -> Option<WorkDirGone>;
}

/// The folder in which the agent works is gone: what is in its place would not be its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkDirGone {
    /// One sentence.
    pub error: String,
}
