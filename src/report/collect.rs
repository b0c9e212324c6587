//! From the events of a run to its transcript and its timeline, in one pass and in bounded memory.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;

use super::claim::Claim;
use super::excerpt::{Cutting, Excerpt};
use super::timeline::{NAME as TOOL, Spend, TEXT_LANE, Timeline, Unit};
use super::transcript::{ERRORS, Entries, Entry, INPUT, OUTPUT, PROGRAM, TEXT, THOUGHT, Transcript, What};
use super::waiting::{Call, Waiting};
use crate::protocol::{Event, JsonText, NoticeLevel, Permission, Spent};
use crate::run::transcript::gist;
use crate::supervise::redact::redact;

/// The longest name, id or line of an entry, in bytes.
const SHORT: usize = 512;
/// The most notices of the run that are listed as warnings.
const WARNINGS: usize = 50;

/// Where in a run something came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    /// When, if that is known.
    pub time: Option<DateTime<Utc>>,
    /// In which turn of the agent, from 1.
    pub turn: u32,
    /// Where in the log, in bytes.
    pub offset: u64,
}

/// Takes the events of a run.
#[derive(Debug)]
pub struct Collector {
    /// What a position is: known with the first event of the agent.
    unit: Option<Unit>,
    began: Option<DateTime<Utc>>,
    last: u64,
    turn: u32,
    entries: Entries,
    timeline: Timeline,
    calls: Waiting,
    /// A text that goes on, and the entry that it becomes.
    text: Option<(Moment, Cutting)>,
    program: Option<(Moment, Cutting)>,
    /// What the turns before have used up, and all so far.
    spent: (u64, u64),
    /// Its standard error.
    errors: Cutting,
    warnings: Vec<Claim>,
}

/// What came of the events.
#[derive(Debug)]
pub struct Collected {
    /// The transcript.
    pub transcript: Transcript,
    /// The timeline.
    pub timeline: Timeline,
    /// The end of standard error.
    pub stderr: Excerpt,
    /// Warnings and errors among the notices.
    pub warnings: Vec<Claim>,
}

impl Collector {
    /// Of a run that began then. Where nothing says when the events came, positions are bytes of the log.
    pub fn new(began: Option<DateTime<Utc>>) -> Collector {
        Collector {
            unit: None,
            began,
            last: 0,
            turn: 0,
            entries: Entries::default(),
            timeline: Timeline::default(),
            calls: Waiting::default(),
            text: None,
            program: None,
            spent: (0, 0),
            errors: Cutting::new(ERRORS),
            warnings: Vec::new(),
        }
    }

    /// Takes the next event.
    pub fn take(&mut self, moment: Moment, event: &Event<'_>) {
        let at = self.position(moment);
        if moment.turn > self.turn {
            self.end_text();
            self.turn = moment.turn;
            self.spent.0 = self.spent.1;
            self.timeline.begin_turn(moment.turn, at);
        }
        if !goes_beside(event) {
            self.end_text();
        }
        match event {
            Event::Session { session_id, model } => {
                let (session_id, model) = (short(session_id), short(model.unwrap_or_default()));
                self.push(moment, What::Session { session_id, model });
            }
            Event::Text { text, is_part } => self.text(moment, *text, *is_part),
            Event::Thinking { text } if !text.is_blank() => {
                let text = Excerpt::of(&text.decode(), THOUGHT);
                self.push(moment, What::Thinking { text });
            }
            Event::ToolUse { id, tool, input } => self.call(moment, id, tool, input),
            Event::ToolResult { id, tool, output, is_error } => {
                let output = Excerpt::of(&output.decode(), OUTPUT);
                self.answered(moment, id, tool, output, is_error.unwrap_or(false));
            }
            Event::Permission { request, decision } => {
                let decision = match decision {
                    Permission::Allow => "allowed",
                    Permission::Deny => "denied",
                };
                self.push(
                    moment,
                    What::Permission { request: short(request), decision: decision.to_owned() },
                );
            }
            Event::Notice { level, text } => {
                let text = Claim::beginning(text, 4 * SHORT);
                if *level != NoticeLevel::Info && self.warnings.len() < WARNINGS {
                    self.warnings.push(text.clone());
                }
                self.push(moment, What::Notice { level: *level, text });
            }
            Event::Iteration { n, ready, reason } => {
                let reason = Claim::beginning(reason.unwrap_or_default(), 4 * SHORT);
                self.push(moment, What::Iteration { n: *n, ready: *ready, reason });
            }
            Event::Heartbeat { commit, pushed, .. } => {
                self.push(moment, What::Heartbeat { commit: short(commit), pushed: *pushed });
            }
            Event::AuthRequired { provider, hint, .. } => {
                let (provider, hint) = (short(provider), short(hint));
                self.push(moment, What::AuthRequired { provider, hint });
            }
            Event::Output(bytes) => {
                self.program.get_or_insert_with(|| (moment, Cutting::new(PROGRAM))).1.add(bytes);
            }
            Event::Working(spent) => self.spend(at, spent),
            Event::Errors(bytes) | Event::AgentErrors(bytes) => self.errors.add(bytes),
            Event::Stderr { text } => {
                self.errors.add(text.as_bytes());
                self.errors.add(b"\n");
            }
            Event::Thinking { .. } | Event::Usage { .. } | Event::Paused(_) | Event::Idle => {}
        }
    }

