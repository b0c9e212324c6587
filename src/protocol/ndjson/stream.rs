//! The part of a dialect that is the same for all CLIs that print one JSON object a line.

use std::borrow::Cow;
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::lines::Lines;
use super::skipped::Skipped;
use crate::protocol::{
    Conversation, Ending, Event, Opening, Properties, Sink, Spent, Step, Transcript, login, prefix,
};

/// The part of a line that is searched for login trouble, in bytes.
const LOGIN_TEXT: usize = 64 << 10;

/// How much of a line a dialect understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Understood {
    /// All that matters.
    Yes,
    /// It is an object of a type that the dialect does not know.
    UnknownType(String),
    /// It is no object, or not one of the dialect's form.
    No,
}

/// What the lines of one CLI mean.
pub trait LineReader: Debug {
    /// As [`Conversation::properties`]: the CLI states its result, and then ends soon.
    fn properties(&self) -> Properties {
        Properties {
            states_result: true,
            reads_errors: true,
            begins_at_once: true,
            exit_within: Duration::from_secs(5),
        }
    }

    /// The line without what some builds of a CLI put before it.
    fn bare(line: &str) -> &str
    where
        Self: Sized,
    {
        line
    }

    /// Takes one line that begins with `{`.
    ///
    /// # Errors
    /// Those of the sink.
    fn line(&mut self, line: &str, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<Understood>;

    /// Takes a line that does not begin with `{`: most CLIs print none that matters.
    fn other_line(&mut self, _line: &str) -> Understood {
        Understood::No
    }

    /// Takes the end of standard output: for a CLI that states its result by ending.
    fn ended(&mut self, _step: &mut Step) {}

    /// Whether a tool is at work that the transcript does not know of.
    fn has_open_step(&self) -> bool {
        false
    }

    /// As [`Conversation::closing_file`].
    fn closing_file(&self) -> Option<&Path> {
        None
    }

    /// As [`Conversation::take_file`].
    fn take_file(&mut self, _bytes: &[u8]) {}

    /// What was said.
    fn transcript(&self) -> &Transcript;

    /// The same, to end it.
    fn transcript_mut(&mut self) -> &mut Transcript;
}

/// A conversation with a CLI that gets its prompt at the start, and prints one JSON object a line.
#[derive(Debug)]
pub struct LineStream<R> {
    opening: Opening,
    lines: Lines,
    skipped: Skipped,
    reader: R,
}

impl<R: LineReader> LineStream<R> {
    /// A conversation that begins with `opening`.
    pub fn new(opening: Opening, reader: R) -> LineStream<R> {
        LineStream { opening, lines: Lines::default(), skipped: Skipped::default(), reader }
    }
}

impl<R: LineReader> Conversation for LineStream<R> {
    fn properties(&self) -> Properties {
        self.reader.properties()
    }

    fn open(&mut self) -> Opening {
        std::mem::replace(&mut self.opening, Opening::Nothing)
    }

    fn output(&mut self, bytes: &[u8], sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        let (reader, skipped) = (&mut self.reader, &mut self.skipped);
        self.lines.push(bytes, |line| take(line, reader, skipped, sink, step))
    }

    fn output_ended(&mut self, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        let (reader, skipped) = (&mut self.reader, &mut self.skipped);
        self.lines.finish(|line| take(line, reader, skipped, sink, step))?;
        self.reader.ended(step);
        Ok(())
    }

    fn errors(&mut self, bytes: &[u8], sink: &mut Sink<'_>, _step: &mut Step) -> io::Result<()> {
        sink(Event::AgentErrors(bytes))
    }

    fn has_open_tool(&self) -> bool {
        self.reader.has_open_step() || self.reader.transcript().has_open_tool()
    }

    fn spent(&self) -> Spent {
        self.reader.transcript().spent()
    }

    fn closing_file(&self) -> Option<&Path> {
        self.reader.closing_file()
    }

    fn take_file(&mut self, bytes: &[u8]) {
        self.reader.take_file(bytes);
    }

    fn end(&mut self) -> Ending {
        Ending {
            unreadable: self.lines.unreadable(),
            remarks: self.skipped.remarks(&self.lines),
            ..self.reader.transcript_mut().end()
        }
    }
}

fn take<R: LineReader>(
    line: &[u8],
    reader: &mut R,
    skipped: &mut Skipped,
    sink: &mut Sink<'_>,
    step: &mut Step,
) -> io::Result<()> {
    // Lossy reading is slow, and hardly ever needed.
    let text = match std::str::from_utf8(line) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(line),
    };
    let begin = R::bare(text.trim_start());
    if begin.is_empty() {
        return Ok(());
    }
    let understood =
        if begin.starts_with('{') { reader.line(begin, sink, step)? } else { reader.other_line(begin) };
    match understood {
        Understood::Yes => return Ok(()),
        Understood::UnknownType(kind) => skipped.unknown(&kind),
        Understood::No => skipped.garbage(),
    }
    if step.login.is_none() {
        step.login = login::find_request(prefix(begin, LOGIN_TEXT));
    }
    Ok(())
}
