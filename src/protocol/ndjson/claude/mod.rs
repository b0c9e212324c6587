//! The stream-json of Claude Code and its forks, in both directions.

mod answer;
mod failure;
mod message;
mod reader;
mod tokens;

use std::io;
use std::time::Duration;

use self::answer::user_frame;
use self::reader::Reader;
use super::lines::Lines;
use crate::protocol::{Conversation, Delivery, Ending, Event, Opening, Permission, Properties, Sink, Step};

/// A conversation with Claude Code: one turn, longer when messages are sent while it lasts.
#[derive(Debug)]
pub struct Claude {
    prompt: String,
    lines: Lines,
    reader: Reader,
}

impl Claude {
    /// `requested_model` names the usage for which the agent names no model.
    pub fn new(prompt: String, requested_model: Option<String>, permission: Permission) -> Self {
        Self { prompt, lines: Lines::default(), reader: Reader::new(requested_model, permission) }
    }
}

impl Conversation for Claude {
    fn properties(&self) -> Properties {
        Properties { states_result: true, reads_errors: true, exit_within: Duration::from_secs(3) }
    }

    fn open(&mut self) -> Opening {
        Opening::Frames(user_frame(&std::mem::take(&mut self.prompt)))
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
        if self.reader.is_over() {
            return Delivery::TooLate;
        }
        step.frames.extend(user_frame(text));
        Delivery::Written
    }

    fn has_open_tool(&self) -> bool {
        self.reader.has_open_tool()
    }

    fn end(&mut self) -> Ending {
        self.reader.end(&self.lines)
    }
}

#[cfg(test)]
mod tests;
