//! The client: what it asks in which order, and what follows from each answer. One request of ours is open at a time, so an
//! answer to another one is none.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::failure::{self, Stderr};
use super::line::{Notice, quick};
use super::profile::{AcpRequest, Profile};
use super::question::{self, Answer};
use super::read::{Any, object};
use super::update::Told;
use crate::protocol::login::{self, LoginRequest};
use crate::protocol::ndjson::lines::Lines;
use crate::protocol::ndjson::skipped::Skipped;
use crate::protocol::rpc::{self, Message, RpcError, Version, Writer};
use crate::protocol::{
    AgentFailure, Delivery, Ending, Event, FailureReason, GiveUp, NoticeLevel, Permission, Sink, Spent, Step,
    Transcript, prefix,
};

mod opening;
mod overheard;
mod turn;

/// So long without a word, and an agent has told all that belongs to what is over.
const QUIET: Duration = Duration::from_millis(250);
/// After the answer to a prompt no longer than this.
const DRAIN: Duration = Duration::from_secs(2);
/// Two looks at the time that are further apart than this were not a silence of the agent's: it was paused.
const GAP: Duration = Duration::from_secs(2);
/// The part of a text that is searched for login trouble, and of a line that is quoted, in bytes.
const LOGIN_TEXT: usize = 64 << 10;
const QUOTED: usize = 300;

/// Where the conversation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for the answer to `initialize`.
    Initializing,
    /// Waits for the session.
    Opening {
        is_resumed: bool,
    },
    /// Waits for the answer to a setting of the session.
    Setting {
        is_model: bool,
    },
    /// The session is loaded; its history may still be on the way.
    History,
    Prompting,
    /// The last prompt is answered; what was on the way may still come.
    Draining,
    Over,
}

