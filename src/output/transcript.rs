//! What a run has printed, for a person: one entry an event, with its time.

use std::fmt::Write as _;
use std::io;

use anstyle::{AnsiColor, Style};
use chrono::{DateTime, Local, NaiveDate, Utc};
use serde_json::{Map, Value};

use super::clean::{clean_line, clean_lines};
use super::entries::Entries;
use super::live::used;
use super::terminal::Screen;
use super::text::{show_age_in_two, show_count};
use crate::formats::{escape, shortened};
use crate::protocol::{Event, NoticeLevel, Spent, TOOL_OUTPUT, Usage, prefix};
use crate::run::transcript::{At, RunEnd, gist};

/// The column of times, and what stands in its place.
const NO_TIME: &str = "          ";
/// What stands before the lines of a tool's answer.
const INSET: &str = "            ";
/// So many lines of an answer and of a thought are printed.
const MOST_LINES: usize = 5;
/// The longest of these lines, in characters.
const LONGEST: usize = 200;

/// So much of a message without end is held back, in bytes: its end, where only the last entries are printed.
const LONGEST_HELD: usize = 1 << 20;

/// Prints events as text.
#[derive(Debug)]
pub struct Transcript {
    entries: Entries,
    screen: Screen,
    /// The entry that has begun.
    entry: String,
    /// A message of which more follows.
    is_message_begun: bool,
    /// The day of the last time.
    day: Option<NaiveDate>,
    /// The last second in which an entry began, in seconds since 1970, and its day and its text: most entries share theirs with others.
    second: Option<(i64, NaiveDate, String)>,
    /// The last time of what was passed over.
    passed: Option<DateTime<Utc>>,
    turn: u32,
    /// The last call of a tool, by its id.
    call: String,
    /// The line of a program that has begun.
    line: Vec<u8>,
    errors: Vec<u8>,
}

