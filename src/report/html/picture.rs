//! The picture of a timeline, as SVG, and the same as a table.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::formats::shortened;
use crate::output::{counted, show_count, show_price};
use crate::report::layout::{LANE, LEFT, RIGHT, Row, Scale, WIDTH, is_text, rows, steps};
use crate::report::timeline::{Lane, Timeline, Unit};
use crate::report::words::duration;

/// The longest name of a lane that has room in the picture, in characters.
const NAME: usize = 19;
/// The height of the line that shows what was spent, and of the space above it.
const CHART: f64 = 56.0;
const GAP: f64 = 24.0;
/// The most turns that are drawn.
const TURNS: usize = 200;
/// The name of the curve of the cost.
const COST: &str = "cost";

/// The picture.
pub(super) fn picture(timeline: &Timeline) -> Markup {
    let scale = Scale::of(timeline);
    let rows = rows(timeline);
    let has_turns = timeline.turns.len() > 1;
    let top = if has_turns { 26.0 } else { 4.0 };
    let lanes_end = top + LANE * rows.len() as f64;
    let charts = charts(timeline);
    let height = lanes_end + (CHART + GAP) * charts.len() as f64 + 24.0;
    html! {
        figure .picture {
            div .wide tabindex="0" role="group" aria-label="Timeline, scrolls sideways" {
                svg viewBox=(format!("0 0 {WIDTH} {height:.0}")) role="img" aria-labelledby="timeline-title timeline-desc" {
                    title #timeline-title { "Timeline of the run" }
                    desc #timeline-desc { (description(timeline)) }
                    @for at in scale.ticks() {
                        @let x = n(scale.x(at));
                        line .grid x1=(x) x2=(x) y1="0" y2=(n(height - 20.0)) {}
                        text .tick x=(x) y=(n(height - 5.0)) text-anchor="middle" { (scale.text(at)) }
                    }
                    @if has_turns {
                        text .name x="0" y="15" { "starts" }
                        @for turn in timeline.turns.iter().take(TURNS) {
                            @let (x, end) = (scale.x(turn.from), scale.x(turn.to));
                            rect .turn x=(n(x)) y="3" width=(n((end - x - 1.0).max(1.0))) height="16" rx="3" {
                                title { "start " (turn.n) ", " (scale.text(turn.from)) " to " (scale.text(turn.to)) }
                            }
                            @if end - x > 24.0 {
                                text .turn-n x=(n(x + 6.0)) y="15" { (turn.n) }
                            }
                        }
                    }
                    @for (place, row) in rows.iter().enumerate() {
                        (lane(row, top + LANE * place as f64, timeline, scale))
                    }
                    @for (place, chart) in charts.iter().enumerate() {
                        (curve(chart, lanes_end + GAP + (CHART + GAP) * place as f64, scale))
                    }
                }
            }
            figcaption {
                span .key { span .swatch .call {} "call" }
                span .key { span .swatch .fault {} "▴ failed call" }
                @if has_price_only_at_the_end(timeline, &charts) {
                    span .key { "The agent told its cost only at the end: it is no curve." }
                }
                @if timeline.unit == Unit::Bytes {
                    span .key { "The log has no times: left to right is its length." }
                }
            }
        }
    }
}

/// One row.
fn lane(row: &Row, y: f64, timeline: &Timeline, scale: Scale) -> Markup {
    let known = row.lane.map(|place| &timeline.lanes[place]);
    let name = known.map_or("other tools".into(), |lane| lane.tool.visible());
    let class = if known.is_some_and(is_text) { "bar said" } else { "bar" };
    html! {
        text .name x="0" y=(n(y + 17.0)) { (shortened(&name, NAME)) }
        line .lane x1=(n(LEFT)) x2=(n(RIGHT)) y1=(n(y + LANE / 2.0)) y2=(n(y + LANE / 2.0)) {}
        @for bar in &row.bars {
            rect class=(class) x=(n(bar.x)) y=(n(y + 6.0)) width=(n(bar.width)) height="14" rx="2" {
                title {
                    (name) ": " (counted(bar.mark.calls.into(), "call", "calls"))
                    @if bar.mark.errors > 0 { ", " (bar.mark.errors) " failed" }
                    ", " (scale.text(bar.mark.from)) " to " (scale.text(bar.mark.to))
                }
            }
            @if bar.mark.errors > 0 {
                // A shape, too: colour is not all that says it.
                @let x = bar.x + bar.width / 2.0;
                path .fault d=(format!("M{x:.1} {:.1} l4.5 8 h-9 z", y + 1.0)) {}
            }
        }
    }
}

