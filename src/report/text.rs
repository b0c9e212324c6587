//! The summary that is printed where no form was asked for.

use std::fmt::Write as _;

use super::claim::Claim;
use super::model::Report;
use super::words::{CHANGES_OF, duration, price, tokens};
use crate::formats::shortened;
use crate::output::{counted, escape, show_count};

/// The most lines of an error or an answer.
const LINES: usize = 8;
/// The longest line, in characters.
const WIDTH: usize = 160;

/// The summary.
pub fn text(report: &Report) -> String {
    let (run, task) = (&report.run, &report.task);
    let mut out = String::new();
    let mut row = |label: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "{label:<12} {value}");
        }
    };
    let which = if report.previous { ", the run before the last one" } else { "" };
    row("run", &format!("{} {}{which}", one_line(&task.provider), one_line(&task.key)));
    row("asked", &one_line(&Claim::new(task.prompt.text.first_line())));
    row(
        "ended",
        &format!(
            "{}{}",
            run.status.word(),
            run.exit_code.map(|code| format!(", status {code}")).unwrap_or_default()
        ),
    );
    row("why", &why(report));
    let figures = [
        run.duration_ms.map(duration),
        (run.iterations > 1)
            .then(|| counted(run.iterations.into(), "start of the agent", "starts of the agent")),
        (tokens(run) > 0).then(|| format!("{} tokens", show_count(tokens(run)))),
        price(run),
    ];
    row("took", &figures.into_iter().flatten().collect::<Vec<_>>().join(", "));
    let mut lanes: Vec<_> =
        report.timeline.lanes.iter().filter(|lane| !super::layout::is_text(lane)).collect();
    lanes.sort_by_key(|lane| std::cmp::Reverse(lane.calls));
    let tools = lanes.iter().take(6).map(|lane| {
        let failed = if lane.errors > 0 { format!(" ({} failed)", lane.errors) } else { String::new() };
        format!("{} {}{failed}", one_line(&lane.tool), lane.calls)
    });
    row("tools", &tools.collect::<Vec<_>>().join(", "));
    for changes in &report.changes {
        let files = counted(changes.files.len() as u64 + changes.more_files, "file", "files");
        row("changes", &format!("{files}, +{} -{}, {CHANGES_OF}", changes.added, changes.removed));
    }
    row("no changes", report.no_changes.as_deref().map(escape).unwrap_or_default().as_str());
    row("pull request", &one_line(&run.pr_url));
    for warning in report.warnings.iter().take(LINES) {
        row("warning", &one_line(warning));
    }
    // Of an error the first line and the end say most, of an answer the beginning.
    let mut block = |title: &str, lines: &str, is_error: bool| {
        let mut lines: Vec<&str> = lines.lines().collect();
        let more = lines.len().saturating_sub(LINES);
        let _ = writeln!(out, "\n{title}");
        if more > 0 && is_error {
            let _ = writeln!(out, "  {}", shortened(&escape(lines[0]), WIDTH));
            let _ = writeln!(out, "  … {}", counted(more as u64, "more line", "more lines"));
            lines.drain(..=more);
        }
        lines.truncate(LINES);
        for line in lines {
            let _ = writeln!(out, "  {}", shortened(&escape(line), WIDTH));
        }
        if more > 0 && !is_error {
            let _ = writeln!(out, "  … {}", counted(more as u64, "more line", "more lines"));
        }
    };
    if let Some(error) = run.error.as_ref().filter(|error| !error.is_empty()) {
        block("error", &error.visible(), true);
    }
    if !run.text.is_empty() {
        block(if run.is_over { "answer" } else { "last text" }, &run.text.text.visible(), false);
    }
    let previous = if report.previous { " --previous" } else { "" };
    let _ = write!(out, "\nAll of it: `execenv report {}{previous} --html report.html`", one_line(&task.key));
    out
}

fn why(report: &Report) -> String {
    let run = &report.run;
    match (&run.explanation, &run.failure_reason) {
        (Some(text), Some(word)) => format!("{text} ({})", one_line(word)),
        (None, Some(word)) => one_line(word),
        _ => String::new(),
    }
}

fn one_line(claim: &Claim) -> String {
    let line = escape(&claim.visible().split_whitespace().collect::<Vec<_>>().join(" "));
    shortened(&line, WIDTH).into_owned()
}
