//! Notices that stand in the run's own log and come out of the dialect as well: each is told once.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;

use chrono::{DateTime, Utc};

use crate::formats::escape;
use crate::protocol::Event;

/// Where an event stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// When it was read, or told; `None`: that was not recorded.
    pub time: Option<DateTime<Utc>>,
    /// In which start of the agent, from 1; 0: before the first.
    pub turn: u32,
    /// Where in the log of the agent's output its line begins.
    pub offset: u64,
}

/// What takes the events of a run.
pub type Sink<'a> = dyn FnMut(At, Event<'_>) -> io::Result<()> + 'a;

/// Who has told a notice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The run, in its own log.
    Run,
    /// The dialect, from what the agent printed.
    Dialect,
}

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// By the hash of its text, how much oftener the run has told it than the dialect.
    balance: BTreeMap<u64, i32>,
}

/// So many different notices are compared.
const MOST_NOTICES: usize = 10_000;

impl Notices {
    /// Whether a notice is to be told.
    pub(super) fn is_new(&mut self, text: &str, source: Source) -> bool {
        let mut hasher = DefaultHasher::new();
        escape(text).hash(&mut hasher);
        let is_known = self.balance.len() < MOST_NOTICES || self.balance.contains_key(&hasher.finish());
        if !is_known {
            return true;
        }
        let balance = self.balance.entry(hasher.finish()).or_default();
        let step = if source == Source::Run { 1 } else { -1 };
        let is_new = *balance * step >= 0;
        *balance += step;
        is_new
    }

    /// Passes on what the dialect tells.
    pub(super) fn pass(&mut self, at: At, event: Event<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        match &event {
            Event::Notice { text, .. } if !self.is_new(text, Source::Dialect) => Ok(()),
            _ => sink(at, event),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_of_both_is_told_once_and_one_of_the_run_each_time() {
        let mut notices = Notices::default();
        let told: Vec<bool> = [
            (Source::Run, "a\u{1b}"),
            (Source::Dialect, "a\u{1b}"),
            (Source::Dialect, "b"),
            (Source::Run, "b"),
            (Source::Run, "paused"),
            (Source::Run, "paused"),
        ]
        .map(|(source, text)| notices.is_new(text, source))
        .to_vec();
        assert_eq!(told, [true, false, true, false, true, true]);
    }
}
