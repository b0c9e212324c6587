//! The transcript: one entry after the other, with the outputs of tools folded.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::excerpt::{excerpt, rest};
use crate::formats::shortened;
use crate::output::counted;
use crate::protocol::NoticeLevel;
use crate::report::claim::Claim;
use crate::report::excerpt::Excerpt;
use crate::report::model::Report;
use crate::report::timeline::Unit;
use crate::report::transcript::{Entry, What};
use crate::report::words::{clock, duration};

/// The most fields of a tool's input that stand apart.
const FIELDS: usize = 40;

pub(super) fn transcript(report: &Report) -> Markup {
    let transcript = &report.transcript;
    let unit = report.timeline.unit;
    html! {
        section #transcript aria-labelledby="transcript-h" {
            h2 #transcript-h { "Transcript" }
            // Shown by the script, without which it could do nothing.
            div #tools .toolbar hidden role="group" aria-label="Filter" {
                @for (kind, name) in [("text", "Text"), ("thinking", "Thinking"), ("tool", "Tools"), ("failed", "Failed calls"), ("other", "Notices")] {
                    button type="button" data-kind=(kind) aria-pressed=(if kind == "failed" { "false" } else { "true" }) { (name) }
                }
                button type="button" #fold data-open="no" { "Open all" }
                input #search type="search" placeholder="Find in the transcript" aria-label="Find in the transcript";
                span #found .dim role="status" {}
            }
            @if transcript.entries.is_empty() {
                p .dim { "The agent has printed nothing that could be shown." }
            }
            div .entries {
                (entries(&transcript.entries, 0, unit))
                @if transcript.left_out > 0 {
                    p .cut {
                        "⋯ " (counted(transcript.left_out, "entry was", "entries were")) " left out here. All of them: "
                        code { "execenv logs " (report.task.key) @if report.previous { " --previous" } " --events" }
                    }
                    (entries(&transcript.end, 0, unit))
                }
            }
            @if !report.stderr.is_empty() {
                details .stderr {
                    summary { "Standard error of the agent, its end" }
                    (excerpt(&report.stderr))
                }
            }
        }
    }
}

/// Entries one after the other; `before`: the turn of the entry before the first one.
fn entries(entries: &[Entry], before: u32, unit: Unit) -> Markup {
    let turns = std::iter::once(before).chain(entries.iter().map(|entry| entry.turn));
    html! {
        @for (entry, before) in entries.iter().zip(turns) {
            @if entry.turn != before && (entry.turn > 1 || before > 1) {
                h3 .turn { "Turn " (entry.turn) }
            }
            (self::entry(entry, unit))
        }
    }
}

fn entry(entry: &Entry, unit: Unit) -> Markup {
    let at = html! {
        @match (unit, entry.time) {
            (Unit::Milliseconds, _) => span .at { (clock(entry.at)) },
            (Unit::Bytes, Some(time)) => span .at { (time.format("%H:%M:%S")) },
            (Unit::Bytes, None) => span .at {},
        }
    };
    match &entry.what {
        What::Text { text } => html! {
            article .entry .text data-kind="text" { (at) div .body { (excerpt(text)) } }
        },
        What::Output { text } => html! {
            article .entry .text data-kind="text" { (at) div .body { pre .program { (text.text) } (rest(text)) } }
        },
        What::Thinking { text } => html! {
            article .entry .thinking data-kind="thinking" {
                (at)
                details .body {
                    summary { span .label { "thinking" } " " span .line { (line(&text.text)) } }
                    (excerpt(text))
                }
            }
        },
        What::Tool { tool, summary, input, output, is_error, answered_at } => {
            let took =
                answered_at.filter(|_| unit == Unit::Milliseconds).map(|end| end.saturating_sub(entry.at));
            html! {
                article .entry .tool .failed[*is_error] data-kind="tool" {
                    (at)
                    details .body {
                        summary {
                            code .label { (tool) } " " span .line { (line(summary)) }
                            @if *is_error { " " span .mark .bad { "✕ failed" } }
                            @if output.is_none() { " " span .mark .warn { "no answer" } }
                            @if let Some(took) = took.filter(|took| *took >= 1000) { " " span .mark { (duration(took)) } }
                        }
                        (self::input(input))
                        @if let Some(output) = output {
                            p .part { "output" @if output.is_empty() { " (empty)" } }
                            (excerpt(output))
                        }
                    }
                }
            }
        }
        What::ToolResult { tool, output, is_error } => html! {
            article .entry .tool .failed[*is_error] data-kind="tool" {
                (at)
                details .body {
                    summary { code .label { (tool) } " " span .line { "output of an earlier call" } @if *is_error { " " span .mark .bad { "✕ failed" } } }
                    (excerpt(output))
                }
            }
        },
        What::Notice { level, text } => {
            let (sign, class) = match level {
                NoticeLevel::Info => ("note", "note"),
                NoticeLevel::Warning => ("⚠ warning", "note warn"),
                NoticeLevel::Error => ("✕ error", "note bad"),
            };
            small(&at, class, sign, &html! { (text) })
        }
        What::Session { session_id, model } => small(
            &at,
            "note",
            "session",
            &html! {
                code { (session_id) } @if !model.is_empty() { " with " code { (model) } }
            },
        ),
        What::Permission { request, decision } => {
            small(&at, "note", "permission", &html! { (decision) ": " (request) })
        }
        What::Iteration { n, ready, reason } => small(
            &at,
            "note",
            "turn over",
            &html! {
                "turn " (n) ": " @if *ready { "the agent says that it is done" } @else { "the agent goes on" }
                @if !reason.is_empty() { ". " (reason) }
            },
        ),
        What::Heartbeat { commit, pushed } => small(
            &at,
            "note",
            "saved",
            &html! {
                "commit " code { (commit) } @if *pushed { ", pushed" }
            },
        ),
        What::AuthRequired { provider, hint } => small(
            &at,
            "note warn",
            "⚠ login",
            &html! {
                (provider) " asks for a login. " (hint)
            },
        ),
    }
}

fn small(at: &Markup, class: &str, label: &str, text: &Markup) -> Markup {
    html! {
        article class=(format!("entry {class}")) data-kind="other" {
            (at) div .body { span .label { (label) } " " (text) }
        }
    }
}

/// The input of a tool: field by field, where it is whole.
fn input(input: &Excerpt) -> Markup {
    let fields: Option<Map<String, Value>> =
        Some(input).filter(|input| input.left_out == 0).and_then(|input| input.text.parse());
    html! {
        @match fields {
            Some(fields) if fields.is_empty() => {},
            Some(fields) if fields.len() <= FIELDS => {
                @for (name, value) in &fields {
                    p .part { (Claim::new(name.as_str())) }
                    @match value {
                        Value::String(text) => pre { (Claim::new(text.as_str())) },
                        other => pre { (Claim::new(other.to_string())) },
                    }
                }
            },
            _ => {
                p .part { "input" }
                (excerpt(input))
            },
        }
    }
}

/// The first line, cut to what has room in a line.
fn line(text: &Claim) -> String {
    shortened(&text.first_line(), 160).into_owned()
}
