//! The line at the bottom of a terminal that shows how a run is going. It is never part of an answer: whatever else is
//! printed removes it first, and it comes back below.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anstyle::Style;
use unicode_width::UnicodeWidthChar;

use super::terminal::{can_replace_lines, painted, width};
use super::text::{show_age_in_two, show_count};
use crate::protocol::Spent;

/// The shortest time between two updates of the line: a faster one cannot be read.
const PAUSE: Duration = Duration::from_millis(200);

/// Whether the line stands on the terminal. The log removes it as well.
static IS_SHOWN: AtomicBool = AtomicBool::new(false);

/// Removes the line, so that something else can be printed in its place.
pub(super) fn hide() {
    if IS_SHOWN.load(Ordering::Relaxed) {
        IS_SHOWN.store(false, Ordering::Relaxed);
        let _ = io::stderr().lock().write_all(b"\r\x1b[K");
    }
}

/// What a run shows of itself while it goes on.
#[derive(Debug)]
pub(super) struct Live {
    begun: Instant,
    drawn: Option<Instant>,
    /// The tool that the agent waits for: the id of its call, and its name.
    tool: Option<(String, String)>,
    spent: Spent,
}

impl Live {
    /// `None`: standard error is no terminal whose lines can be replaced, or only errors are printed.
    pub(super) fn start() -> Option<Live> {
        let is_on = can_replace_lines() && log::max_level() >= log::Level::Warn;
        is_on.then(|| Live { begun: Instant::now(), drawn: None, tool: None, spent: Spent::default() })
    }

    /// A tool was called.
    pub(super) fn tool_begins(&mut self, id: &str, tool: &str) {
        self.tool = Some((id.to_owned(), super::escape(tool)));
    }

    /// A tool answered.
    pub(super) fn tool_ends(&mut self, id: &str) {
        self.tool.take_if(|(open, _)| open == id);
    }

    /// The agent is at work, and has used up so much.
    pub(super) fn works(&mut self, spent: &Spent) {
        self.spent.clone_from(spent);
    }

    /// Draws the line, where it is not there or not of this moment.
    pub(super) fn draw(&mut self) {
        let is_fresh = self.drawn.is_some_and(|at| at.elapsed() < PAUSE);
        if is_fresh && IS_SHOWN.load(Ordering::Relaxed) {
            return;
        }
        let text = self.text(self.begun.elapsed(), width().saturating_sub(1));
        // In one write, and without clearing first: a terminal must not show an empty line in between.
        let line = format!("\r{}\x1b[K", painted(&text, Style::new().dimmed()));
        let _ = io::stderr().lock().write_all(line.as_bytes());
        IS_SHOWN.store(true, Ordering::Relaxed);
        self.drawn = Some(Instant::now());
    }

    fn text(&self, elapsed: Duration, width: usize) -> String {
        let mut parts = vec![show_age_in_two(elapsed.as_secs())];
        parts.extend(self.tool.as_ref().map(|(_, name)| name.clone()));
        parts.extend(used(&self.spent));
        fitting(&parts.join(" · "), width)
    }
}

/// Tokens and price for people, where the agent says them.
pub(super) fn used(spent: &Spent) -> Vec<String> {
    let tokens = (spent.tokens > 0).then(|| format!("{} tokens", show_count(spent.tokens)));
    let cost = spent.cost_usd.as_ref().and_then(serde_json::Number::as_f64).filter(|cost| *cost > 0.0);
    tokens.into_iter().chain(cost.map(|cost| format!("${cost:.2}"))).collect()
}

/// The beginning of a text that is at most so wide on a terminal.
fn fitting(text: &str, width: usize) -> String {
    let mut left = width;
    let fits = |c: &char| {
        let needed = c.width().unwrap_or(0);
        let fits = needed <= left;
        left = left.saturating_sub(needed);
        fits
    };
    text.chars().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_is_known_and_fits() {
        let mut live = Live { begun: Instant::now(), drawn: None, tool: None, spent: Spent::default() };
        let after = Duration::from_secs(72);
        assert_eq!(live.text(after, 80), "1m 12s");
        live.tool_begins("a", "Bash\n");
        live.tool_begins("b", "读取");
        live.tool_ends("a");
        let cost_usd = serde_json::from_str("0.125").unwrap();
        live.works(&Spent { tokens: 12_345, cost_usd, turns: 1 });
        assert_eq!(live.text(after, 80), "1m 12s · 读取 · 12.3k tokens · $0.12");
        assert_eq!(live.text(after, 10), "1m 12s · ", "half a wide character is none");
        live.tool_ends("b");
        assert_eq!(live.text(after, 80), "1m 12s · 12.3k tokens · $0.12");
    }
}
