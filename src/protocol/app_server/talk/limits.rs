//! How long each step may take, and what is said when it took longer.

use std::time::Instant;

use super::{Talk, Turn};
use crate::protocol::app_server::clock::Awaited;
use crate::protocol::app_server::failure::Failed;
use crate::protocol::{AgentFailure, FailureReason, GiveUp, Step};

impl Talk {
    /// Takes the time.
    pub(in crate::protocol::app_server) fn tick(&mut self, now: Instant, step: &mut Step) {
        let awaited = self.awaited();
        let Some(limit) = self.clock.look(now, awaited) else { return };
        let error = match awaited {
            Awaited::Nothing => return,
            Awaited::End => return self.turn_ended(step),
            Awaited::Answer(request) => {
                let error = format!("Codex did not answer {request} within {limit:?}");
                step.give_up = Some(GiveUp { reason: FailureReason::AgentTimeout, error });
                return;
            }
            Awaited::FirstSign => {
                format!("codex app-server no progress timeout: its turn gave no sign for {limit:?}")
            }
            Awaited::Work => {
                format!("codex semantic inactivity timeout: no message and no tool for {limit:?}")
            }
        };
        // A model that cannot be reached says nothing about the session.
        let given_up = match self.retried.take() {
            None => GiveUp { reason: FailureReason::CodexInactivity, error },
            Some(Failed { failure: AgentFailure { error, reason, .. }, .. }) => GiveUp {
                reason: reason.unwrap_or(FailureReason::Network),
                error: format!("Codex reached no model for {limit:?}: {error}"),
            },
        };
        step.give_up = Some(given_up);
    }

    fn awaited(&self) -> Awaited {
        let answer = self.asked.iter().find_map(|(_, asked)| asked.awaited());
        match (answer, &self.turn) {
            (_, Turn::Over) => Awaited::Nothing,
            (Some(request), _) => Awaited::Answer(request),
            (None, Turn::Running(_)) if self.is_idle => Awaited::End,
            (None, Turn::Running(_)) if self.has_open_tool() => Awaited::Nothing,
            (None, Turn::Running(_)) if !self.has_sign => Awaited::FirstSign,
            (None, Turn::Running(_)) => Awaited::Work,
            (None, Turn::Before | Turn::Asked | Turn::Ended) => Awaited::Nothing,
        }
    }
}
