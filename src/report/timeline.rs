//! Turns, calls of tools and what was spent, over the time of a run: collected in little memory, however many there are.

use serde::Serialize;

use super::claim::Claim;

/// The most tools that have a lane of their own in the data; the calls of others are counted together.
const LANES: usize = 48;
/// The most marks of a lane. When there are more, each two neighbours become one.
const MARKS: usize = 512;
/// The most points of what was spent.
const POINTS: usize = 256;
/// The most turns that are listed.
const TURNS: usize = 512;
/// The longest name of a tool, in bytes.
pub(super) const NAME: usize = 80;

/// A picture's data: positions are milliseconds since the beginning, or bytes of the log where no time is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Timeline {
    /// What a position is.
    pub unit: Unit,
    /// The last position.
    pub length: u64,
    /// The turns.
    pub turns: Vec<Turn>,
    /// A lane for each tool, by their first calls; texts of the agent have the lane `text`.
    pub lanes: Vec<Lane>,
    /// What was spent until then.
    pub spent: Vec<Spend>,
}

/// What a position on the timeline is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Milliseconds since the beginning.
    #[default]
    Milliseconds,
    /// Bytes of the log: nothing says when its lines came.
    Bytes,
}

/// A turn of the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Turn {
    /// Its number, from 1.
    pub n: u32,
    /// Where it begins.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
}

/// The calls of one tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Lane {
    /// The tool.
    pub tool: Claim,
    /// How often it was called.
    pub calls: u64,
    /// How many of the calls failed.
    pub errors: u64,
    /// How many of them have no answer.
    pub unanswered: u64,
    /// How long they took together.
    pub total: u64,
    /// Calls, or several calls beside each other.
    pub marks: Vec<Mark>,
}

/// A call, or several beside each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Mark {
    /// Where the first begins.
    pub from: u64,
    /// Where the last ends.
    pub to: u64,
    /// How many they are.
    pub calls: u32,
    /// How many of them failed.
    pub errors: u32,
}

/// What was spent until a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Spend {
    /// The position.
    pub at: u64,
    /// Tokens of all kinds.
    pub tokens: u64,
    /// The price in millionths of a US dollar; `null`: not known.
    pub micro_usd: Option<u64>,
}

/// The lane of what the agent says.
pub(super) const TEXT_LANE: &str = "text";

impl Timeline {
    /// Notes a turn that begins.
    pub(super) fn begin_turn(&mut self, n: u32, at: u64) {
        if let Some(last) = self.turns.last_mut() {
            last.to = last.to.max(at);
        }
        if self.turns.len() < TURNS {
            self.turns.push(Turn { n, from: at, to: at });
        }
    }

    /// The lane of a tool; that of all others, once there are too many.
    pub(super) fn lane(&mut self, tool: &str) -> usize {
        let name = Claim::beginning(tool, NAME);
        if let Some(known) = self.lanes.iter().position(|lane| lane.tool == name) {
            return known;
        }
        if self.lanes.len() >= LANES {
            return LANES - 1;
        }
        let tool = if self.lanes.len() == LANES - 1 { Claim::new("other tools") } else { name };
        self.lanes.push(Lane { tool, ..Lane::default() });
        self.lanes.len() - 1
    }

    /// Notes a call that has ended.
    pub(super) fn add(&mut self, lane: usize, from: u64, to: u64, is_error: bool) {
        let lane = &mut self.lanes[lane];
        lane.calls += 1;
        lane.errors += u64::from(is_error);
        lane.total += to.saturating_sub(from);
        lane.marks.push(Mark { from, to, calls: 1, errors: u32::from(is_error) });
        if lane.marks.len() > MARKS {
            lane.marks = halved(&lane.marks);
        }
    }

    /// Notes what was spent until now.
    pub(super) fn spend(&mut self, spend: Spend) {
        let same = |last: &Spend| (last.tokens, last.micro_usd) == (spend.tokens, spend.micro_usd);
        if self.spent.last().is_some_and(same) {
            return;
        }
        self.spent.push(spend);
        if self.spent.len() > POINTS {
            let mut n = 0;
            self.spent.retain(|_| {
                n += 1;
                n % 2 == 1
            });
        }
    }

    /// Notes where the run ends, or how far it is.
    pub(super) fn end(&mut self, at: u64) {
        self.length = at;
        if let Some(last) = self.turns.last_mut() {
            last.to = last.to.max(at);
        }
    }
}

/// Half as many marks: each two neighbours are one.
fn halved(marks: &[Mark]) -> Vec<Mark> {
    marks
        .chunks(2)
        .map(|pair| {
            let last = pair[pair.len() - 1];
            Mark {
                from: pair[0].from,
                to: pair[0].to.max(last.to),
                calls: pair.iter().map(|mark| mark.calls).sum(),
                errors: pair.iter().map(|mark| mark.errors).sum(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_put_together_and_none_is_lost() {
        let mark = |from, to, calls, errors| Mark { from, to, calls, errors };
        let marks = [mark(0, 9, 1, 1), mark(2, 3, 1, 0), mark(5, 6, 4, 2)];
        assert_eq!(halved(&marks), [mark(0, 9, 2, 1), mark(5, 6, 4, 2)]);
        assert_eq!(halved(&[]), []);
    }

    #[test]
    fn a_million_calls_of_a_thousand_tools_take_little_room() {
        let mut timeline = Timeline::default();
        for n in 0..1_000_000_u64 {
            let lane = timeline.lane(&format!("tool {}", n % 1000));
            timeline.add(lane, n, n + 1, n % 2 == 0);
            timeline.spend(Spend { at: n, tokens: n, micro_usd: None });
            timeline.begin_turn(1, n);
        }
        assert_eq!(timeline.lanes.len(), LANES);
        assert!(timeline.lanes.iter().all(|lane| lane.marks.len() <= MARKS));
        assert_eq!(timeline.lanes.iter().map(|lane| lane.calls).sum::<u64>(), 1_000_000);
        let marked = timeline.lanes.iter().flat_map(|lane| &lane.marks).map(|mark| u64::from(mark.calls));
        assert_eq!(marked.sum::<u64>(), 1_000_000);
        assert_eq!(timeline.lanes.iter().map(|lane| lane.errors).sum::<u64>(), 500_000);
        assert!(timeline.spent.len() <= POINTS && timeline.turns.len() <= TURNS);
        assert_eq!(timeline.spent[0].at, 0);
    }
}
