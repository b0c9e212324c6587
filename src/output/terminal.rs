//! Where colour and a progress line make sense: one decision for help, failures, the log and answers.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::formats::escape;

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Color {
    /// On a terminal that supports it.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// The words of the option.
    pub const WORDS: [(&'static str, Color); 3] =
        [("auto", Color::Auto), ("always", Color::Always), ("never", Color::Never)];
}

static IS_DUMB: AtomicBool = AtomicBool::new(false);

/// Decides from here on. With [`Color::Auto`], NO_COLOR, CLICOLOR_FORCE, TERM=dumb and whether the stream is a terminal
/// decide, in this order.
pub fn start(color: Color, variables: &[(OsString, OsString)]) {
    match color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    }
    .write_global();
    let is_dumb = variables.iter().any(|(name, value)| name == "TERM" && value == "dumb");
    IS_DUMB.store(is_dumb, Ordering::Relaxed);
}

/// What an answer in text is drawn on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// How many characters a line has; `None`: as many as are printed.
    pub width: Option<usize>,
    /// Colours can be used.
    pub is_colored: bool,
}

impl Screen {
    /// What is no terminal.
    #[cfg(test)]
    pub const PLAIN: Screen = Screen { width: None, is_colored: false };

    /// Standard output.
    pub fn of_stdout() -> Screen {
        let is_drawn = io::stdout().is_terminal() && !IS_DUMB.load(Ordering::Relaxed);
        let width = if is_drawn { stdout_size().map(|(columns, _)| columns) } else { None };
        Screen { width, is_colored: AutoStream::choice(&io::stdout()) != ColorChoice::Never }
    }

    /// A text in a style, where colours can be used.
    pub fn painted(self, text: &str, style: Style) -> String {
        if self.is_colored && style != Style::new() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

/// How many columns and rows the terminal at standard output has; `None`: it is none, or does not say.
pub(super) fn stdout_size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    let size = (usize::from(size.ws_col), usize::from(size.ws_row));
    (size.0 > 0 && size.1 > 0).then_some(size)
}

/// A word for standard error, in colour where that makes sense.
pub(super) fn painted(word: &str, style: Style) -> String {
    match AutoStream::choice(&io::stderr()) {
        ColorChoice::Never => word.to_owned(),
        _ => format!("{style}{word}{style:#}"),
    }
}

/// What to type after a failure, as it is printed below the error.
pub(super) fn hint(text: &str) -> String {
    format!("{} {}\n", painted("hint:", AnsiColor::Cyan.on_default().bold()), escape(text))
}

/// Whether whoever read standard output has closed it: a command that waits for more to print learns it only so.
pub fn is_reader_gone() -> bool {
    let stdout = io::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(poll(&mut polled, Some(&now)), Ok(1..)) && polled[0].revents().contains(PollFlags::ERR)
}

/// Prints help, with its colours as escape sequences, on standard output: in one piece, not line by line.
///
/// # Errors
/// When standard output cannot be written to.
pub fn help(text: &str) -> io::Result<()> {
    let stdout = io::stdout();
    let mut stdout = stdout.lock();
    match AutoStream::choice(&stdout) {
        ColorChoice::Never => stdout.write_all(strip_str(text).to_string().as_bytes())?,
        _ => stdout.write_all(text.as_bytes())?,
    }
    stdout.flush()
}

/// Text with escape sequences as standard error takes it.
pub fn for_stderr(text: &str) -> String {
    match AutoStream::choice(&io::stderr()) {
        ColorChoice::Never => strip_str(text).to_string(),
        _ => text.to_owned(),
    }
}

/// Whether a line on standard error can be replaced by the next.
pub(super) fn can_replace_lines() -> bool {
    io::stderr().is_terminal() && !IS_DUMB.load(Ordering::Relaxed)
}

/// How many characters a line of the terminal has at standard error.
pub(super) fn width() -> usize {
    const UNKNOWN: usize = 80;
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(UNKNOWN)
}
