//! Prints the events of a run: as text, or as one JSON object a line.

use std::io::{self, BufWriter, StdoutLock, Write as _};

use serde::Serialize;

use super::Format;
use super::stamp::{AfterBrace, Clock, Stamp};
use crate::formats::{HarmlessJson, write_lines, write_part};
use crate::protocol::{Event, JsonText, NoticeLevel};
use crate::run::{RunResult, RunSink};
use crate::supervise::redact::redact;

/// The longest part of a program's line that becomes one JSON event, in bytes.
const MAX_LINE: usize = 64 << 10;

/// So many bytes are collected before they are written; when the agent pauses, everything is written.
const BUFFER: usize = 64 << 10;

/// A stream that is printed as one event a line.
#[derive(Clone, Copy)]
enum Stream {
    Output,
    Errors,
}

/// Prints events to standard output; those that come together are written together.
pub struct Printer<'a> {
    format: Format,
    out: BufWriter<StdoutLock<'static>>,
    /// For JSON.
    stamp: Stamp<'a>,
    /// The begun line of a program's output, for JSON.
    line: Vec<u8>,
    /// The same of standard error.
    errors: Vec<u8>,
    /// The last part of a message did not end its line.
    is_line_begun: bool,
}

impl Printer<'_> {
    /// A printer to standard output; `clock` gives JSON events their time.
    pub fn new(format: Format, clock: Clock<'_>) -> Printer<'_> {
        Printer {
            format,
            stamp: Stamp::new(clock),
            out: BufWriter::with_capacity(BUFFER, io::stdout().lock()),
            line: Vec::new(),
            errors: Vec::new(),
            is_line_begun: false,
        }
    }
}

impl RunSink for Printer<'_> {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        if matches!(event, Event::Idle) {
            return self.out.flush();
        }
        if self.is_line_begun && !matches!(event, Event::Text { is_part: true, .. }) {
            self.is_line_begun = false;
            self.out.write_all(b"\n")?;
        }
        if let (Event::Errors(bytes), Format::Text | Format::Shell) = (event, self.format) {
            self.out.flush()?;
            crate::output::story_bytes(bytes);
            return Ok(());
        }
        if self.format == Format::Json {
            return self.json(event);
        }
        match event {
            Event::Output(bytes) => self.out.write_all(bytes),
            Event::Text { text, is_part: true } => self.part(&text.decode()),
            Event::Text { text, is_part: false } => write_lines(&mut self.out, &text.decode()),
            Event::Permission { request, decision } => {
                self.remark(log::Level::Info, || format!("{request}: {}", decision.word()))
            }
            Event::ToolUse { tool, input, .. } => self.remark(log::Level::Info, || {
                format!("{tool} {}", input.get().chars().take(200).collect::<String>())
            }),
            Event::Notice { level: NoticeLevel::Info, text } => {
                self.remark(log::Level::Info, || (*text).to_owned())
            }
            Event::Notice { text, .. } => self.remark(log::Level::Warn, || (*text).to_owned()),
            Event::AuthRequired { hint, .. } => {
                self.remark(log::Level::Warn, || format!("the agent asks for a login: {hint}"))
            }
            _ => Ok(()),
        }
    }

    /// JSON: the last event. Text: what a person should know of the end.
    fn result(&mut self, result: &RunResult) -> io::Result<()> {
        if self.format == Format::Json {
            self.flush_lines()?;
            self.object(result)?;
            return self.out.flush();
        }
        if std::mem::take(&mut self.is_line_begun) {
            self.out.write_all(b"\n")?;
        }
        self.out.flush()?;
        // A run that could not start is reported as the command's failure.
        if let Some(error) = result.error.as_ref().filter(|_| result.has_started()) {
            log::error!("{error}");
        }
        if result.survivors_killed > 0 {
            log::warn!("killed {} processes that the agent had left", result.survivors_killed);
        }
        Ok(())
    }
}

impl Printer<'_> {
    /// A part of a message: what follows it goes on in the same line.
    fn part(&mut self, text: &str) -> io::Result<()> {
        self.is_line_begun = !text.ends_with('\n');
        write_part(&mut self.out, text)
    }

    /// A line of the story on standard error, in its place among the agent's own.
    fn remark(&mut self, level: log::Level, text: impl FnOnce() -> String) -> io::Result<()> {
        if log::log_enabled!(level) {
            self.out.flush()?;
            log::log!(level, "{}", text());
        }
        Ok(())
    }

    fn json(&mut self, event: &Event<'_>) -> io::Result<()> {
        match event {
            Event::Output(bytes) => return self.lines(Stream::Output, bytes),
            Event::Errors(bytes) | Event::AgentErrors(bytes) => return self.lines(Stream::Errors, bytes),
            _ => {}
        }
        // Most of a long stream, and mostly what would be written anyway.
        let literal =
            if let Event::Text { text, is_part: false } = event { text.canonical_literal() } else { None };
        let Some(literal) = literal else { return self.object(event) };
        self.stamp.begin(&mut self.out)?;
        self.out.write_all(br#""type":"text","text":""#)?;
        HarmlessJson(&mut self.out).write_all(literal.as_bytes())?;
        self.out.write_all(b"\"}\n")
    }

    /// A line with an object that is an event.
    fn object(&mut self, event: &impl Serialize) -> io::Result<()> {
        self.stamp.begin(&mut self.out)?;
        serde_json::to_writer(AfterBrace::new(HarmlessJson(&mut self.out)), event)?;
        self.out.write_all(b"\n")
    }

    /// Bytes become one event a line.
    fn lines(&mut self, stream: Stream, mut bytes: &[u8]) -> io::Result<()> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.begun(stream).extend_from_slice(&bytes[..end]);
            bytes = &bytes[end + 1..];
            self.emit_line(stream)?;
        }
        self.begun(stream).extend_from_slice(bytes);
        if self.begun(stream).len() > MAX_LINE { self.emit_line(stream) } else { Ok(()) }
    }

    fn begun(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Output => &mut self.line,
            Stream::Errors => &mut self.errors,
        }
    }

    fn emit_line(&mut self, stream: Stream) -> io::Result<()> {
        let line = std::mem::take(self.begun(stream));
        let text = String::from_utf8_lossy(&line);
        let printed = match stream {
            Stream::Output => self.json(&Event::Text { text: JsonText::Plain(&text), is_part: false }),
            // The log has it byte for byte.
            Stream::Errors => self.json(&Event::Stderr { text: &redact(&text) }),
        };
        let begun = self.begun(stream);
        *begun = line;
        begun.clear();
        printed
    }

    /// Prints the begun lines, which have no end.
    fn flush_lines(&mut self) -> io::Result<()> {
        for stream in [Stream::Output, Stream::Errors] {
            if !self.begun(stream).is_empty() {
                self.emit_line(stream)?;
            }
        }
        Ok(())
    }
}