impl Transcript {
    /// To standard output. `last`: only so many of the entries that come before the first wait.
    pub fn new(last: Option<usize>) -> Transcript {
        Transcript {
            entries: Entries::new(last),
            screen: Screen::of_stdout(),
            entry: String::new(),
            is_message_begun: false,
            day: None,
            second: None,
            passed: None,
            turn: 1,
            call: String::new(),
            line: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Prints which run it is.
    ///
    /// # Errors
    /// Those of writing.
    pub fn head(&mut self, provider: &str, dialect: &str, began: Option<DateTime<Utc>>) -> io::Result<()> {
        let mut line = format!("run of {}", escape(provider));
        if !dialect.is_empty() {
            let _ = write!(line, " ({})", escape(dialect));
        }
        if let Some(began) = began.map(|began| began.with_timezone(&Local)) {
            self.day = Some(began.date_naive());
            let _ = write!(line, ", began {}", began.format("%Y-%m-%d %H:%M:%S %:z"));
        }
        let _ = writeln!(self.entry, "{}", self.screen.painted(&line, dim()));
        self.close()
    }

    /// Prints what the agent was asked.
    ///
    /// # Errors
    /// Those of writing.
    pub fn asked(&mut self, time: Option<DateTime<Utc>>, prompt: &str) -> io::Result<()> {
        if prompt.trim().is_empty() {
            return Ok(());
        }
        self.begin(time);
        let text = first_lines(prompt.trim(), NO_TIME, self.screen);
        let _ = writeln!(self.entry, "{}  {text}", self.screen.painted("prompt", tool_style()));
        self.close()
    }

    /// Begins in the middle: the entries before are left out.
    #[must_use]
    pub fn of_part(self) -> Transcript {
        Transcript { entries: self.entries.of_part(), ..self }
    }

    /// Passes over an event that is left out: what follows may refer to it.
    pub fn pass(&mut self, at: At, event: &Event<'_>) {
        self.turn = self.turn.max(at.turn);
        self.passed = at.time.or(self.passed);
        if let Event::ToolUse { id, .. } = event {
            (*id).clone_into(&mut self.call);
        }
    }

    /// Takes one event.
    ///
    /// # Errors
    /// Those of writing.
    pub fn event(&mut self, at: At, event: &Event<'_>) -> io::Result<()> {
        match event {
            Event::Idle => return self.idle(),
            Event::Text { text, is_part: true } => return self.part(at, &text.decode()),
            Event::Output(bytes) => return self.program(bytes, Stream::Output),
            Event::Errors(bytes) => return self.program(bytes, Stream::Errors),
            _ => {}
        }
        self.close_message()?;
        if at.turn > self.turn {
            self.turn = at.turn;
            let line = self.screen.painted(&format!("turn {}", at.turn), dim());
            self.begin(at.time);
            self.entry.push_str(&line);
            self.entry.push('\n');
            self.close()?;
        }
        let Some(text) = self.text(event) else { return Ok(()) };
        self.begin(at.time);
        self.entry.push_str(&text);
        self.entry.push('\n');
        self.close()
    }

    /// An event as text, whose first line stands behind the time. `None`: it is nothing for a person.
    fn text(&mut self, event: &Event<'_>) -> Option<String> {
        Some(match event {
            Event::Session { session_id, model } => {
                let model = model.map(|model| format!(", model {}", escape(model))).unwrap_or_default();
                self.screen.painted(&format!("session {}{model}", escape(session_id)), dim())
            }
            Event::Text { text, .. } => {
                let text = text.decode();
                let lines: Vec<String> = clean_lines(text.trim_end()).collect();
                lines.join(&format!("\n{NO_TIME}"))
            }
            Event::Thinking { text } => {
                let text = first_lines(text.decode().trim(), NO_TIME, self.screen);
                let text = format!("thinking  {text}");
                text.lines().map(|line| self.screen.painted(line, dim())).collect::<Vec<_>>().join("\n")
            }
            Event::ToolUse { id, tool, input } => {
                (*id).clone_into(&mut self.call);
                format!("{}  {}", self.screen.painted(&escape(tool), tool_style()), clean_line(&gist(input)))
            }
            Event::ToolResult { id, tool, output, is_error } => {
                let output = output.decode();
                let output = prefix(&output, 4 * TOOL_OUTPUT).trim_end().to_owned()
                    + if output.len() > 4 * TOOL_OUTPUT { "\n…" } else { "" };
                let mut words = Vec::new();
                if *id != self.call {
                    words.push(self.screen.painted(&escape(tool), tool_style()));
                }
                if *is_error == Some(true) {
                    words.push(self.screen.painted("error", AnsiColor::Red.on_default()));
                }
                let answer = match output.trim().is_empty() {
                    true => self.screen.painted("no output", dim()),
                    false => first_lines(&output, INSET, self.screen),
                };
                words.push(answer);
                format!("  {}", words.join("  "))
            }
            Event::Usage { usage } => {
                let models: Vec<String> = usage.iter().map(|(model, usage)| tokens(model, usage)).collect();
                self.screen.painted(&format!("tokens  {}", models.join("; ")), dim())
            }
            Event::Permission { request, decision } => {
                format!(
                    "{}  {}: {}",
                    self.screen.painted("permission", tool_style()),
                    clean_line(request),
                    decision.word()
                )
            }
            Event::Notice { level, text } => {
                let (word, style) = match level {
                    NoticeLevel::Info => ("note:", AnsiColor::Cyan.on_default()),
                    NoticeLevel::Warning => ("warning:", AnsiColor::Yellow.on_default()),
                    NoticeLevel::Error => ("error:", AnsiColor::Red.on_default()),
                };
                format!("{} {}", self.screen.painted(word, style), clean_line(text))
            }
            Event::AuthRequired { hint, .. } => format!("the agent asks for a login: {}", clean_line(hint)),
            Event::Iteration { n, ready, reason } => {
                let what = if *ready { "the agent says that it is done" } else { "the agent is not done" };
                let reason = reason.map(|reason| format!(": {}", clean_line(reason))).unwrap_or_default();
                self.screen.painted(&format!("turn {n} ended, {what}{reason}"), dim())
            }
            Event::Heartbeat { commit, pushed, .. } => {
                let pushed = if *pushed { ", pushed" } else { "" };
                let commit = escape(commit.get(..12).unwrap_or(commit));
                self.screen.painted(&format!("the work is saved as {commit}{pushed}"), dim())
            }
            Event::Stderr { text } => clean_line(text),
            // What an agent says on standard error is for whoever looks for the cause: `logs --stderr`.
            _ => return None,
        })
    }

    /// Prints how the run ended: its result, or what its log says.
    ///
    /// # Errors
    /// Those of writing.
    pub fn end(&mut self, result: Option<&Map<String, Value>>, end: Option<&RunEnd>) -> io::Result<()> {
        self.close_message()?;
        self.close_lines()?;
        let word = |field: &str| Some(result?.get(field)?.as_str()?.to_owned());
        let status = word("status").or_else(|| end.map(|end| end.status.clone()));
        let reason = word("failure_reason").or_else(|| end.and_then(|end| end.reason.clone()));
        let Some(status) = status else {
            let color = AnsiColor::Red.on_default();
            let line = self.screen.painted("the run has died: nothing says how it ended", color);
            let _ = writeln!(self.entry, "{line}");
            return self.close();
        };
        let color = if status == "completed" { AnsiColor::Green } else { AnsiColor::Red };
        let mut parts = vec![self.screen.painted(&escape(&status), color.on_default())];
        if let Some(reason) = reason {
            let _ = write!(parts[0], " ({})", escape(&reason));
        }
        if let Some(took) = result.and_then(|result| result.get("duration_ms")?.as_u64()) {
            let _ = write!(parts[0], " in {}", show_age_in_two(took / 1000));
        }
        parts.extend(result.map(spent).iter().flat_map(used));
        let _ = writeln!(self.entry, "{}", parts.join(" · "));
        if let Some(error) = word("error") {
            for line in clean_lines(error.trim()) {
                let _ = writeln!(self.entry, "  {line}");
            }
        }
        self.close()
    }

    /// Prints what is still held back. Returns whether that was possible: of a part, too few entries may have come.
    ///
    /// # Errors
    /// Those of writing.
    pub fn finish(mut self) -> io::Result<bool> {
        self.close_message()?;
        self.close_lines()?;
        let is_whole = !self.entries.lacks_some();
        self.entries.release()?;
        Ok(is_whole)
    }

    /// Nothing more is waiting: what there is of a message is printed now.
    fn idle(&mut self) -> io::Result<()> {
        self.entries.release()?;
        self.close()?;
        self.entries.release()
    }

    /// A part of a message: what follows it goes on in the same line.
    fn part(&mut self, at: At, text: &str) -> io::Result<()> {
        if !std::mem::replace(&mut self.is_message_begun, true) {
            self.begin(at.time);
        }
        let lines: Vec<String> = text.split('\n').map(clean_line).collect();
        self.entry.push_str(&lines.join(&format!("\n{NO_TIME}")));
        if self.entry.len() <= 2 * LONGEST_HELD {
            return Ok(());
        }
        if !self.entries.is_holding() {
            return self.close();
        }
        let mut cut = self.entry.len() - LONGEST_HELD;
        while !self.entry.is_char_boundary(cut) {
            cut += 1;
        }
        self.entry.drain(..cut);
        Ok(())
    }

    fn close_message(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_message_begun) {
            self.entry.push('\n');
            self.close()?;
        }
        Ok(())
    }

    /// What a program that speaks no dialect has printed: its lines as they are, without times, but harmless.
    fn program(&mut self, bytes: &[u8], stream: Stream) -> io::Result<()> {
        /// A line that has no end is printed in parts of so many bytes.
        const LONGEST: usize = 64 << 10;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let begun = match stream {
                Stream::Output => &mut self.line,
                Stream::Errors => &mut self.errors,
            };
            begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") || begun.len() > LONGEST {
                let line = std::mem::take(begun);
                self.entries
                    .entry(format!("{}\n", clean_line(&String::from_utf8_lossy(&line))).as_bytes())?;
            }
        }
        Ok(())
    }

    fn close_lines(&mut self) -> io::Result<()> {
        for line in [std::mem::take(&mut self.line), std::mem::take(&mut self.errors)] {
            if !line.is_empty() {
                self.entries
                    .entry(format!("{}\n", clean_line(&String::from_utf8_lossy(&line))).as_bytes())?;
            }
        }
        Ok(())
    }

    /// Begins an entry with its time; a new day has a line of its own.
    fn begin(&mut self, time: Option<DateTime<Utc>>) {
        let Some(time) = time else {
            self.entry.push_str(NO_TIME);
            return;
        };
        if self.second.as_ref().is_none_or(|(second, ..)| *second != time.timestamp()) {
            let local = time.with_timezone(&Local);
            let text = self.screen.painted(&local.format("%H:%M:%S").to_string(), dim());
            self.second = Some((time.timestamp(), local.date_naive(), text));
        }
        let Some((_, day, text)) = &self.second else { return };
        if let Some(passed) = self.passed.take() {
            self.day = Some(passed.with_timezone(&Local).date_naive());
        }
        if self.day.replace(*day).is_some_and(|before| before != *day) {
            let _ = writeln!(self.entry, "{}", self.screen.painted(&day.to_string(), dim()));
        }
        let _ = write!(self.entry, "{text}  ");
    }

    fn close(&mut self) -> io::Result<()> {
        if self.entry.is_empty() {
            return Ok(());
        }
        let printed = self.entries.entry(self.entry.as_bytes());
        self.entry.clear();
        printed
    }
}

