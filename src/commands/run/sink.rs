//! Where the events of a run go: readable text, or one JSON object a line.

use std::io::{self, Write};

use anyhow::Result;
use serde_json::{Value, json};

use crate::agent::{Event, Level, Outcome};
use crate::output::{Format, escape};

/// The most of a program's line that becomes one JSON event, in bytes.
const MAX_LINE: usize = 64 << 10;

/// Prints events as they come.
pub(super) struct Printer {
    format: Format,
    out: io::Stdout,
    /// The begun line of a program's output, for JSON.
    line: Vec<u8>,
}

impl Printer {
    pub(super) fn new(format: Format) -> Printer {
        Printer { format, out: io::stdout(), line: Vec::new() }
    }

    /// A remark of our own.
    pub(super) fn notice(&mut self, text: &str) -> Result<()> {
        Ok(self.event(&Event::Notice { level: Level::Warning, text })?)
    }

    /// One event of the agent's.
    pub(super) fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        if self.format == Format::Json {
            return self.json(event);
        }
        match event {
            Event::Output(bytes) => {
                let mut out = self.out.lock();
                out.write_all(bytes)?;
                out.flush()
            }
            Event::Text { text } => self.print(text),
            Event::ToolUse { tool, input, .. } => {
                log::info!("{tool} {}", input.get().chars().take(200).collect::<String>());
                Ok(())
            }
            Event::Notice { level: Level::Info, text } => {
                log::info!("{text}");
                Ok(())
            }
            Event::Notice { text, .. } => {
                log::warn!("{text}");
                Ok(())
            }
            Event::AuthRequired { hint, .. } => {
                log::warn!("the agent wants a login: {hint}");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The end: the result as the last event, or what a person should know of it.
    pub(super) fn end(&mut self, document: &Value, outcome: &Outcome) -> Result<()> {
        if self.format == Format::Json {
            self.flush_line()?;
            let mut out = self.out.lock();
            writeln!(out, "{document}")?;
            return Ok(out.flush()?);
        }
        if let Some(error) = &outcome.error {
            log::error!("{error}");
        }
        if outcome.survivors_killed > 0 {
            log::warn!("{} processes that the agent left behind were ended", outcome.survivors_killed);
        }
        Ok(())
    }

    /// Text of a model: lines stay lines, other control characters become visible.
    fn print(&self, text: &str) -> io::Result<()> {
        let mut out = self.out.lock();
        for line in text.lines() {
            writeln!(out, "{}", escape(line))?;
        }
        out.flush()
    }

    fn json(&mut self, event: &Event<'_>) -> io::Result<()> {
        if let Event::Output(bytes) = event {
            return self.program_output(bytes);
        }
        let mut out = self.out.lock();
        serde_json::to_writer(&mut out, event)?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// A program's bytes become one `text` event a line.
    fn program_output(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.line.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end + 1..];
            self.emit_line()?;
        }
        self.line.extend_from_slice(bytes);
        if self.line.len() > MAX_LINE { self.emit_line() } else { Ok(()) }
    }

    fn emit_line(&mut self) -> io::Result<()> {
        let event = json!({"type": "text", "text": String::from_utf8_lossy(&self.line)});
        self.line.clear();
        let mut out = self.out.lock();
        writeln!(out, "{event}")?;
        out.flush()
    }

    fn flush_line(&mut self) -> io::Result<()> {
        if self.line.is_empty() { Ok(()) } else { self.emit_line() }
    }
}
