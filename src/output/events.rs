//! Where the events of a run go: readable text, or one JSON object a line.

use std::io::{self, BufWriter, StdoutLock, Write as _};

use super::{Format, harmless};
use crate::protocol::{Event, NoticeLevel};
use crate::run::{RunResult, RunSink};

/// The most of a program's line that becomes one JSON event, in bytes.
const MAX_LINE: usize = 64 << 10;

/// What is collected before it is written, in bytes. An agent that pauses has all of its events out by then.
const BUFFER: usize = 64 << 10;

/// Prints events as they come; what comes in one go is written in one go.
pub struct Printer {
    format: Format,
    out: BufWriter<StdoutLock<'static>>,
    /// The begun line of a program's output, for JSON.
    line: Vec<u8>,
}

impl Printer {
    /// A printer to standard output.
    pub fn new(format: Format) -> Printer {
        Printer { format, out: BufWriter::with_capacity(BUFFER, io::stdout().lock()), line: Vec::new() }
    }
}

impl RunSink for Printer {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        if matches!(event, Event::Idle) {
            return self.out.flush();
        }
        if let Event::Errors(bytes) = event {
            // As the program's own standard error; JSON has it in the log.
            if self.format != Format::Json {
                self.out.flush()?;
                crate::output::story_bytes(bytes);
            }
            return Ok(());
        }
        if self.format == Format::Json {
            return self.json(event);
        }
        match event {
            Event::Output(bytes) => self.out.write_all(bytes),
            Event::Text { text } => self.print(text),
            Event::ToolUse { tool, input, .. } => self.remark(log::Level::Info, || {
                format!("{tool} {}", input.get().chars().take(200).collect::<String>())
            }),
            Event::Notice { level: NoticeLevel::Info, text } => {
                self.remark(log::Level::Info, || (*text).to_owned())
            }
            Event::Notice { text, .. } => self.remark(log::Level::Warn, || (*text).to_owned()),
            Event::AuthRequired { hint, .. } => {
                self.remark(log::Level::Warn, || format!("the agent wants a login: {hint}"))
            }
            _ => Ok(()),
        }
    }

    /// JSON: the last event. Text: what a person should know of the end.
    fn result(&mut self, result: &RunResult) -> io::Result<()> {
        if self.format == Format::Json {
            self.flush_line()?;
            serde_json::to_writer(&mut self.out, result)?;
            self.out.write_all(b"\n")?;
            return self.out.flush();
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

impl Printer {
    /// A line of the story on standard error, in its place among the agent's own.
    fn remark(&mut self, level: log::Level, text: impl FnOnce() -> String) -> io::Result<()> {
        if log::log_enabled!(level) {
            self.out.flush()?;
            log::log!(level, "{}", text());
        }
        Ok(())
    }

    /// Text of a model: lines stay lines, other control characters become visible.
    fn print(&mut self, text: &str) -> io::Result<()> {
        for line in text.lines() {
            self.out.write_all(harmless(line).as_bytes())?;
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn json(&mut self, event: &Event<'_>) -> io::Result<()> {
        if let Event::Output(bytes) = event {
            return self.program_output(bytes);
        }
        match event {
            // Most of a long stream; written as it is, it is twice as fast.
            Event::Text { text } if is_plain(text) => {
                for part in [r#"{"type":"text","text":""#, text, r#""}"#] {
                    self.out.write_all(part.as_bytes())?;
                }
            }
            _ => serde_json::to_writer(&mut self.out, event)?,
        }
        self.out.write_all(b"\n")
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
        let line = std::mem::take(&mut self.line);
        let printed = self.json(&Event::Text { text: &String::from_utf8_lossy(&line) });
        self.line = line;
        self.line.clear();
        printed
    }

    fn flush_line(&mut self) -> io::Result<()> {
        if self.line.is_empty() { Ok(()) } else { self.emit_line() }
    }
}

/// Whether a text is its own JSON form. Looks at whole pieces, which is a few wide instructions each.
fn is_plain(text: &str) -> bool {
    let special = |byte: &u8| (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\');
    text.as_bytes().chunks(64).all(|piece| !piece.iter().fold(false, |found, byte| found | special(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_text_is_its_own_json() {
        for byte in 0..=0x7fu8 {
            let text = format!("{}{}ü", "x".repeat(70), char::from(byte));
            let json = serde_json::to_string(&text).unwrap();
            assert_eq!(is_plain(&text), json == format!("\"{text}\""), "{byte}");
        }
    }
}
