//! Where everything of the picture of a timeline lies: data to coordinates.

use super::timeline::{Lane, Mark, TEXT_LANE, Timeline, Unit};
use super::words::clock;
use crate::output::show_bytes;

/// The width of the picture.
pub(super) const WIDTH: f64 = 1000.0;
/// Where the plot begins: the names of the lanes stand left of it.
pub(super) const LEFT: f64 = 150.0;
/// Where it ends.
pub(super) const RIGHT: f64 = 985.0;
/// The height of a lane.
pub(super) const LANE: f64 = 26.0;
/// The most lanes that are drawn, the one of all others included.
const MOST_LANES: usize = 12;
/// The least width of a bar, and the least gap between two.
const LEAST: f64 = 3.0;
/// At most so many lines cross the plot.
const TICKS: u64 = 8;

/// A lane of the picture.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// Which lane of the timeline it is; `None`: those that have no row of their own, together.
    pub(super) lane: Option<usize>,
    /// Its calls.
    pub(super) bars: Vec<Bar>,
}

/// A bar: one call, or several that would overlap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bar {
    pub(super) x: f64,
    pub(super) width: f64,
    pub(super) mark: Mark,
}

/// The horizontal scale.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    length: u64,
    unit: Unit,
}

impl Scale {
    pub(super) fn of(timeline: &Timeline) -> Scale {
        Scale { length: timeline.length.max(1), unit: timeline.unit }
    }

    /// Where a position is.
    pub(super) fn x(self, at: u64) -> f64 {
        LEFT + (RIGHT - LEFT) * (at.min(self.length) as f64 / self.length as f64)
    }

    /// The text for a position.
    pub(super) fn text(self, at: u64) -> String {
        match self.unit {
            Unit::Milliseconds => clock(at),
            Unit::Bytes => show_bytes(at),
        }
    }

    /// The positions of the lines that cross the plot.
    pub(super) fn ticks(self) -> Vec<u64> {
        let step = match self.unit {
            Unit::Milliseconds => step_of_time(self.length),
            Unit::Bytes => step_of_count(self.length),
        };
        (0..=self.length / step).map(|n| n * step).collect()
    }
}

fn step_of_time(length: u64) -> u64 {
    const SECONDS: [u64; 17] =
        [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400];
    let fits = |step: &u64| length / (step * 1000) <= TICKS;
    SECONDS.into_iter().find(fits).map_or_else(|| length.div_ceil(TICKS), |step| step * 1000)
}

/// The smallest step of 1, 2 or 5 and zeros that gives few enough lines.
pub(super) fn step_of_count(length: u64) -> u64 {
    let mut ten = 1_u64;
    loop {
        for step in [1, 2, 5].map(|digit| ten.saturating_mul(digit)) {
            if length / step <= TICKS {
                return step;
            }
        }
        ten = ten.saturating_mul(10);
    }
}

/// The rows of the picture: what the agent said, then the tools that were called most, then all others.
pub(super) fn rows(timeline: &Timeline) -> Vec<Row> {
    let scale = Scale::of(timeline);
    let mut order: Vec<usize> = (0..timeline.lanes.len()).collect();
    order.sort_by_key(|n| {
        let lane = &timeline.lanes[*n];
        (!is_text(lane), std::cmp::Reverse(lane.calls), *n)
    });
    let own = if order.len() > MOST_LANES { MOST_LANES - 1 } else { order.len() };
    let mut rows: Vec<Row> = order[..own]
        .iter()
        .map(|n| Row { lane: Some(*n), bars: bars(timeline.lanes[*n].marks.iter().copied(), scale) })
        .collect();
    if own < order.len() {
        let mut marks: Vec<Mark> =
            order[own..].iter().flat_map(|n| timeline.lanes[*n].marks.iter().copied()).collect();
        marks.sort_unstable_by_key(|mark| mark.from);
        rows.push(Row { lane: None, bars: bars(marks.into_iter(), scale) });
    }
    rows
}

/// Whether a lane has what the agent said.
pub(super) fn is_text(lane: &Lane) -> bool {
    lane.tool.visible() == TEXT_LANE
}

/// Bars that do not overlap.
fn bars(marks: impl Iterator<Item = Mark>, scale: Scale) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for mark in marks {
        let (x, end) = (scale.x(mark.from), scale.x(mark.to));
        let end = end.max(x + LEAST);
        // Calls one after the other stay apart; those at the same time, or too short to be told apart, are one bar.
        if let Some(last) = bars.last_mut().filter(|last| x > last.x + LEAST + 1.0) {
            let overlap = last.x + last.width - x;
            if (-1.0..=2.0).contains(&overlap) {
                last.width = x - last.x - 1.0;
            }
        }
        match bars.last_mut().filter(|last| x < last.x + last.width + 0.9) {
            Some(last) => {
                last.width = last.width.max(end - last.x);
                last.mark.to = last.mark.to.max(mark.to);
                last.mark.calls = last.mark.calls.saturating_add(mark.calls);
                last.mark.errors = last.mark.errors.saturating_add(mark.errors);
            }
            None => bars.push(Bar { x, width: end - x, mark }),
        }
    }
    bars
}

