//! A line on a terminal that says how far a long command is. Never part of an answer, and never anywhere else.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use super::story;

/// How often the line is written anew at most.
const PAUSE: Duration = Duration::from_millis(100);

/// A count that goes up.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    count: u64,
    shown_at: Instant,
    is_shown: bool,
    is_on: bool,
}

impl Progress {
    /// Begins at zero; nothing is shown before a moment has passed, or where stderr is no terminal or nothing but
    /// errors is wanted.
    pub fn new(what: &'static str) -> Progress {
        let is_on = std::io::stderr().is_terminal() && log::max_level() >= log::Level::Warn;
        Progress { what, count: 0, shown_at: Instant::now(), is_shown: false, is_on }
    }

    /// One more is done.
    pub fn step(&mut self) {
        self.count += 1;
        // The clock is not asked for each of a hundred thousand.
        if self.is_on && self.count.is_multiple_of(32) && self.shown_at.elapsed() >= PAUSE {
            story(&format!("\r\x1b[K{}: {} environments", self.what, self.count));
            self.shown_at = Instant::now();
            self.is_shown = true;
        }
    }

    /// Takes the line away, so that something else can be said.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            story("\r\x1b[K");
        }
    }
}
