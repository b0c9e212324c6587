//! The order of the conversation: greeting, thread, one turn after the other, end.
//!
//! | module | answers for |
//! |---|---|
//! | `asked` | requests, in both directions |
//! | `told` | notifications |
//! | `limits` | the time that each step may take |

mod asked;
mod limits;
mod told;

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::io;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::clock::Clock;
use super::failure::Failed;
use super::items::Items;
use super::message::{ItemLine, item_line};
use super::setup::Setup;
use super::tokens::Tokens;
use crate::protocol::login::LoginRequest;
use crate::protocol::ndjson::skipped::Skipped;
use crate::protocol::rpc::{self, Message, Version, Writer};
use crate::protocol::{AgentFailure, Delivery, Ending, FailureReason, Sink, Step, Transcript};

/// What a request of ours was for.
#[derive(Debug)]
enum Asked {
    Greeting,
    Thread,
    Name,
    Turn,
    /// A message for the turn in progress.
    Steer(String),
    Interrupt,
}

impl Asked {
    /// The request's name, where nothing goes on without its answer.
    fn awaited(&self) -> Option<&'static str> {
        match self {
            Asked::Greeting => Some("initialize"),
            Asked::Thread => Some("the request for a thread"),
            Asked::Turn => Some("turn/start"),
            Asked::Steer(_) => Some("turn/steer"),
            Asked::Name | Asked::Interrupt => None,
        }
    }
}

/// Where the turn is.
#[derive(Debug, PartialEq)]
enum Turn {
    /// None was asked for.
    Before,
    /// It was asked for.
    Asked,
    /// It runs.
    Running(String),
    /// It has ended; the answer to a message for it is missing.
    Ended,
    /// There will be no other.
    Over,
}

/// The state of one conversation.
#[derive(Debug)]
pub(super) struct Talk {
    setup: Setup,
    writer: Writer,
    asked: Vec<(u64, Asked)>,
    thread: String,
    turn: Turn,
    /// Messages for the turns to come.
    queue: VecDeque<String>,
    items: Items,
    tokens: Tokens,
    /// The turn gave a sign.
    has_sign: bool,
    /// The server says that the thread does nothing any more.
    is_idle: bool,
    /// An error after which the turn ends.
    error: Option<Failed>,
    /// What the server tries again since the last sign of work.
    retried: Option<Failed>,
    /// What was told already: the program repeats its warnings.
    notices: BTreeSet<String>,
    is_cancelled: bool,
    clock: Clock,
    transcript: Transcript,
}

impl Talk {
    pub(super) fn new(setup: Setup) -> Talk {
        Talk {
            transcript: Transcript::new(setup.model.as_deref()),
            setup,
            writer: Writer::new(Version::Unsaid),
            asked: Vec::new(),
            thread: String::new(),
            turn: Turn::Before,
            queue: VecDeque::new(),
            items: Items::default(),
            tokens: Tokens::default(),
            has_sign: false,
            is_idle: false,
            error: None,
            retried: None,
            notices: BTreeSet::new(),
            is_cancelled: false,
            clock: Clock::default(),
        }
    }

    pub(super) fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Whether a tool is at work, and nothing else is waited for: a command may go on in the background of a turn.
    pub(super) fn has_open_tool(&self) -> bool {
        self.transcript.has_open_tool() && self.retried.is_none()
    }

    /// The first request.
    pub(super) fn greet(&mut self) -> Vec<u8> {
        let mut step = Step::default();
        let version = env!("CARGO_PKG_VERSION");
        let params = json!({
            "clientInfo": { "name": "execenv", "title": "execenv", "version": version },
            "capabilities": { "experimentalApi": true },
        });
        self.ask(Asked::Greeting, "initialize", &params, &mut step);
        step.frames
    }

