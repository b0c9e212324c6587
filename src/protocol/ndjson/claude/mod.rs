//! The stream-json of Claude Code and its forks, in both directions.

mod answer;
mod failure;
mod message;
mod reader;
mod tokens;

use std::io;
use std::time::Duration;

pub use self::tokens::Counting;

use self::answer::user_frame;
use self::reader::Reader;
use super::lines::Lines;
use crate::protocol::{
    Conversation, Delivery, Ending, Event, Opening, Permission, Properties, Sink, Spent, Step,
};

/// A conversation with Claude Code: one turn, longer when messages are sent while it lasts.
#[derive(Debug)]
pub struct Claude {
    opening: Opening,
    takes_messages: bool,
    lines: Lines,
    reader: Reader,
}

impl Claude {
    /// A conversation in frames. `requested_model` names the usage for which the agent names no model.
    pub fn new(prompt: String, requested_model: Option<String>, permission: Permission) -> Self {
        let reader = Reader::new(requested_model, permission, Counting::Stated);
        Self {
            opening: Opening::Frames(user_frame(&prompt)),
            takes_messages: true,
            lines: Lines::default(),
            reader,
        }
    }

    /// The same, that goes on with a session.
    #[must_use]
    pub fn resuming(mut self) -> Self {
        self.reader.resumes();
        self
    }

    /// A conversation with a fork that gets its prompt in another way, and takes no messages.
    pub fn fork(opening: Opening, requested_model: Option<&str>, counting: Counting) -> Self {
        let reader = Reader::new(requested_model.map(str::to_owned), Permission::Allow, counting);
        Self { opening, takes_messages: false, lines: Lines::default(), reader }
    }
}

impl Conversation for Claude {
    fn properties(&self) -> Properties {
        Properties {
            states_result: true,
            reads_errors: true,
            begins_at_once: true,
            exit_within: Duration::from_secs(3),
        }
    }

    fn open(&mut self) -> Opening {
        std::mem::replace(&mut self.opening, Opening::Nothing)
    }

    fn output(&mut self, bytes: &[u8], sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        self.lines.push(bytes, |line| self.reader.line(line, sink, step))
    }

    fn output_ended(&mut self, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        self.lines.finish(|line| self.reader.line(line, sink, step))
    }

    fn errors(&mut self, bytes: &[u8], sink: &mut Sink<'_>, _step: &mut Step) -> io::Result<()> {
        sink(Event::AgentErrors(bytes))
    }

    fn send(&mut self, text: &str, step: &mut Step) -> Delivery {
        if !self.takes_messages {
            return Delivery::Unsupported;
        }
        if self.reader.is_over() {
            return Delivery::TooLate;
        }
        step.frames.extend(user_frame(text));
        Delivery::Written
    }

    fn has_open_tool(&self) -> bool {
        self.reader.has_open_tool()
    }

    fn spent(&self) -> Spent {
        self.reader.spent()
    }

    fn end(&mut self) -> Ending {
        self.reader.end(&self.lines)
    }
}

#[cfg(test)]
mod tests;
