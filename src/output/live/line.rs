//! The one line, and who may draw it.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anstyle::Style;

use crate::output::table::shortened;
use crate::output::terminal::{can_replace_lines, painted, width};

/// A command that is done by then shows no line.
pub(super) const DELAY: Duration = Duration::from_millis(500);
/// The shortest time between two updates of the line: a faster one cannot be read.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// The line on the terminal. Whoever holds it prints, and no one else draws meanwhile.
struct Line {
    /// It stands there.
    is_shown: bool,
    /// The answer is printed: no line of a command comes any more.
    has_ended: bool,
}

static LINE: Mutex<Line> = Mutex::new(Line { is_shown: false, has_ended: false });

fn line() -> MutexGuard<'static, Line> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            let _ = io::stderr().lock().write_all(b"\r\x1b[K");
        }
    }

    fn draw(&mut self, text: &str) {
        let text = shortened(text, width().saturating_sub(1));
        // In one write, and without clearing first: a terminal must not show an empty line in between.
        let line = format!("\r{}\x1b[K", painted(&text, Style::new().dimmed()));
        let _ = io::stderr().lock().write_all(line.as_bytes());
        self.is_shown = true;
    }
}

/// Whether there is a terminal to draw on, and more than errors is printed.
pub(super) fn is_wanted() -> bool {
    can_replace_lines() && log::max_level() >= log::Level::Warn
}

/// Prints something in the place of the line, which is drawn again below it when it is due.
pub(in crate::output) fn above<T>(print: impl FnOnce() -> T) -> T {
    let mut line = line();
    line.clear();
    print()
}

/// Removes the line, so that something else can be printed in its place.
pub(in crate::output) fn hide() {
    line().clear();
}

/// Removes the line of a command for good: its answer comes.
pub(in crate::output) fn end() {
    let mut line = line();
    line.has_ended = true;
    line.clear();
}

/// A command begins, and may draw.
pub(super) fn begin() {
    line().has_ended = false;
}

/// Draws the line of a command, if its answer is yet to come.
pub(super) fn draw_of_command(text: &str) {
    let mut line = line();
    if !line.has_ended {
        line.draw(text);
    }
}

/// Draws the line of a run.
pub(super) fn draw(text: &str) {
    line().draw(text);
}

/// Whether the line stands on the terminal.
pub(super) fn is_shown() -> bool {
    line().is_shown
}
