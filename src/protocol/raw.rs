//! A program that speaks no dialect: bytes go on as they come, and its exit status is the result.

use std::io;
use std::time::Duration;

use super::conversation::{Conversation, Ending, Opening, Properties, Step};
use super::event::{Event, Sink};

/// The conversation with any program.
#[derive(Debug)]
pub struct Raw {
    opening: Opening,
}

impl Raw {
    /// `input` is what the program reads from its standard input.
    pub fn new(input: Option<String>) -> Self {
        let opening = input.map_or(Opening::Nothing, |text| Opening::Whole(text.into_bytes()));
        Self { opening }
    }
}

impl Conversation for Raw {
    fn properties(&self) -> Properties {
        Properties {
            states_result: false,
            reads_errors: true,
            begins_at_once: false,
            exit_within: Duration::MAX,
        }
    }

    fn open(&mut self) -> Opening {
        std::mem::replace(&mut self.opening, Opening::Nothing)
    }

    fn output(&mut self, bytes: &[u8], sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        step.is_progress = true;
        sink(Event::Output(bytes))
    }

    fn errors(&mut self, bytes: &[u8], sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        step.is_progress = true;
        sink(Event::Errors(bytes))
    }

    fn end(&mut self) -> Ending {
        Ending::default()
    }
}
