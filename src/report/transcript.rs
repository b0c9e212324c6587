//! What the agent said and did, entry by entry: of a long run its beginning and its end.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::claim::Claim;
use super::excerpt::{Excerpt, Most};
use crate::protocol::NoticeLevel;

/// The longest text of an entry, in bytes.
pub(super) const TEXT: Most = Most { head: 12 << 10, tail: 4 << 10 };
/// The longest thought of the model.
pub(super) const THOUGHT: Most = Most { head: 3 << 10, tail: 1 << 10 };
/// The longest input of a tool.
pub(super) const INPUT: Most = Most { head: 3 << 10, tail: 1 << 10 };
/// The longest output of a tool: what went wrong is at its end, as a rule.
pub(super) const OUTPUT: Most = Most { head: 4 << 10, tail: 4 << 10 };
/// The longest output of a program that is no agent.
pub(super) const PROGRAM: Most = Most { head: 128 << 10, tail: 384 << 10 };

/// The longest standard error.
pub(super) const ERRORS: Most = Most { head: 2 << 10, tail: 14 << 10 };

/// How much of a transcript is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    entries: usize,
    bytes: usize,
}

/// Of its beginning.
const HEAD: Room = Room { entries: 400, bytes: 512 << 10 };
/// Of its end.
const TAIL: Room = Room { entries: 1200, bytes: 1536 << 10 };

/// A transcript.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Transcript {
    /// The entries; of a long transcript those of its beginning.
    pub entries: Vec<Entry>,
    /// How many entries were left out between the two.
    pub left_out: u64,
    /// The entries of the end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub end: Vec<Entry>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Entry {
    /// When it came, if that is known.
    pub time: Option<DateTime<Utc>>,
    /// Its place on the timeline.
    pub at: u64,
    /// The turn of the agent, from 1.
    pub turn: u32,
    /// What it is.
    #[serde(flatten)]
    pub what: What,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum What {
    /// The agent named its session.
    Session { session_id: Claim, model: Claim },
    /// Text for the user.
    Text { text: Excerpt },
    /// The model's reasoning.
    Thinking { text: Excerpt },
    /// A tool was called; `output` is `null` as long as it has not answered, or the answer is among what was left out.
    Tool {
        tool: Claim,
        /// The part of the input that says most, in one line.
        summary: Claim,
        input: Excerpt,
        output: Option<Excerpt>,
        is_error: bool,
        /// Where on the timeline it answered.
        answered_at: Option<u64>,
    },
    /// The answer of a tool whose call is not here.
    ToolResult { tool: Claim, output: Excerpt, is_error: bool },
    /// A notice.
    Notice { level: NoticeLevel, text: Claim },
    /// A question of the agent, and the answer by the rule of the run.
    Permission { request: Claim, decision: String },
    /// A turn of an autonomous run has ended.
    Iteration { n: u32, ready: bool, reason: Claim },
    /// The work was saved.
    Heartbeat { commit: Claim, pushed: bool },
    /// The agent asked for a login.
    AuthRequired { provider: Claim, hint: Claim },
    /// What a program that is no agent printed.
    Output { text: Excerpt },
}

impl Entry {
    fn len(&self) -> usize {
        // The markup round it counts, too.
        256 + match &self.what {
            What::Session { session_id, model } => session_id.len() + model.len(),
            What::Text { text } | What::Thinking { text } | What::Output { text } => text.len(),
            What::Tool { tool, summary, input, output, .. } => {
                tool.len() + summary.len() + input.len() + output.as_ref().map_or(0, Excerpt::len)
            }
            What::ToolResult { tool, output, .. } => tool.len() + output.len(),
            What::Notice { text, .. } => text.len(),
            What::Permission { request, .. } => request.len(),
            What::Iteration { reason, .. } => reason.len(),
            What::Heartbeat { commit, .. } => commit.len(),
            What::AuthRequired { provider, hint } => provider.len() + hint.len(),
        }
    }
}