    /// What came of it. `ended`: when the run ended, if that is known.
    pub fn finish(mut self, ended: Option<DateTime<Utc>>) -> Collected {
        self.end_text();
        if let Some((moment, program)) = self.program.take() {
            self.push(moment, What::Output { text: program.finish() });
        }
        self.timeline.unit = self.unit.unwrap_or_default();
        let end = match (self.timeline.unit, self.began, ended) {
            (Unit::Milliseconds, Some(began), Some(ended)) => millis(began, ended).max(self.last),
            _ => self.last,
        };
        self.calls.rest().iter().for_each(|call| self.give_up(call, end));
        self.timeline.end(end);
        let mut timeline = self.timeline;
        timeline.lanes.iter_mut().for_each(|lane| lane.marks.sort_unstable_by_key(|mark| mark.from));
        Collected {
            transcript: self.entries.finish(),
            timeline,
            stderr: Excerpt::of(&redact(&self.errors.finish().visible_lines()), ERRORS),
            warnings: self.warnings,
        }
    }

    /// The place of a moment; never before the one before.
    fn position(&mut self, moment: Moment) -> u64 {
        // What is told before the first start of the agent always has a time.
        let known = match moment.time {
            Some(_) => Unit::Milliseconds,
            None => Unit::Bytes,
        };
        if moment.turn > 0 {
            self.unit.get_or_insert(known);
        }
        let at = match (self.unit.unwrap_or_default(), moment.time) {
            (Unit::Milliseconds, Some(time)) => millis(*self.began.get_or_insert(time), time),
            (Unit::Milliseconds, None) => self.last,
            (Unit::Bytes, _) => moment.offset,
        };
        self.last = self.last.max(at);
        self.last
    }

    fn push(&mut self, moment: Moment, what: What) -> u64 {
        let turn = moment.turn.max(1);
        self.entries.push(Entry { time: moment.time, at: self.last, turn, what })
    }

    fn text(&mut self, moment: Moment, text: JsonText<'_>, is_part: bool) {
        self.text.get_or_insert_with(|| (moment, Cutting::new(TEXT))).1.add(text.decode().as_bytes());
        if !is_part {
            self.end_text();
        }
    }

    fn end_text(&mut self) {
        let Some((moment, text)) = self.text.take().filter(|(_, text)| !text.is_empty()) else { return };
        let text = text.finish();
        let lane = self.timeline.lane(TEXT_LANE);
        self.timeline.add(lane, self.last, self.last, false);
        self.push(moment, What::Text { text });
    }

    fn call(&mut self, moment: Moment, id: &str, tool: &str, input: &RawValue) {
        let lane = self.timeline.lane(tool);
        let what = What::Tool {
            tool: Claim::beginning(tool, TOOL),
            summary: Claim::new(gist(input)),
            input: Excerpt::of(input.get(), INPUT),
            output: None,
            is_error: false,
            answered_at: None,
        };
        let entry = self.push(moment, what);
        let call = Call { lane, from: self.last, entry };
        if let Some(given_up) = self.calls.begin(id, call) {
            self.give_up(&given_up, given_up.from);
        }
    }

    fn give_up(&mut self, call: &Call, to: u64) {
        self.timeline.add(call.lane, call.from, to, false);
        self.timeline.lanes[call.lane].unanswered += 1;
    }

    fn answered(&mut self, moment: Moment, id: &str, tool: &str, output: Excerpt, is_error: bool) {
        let now = self.last;
        let Some(call) = self.calls.end(id) else {
            self.push(moment, What::ToolResult { tool: Claim::beginning(tool, TOOL), output, is_error });
            return;
        };
        self.timeline.add(call.lane, call.from, now, is_error);
        self.entries.change(call.entry, |entry| {
            if let What::Tool { output: place, is_error: failed, answered_at, .. } = &mut entry.what {
                (*place, *failed, *answered_at) = (Some(output), is_error, Some(now));
            }
        });
    }

    fn spend(&mut self, at: u64, spent: &Spent) {
        let price = spent.cost_usd.as_ref().and_then(serde_json::Number::as_f64);
        let micro_usd = price.filter(|price| (0.0..1e12).contains(price)).map(|price| (price * 1e6) as u64);
        self.spent.1 = self.spent.0.saturating_add(spent.tokens);
        self.timeline.spend(Spend { at, tokens: self.spent.1, micro_usd });
    }
}

/// Whether an event may stand between two parts of one text.
fn goes_beside(event: &Event<'_>) -> bool {
    matches!(
        event,
        Event::Text { .. }
            | Event::Working(_)
            | Event::Idle
            | Event::Stderr { .. }
            | Event::Errors(_)
            | Event::AgentErrors(_)
    )
}

fn short(text: &str) -> Claim {
    Claim::beginning(text, SHORT)
}

fn millis(from: DateTime<Utc>, to: DateTime<Utc>) -> u64 {
    u64::try_from((to - from).num_milliseconds()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
