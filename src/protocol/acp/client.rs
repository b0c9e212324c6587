//! The client: what it asks in which order, and what follows from each answer. One request of ours is open at a time, so an
//! answer to another one is none.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::counts;
use super::failure::{self, Stderr};
use super::line::{Notice, quick};
use super::profile::{AcpRequest, Counting, Profile};
use super::question::{self, Answer};
use super::read::{
    Any, Capabilities, ConfigOption, Hermes, Initialized, McpCapabilities, Meta, Models, Opened, Prompted,
    Provenance, SessionCapabilities, array, object, text,
};
use super::servers::{self, Takes};
use super::update::Told;
use crate::protocol::login::{self, LoginRequest};
use crate::protocol::ndjson::lines::Lines;
use crate::protocol::ndjson::skipped::Skipped;
use crate::protocol::rpc::{self, Message, RpcError, Version, Writer};
use crate::protocol::{
    AgentFailure, Delivery, Ending, Event, FailureReason, GiveUp, JsonText, NoticeLevel, Permission, Sink,
    Spent, Step, Transcript, prefix,
};

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

    /// Makes it one that takes the session's id from wherever it stands.
    pub(super) fn listen(&mut self) {
        self.is_listening = true;
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
        if !self.is_listening
            && self.hears_updates()
            && let Some((kind, update)) = quick(line)
        {
            let unknown = self.told.take(kind, &update, self.profile.errors_as_text, sink, step)?;
            unknown.iter().for_each(|kind| self.skipped.unknown(kind));
            return Ok(());
        }
        // serde would read a struct from an array as well.
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
                let Some(Notice { session_id, update }) = object(params) else {
                    self.skipped.unknown(method);
                    return Ok(());
                };
                if self.is_listening {
                    return self.told.transcript.session(text(session_id).trim_start(), None, sink); // may be an alias
                }
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

    fn initialized(&mut self, result: Any<'_>, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        let capabilities: Capabilities<'_> = object::<Initialized<'_>>(result)
            .and_then(|said| object(said.agent_capabilities))
            .unwrap_or_default();
        let is_true = |value: Any<'_>| value.is_some_and(|value| value.get() == "true");
        let mcp: McpCapabilities<'_> = object(capabilities.mcp_capabilities).unwrap_or_default();
        let takes = Takes { http: is_true(mcp.http), sse: is_true(mcp.sse) };
        let (listed, left_out) = servers::list(&self.request.servers, takes);
        for name in left_out {
            let text =
                format!("the agent cannot use the MCP server {}: it was left out", name.escape_debug());
            sink(Event::Notice { level: NoticeLevel::Warning, text: &text })?;
        }
        let mut params = json!({ "cwd": self.request.work_dir, "mcpServers": listed });
        let sessions: SessionCapabilities<'_> = object(capabilities.session_capabilities).unwrap_or_default();
        let can_resume = sessions.resume.is_some_and(|value| !matches!(value.get(), "null" | "false"));
        let method = match &self.request.resume {
            None => "session/new",
            Some(session) => {
                params["sessionId"] = session.as_str().into();
                if can_resume {
                    "session/resume"
                } else if is_true(capabilities.load_session) {
                    self.is_loaded = true;
                    "session/load"
                } else {
                    let failure = AgentFailure {
                        error: "the agent cannot resume sessions".into(),
                        reason: None,
                        is_resume_refused: true,
                    };
                    return self.fail(failure, sink, step);
                }
            }
        };
        self.told.is_price_whole = !self.is_resumed;
        if self.profile.writes_over_id
            && let Some(session) = &self.request.resume
        {
            self.by_own_id = Some((method, params.clone()));
            let alias = format!(" {session}");
            params["sessionId"] = alias.as_str().into();
            self.alias = Some(alias);
        }
        self.open = Some(self.writer.request(&mut step.frames, method, &params));
        self.enter(Phase::Opening { is_resumed: self.is_resumed });
        Ok(())
    }

    fn opened(
        &mut self,
        result: Any<'_>,
        is_resumed: bool,
        sink: &mut Sink<'_>,
        step: &mut Step,
    ) -> io::Result<()> {
        let opened: Opened<'_> = object(result).unwrap_or_default();
        let stated = provenance(opened.meta).or_else(|| Some(text(opened.session_id).into_owned()));
        let stated = stated.filter(|id| !id.is_empty() && Some(id) != self.alias.as_ref());
        let asked = self.request.resume.clone().filter(|_| is_resumed);
        if let (Some(asked), Some(stated)) = (&asked, &stated)
            && asked != stated
        {
            let text = "the agent opened another session than the one to resume: it may have lost it";
            sink(Event::Notice { level: NoticeLevel::Warning, text })?;
        }
        let models: Models<'_> = object(opened.models).unwrap_or_default();
        let options: Vec<ConfigOption<'_>> =
            array(opened.config_options).into_iter().filter_map(|option| object(Some(option))).collect();
        let model_option =
            options.iter().find(|option| text(option.id) == "model" || text(option.category) == "model");
        let current = match &*text(models.current_model_id) {
            "" => model_option.map(|option| text(option.current_value)).unwrap_or_default().into_owned(),
            current => current.to_owned(),
        };
        let Some(session) = stated.or(asked) else {
            if self.is_listening {
                return Ok(());
            }
            let failure =
                AgentFailure { error: "the agent named no session".into(), ..AgentFailure::default() };
            return self.fail(failure, sink, step);
        };
        self.told.transcript.session(&session, Some(&current), sink)?;
        let session = self.addressed();
        if let Some(model) = self.request.model.clone().filter(|model| *model != current) {
            let setting = match model_option.filter(|_| opened.models.is_none()) {
                Some(option) => (
                    "session/set_config_option",
                    json!({ "sessionId": session, "configId": text(option.id), "value": model }),
                    true,
                ),
                None => ("session/set_model", json!({ "sessionId": session, "modelId": model }), true),
            };
            self.settings.push_back(setting);
        }
        let allows = self.request.permission == Permission::Allow;
        for (id, value) in self.profile.allow_options.iter().filter(|_| allows) {
            let option = options.iter().find(|option| text(option.id) == *id);
            if option.is_some_and(|option| text(option.current_value) != *value) {
                let params = json!({ "sessionId": session, "configId": id, "value": value });
                self.settings.push_back(("session/set_config_option", params, false));
            }
        }
        self.prepare(step);
        Ok(())
    }

    /// The session, as the agent is told it.
    fn addressed(&self) -> String {
        self.alias.as_deref().or(self.told.transcript.session_id()).unwrap_or_default().to_owned()
    }

    /// Makes the next setting; after the last one comes the prompt, once the history of the session has been told.
    fn prepare(&mut self, step: &mut Step) {
        if let Some((method, params, is_model)) = self.settings.pop_front() {
            if is_model && let Some(model) = &self.request.model {
                self.told.transcript.note_model(model);
            }
            self.open = Some(self.writer.request(&mut step.frames, method, &params));
            self.enter(Phase::Setting { is_model });
        } else if self.is_loaded {
            self.enter(Phase::History);
        } else {
            self.prompt(step);
        }
    }

    /// Sends the next prompt; `false` where there is none.
    fn prompt(&mut self, step: &mut Step) -> bool {
        let Some(prompt) = self.prompts.pop_front() else { return false };
        self.told.begin_turn();
        let session = self.addressed();
        let params = json!({ "sessionId": session, "prompt": [{ "type": "text", "text": prompt }] });
        self.open = Some(self.writer.request(&mut step.frames, "session/prompt", &params));
        self.enter(Phase::Prompting);
        true
    }

    fn prompted(&mut self, result: Any<'_>, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
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

/// The session that Hermes says it is in.
fn provenance(meta: Any<'_>) -> Option<String> {
    let hermes: Hermes<'_> = object(object::<Meta<'_>>(meta)?.hermes)?;
    let provenance: Provenance<'_> = object(hermes.session_provenance)?;
    Some(text(provenance.acp_session_id).into_owned()).filter(|id| !id.is_empty())
}