/// The state of one conversation.
#[derive(Debug)]
pub(super) struct Client {
    phase: Phase,
    profile: Profile,
    request: AcpRequest,
    writer: Writer,
    /// The request of ours that has no answer yet.
    open: Option<u64>,
    /// Settings that are still to be made: method, parameters, whether it is the model.
    settings: VecDeque<(&'static str, Value, bool)>,
    /// Prompts that wait for their turn.
    prompts: VecDeque<String>,
    is_loaded: bool,
    is_resumed: bool,
    /// The session's id as the agent is told it, where that is not its own.
    alias: Option<String>,
    /// The request for the session by its own id, for an agent that finds none by the alias.
    by_own_id: Option<(&'static str, Value)>,
    is_cancelled: bool,
    is_listening: bool,
    told: Told,
    skipped: Skipped,
    stderr: Stderr,
    /// The first line that was no message.
    garbage: Option<String>,
    silent_since: Option<Instant>,
    phase_since: Option<Instant>,
    looked_at: Option<Instant>,
}

impl Client {
    pub(super) fn new(mut request: AcpRequest, profile: Profile) -> Client {
        let prompt = std::mem::take(&mut request.prompt);
        let prompt = match request.system_prompt.take().filter(|_| profile.takes_system_prompt) {
            Some(system) => format!("{system}\n\n---\n\n{prompt}"),
            None => prompt,
        };
        let told = Told { transcript: Transcript::new(request.model.as_deref()), ..Told::default() };
        Client {
            phase: Phase::Initializing,
            profile,
            writer: Writer::new(Version::Two),
            open: None,
            settings: VecDeque::new(),
            prompts: VecDeque::from([prompt]),
            is_loaded: false,
            is_resumed: request.resume.is_some(),
            alias: None,
            by_own_id: None,
            is_cancelled: false,
            is_listening: false,
            told,
            skipped: Skipped::default(),
            stderr: Stderr::default(),
            garbage: None,
            silent_since: None,
            phase_since: None,
            looked_at: None,
            request,
        }
    }

    /// The first request.
    pub(super) fn initialize(&mut self) -> Vec<u8> {
        let mut frames = Vec::new();
        let params = json!({
            "protocolVersion": 1,
            "clientInfo": { "name": "execenv", "version": env!("CARGO_PKG_VERSION") },
            "clientCapabilities": { "fs": { "readTextFile": false, "writeTextFile": false }, "terminal": false },
        });
        self.open = Some(self.writer.request(&mut frames, "initialize", &params));
        frames
    }

    /// Takes one line.
    pub(super) fn line(&mut self, line: &str, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        if self.is_listening {
            return self.overhear(line, sink, step);
        }
        if self.hears_updates()
            && let Some((kind, update)) = quick(line)
        {
            let unknown = self.told.take(kind, &update, self.profile.errors_as_text, sink, step)?;
            unknown.iter().for_each(|kind| self.skipped.unknown(kind));
            return Ok(());
        }
        // Most lines that are no messages end here, before they are parsed.
        match line.starts_with('{').then(|| rpc::read(line)).flatten() {
            Some(Message::Notification { method, params }) => self.notification(&method, params, sink, step),
            Some(Message::Request { id, method, params }) => self.question(id, &method, params, sink, step),
            Some(Message::Answer { id, outcome }) if id.is_some() && id == self.open => {
                self.open = None;
                self.answer(outcome, sink, step)
            }
            Some(Message::Answer { .. }) => {
                self.skipped.unknown("answer");
                Ok(())
            }
            None => {
                self.skipped.garbage();
                self.garbage.get_or_insert_with(|| prefix(line, QUOTED).to_owned());
                if step.login.is_none() {
                    step.login = login::find_request(prefix(line, LOGIN_TEXT));
                }
                Ok(())
            }
        }
    }

    /// Whether updates are of this run: before the first prompt they are the history of the session.
    fn hears_updates(&self) -> bool {
        matches!(self.phase, Phase::Prompting | Phase::Draining | Phase::Over)
    }

    fn notification(
        &mut self,
        method: &str,
        params: Any<'_>,
        sink: &mut Sink<'_>,
        step: &mut Step,
    ) -> io::Result<()> {
        match method {
            "session/update" | "session/notification" => {
                let Some(Notice { update, .. }) = object(params) else {
                    self.skipped.unknown(method);
                    return Ok(());
                };
                if self.hears_updates() {
                    let unknown = self.told.update(update, self.profile.errors_as_text, sink, step)?;
                    unknown.iter().for_each(|kind| self.skipped.unknown(kind));
                }
            }
            "_reasonix.io/session/status_update" => self.told.status(params),
            _ if method.starts_with('_') || method.starts_with("$/") || method.starts_with("qwen/") => {}
            _ => self.skipped.unknown(method),
        }
        Ok(())
    }

    /// Answers a request of the agent's.
    fn question(
        &mut self,
        id: &RawValue,
        method: &str,
        params: Any<'_>,
        sink: &mut Sink<'_>,
        step: &mut Step,
    ) -> io::Result<()> {
        step.is_progress |= self.phase == Phase::Prompting;
        let is_permission = method == "session/request_permission";
        let reply = if is_permission {
            question::permission(question::read(params).as_ref(), self.request.permission, self.is_cancelled)
        } else {
            question::other(method)
        };
        match &reply.answer {
            Answer::Result(result) => self.writer.answer(&mut step.frames, id, result),
            Answer::Error(code, message) => self.writer.refuse(&mut step.frames, id, *code, message),
        }
        let subject = match question::read(params).filter(|_| is_permission) {
            Some(question) => {
                let told = &mut self.told;
                told.is_active = true;
                let asks_by_call = self.profile.asks_by_call && reply.decision == Some(Permission::Allow);
                told.tools.ask(question.tool_call, &mut told.transcript, sink, asks_by_call)?
            }
            None => "".into(),
        };
        if let Some(decision) = reply.decision {
            let request = if subject.is_empty() { method } else { &*subject };
            return sink(Event::Permission { request, decision });
        }
        if !question::is_expected(method) {
            self.skipped.unknown(method);
        }
        Ok(())
    }

    /// Takes the answer to the request of ours that is open.
    fn answer(
        &mut self,
        outcome: Result<&RawValue, RpcError>,
        sink: &mut Sink<'_>,
        step: &mut Step,
    ) -> io::Result<()> {
        step.is_progress = true;
        match (self.phase, outcome) {
            (Phase::Initializing, Ok(result)) => self.initialized(Some(result), sink, step),
            (Phase::Opening { is_resumed }, Ok(result)) => self.opened(Some(result), is_resumed, sink, step),
            (Phase::Setting { .. }, Ok(_)) => {
                self.prepare(step);
                Ok(())
            }
            (Phase::Prompting, Ok(result)) => self.prompted(Some(result), sink, step),
            (Phase::Opening { is_resumed: true }, Err(error))
                if self.by_own_id.is_some() && failure::finds_no_session(&error) =>
            {
                self.alias = None;
                if let Some((method, params)) = self.by_own_id.take() {
                    self.open = Some(self.writer.request(&mut step.frames, method, &params));
                }
                Ok(())
            }
            (Phase::Setting { is_model: false }, Err(error)) => {
                let text = format!("an option of the session could not be set: {}", failure::words(&error));
                self.prepare(step);
                sink(Event::Notice { level: NoticeLevel::Warning, text: &text })
            }
            (phase, Err(error)) => {
                if error.code == failure::AUTH_REQUIRED {
                    step.login = Some(LoginRequest { url: None });
                }
                let failure = match phase {
                    Phase::Opening { is_resumed: true } => failure::of_resume(&error),
                    Phase::Setting { .. } => AgentFailure {
                        error: format!("the model could not be set: {}", failure::words(&error)),
                        reason: Some(FailureReason::ModelUnavailable),
                        is_resume_refused: false,
                    },
                    _ => failure::of(&error),
                };
                self.fail(failure, sink, step)
            }
            (Phase::History | Phase::Draining | Phase::Over, Ok(_)) => Ok(()),
        }
    }

    /// The session, as the agent is told it.
    fn addressed(&self) -> String {
        self.alias.as_deref().or(self.told.transcript.session_id()).unwrap_or_default().to_owned()
    }

    fn fail(&mut self, failure: AgentFailure, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        if !self.is_cancelled {
            self.told.transcript.fail(failure);
        }
        let undelivered =
            self.prompts.len().saturating_sub(usize::from(!matches!(self.phase, Phase::Prompting)));
        if undelivered > 0 {
            let text = format!("{undelivered} messages to the agent were not delivered: its turn had failed");
            sink(Event::Notice { level: NoticeLevel::Warning, text: &text })?;
        }
        self.finish(step);
        Ok(())
    }

    fn finish(&mut self, step: &mut Step) {
        self.enter(Phase::Over);
        step.is_turn_over = true;
        step.close_input = true;
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        (self.silent_since, self.phase_since) = (None, None);
    }

    /// Bytes came.
    pub(super) fn note_sound(&mut self) {
        self.silent_since = None;
    }

    /// Takes the time.
    pub(super) fn tick(&mut self, now: Instant, step: &mut Step) {
        if self.looked_at.replace(now).is_some_and(|last| now.duration_since(last) > GAP) {
            self.silent_since = None;
        }
        let silent = now.duration_since(*self.silent_since.get_or_insert(now));
        let in_phase = now.duration_since(*self.phase_since.get_or_insert(now));
        match self.phase {
            Phase::Initializing | Phase::Opening { .. } | Phase::Setting { .. }
                if silent >= self.profile.handshake =>
            {
                let what = match self.phase {
                    Phase::Initializing => "initialize",
                    Phase::Opening { .. } => "the request for a session",
                    _ => "a setting of its session",
                };
                let error = format!("the agent did not answer {what} within {:?}", self.profile.handshake);
                step.give_up = Some(GiveUp { reason: FailureReason::AgentTimeout, error });
            }
            Phase::History if silent >= QUIET => {
                self.prompt(step);
            }
            Phase::Draining if silent >= QUIET || in_phase >= DRAIN => self.finish(step),
            _ => {}
        }
    }

    /// Takes the end of the agent's output.
    pub(super) fn output_ended(&mut self, step: &mut Step) {
        match (self.phase, self.garbage.take()) {
            (Phase::Draining, _) => self.finish(step),
            (Phase::Initializing, Some(line)) => {
                let error = format!("the program does not speak ACP; it said: {line}");
                self.told.transcript.fail(failed(&error, None));
            }
            _ => {}
        }
    }

    pub(super) fn errors(&mut self, bytes: &[u8]) {
        if self.profile.errors_on_stderr {
            self.stderr.push(bytes);
        }
    }

    pub(super) fn send(&mut self, text: &str, step: &mut Step) -> Delivery {
        match self.phase {
            Phase::Over => Delivery::TooLate,
            _ if self.is_cancelled => Delivery::TooLate,
            Phase::Draining => {
                self.told.transcript.retract();
                self.prompts.push_back(text.to_owned());
                self.prompt(step);
                Delivery::Written
            }
            _ => {
                self.prompts.push_back(text.to_owned());
                Delivery::Queued
            }
        }
    }

    /// How many messages wait for the end of the turn.
    pub(super) fn queued(&self) -> usize {
        self.prompts.len()
    }

    /// Asks the agent to end its turn; `false` where there is none.
    pub(super) fn cancel(&mut self, step: &mut Step) -> bool {
        if self.phase != Phase::Prompting {
            return false;
        }
        self.is_cancelled = true;
        let params = json!({ "sessionId": self.addressed() });
        self.writer.notify(&mut step.frames, "session/cancel", Some(&params));
        true
    }

    pub(super) fn has_open_tool(&self) -> bool {
        self.told.transcript.has_open_tool() || !self.told.tools.is_empty()
    }

    pub(super) fn spent(&self) -> Spent {
        self.told.transcript.spent()
    }

    pub(super) fn end(&mut self, lines: &Lines) -> Ending {
        let held = self.told.tools.len();
        let ending = self.told.transcript.end();
        Ending {
            tool_calls: ending.tool_calls + held,
            unreadable: lines.unreadable(),
            remarks: self.skipped.remarks(lines),
            ..ending
        }
    }
}

fn failed(error: &str, reason: Option<FailureReason>) -> AgentFailure {
    AgentFailure { error: error.to_owned(), reason, is_resume_refused: false }
}