/// Something that grows over the time.
struct Chart {
    name: &'static str,
    points: Vec<(u64, u64)>,
    sum: String,
}

fn charts(timeline: &Timeline) -> Vec<Chart> {
    let mut charts = Vec::new();
    let Some(last) = timeline.spent.last() else { return charts };
    // What came all at once is no curve: the numbers stand at the top.
    if last.tokens > 0 && timeline.spent.len() > 1 {
        let points = timeline.spent.iter().map(|spend| (spend.at, spend.tokens)).collect();
        charts.push(Chart { name: "tokens", points, sum: show_count(last.tokens) });
    }
    let priced = timeline.spent.iter().filter_map(|spend| Some((spend.at, spend.micro_usd?)));
    let points: Vec<(u64, u64)> = priced.collect();
    let steps = points.windows(2).filter(|pair| pair[0].1 < pair[1].1).count();
    if let Some((_, most)) = points.last().copied().filter(|_| steps > 1) {
        charts.push(Chart { name: COST, points, sum: show_price(most as f64 / 1e6) });
    }
    charts
}

/// Whether there is a cost, but nothing that shows how it grew.
fn has_price_only_at_the_end(timeline: &Timeline, charts: &[Chart]) -> bool {
    let is_priced = timeline.spent.iter().any(|spend| spend.micro_usd.is_some_and(|price| price > 0));
    is_priced && charts.iter().all(|chart| chart.name != COST)
}

fn curve(chart: &Chart, y: f64, scale: Scale) -> Markup {
    let line = steps(chart.points.iter().copied(), scale, CHART);
    let mut path = String::new();
    for (place, (x, below)) in line.iter().enumerate() {
        let _ = write!(path, "{}{x:.1} {:.1}", if place == 0 { "M" } else { " L" }, y + below);
    }
    let area = format!("{path} L{RIGHT:.1} {:.1} Z", y + CHART);
    html! {
        text .name x="0" y=(n(y + 14.0)) { (chart.name) }
        text .sum x="0" y=(n(y + 32.0)) { (chart.sum) }
        path .area d=(area) {}
        path .curve d=(path) {}
        line .lane x1=(n(LEFT)) x2=(n(RIGHT)) y1=(n(y + CHART)) y2=(n(y + CHART)) {}
    }
}

/// The picture in words.
fn description(timeline: &Timeline) -> String {
    let calls: u64 = timeline.lanes.iter().filter(|lane| !is_text(lane)).map(|lane| lane.calls).sum();
    let tools = timeline.lanes.iter().filter(|lane| !is_text(lane)).count() as u64;
    let length = match timeline.unit {
        Unit::Milliseconds => format!("in {}", duration(timeline.length)),
        Unit::Bytes => "over the length of the log".to_owned(),
    };
    format!(
        "{} of {} {length}. The table after the picture has the numbers.",
        counted(calls, "call", "calls"),
        counted(tools, "tool", "tools")
    )
}

/// The tools as a table.
pub(super) fn table(timeline: &Timeline) -> Markup {
    let mut tools: Vec<&Lane> = timeline.lanes.iter().filter(|lane| !is_text(lane)).collect();
    tools.sort_by_key(|lane| std::cmp::Reverse(lane.calls));
    let has_times = timeline.unit == Unit::Milliseconds;
    let has_open = tools.iter().any(|lane| lane.unanswered > 0);
    html! {
        @if !tools.is_empty() {
            div .wide tabindex="0" role="group" aria-label="Tools, scrolls sideways" {
                table {
                    thead { tr {
                        th scope="col" { "tool" }
                        th .number scope="col" { "calls" }
                        th .number scope="col" { "failed" }
                        @if has_open { th .number scope="col" { "no answer" } }
                        @if has_times { th .number scope="col" { "time" } }
                    } }
                    tbody {
                        @for lane in tools {
                            tr {
                                th scope="row" { code { (lane.tool) } }
                                td .number { (lane.calls) }
                                td .number .bad[lane.errors > 0] { (lane.errors) }
                                @if has_open { td .number { (lane.unanswered) } }
                                @if has_times { td .number { (duration(lane.total)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn n(value: f64) -> String {
    format!("{value:.1}")
}
