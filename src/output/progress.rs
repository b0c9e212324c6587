//! A line on a terminal that shows the progress of a long command. It is never part of an answer.

use std::time::{Duration, Instant};

use super::story;
use super::terminal::can_replace_lines;

/// The shortest time between two updates of the line.
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
    /// Starts at zero. Nothing is shown during the first moment, where standard error is not a terminal, or with -q.
    pub fn new(what: &'static str) -> Progress {
        let is_on = can_replace_lines() && log::max_level() >= log::Level::Warn;
        Progress { what, count: 0, shown_at: Instant::now(), is_shown: false, is_on }
    }

    /// One more is done.
    pub fn step(&mut self) {
        self.count += 1;
        // Reading the clock a hundred thousand times would take longer than the work.
        if self.is_on && self.count.is_multiple_of(32) && self.shown_at.elapsed() >= PAUSE {
            story(&format!("\r\x1b[K{}: {} environments", self.what, self.count));
            self.shown_at = Instant::now();
            self.is_shown = true;
        }
    }

    /// Removes the line, so that something else can be printed.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            story("\r\x1b[K");
        }
    }
}