/// The entries as they come: the first ones, and a window on the last ones.
#[derive(Debug, Default)]
pub(super) struct Entries {
    head: Vec<Entry>,
    head_bytes: usize,
    is_head_full: bool,
    tail: VecDeque<Entry>,
    tail_bytes: usize,
    /// How many have left the window.
    left_out: u64,
}

impl Entries {
    /// Adds an entry; returns its number, by which it is found as long as it is here.
    pub(super) fn push(&mut self, entry: Entry) -> u64 {
        let length = entry.len();
        if !self.is_head_full && self.head.len() < HEAD.entries && self.head_bytes + length <= HEAD.bytes {
            self.head_bytes += length;
            self.head.push(entry);
            return self.head.len() as u64 - 1;
        }
        self.is_head_full = true;
        self.tail_bytes += length;
        self.tail.push_back(entry);
        let number = self.head.len() as u64 + self.left_out + self.tail.len() as u64 - 1;
        self.keep_room();
        number
    }

    fn keep_room(&mut self) {
        while self.tail.len() > TAIL.entries || self.tail_bytes > TAIL.bytes && self.tail.len() > 1 {
            let Some(gone) = self.tail.pop_front() else { break };
            self.tail_bytes -= gone.len();
            self.left_out += 1;
        }
    }

    /// Changes the entry with a number, if it is still here. Returns whether it is.
    pub(super) fn change(&mut self, number: u64, change: impl FnOnce(&mut Entry)) -> bool {
        let head = self.head.len() as u64;
        if number < head {
            let entry = &mut self.head[number as usize];
            let before = entry.len();
            change(entry);
            self.head_bytes = self.head_bytes + entry.len() - before;
            return true;
        }
        let place = (number - head).checked_sub(self.left_out).map(|place| place as usize);
        let Some(entry) = place.and_then(|place| self.tail.get_mut(place)) else { return false };
        let before = entry.len();
        change(entry);
        self.tail_bytes = self.tail_bytes + entry.len() - before;
        self.keep_room();
        true
    }

    /// What was kept.
    pub(super) fn finish(mut self) -> Transcript {
        if self.left_out == 0 {
            self.head.extend(self.tail);
            return Transcript { entries: self.head, ..Transcript::default() };
        }
        Transcript { entries: self.head, left_out: self.left_out, end: self.tail.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Entry {
        let text = Excerpt::of(text, TEXT);
        Entry { time: None, at: 0, turn: 1, what: What::Text { text } }
    }

    #[test]
    fn the_beginning_and_the_end_are_kept_and_the_rest_is_counted() {
        let mut entries = Entries::default();
        for n in 0..5000 {
            assert_eq!(entries.push(entry(&n.to_string())), n);
        }
        assert!(!entries.change(HEAD.entries as u64, |_| panic!("it is gone")));
        assert!(entries.change(0, |first| *first = entry("changed")));
        assert!(entries.change(4999, |last| *last = entry("end")));
        let kept = entries.finish();
        assert_eq!((kept.entries.len(), kept.end.len()), (HEAD.entries, TAIL.entries));
        assert_eq!(kept.left_out, 5000 - (HEAD.entries + TAIL.entries) as u64);
        assert_eq!((&kept.entries[0], kept.end.last()), (&entry("changed"), Some(&entry("end"))));
    }

    #[test]
    fn long_entries_leave_earlier_than_short_ones() {
        let mut entries = Entries::default();
        let long = "x".repeat(TEXT.head);
        for _ in 0..1000 {
            entries.push(entry(&long));
        }
        let kept = entries.finish();
        let bytes: usize = kept.entries.iter().chain(&kept.end).map(Entry::len).sum();
        assert!(bytes <= HEAD.bytes + TAIL.bytes, "{bytes}");
        assert!(kept.left_out > 0 && kept.end.len() > 10);
    }
}