/// The line of a sum that grows in steps, as the points of a path in a box of this height; its highest value is at the top.
pub(super) fn steps(
    points: impl Iterator<Item = (u64, u64)> + Clone,
    scale: Scale,
    height: f64,
) -> Vec<(f64, f64)> {
    let highest = points.clone().map(|(_, value)| value).max().unwrap_or_default().max(1);
    let y = |value: u64| height * (1.0 - value as f64 / highest as f64);
    let mut line = vec![(LEFT, height)];
    for (at, value) in points {
        let before = line.last().map_or(height, |(_, y)| *y);
        line.push((scale.x(at), before));
        line.push((scale.x(at), y(value)));
    }
    let last = line.last().map_or(height, |(_, y)| *y);
    line.push((RIGHT, last));
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::claim::Claim;

    fn timeline(length: u64) -> Timeline {
        Timeline { length, ..Timeline::default() }
    }

    #[test]
    fn ticks_are_few_and_at_round_places() {
        for (unit, length, count, step) in [
            (Unit::Milliseconds, 0, 1, "0:00"),
            (Unit::Milliseconds, 7_000, 8, "0:01"),
            (Unit::Milliseconds, 90_000, 7, "0:15"),
            (Unit::Milliseconds, 3_600_000, 7, "10:00"),
            (Unit::Milliseconds, 30 * 86_400_000, 9, "90:00:00"),
            (Unit::Bytes, 1000, 6, "200 B"),
            (Unit::Bytes, u64::MAX, 4, "4.4 EiB"),
        ] {
            let scale = Scale { length: length.max(1), unit };
            let ticks = scale.ticks();
            assert_eq!(ticks.len(), count, "{length}: {ticks:?}");
            if unit == Unit::Milliseconds && length > 0 {
                assert_eq!(scale.text(ticks[1]), step, "{length}");
            }
            assert!(ticks.iter().all(|at| (LEFT..=RIGHT).contains(&scale.x(*at))));
        }
    }

    #[test]
    fn bars_lie_in_the_plot_and_do_not_overlap() {
        let mark = |from, to, errors| Mark { from, to, calls: 1, errors };
        let scale = Scale::of(&timeline(1000));
        let drawn = bars([mark(0, 0, 0), mark(1, 500, 1), mark(990, 2000, 0)].into_iter(), scale);
        let shown: Vec<_> = drawn.iter().map(|bar| (bar.mark.calls, bar.mark.errors, bar.mark.to)).collect();
        assert_eq!(shown, [(2, 1, 500), (1, 0, 2000)]);
        assert!(drawn.windows(2).all(|pair| pair[0].x + pair[0].width < pair[1].x));
        assert_eq!(drawn[0].x, LEFT);
        let many = bars((0..100_000).map(|at| mark(at, at, 0)), Scale::of(&timeline(100_000)));
        assert!(many.len() < 1000, "{}", many.len());
        assert_eq!(many.iter().map(|bar| bar.mark.calls).sum::<u32>(), 100_000);
    }

    #[test]
    fn the_tools_that_are_called_most_have_rows() {
        let mut timeline = timeline(10);
        for n in 0..20 {
            let mut lane = Lane { tool: Claim::new(format!("t{n}")), calls: n, ..Lane::default() };
            lane.marks.push(Mark { from: n / 2, to: n / 2, calls: n as u32, errors: 0 });
            timeline.lanes.push(lane);
        }
        timeline.lanes[3].tool = Claim::new(TEXT_LANE);
        let order: Vec<_> = rows(&timeline).iter().map(|row| row.lane).collect();
        let expected = [3, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10].map(Some);
        assert_eq!((&order[..11], order[11], order.len()), (&expected[..], None, 12));
        timeline.lanes.truncate(2);
        assert_eq!(rows(&timeline).len(), 2);
    }

    #[test]
    fn a_sum_grows_in_steps() {
        let scale = Scale::of(&timeline(10));
        let middle = (LEFT + RIGHT) / 2.0;
        let line = steps([(0, 0), (5, 4)].into_iter(), scale, 10.0);
        let expected =
            [(LEFT, 10.0), (LEFT, 10.0), (LEFT, 10.0), (middle, 10.0), (middle, 0.0), (RIGHT, 0.0)];
        assert_eq!(line, expected);
        assert_eq!(steps([].into_iter(), scale, 10.0), [(LEFT, 10.0), (RIGHT, 10.0)]);
    }
}
