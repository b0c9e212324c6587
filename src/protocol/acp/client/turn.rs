//! One turn: the prompt, and how its answer is taken.

use std::io;

use serde_json::json;

use super::super::counts;
use super::super::failure;
use super::super::profile::Counting;
use super::super::read::{Any, Prompted, object, text};
use super::{Client, Phase, failed};
use crate::protocol::{AgentFailure, FailureReason, JsonText, Sink, Step};

impl Client {
    /// Sends the next prompt; `false` where there is none.
    pub(super) fn prompt(&mut self, step: &mut Step) -> bool {
        let Some(prompt) = self.prompts.pop_front() else { return false };
        self.told.begin_turn();
        let session = self.addressed();
        let params = json!({ "sessionId": session, "prompt": [{ "type": "text", "text": prompt }] });
        self.open = Some(self.writer.request(&mut step.frames, "session/prompt", &params));
        self.enter(Phase::Prompting);
        true
    }

    /// Takes the answer to a prompt: the next prompt follows, or the end.
    pub(super) fn prompted(
        &mut self,
        result: Any<'_>,
        sink: &mut Sink<'_>,
        step: &mut Step,
    ) -> io::Result<()> {
        let answer: Prompted<'_> = object(result).unwrap_or_default();
        self.told.tools.flush(&mut self.told.transcript, sink)?;
        self.told.transcript.turn_ended();
        match (counts::read(answer.usage), self.profile.counting) {
            (Some(usage), Counting::Process) => {
                self.told.has_usage = true;
                self.told.transcript.set_usage("", usage);
            }
            (Some(usage), Counting::Prompt) => self.told.add("", usage),
            (None, _) => {
                counts::read_meta(answer.meta).iter().for_each(|(model, usage)| self.told.add(model, *usage))
            }
        }
        let reason = text(answer.stop_reason);
        let failure = match &*reason {
            "cancelled" if self.is_cancelled => None,
            "cancelled" => Some(failed("the agent cancelled its turn", None)),
            "refusal" => Some(AgentFailure {
                // Hermes' way to say that it has lost the session.
                is_resume_refused: self.is_resumed && !self.told.is_active,
                ..failed("the agent refused to go on", Some(FailureReason::Unknown))
            }),
            "max_turn_requests" => {
                Some(failed("the agent reached its limit on requests", Some(FailureReason::IterationLimit)))
            }
            "max_tokens" => Some(failed(
                "the model's answer was cut off: it reached its greatest length",
                Some(FailureReason::Unknown),
            )),
            _ => self.hidden_failure(),
        };
        if let Some(failure) = failure {
            return self.fail(failure, sink, step);
        }
        self.is_resumed = false; // what fails from here on is not the resuming
        if reason == "cancelled" {
            self.finish(step);
            return Ok(());
        }
        if !self.prompt(step) {
            self.told.transcript.complete(None);
            self.enter(Phase::Draining);
        }
        Ok(())
    }

    /// An error of the model's server behind a turn that ended well.
    fn hidden_failure(&mut self) -> Option<AgentFailure> {
        let said = JsonText::Literal(&self.told.said);
        let in_answer = || failure::in_answer(&said.decode());
        if self.profile.errors_as_text
            && !self.told.has_usage
            && let Some(error) = in_answer()
        {
            return Some(failed(&error, None));
        }
        if !self.profile.errors_on_stderr {
            return None;
        }
        let is_silent = said.is_blank() && !self.told.is_active;
        let line = self.stderr.terminal.take().or_else(|| self.stderr.any.take().filter(|_| is_silent))?;
        Some(failed(&line, None))
    }
}
