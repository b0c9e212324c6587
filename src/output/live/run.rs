//! The line of a run, drawn between its events.

use std::time::{Duration, Instant};

use super::line::{DELAY, PAUSE, draw, is_shown, is_wanted};
use crate::output::escape;
use crate::output::text::{show_age_in_two, show_count, show_price};
use crate::protocol::Spent;

/// What a run shows of itself while it goes on.
#[derive(Debug)]
pub(in crate::output) struct Live {
    begun: Instant,
    drawn: Option<Instant>,
    /// The tool that the agent waits for: the id of its call, and its name.
    tool: Option<(String, String)>,
    spent: Spent,
}

impl Live {
    /// `None`: standard error is no terminal whose lines can be replaced, or only errors are printed.
    pub(in crate::output) fn start() -> Option<Live> {
        is_wanted().then(|| Live { begun: Instant::now(), drawn: None, tool: None, spent: Spent::default() })
    }

    /// A tool was called.
    pub(in crate::output) fn tool_begins(&mut self, id: &str, tool: &str) {
        self.tool = Some((id.to_owned(), escape(tool)));
    }

    /// A tool answered.
    pub(in crate::output) fn tool_ends(&mut self, id: &str) {
        self.tool.take_if(|(open, _)| open == id);
    }

    /// The agent is at work, and has used up so much.
    pub(in crate::output) fn works(&mut self, spent: &Spent) {
        self.spent.clone_from(spent);
    }

    /// Draws the line, where it is not there or not of this moment.
    pub(in crate::output) fn draw(&mut self) {
        let is_fresh = self.drawn.is_some_and(|at| at.elapsed() < PAUSE);
        if self.begun.elapsed() < DELAY || is_fresh && is_shown() {
            return;
        }
        draw(&self.text(self.begun.elapsed()));
        self.drawn = Some(Instant::now());
    }

    fn text(&self, elapsed: Duration) -> String {
        let mut parts = vec![show_age_in_two(elapsed.as_secs())];
        parts.extend(self.tool.as_ref().map(|(_, name)| name.clone()));
        parts.extend(used(&self.spent));
        parts.join(" · ")
    }
}

/// Tokens and price for people, where the agent says them.
pub(in crate::output) fn used(spent: &Spent) -> Vec<String> {
    let tokens = (spent.tokens > 0).then(|| format!("{} tokens", show_count(spent.tokens)));
    let cost = spent.cost_usd.as_ref().and_then(serde_json::Number::as_f64).filter(|cost| *cost > 0.0);
    tokens.into_iter().chain(cost.map(show_price)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_is_known_and_fits() {
        let mut live = Live { begun: Instant::now(), drawn: None, tool: None, spent: Spent::default() };
        let after = Duration::from_secs(72);
        assert_eq!(live.text(after), "1m 12s");
        live.tool_begins("a", "Bash\n");
        live.tool_begins("b", "读取");
        live.tool_ends("a");
        let cost_usd = serde_json::from_str("0.125").unwrap();
        live.works(&Spent { tokens: 12_345, cost_usd, turns: 1 });
        assert_eq!(live.text(after), "1m 12s · 读取 · 12.3k tokens · $0.12");
        live.tool_ends("b");
        assert_eq!(live.text(after), "1m 12s · 12.3k tokens · $0.12");
    }
}
