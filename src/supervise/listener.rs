//! What the agent prints, on its way through the dialect to the sink.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::{Duration, Instant};

use super::agent_log::Incomplete;
use super::streams::{Errors, Message};
use crate::protocol::login::{self, LoginRequest};
use crate::protocol::{Conversation, Event, NoticeLevel, Properties, Sink, Step};
use crate::provider::COMMAND;
use crate::provider::login::hint;

/// What was read, and when.
pub(super) struct Listener<'a> {
    pub(super) conversation: &'a mut dyn Conversation,
    sink: &'a mut Sink<'a>,
    pub(super) properties: Properties,
    provider: String,
    messages: Receiver<Message>,
    give_back: Sender<Vec<u8>>,
    pub(super) errors: Errors,
    errors_looked_at: u64,
    errors_ended: bool,
    pub(super) output_ended: Option<Instant>,
    pub(super) read_error: Option<String>,
    pub(super) last_byte: Instant,
    /// When the agent last gave a sign of work.
    pub(super) last_progress: Instant,
    pub(super) turn_over: Option<Instant>,
    /// The agent has printed something.
    pub(super) has_begun: bool,
    has_asked_for_login: bool,
    pub(super) is_sink_broken: bool,
    /// The sink was given something since it last learned that nothing more is waiting.
    is_sink_waiting: bool,
}

impl<'a> Listener<'a> {
    pub(super) fn new(
        conversation: &'a mut dyn Conversation,
        sink: &'a mut Sink<'a>,
        provider: &str,
        messages: Receiver<Message>,
        give_back: Sender<Vec<u8>>,
        errors: Errors,
    ) -> Self {
        let now = Instant::now();
        Self {
            properties: conversation.properties(),
            conversation,
            sink,
            provider: provider.to_owned(),
            messages,
            give_back,
            errors,
            errors_looked_at: 0,
            errors_ended: false,
            output_ended: None,
            read_error: None,
            last_byte: now,
            last_progress: now,
            turn_over: None,
            has_begun: false,
            has_asked_for_login: false,
            is_sink_broken: false,
            is_sink_waiting: false,
        }
    }

    /// The next message. The sink learns when there is a wait for it: events may be held together while more are coming,
    /// never while the agent thinks.
    pub(super) fn next(&mut self, patience: Duration) -> Result<Message, RecvTimeoutError> {
        match self.messages.try_recv() {
            Ok(message) => Ok(message),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => {
                if self.is_sink_waiting {
                    self.emit(Event::Idle);
                    self.is_sink_waiting = false;
                }
                self.messages.recv_timeout(patience)
            }
        }
    }

    /// Takes what was read, and returns what follows from it.
    pub(super) fn take(&mut self, message: Message) -> Step {
        let mut step = Step::default();
        match message {
            Message::Output(block, length) => {
                (self.last_byte, self.has_begun) = (Instant::now(), true);
                self.converse(|conversation, sink| conversation.output(&block[..length], sink, &mut step));
                let _ = self.give_back.send(block);
            }
            Message::OutputEnded(error) => {
                self.read_error = error.map(|error| format!("read the agent's output: {error}"));
                self.end_output(&mut step);
            }
            Message::Errors(bytes) => {
                self.last_byte = Instant::now();
                self.converse(|conversation, sink| conversation.errors(&bytes, sink, &mut step));
                self.errors.processed(bytes.len());
            }
            Message::ErrorsEnded => self.errors_ended = true,
            Message::LogIncomplete(name, Incomplete::Failed(error)) => {
                self.warn(&format!("cannot write {name}, it is incomplete from here on: {error}"));
            }
            Message::LogIncomplete(name, Incomplete::Full) => self.warn(&format!(
                "{name} has reached its limit (`--max-log`): from here on only its beginning and its end stay"
            )),
            Message::GuardGone => self.warn(
                "something has killed the guard of this run: if execenv is killed as well, processes of the agent go on",
            ),
            Message::Exited(_) => {}
        }
        self.note(&mut step);
        step
    }

    /// Ends standard output, once.
    pub(super) fn end_output(&mut self, step: &mut Step) {
        if self.output_ended.is_none() {
            self.output_ended = Some(Instant::now());
            self.converse(|conversation, sink| conversation.output_ended(sink, step));
        }
    }

    /// Takes from a step what concerns the listener itself.
    pub(super) fn note(&mut self, step: &mut Step) {
        if step.is_progress || step.is_turn_over {
            self.last_progress = Instant::now();
        }
        if step.is_turn_over {
            self.turn_over.get_or_insert(self.last_progress);
        }
        if let Some(request) = step.login.take() {
            self.ask_for_login(&request);
        }
    }

    /// Whether both streams have been read to their ends.
    pub(super) fn has_ended(&self) -> bool {
        self.output_ended.is_some() && self.errors_ended
    }

    /// Silence begins again.
    pub(super) fn restart_clocks(&mut self) {
        (self.last_byte, self.last_progress) = (Instant::now(), Instant::now());
    }

    /// The agent was paused for so long: that was none of its time.
    pub(super) fn skip(&mut self, pause: Duration) {
        self.turn_over = self.turn_over.map(|at| at + pause);
        self.output_ended = self.output_ended.map(|at| at + pause);
        self.restart_clocks();
    }

    /// Looks for login trouble in what is new of standard error.
    pub(super) fn look_at_errors(&mut self) {
        let bytes = self.errors.bytes();
        if bytes != self.errors_looked_at {
            self.errors_looked_at = bytes;
            if let Some(request) = login::find_request(&self.errors.tail()) {
                self.ask_for_login(&request);
            }
        }
    }

    pub(super) fn warn(&mut self, text: &str) {
        self.emit(Event::Notice { level: NoticeLevel::Warning, text });
    }

    /// Tells the sink that an agent is at work. A program that is none may write to the terminal as it likes.
    pub(super) fn tell_work(&mut self) {
        if self.provider != COMMAND.name && self.turn_over.is_none() {
            let spent = self.conversation.spent();
            self.emit(Event::Working(&spent));
        }
    }

    pub(super) fn emit(&mut self, event: Event<'_>) {
        self.converse(|_, sink| sink(event));
    }

    fn converse(&mut self, take: impl FnOnce(&mut dyn Conversation, &mut Sink<'_>) -> io::Result<()>) {
        self.is_sink_waiting = true;
        if !self.is_sink_broken
            && let Err(error) = take(self.conversation, self.sink)
        {
            log::debug!("the sink takes no more events: {error}");
            self.is_sink_broken = true;
        }
    }

    /// Says once that the agent asks for a login. A program that is no agent asks for none.
    pub(super) fn ask_for_login(&mut self, request: &LoginRequest) {
        if self.provider == COMMAND.name || std::mem::replace(&mut self.has_asked_for_login, true) {
            return;
        }
        let provider = self.provider.clone();
        self.emit(Event::AuthRequired {
            provider: &provider,
            hostname: &rustix::system::uname().nodename().to_string_lossy(),
            login_url: request.url.as_deref(),
            hint: &hint(&provider),
        });
    }
}