/// A stream of a program.
#[derive(Clone, Copy)]
enum Stream {
    Output,
    Errors,
}

fn dim() -> Style {
    Style::new().dimmed()
}

fn tool_style() -> Style {
    AnsiColor::Cyan.on_default()
}

/// The first lines of a text, and how many more there are.
fn first_lines(text: &str, before: &str, screen: Screen) -> String {
    let lines = text.lines().count();
    let shown = text.lines().take(MOST_LINES);
    let mut shown: Vec<String> =
        shown.map(|line| shortened(&clean_line(prefix(line, 4 * LONGEST)), LONGEST).into_owned()).collect();
    if lines > MOST_LINES {
        let more = lines - MOST_LINES;
        let noun = if more == 1 { "line" } else { "lines" };
        shown.push(screen.painted(&format!("… {more} more {noun}"), dim()));
    }
    shown.join(&format!("\n{before}"))
}

/// The tokens of one model.
fn tokens(model: &str, usage: &Usage) -> String {
    let counts = [
        (usage.input_tokens, "in"),
        (usage.output_tokens, "out"),
        (usage.cache_read_tokens, "from the cache"),
        (usage.cache_write_tokens, "into the cache"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", show_count(*count)))
        .collect();
    format!("{}: {}", escape(model), if counts.is_empty() { "0".to_owned() } else { counts.join(", ") })
}

/// What a result says that was used up.
fn spent(result: &Map<String, Value>) -> Spent {
    let counts =
        result.get("usage").and_then(Value::as_object).into_iter().flat_map(|models| models.values());
    let counts =
        counts.filter_map(Value::as_object).flat_map(|counts| counts.values().filter_map(Value::as_u64));
    Spent {
        tokens: counts.fold(0, u64::saturating_add),
        cost_usd: result.get("cost_usd").and_then(Value::as_number).cloned(),
        turns: 0,
    }
}
