//! Prints the events of a run: as text, or as one JSON object a line.

use std::io::{self, BufWriter, StdoutLock, Write};

use anstyle::AnsiColor;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Format;
use super::live::{self, Live, used};
use super::log::note;
use super::stamp::{AfterBrace, Clock, Stamp};
use super::terminal::{hint, painted};
use super::text::{counted, show_age_in_two};
use super::{escape, story};
use crate::formats::{HarmlessJson, write_lines, write_part};
use crate::protocol::{Event, JsonText, NoticeLevel, Spent, Usage};
use crate::run::{EarlierResult, RunResult, RunSink};
use crate::supervise::RunStatus;
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
pub struct Printer<'a, W: Write = StdoutLock<'static>> {
    format: Format,
    out: BufWriter<W>,
    /// For JSON.
    stamp: Stamp<'a>,
    /// The begun line of a program's output, for JSON.
    line: Vec<u8>,
    /// The same of standard error.
    errors: Vec<u8>,
    /// The last part of a message did not end its line.
    is_line_begun: bool,
    /// On a terminal.
    live: Option<Live>,
    /// An agent that speaks a dialect was at work.
    is_agent: bool,
}

impl Printer<'_> {
    /// A printer to standard output; `clock` gives JSON events their time.
    pub fn new(format: Format, clock: Clock<'_>) -> Printer<'_> {
        live::end();
        Printer {
            format,
            stamp: Stamp::new(clock),
            out: BufWriter::with_capacity(BUFFER, io::stdout().lock()),
            line: Vec::new(),
            errors: Vec::new(),
            is_line_begun: false,
            live: if format == Format::Json { None } else { Live::start() },
            is_agent: false,
        }
    }
}

impl<W: Write> Printer<'_, W> {
    /// A printer of JSON events that were recorded: `clock` gives the time of each, where it is known.
    pub fn of_recorded(out: W, clock: Clock<'_>) -> Printer<'_, W> {
        Printer {
            format: Format::Json,
            stamp: Stamp::new(clock),
            out: BufWriter::with_capacity(BUFFER, out),
            line: Vec::new(),
            errors: Vec::new(),
            is_line_begun: false,
            live: None,
            is_agent: false,
        }
    }

    /// Prints the result that was recorded: the last event.
    ///
    /// # Errors
    /// Where it cannot be printed.
    pub fn recorded_result(&mut self, fields: &Map<String, Value>) -> io::Result<()> {
        self.flush_lines()?;
        self.object(fields)
    }

    /// Prints what is still held back.
    ///
    /// # Errors
    /// Where it cannot be printed.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush_lines()?;
        self.out.flush()
    }
}

impl<W: Write> RunSink for Printer<'_, W> {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        match event {
            Event::Idle | Event::Working(_) => {
                self.out.flush()?;
                self.show_work(event);
                return Ok(());
            }
            Event::ToolUse { id, tool, .. } => {
                self.live.iter_mut().for_each(|live| live.tool_begins(id, tool))
            }
            Event::ToolResult { id, .. } => self.live.iter_mut().for_each(|live| live.tool_ends(id)),
            _ => {}
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
        if matches!(event, Event::Output(_) | Event::Text { .. }) {
            live::hide();
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

    /// JSON: the one event. Text: the answer, and why there is no more.
    fn earlier(&mut self, earlier: &EarlierResult) -> io::Result<()> {
        if self.format == Format::Json {
            self.object(&earlier.fields)?;
            return self.out.flush();
        }
        write_lines(&mut self.out, earlier.text())?;
        self.out.flush()?;
        note(&format!(
            "the task {} completed at {}, and with `--once` it does not run again; its output is in {}",
            earlier.task_id,
            earlier.ended_at(),
            earlier.log()
        ));
        Ok(())
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
        live::hide();
        // A run that could not start is reported as the command's failure.
        if let Some(error) = result.error.as_ref().filter(|_| result.has_started()) {
            log::error!("{error}");
        }
        // Whoever has stopped a run knows why it ended.
        if result.has_started() && !matches!(result.status, RunStatus::Completed | RunStatus::Interrupted) {
            let key = result.key();
            story(&hint(&format!(
                "`execenv logs {key}` prints what the agent did, `execenv report {key} --html FILE` makes a page of it"
            )));
        }
        if result.survivors_killed > 0 {
            let killed = counted(result.survivors_killed as u64, "process", "processes");
            log::warn!("killed {killed} that the agent had left");
        }
        if self.is_agent && self.live.is_some() {
            story(&format!("{}\n", summary(result)));
        }
        Ok(())
    }
}

/// The end of a run in one line.
fn summary(result: &RunResult) -> String {
    let color = if result.exit_code == 0 { AnsiColor::Green } else { AnsiColor::Red };
    let status = painted(result.status.word(), color.on_default());
    let reason = result.failure_reason.map(|reason| format!(" ({})", reason.word())).unwrap_or_default();
    let tokens = result.usage.values().map(Usage::all).fold(0, u64::saturating_add);
    let spent = Spent { tokens, cost_usd: result.cost_usd.clone(), turns: 0 };
    let mut parts = vec![format!("{status}{reason} in {}", show_age_in_two(result.duration_ms / 1000))];
    parts.extend(used(&spent));
    parts.push(format!("log: {}", escape(&result.logs.output.display().to_string())));
    parts.join(" · ")
}

impl<W: Write> Printer<'_, W> {
    /// Shows on a terminal that the agent is at work. In the middle of a message, its words show that.
    fn show_work(&mut self, event: &Event<'_>) {
        let Some(live) = &mut self.live else { return };
        if let Event::Working(spent) = event {
            live.works(spent);
            self.is_agent = true;
        }
        if self.is_agent && !self.is_line_begun {
            live.draw();
        }
    }

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
