//! The only code that prints: answers to standard output, log and failures to standard error.

mod clean;
mod deed;
mod document;
mod entries;
mod events;
mod live;
pub mod log;
mod redrawn;
mod stamp;
mod table;
pub mod terminal;
mod text;
mod transcript;

use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::AnsiColor;
use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use crate::failure::{Code, Failure};

pub use crate::formats::{HarmlessJson, escape, harmless_json};
pub use deed::{Deed, is_broken_pipe};
pub(crate) use document::FailureDocument;
use document::FailureFields;
pub use document::{Version, document};
pub use entries::{Entries, Lines};
pub use events::Printer;
pub use live::LiveLine;
pub use log::note;
pub use redrawn::Redrawn;
pub use table::{Cell, Column, Table, Tone, styled};
use terminal::painted;
pub use terminal::{Color, Screen, help};
pub use text::{
    columns, counted, grouped, shell_quote, show_age, show_age_in_two, show_bytes, show_count, show_price,
    stopped_after, wrapped,
};
pub use transcript::Transcript;

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people, and for `$(…)`.
    Text,
    /// One JSON document, or one object per line where it streams.
    Json,
    /// `export` lines for `eval`.
    Shell,
}

impl Format {
    /// The words of the option.
    pub const WORDS: [(&'static str, Format); 3] =
        [("text", Format::Text), ("json", Format::Json), ("shell", Format::Shell)];
}

/// A command's answer, in every output format.
#[derive(Debug)]
pub struct Answer {
    /// For people; without the last newline. Empty: nothing is printed.
    pub text: String,
    /// For a program.
    pub json: Value,
    /// For `eval`; `None` where the command has no such format.
    pub shell: Option<String>,
    /// The exit status.
    pub status: u8,
    /// What was done besides.
    pub deed: Deed<'static>,
}

impl Answer {
    /// An answer of text and JSON, with status 0.
    pub fn new(text: impl Into<String>, json: impl Serialize) -> Answer {
        Answer { text: text.into(), json: document(json), shell: None, status: 0, deed: Deed::Nothing }
    }

    /// The same answer with another exit status.
    #[must_use]
    pub fn with_status(mut self, code: Option<Code>) -> Answer {
        self.status = code.map_or(0, Code::status);
        self
    }

    /// The answer of a command that did something which stays: what it was, as the end of a sentence, and how to learn the rest.
    #[must_use]
    pub fn after(mut self, what: impl Into<String>, hint: impl Into<String>) -> Answer {
        self.deed = Deed::Stays { what: what.into(), hint: hint.into() };
        self
    }
}

/// Prints an answer, and returns the exit status.
///
/// # Errors
/// When standard output cannot be written to: what the deed makes of that. When the answer has no such format.
pub fn answer(answer: &Answer, deed: Deed<'_>, format: Format) -> Result<u8> {
    match print(answer, format) {
        // What was found out counts, although no program reads on.
        Err(error) if matches!(deed, Deed::Nothing) && answer.status != 0 && is_broken_pipe(&error) => {
            Ok(answer.status)
        }
        Err(error) => Err(deed.unprinted(error)),
        done => done,
    }
}

fn print(answer: &Answer, format: Format) -> Result<u8> {
    match format {
        Format::Json => line(&harmless_json(&answer.json.to_string()))?,
        Format::Text if answer.text.is_empty() => {}
        Format::Text => line(&answer.text)?,
        Format::Shell => match &answer.shell {
            Some(text) => line(text)?,
            None => return Err(no_shell_form().into()),
        },
    }
    Ok(answer.status)
}

/// The failure for `--output shell` where the command has no such format.
pub fn no_shell_form() -> Failure {
    Failure::new(Code::Usage, "`--output shell` works only with prepare and reuse")
        .hint("use `--output json` or `text`")
}

/// Prints one line to stdout.
///
/// # Errors
/// When stdout cannot be written to.
pub fn line(text: &str) -> Result<()> {
    live::end();
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.write_all(b"\n")?;
    Ok(stdout.flush()?)
}

/// A buffered stdout for answers that stream.
pub fn stream() -> io::BufWriter<Stream> {
    io::BufWriter::with_capacity(1 << 16, Stream(io::stdout()))
}

/// Standard output, in the place of a line that stands on the terminal.
#[derive(Debug)]
pub struct Stream(io::Stdout);

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        live::above(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        live::above(|| self.0.flush())
    }
}

/// Ends the line that shows the progress of the command: from here on it draws on the terminal itself.
pub fn end_live_line() {
    live::end();
}

/// Prints text to standard error unchanged.
pub fn story(text: &str) {
    live::above(|| {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    });
}

/// The same for bytes that a program printed.
pub fn story_bytes(bytes: &[u8]) {
    live::above(|| {
        let _ = io::stderr().lock().write_all(bytes);
    });
}

/// Asks a question on a terminal; `None`: there is none to ask on. Only `y` and `yes` are a yes.
pub fn ask(question: &str) -> Option<bool> {
    use std::io::IsTerminal;
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return None;
    }
    let mut answer = String::new();
    // Nothing is drawn over the question until it is answered.
    live::above(|| {
        let _ = io::stderr().lock().write_all(format!("{question} [y/N] ").as_bytes());
        let _ = io::stdin().read_line(&mut answer);
    });
    Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Prints a failure: the last line of stderr as JSON, else `error:`, `caused by:` and `hint:` lines.
pub fn failure(error: &anyhow::Error, as_json: bool) {
    let failure = Failure::find(error);
    // The failure's message comes first; what wraps it is printed as causes.
    let message = failure.map_or_else(|| error.to_string(), |failure| failure.message.clone());
    let causes: Vec<String> =
        error.chain().map(ToString::to_string).filter(|cause| *cause != message).collect();
    let hint = Failure::hint_of(error);
    if as_json {
        let code = Failure::code_of(error).word();
        let error = FailureFields { code, message: &message, hint: hint.as_deref(), causes: &causes };
        story(&format!("{}\n", harmless_json(&document(FailureDocument { error }).to_string())));
        return;
    }
    let bold = |color: AnsiColor| color.on_default().bold();
    let mut text = format!("{} {}\n", painted("error:", bold(AnsiColor::Red)), escape(&message));
    for cause in causes {
        let _ = writeln!(text, "{} {}", painted("caused by:", bold(AnsiColor::Red)), escape(&cause));
    }
    if let Some(hint) = hint {
        text.push_str(&terminal::hint(&hint));
    }
    story(&text);
}
