//! Requests: those of the server, and the answers to ours.

use std::io;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Asked, Talk, value};
use crate::protocol::app_server::answers::{self, Answer};
use crate::protocol::app_server::failure::Failed;
use crate::protocol::rpc::{METHOD_NOT_FOUND, RpcError};
use crate::protocol::{AgentFailure, Event, FailureReason, NoticeLevel, Sink, Step};

/// The longest name of a thread, in characters.
const NAME: usize = 120;

impl Talk {
    /// The server asks: it gets an answer at once, because its turn waits for one.
    pub(super) fn asks(
        &mut self,
        id: &RawValue,
        method: &str,
        params: Option<&RawValue>,
        sink: &mut Sink<'_>,
        step: &mut Step,
    ) -> io::Result<()> {
        step.is_progress = true;
        match answers::answer(method, &value(params), self.setup.permission) {
            Some(Answer { request, decision, result }) => {
                self.writer.answer(&mut step.frames, id, &result);
                sink(Event::Permission { request: &request, decision })
            }
            None => {
                self.writer.refuse(
                    &mut step.frames,
                    id,
                    METHOD_NOT_FOUND,
                    "execenv does not know this request",
                );
                let text =
                    format!("Codex asked for `{}`, which execenv does not know", method.escape_debug());
                sink(Event::Notice { level: NoticeLevel::Warning, text: &text })
            }
        }
    }

    /// The server answers a request of ours.
    pub(super) fn answered(
        &mut self,
        asked: Asked,
        outcome: Result<&RawValue, RpcError>,
        sink: &mut Sink<'_>,
        step: &mut Step,
    ) -> io::Result<()> {
        match (asked, outcome) {
            (Asked::Greeting, Ok(_)) => {
                step.is_progress = true;
                self.writer.notify(&mut step.frames, "initialized", None);
                self.ask_for_thread(step);
            }
            (Asked::Greeting, Err(error)) => self.give_in(refusal("initialize failed", &error), step),
            (Asked::Thread, Ok(result)) => {
                step.is_progress = true;
                self.has_thread(&value(Some(result)), sink, step)?;
            }
            (Asked::Thread, Err(error)) => {
                let is_resumed = self.setup.resume.is_some();
                let request = if is_resumed { "thread/resume failed" } else { "thread/start failed" };
                let mut failed = refusal(request, &error);
                failed.failure.is_resume_refused = is_resumed;
                self.give_in(failed, step);
            }
            (Asked::Turn, Ok(result)) => {
                self.turn_started(value(Some(result))["turn"]["id"].as_str());
            }
            (Asked::Turn, Err(error)) => {
                self.error = Some(refusal("turn/start failed", &error));
                self.turn_ended(step);
            }
            (Asked::Steer(text), Err(_)) => {
                self.queue.push_back(text); // the turn cannot take it: the next one does
                self.look_for_next(step);
            }
            (Asked::Steer(_), Ok(_)) => self.look_for_next(step),
            (Asked::Name | Asked::Interrupt, _) => {}
        }
        Ok(())
    }

    fn ask_for_thread(&mut self, step: &mut Step) {
        let mut params = json!({
            "cwd": self.setup.work_dir,
            "model": self.setup.model,
            "developerInstructions": self.setup.instructions,
        });
        let method = match &self.setup.resume {
            None => "thread/start",
            Some(id) => {
                params["threadId"] = id.as_str().into();
                params["excludeTurns"] = true.into(); // the history may be longer than a line can be
                "thread/resume"
            }
        };
        self.ask(Asked::Thread, method, &params, step);
    }

    fn has_thread(&mut self, result: &Value, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        let id = result["thread"]["id"].as_str().unwrap_or_default();
        if id.is_empty() {
            let error = "the answer to the request for a thread names none".to_owned();
            let is_resume_refused = self.setup.resume.is_some();
            let failure =
                AgentFailure { error, reason: Some(FailureReason::UnreadableOutput), is_resume_refused };
            self.give_in(Failed { failure, poisoned: None }, step);
            return Ok(());
        }
        id.clone_into(&mut self.thread);
        let model = result["model"].as_str().or_else(|| result["thread"]["model"].as_str());
        self.transcript.session(id, model, sink)?;
        if self.is_cancelled {
            return Ok(());
        }
        let prompt = std::mem::take(&mut self.setup.prompt);
        if self.setup.resume.is_none() {
            let params = json!({ "threadId": self.thread, "name": name(&prompt) });
            self.ask(Asked::Name, "thread/name/set", &params, step);
        }
        self.start_turn(&prompt, step);
        Ok(())
    }
}

fn refusal(request: &str, error: &RpcError) -> Failed {
    let error = format!("{request}: {}", error.message);
    Failed { failure: AgentFailure { error, ..AgentFailure::default() }, poisoned: None }
}

/// A name for the thread: the beginning of the prompt, in one line.
fn name(prompt: &str) -> String {
    let words = prompt.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= NAME {
        return words;
    }
    let cut: String = words.chars().take(NAME - 3).collect();
    format!("{cut}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_named_after_its_prompt() {
        assert_eq!(name(" fix\n the  bug "), "fix the bug");
        let long = name(&"ä".repeat(200));
        assert_eq!((long.chars().count(), long.ends_with("ä...")), (NAME, true));
    }
}
