//! The seam between a dialect and whoever moves its bytes.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Number;

use super::event::{Sink, Spent, Usage};
use super::login::LoginRequest;
use super::reason::FailureReason;

/// One conversation with one agent process, from its first byte to its last.
///
/// Every method is given what happened and states what follows in a [`Step`]; none reads, writes, waits or looks at a
/// clock. Events go to the sink at once, because they borrow from the bytes. An error of the sink ends the reading.
pub trait Conversation: Debug {
    /// What holds for this dialect, whatever is said.
    fn properties(&self) -> Properties;

    /// What the agent finds at its standard input. Called once, before anything else.
    fn open(&mut self) -> Opening;

    /// Takes bytes of standard output; a block may end anywhere.
    ///
    /// # Errors
    /// Those of the sink.
    fn output(&mut self, bytes: &[u8], sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()>;

    /// Takes the end of standard output.
    ///
    /// # Errors
    /// Those of the sink.
    fn output_ended(&mut self, _sink: &mut Sink<'_>, _step: &mut Step) -> io::Result<()> {
        Ok(())
    }

    /// Takes bytes of standard error, where [`Properties::reads_errors`] asks for them.
    ///
    /// # Errors
    /// Those of the sink.
    fn errors(&mut self, _bytes: &[u8], _sink: &mut Sink<'_>, _step: &mut Step) -> io::Result<()> {
        Ok(())
    }

    /// Takes a message that a person or a program sent to the running agent.
    fn send(&mut self, _text: &str, _step: &mut Step) -> Delivery {
        Delivery::Unsupported
    }

    /// Takes the code of a login that a person sent.
    fn code(&mut self, _code: &str, _step: &mut Step) -> Delivery {
        Delivery::Unsupported
    }

    /// How many messages wait for the end of the turn.
    fn queued(&self) -> usize {
        0
    }

    /// Asks the agent to end its turn. Returns how long it may take before it gets a signal: zero where the dialect has
    /// no words for that.
    fn cancel(&mut self, _step: &mut Step) -> Duration {
        Duration::ZERO
    }

    /// Takes the time, about twenty times a second while the agent is silent: for limits of the dialect's own.
    fn tick(&mut self, _now: Instant, _step: &mut Step) {}

    /// Whether a tool is at work: it may be silent for longer than the model.
    fn has_open_tool(&self) -> bool {
        false
    }

    /// Whether the CLI fails without a word where it cannot resume a session.
    fn hides_refusal(&self) -> bool {
        false
    }

    /// What the agent used up so far, as far as it tells.
    fn spent(&self) -> Spent {
        Spent::default()
    }

    /// A file that the agent leaves at its end and that belongs to the conversation.
    fn closing_file(&self) -> Option<&Path> {
        None
    }

    /// Takes what that file holds, after the agent's end; not called where there is none.
    fn take_file(&mut self, _bytes: &[u8]) {}

    /// What is known at the end. Called once, after everything else.
    fn end(&mut self) -> Ending;
}

/// What holds for all conversations of a dialect.
#[derive(Clone, Copy, Debug)]
pub struct Properties {
    /// The agent states its result on standard output: without one the run failed, whatever its exit status, and an agent
    /// that closed its output has nothing to add.
    pub states_result: bool,
    /// Standard error is part of the conversation.
    pub reads_errors: bool,
    /// The agent prints something as soon as it has started: one that does not may wait for a login, or for its server.
    pub begins_at_once: bool,
    /// How long the agent may take to exit once its turn is over.
    pub exit_within: Duration,
}

/// What the agent finds at its standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// `/dev/null`.
    Nothing,
    /// These bytes, then end of file.
    Whole(Vec<u8>),
    /// These frames; the input stays open until [`Step::close_input`].
    Frames(Vec<u8>),
}

/// What follows from something that happened.
#[derive(Debug, Default)]
pub struct Step {
    /// Whole frames for the agent's standard input.
    pub frames: Vec<u8>,
    /// The input is to be closed, after the frames.
    pub close_input: bool,
    /// The agent works: its time of silence begins again. Keep-alive lines prove that a process lives, not that it works.
    pub is_progress: bool,
    /// The turn is over, and none is waiting: the agent has nothing more to do but to exit.
    pub is_turn_over: bool,
    /// The agent asks for a login.
    pub login: Option<LoginRequest>,
    /// A limit of the dialect's own was reached: the agent is to be stopped.
    pub give_up: Option<GiveUp>,
}

/// Why a dialect gives its agent up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GiveUp {
    /// The reason.
    pub reason: FailureReason,
    /// What was waited for, and for how long.
    pub error: String,
}

/// What became of a message to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is on its way.
    Written,
    /// It waits for the end of the turn in progress.
    Queued,
    /// Nothing was asked yet.
    TooEarly,
    /// The conversation is over.
    TooLate,
    /// The dialect takes no messages while the agent works.
    Unsupported,
}

/// What a conversation knows at its end.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// The agent's own statement of its result.
    pub result: Option<AgentResult>,
    /// The last message that can stand for an answer, for a result without one.
    pub fallback: String,
    /// The last text of the agent's, whether or not it can stand for an answer.
    pub last_text: String,
    /// The end of what the agent printed, where that is its error if it failed.
    pub last_words: String,
    /// The session's id, as last seen.
    pub session_id: Option<String>,
    /// Tokens by model; models without any are left out.
    pub usage: BTreeMap<String, Usage>,
    /// The price in US dollars, digit for digit as the agent states it.
    pub cost_usd: Option<Number>,
    /// How many tools were called.
    pub tool_calls: u64,
    /// A tool still works in the background, where the run cannot wait for it.
    pub has_background_work: bool,
    /// Why a part of the output that mattered could not be read.
    pub unreadable: Option<String>,
    /// What was skipped, as notices.
    pub remarks: Vec<String>,
}

/// The result as the agent states it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentResult {
    /// The answer.
    pub text: String,
    /// Set where the agent says that it failed.
    pub failure: Option<AgentFailure>,
    /// Why the session must not be resumed, where the agent says so in a field of its own.
    pub poisoned: Option<FailureReason>,
}

/// A failure as the agent states it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentFailure {
    /// Its words.
    pub error: String,
    /// The reason, where a field of the output gives it; else it is derived from the words.
    pub reason: Option<FailureReason>,
    /// The agent refused to resume the session, and says so in a field or code of its own.
    pub is_resume_refused: bool,
}