    /// Takes one line.
    pub(super) fn line(
        &mut self,
        line: &[u8],
        skipped: &mut Skipped,
        sink: &mut Sink<'_>,
        step: &mut Step,
    ) -> io::Result<()> {
        // Lossy reading is slow, and hardly ever needed.
        let text = match std::str::from_utf8(line) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(line),
        };
        let text = text.trim_start();
        let was_progress = std::mem::take(&mut step.is_progress);
        if let Some(ItemLine { method, params, .. }) = item_line(text) {
            self.item(&method, &params, skipped, sink, step)?;
            self.note_progress(was_progress, step);
            return Ok(());
        }
        // Most lines that are no messages end here, before they are parsed.
        match text.starts_with('{').then(|| rpc::read(text)).flatten() {
            Some(Message::Request { id, method, params }) => self.asks(id, &method, params, sink, step)?,
            Some(Message::Answer { id, outcome }) => {
                let asked = id.and_then(|id| self.asked.iter().position(|(asked, _)| *asked == id));
                if let Some(at) = asked {
                    let (_, asked) = self.asked.remove(at);
                    self.answered(asked, outcome, sink, step)?;
                }
            }
            Some(Message::Notification { method, params }) => {
                self.told(&method, params, skipped, sink, step)?;
            }
            None if text.is_empty() => {}
            None => skipped.garbage(),
        }
        self.note_progress(was_progress, step);
        Ok(())
    }

    /// Each line is looked at for itself, although a step may be that of many.
    fn note_progress(&mut self, was_progress: bool, step: &mut Step) {
        if step.is_progress {
            self.clock.restart();
            self.retried = None;
        }
        step.is_progress |= was_progress;
    }

    /// A line was too long to be read.
    pub(super) fn lost_a_line(&mut self, step: &mut Step) {
        let at = self.asked.iter().position(|(_, asked)| matches!(asked, Asked::Thread));
        if let Some(at) = at.filter(|_| self.setup.resume.is_some()) {
            self.asked.remove(at);
            let reason = Some(FailureReason::CodexResumeOversized);
            let error = "thread/resume failed: the answer is too long".to_owned();
            let failure = AgentFailure { error, reason, is_resume_refused: true };
            self.give_in(Failed { failure, poisoned: reason }, step);
        }
    }

    /// Standard output has ended.
    pub(super) fn ended(&mut self) {
        if self.transcript.result().is_none()
            && let Some(error) = self.error.take()
        {
            self.fail(error);
        }
    }

    /// Takes a message for the agent.
    pub(super) fn send(&mut self, text: &str, step: &mut Step) -> Delivery {
        match &self.turn {
            Turn::Over => return Delivery::TooLate,
            Turn::Running(turn) => {
                let params = json!({
                    "threadId": self.thread, "expectedTurnId": turn, "input": [{ "type": "text", "text": text }],
                });
                self.ask(Asked::Steer(text.to_owned()), "turn/steer", &params, step);
                return Delivery::Written;
            }
            Turn::Before | Turn::Asked | Turn::Ended => {}
        }
        self.queue.push_back(text.to_owned());
        Delivery::Queued
    }

    /// How many messages wait for the end of the turn.
    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Asks for the end of the turn, where one runs.
    pub(super) fn interrupt(&mut self, step: &mut Step) -> bool {
        self.is_cancelled = true;
        let Turn::Running(turn) = &self.turn else { return false };
        let params = json!({ "threadId": self.thread, "turnId": turn });
        self.ask(Asked::Interrupt, "turn/interrupt", &params, step);
        true
    }

    /// What is known at the end.
    pub(super) fn end(&mut self) -> Ending {
        self.transcript.end()
    }

    fn ask(&mut self, asked: Asked, method: &str, params: &Value, step: &mut Step) {
        let id = self.writer.request(&mut step.frames, method, params);
        self.asked.push((id, asked));
        self.clock.restart();
    }

    fn start_turn(&mut self, text: &str, step: &mut Step) {
        let params = json!({ "threadId": self.thread, "input": [{ "type": "text", "text": text }] });
        self.ask(Asked::Turn, "turn/start", &params, step);
        self.turn = Turn::Asked;
        (self.has_sign, self.is_idle, self.error, self.retried) = (false, false, None, None);
        self.items.final_answer = None;
        self.transcript.retract();
    }

    fn turn_started(&mut self, id: Option<&str>) {
        if self.turn == Turn::Asked
            && let Some(id) = id
        {
            self.turn = Turn::Running(id.to_owned());
            self.asked.retain(|(_, asked)| !matches!(asked, Asked::Turn)); // it is as good as answered
        }
    }

    /// The turn is over, well or not.
    fn turn_ended(&mut self, step: &mut Step) {
        step.is_progress = true;
        match self.error.take() {
            Some(error) => {
                if error.failure.reason == Some(FailureReason::AuthOrAccess) {
                    step.login.get_or_insert(LoginRequest { url: None });
                }
                self.fail(error);
            }
            None => {
                let answer = self.items.final_answer.take();
                self.transcript.complete(answer.as_deref());
            }
        }
        self.turn = Turn::Ended;
        self.look_for_next(step);
    }

    /// After a turn: the next one, where a message waits; else the end, once every message has its answer.
    fn look_for_next(&mut self, step: &mut Step) {
        let is_missing = self.asked.iter().any(|(_, asked)| matches!(asked, Asked::Steer(_)));
        if self.turn != Turn::Ended || is_missing && !self.is_cancelled {
            return;
        }
        match self.queue.pop_front().filter(|_| !self.is_cancelled) {
            Some(text) => self.start_turn(&text, step),
            None => self.over(step),
        }
    }

    /// Without a thread or a greeting there is no conversation.
    fn give_in(&mut self, failed: Failed, step: &mut Step) {
        self.fail(failed);
        self.over(step);
    }

    fn over(&mut self, step: &mut Step) {
        self.turn = Turn::Over;
        step.is_turn_over = true;
        step.close_input = true; // the server ends by that
    }

    fn fail(&mut self, Failed { failure, poisoned }: Failed) {
        self.transcript.fail(failure);
        if let Some(result) = self.transcript.result_mut() {
            result.poisoned = poisoned;
        }
    }
}

fn value(params: Option<&RawValue>) -> Value {
    params.and_then(|params| serde_json::from_str(params.get()).ok()).unwrap_or(Value::Null)
}
