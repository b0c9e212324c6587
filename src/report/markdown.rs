//! A report for a job's summary and for a pull request: short enough for both.
//!
//! What comes from outside stands in code only, in a span or in a fence that is longer than any in it: there neither HTML, images
//! and links nor `@names` and `#numbers` become active.

use std::fmt::Write as _;

use super::claim::Claim;
use super::excerpt::{Excerpt, Most};
use super::model::{Changes, Report};
use super::timeline::{Lane, Unit};
use super::transcript::{Entry, What};
use super::words::{CHANGES_OF, duration, price, tokens};
use crate::output::{counted, show_bytes, show_count};
use crate::protocol::prefix;

/// The longest report, in bytes. GitHub takes 65,536 characters as the text of a pull request, and 1 MiB as the summary of a step.
pub(super) const MOST: usize = 60_000;
/// The longest parts, in bytes.
const ANSWER: Most = Most { head: 6_000, tail: 2_000 };
const ERROR: Most = Most { head: 1_500, tail: 1_500 };
const OUTPUT: Most = Most { head: 300, tail: 700 };
const PATCH: usize = 16_000;
const PROMPT: Most = Most { head: 2_000, tail: 500 };
/// The longest text in a span.
const SPAN: usize = 160;
/// The most rows of a list.
const ROWS: usize = 30;
/// The last steps that are shown.
const STEPS: usize = 25;

/// The report as Markdown.
pub fn markdown(report: &Report) -> String {
    let mut out = Out { text: String::new() };
    ending(report, &mut out);
    answer(report, &mut out);
    for changes in &report.changes {
        self::changes(changes, report, &mut out);
    }
    if let Some(why) = &report.no_changes {
        out.part(&format!("**Changes:** {}\n", span(&Claim::new(why.as_str()))));
    }
    tools(report, &mut out);
    steps(report, &mut out);
    checkpoints(report, &mut out);
    task(report, &mut out);
    let key = span(&report.task.key);
    let previous = if report.previous { " --previous" } else { "" };
    let _ = write!(
        out.text,
        "\n<sub>Made by `execenv report`. All of it: `execenv report KEY{previous} --html report.html`, where KEY is {key}.</sub>\n"
    );
    out.text
}

/// The text so far.
struct Out {
    text: String,
}

impl Out {
    /// Adds a part, if there is room.
    fn part(&mut self, part: &str) {
        // The last line of all comes after the last part.
        if self.text.len() + part.len() + 400 <= MOST {
            self.text.push('\n');
            self.text.push_str(part);
        }
    }

    /// Adds a part that is folded.
    fn folded(&mut self, title: &str, part: &str) {
        self.part(&format!("<details><summary>{title}</summary>\n\n{part}\n</details>\n"));
    }
}

fn ending(report: &Report, out: &mut Out) {
    let run = &report.run;
    let who = super::html::title(report);
    let look = run.status.look();
    let mut text = format!("## {} {}: {}\n\n", look.sign, run.status.word(), span(&who));
    if report.previous {
        text.push_str("This is the run before the last one.\n\n");
    }
    text.push_str(run.status.sentence());
    if let Some(why) = &run.explanation {
        let _ = write!(text, " {why}");
    }
    text.push_str("\n\n| | |\n|---|---|\n");
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(text, "| {name} | {value} |");
        }
    };
    let claim = |claim: &Claim| (!claim.is_empty()).then(|| span(claim));
    row("Task", claim(&report.task.task_id));
    row("Exit status", run.exit_code.map(|code| code.to_string()));
    row("Reason", run.failure_reason.as_ref().map(span));
    row("Duration", run.duration_ms.map(duration));
    row("Starts of the agent", (run.iterations > 1).then(|| run.iterations.to_string()));
    row("Cost", price(run));
    row("Tokens", Some(tokens(run)).filter(|tokens| *tokens > 0).map(show_count));
    row("Branch", claim(&report.task.branch));
    row("Pull request", claim(&run.pr_url));
    row("Machine", claim(&run.host));
    out.part(&text);
    if let Some(error) = run.error.as_ref().filter(|error| !error.is_empty()) {
        out.part(&fence(&Excerpt::of(&error.visible(), ERROR), ""));
    }
    if !report.warnings.is_empty() {
        let mut text = format!("**{}**\n\n", counted(report.warnings.len() as u64, "warning", "warnings"));
        for warning in report.warnings.iter().take(ROWS) {
            let _ = writeln!(text, "- {}", span(warning));
        }
        out.part(&text);
    }
}

fn answer(report: &Report, out: &mut Out) {
    let run = &report.run;
    if !run.text.is_empty() {
        let title = super::html::answer_title(run);
        out.part(&format!("### {title}\n\n{}", fence(&shorter(&run.text, ANSWER), "text")));
    }
}

fn changes(changes: &Changes, report: &Report, out: &mut Out) {
    let count = changes.files.len() as u64 + changes.more_files;
    let mut text = format!(
        "### Changes\n\n{}, +{} −{}, {CHANGES_OF}\n\n",
        counted(count, "file", "files"),
        changes.added,
        changes.removed
    );
    for file in changes.files.iter().take(ROWS) {
        let _ = writeln!(text, "- {} {}", file.action, span(&file.path));
    }
    if count > ROWS as u64 {
        let _ = writeln!(text, "- and {} more", count - ROWS as u64);
    }
    out.part(&text);
    if changes.patch.is_empty() {
        return;
    }
    let patch = changes.patch.visible();
    let kept = prefix(&patch, PATCH);
    let mut text = fence(&Excerpt { text: Claim::new(kept), ..Excerpt::default() }, "diff");
    if kept.len() < patch.len() || changes.is_patch_cut {
        let key = span(&report.task.key);
        let _ = writeln!(text, "\nThe diff goes on. All of it: `execenv diff KEY`, where KEY is {key}.");
    }
    out.folded("Diff", &text);
}

fn tools(report: &Report, out: &mut Out) {
    let mut lanes: Vec<&Lane> =
        report.timeline.lanes.iter().filter(|lane| !super::layout::is_text(lane)).collect();
    if lanes.is_empty() {
        return;
    }
    lanes.sort_by_key(|lane| std::cmp::Reverse(lane.calls));
    let has_times = report.timeline.unit == Unit::Milliseconds;
    let mut text = "| tool | calls | failed | time |\n|---|--:|--:|--:|\n".to_owned();
    for lane in lanes.iter().take(ROWS) {
        let time = if has_times { duration(lane.total) } else { String::new() };
        let _ = writeln!(text, "| {} | {} | {} | {time} |", span(&lane.tool), lane.calls, lane.errors);
    }
    out.folded("Tools", &text);
}

fn steps(report: &Report, out: &mut Out) {
    let transcript = &report.transcript;
    let all: Vec<&Entry> = transcript.entries.iter().chain(&transcript.end).collect();
    let shown = &all[all.len().saturating_sub(STEPS)..];
    let mut text = String::new();
    for entry in shown {
        match &entry.what {
            What::Tool { tool, summary, output, is_error, .. } => {
                let sign = if *is_error { "✕ " } else { "" };
                let _ = write!(text, "- {sign}{}", span(tool));
                if !summary.is_empty() {
                    let _ = write!(text, " {}", span(summary));
                }
                text.push('\n');
                if let Some(output) = output.as_ref().filter(|output| *is_error && !output.is_empty()) {
                    let fenced = fence(&shorter(output, OUTPUT), "");
                    fenced.lines().for_each(|line| {
                        let _ = writeln!(text, "  {line}");
                    });
                }
            }
            What::Text { text: said } => {
                let _ = writeln!(text, "- {}", span(&Claim::new(said.text.first_line())));
            }
            What::Output { text: said } => {
                text.push_str(&fence(&shorter(said, ANSWER), "text"));
            }
            _ => {}
        }
    }
    if !text.is_empty() {
        let left_out = transcript.left_out + (all.len() - shown.len()) as u64;
        let title = match left_out {
            0 => "Steps".to_owned(),
            _ => format!("The last steps ({left_out} before them left out)"),
        };
        out.folded(&title, &text);
    }
}

fn checkpoints(report: &Report, out: &mut Out) {
    if report.checkpoints.is_empty() {
        return;
    }
    let mut text = "| n | message | commit | files | lines |\n|--:|---|---|--:|--:|\n".to_owned();
    for point in report.checkpoints.iter().rev().take(ROWS) {
        let (message, commit) = (span(&point.message), span(&point.commit));
        let lines = format!("+{} −{}", point.added, point.removed);
        let _ = writeln!(text, "| {} | {message} | {commit} | {} | {lines} |", point.n, point.files);
    }
    out.folded("Checkpoints", &text);
}

fn task(report: &Report, out: &mut Out) {
    if !report.task.prompt.is_empty() {
        let title = super::html::prompt_title(&report.task);
        out.folded(title, &fence(&shorter(&report.task.prompt, PROMPT), "text"));
    }
}

/// Less of a text.
fn shorter(text: &Excerpt, most: Most) -> Excerpt {
    if text.len() <= most.head + most.tail {
        return text.clone();
    }
    if text.left_out == 0 {
        return Excerpt::of(&text.text.visible(), most);
    }
    let (head, end) = (text.text.visible(), text.end.visible());
    let kept = prefix(&head, most.head);
    let begin = (end.len().saturating_sub(most.tail)..=end.len()).find(|at| end.is_char_boundary(*at));
    let begin = begin.unwrap_or(end.len());
    Excerpt {
        left_out: text.left_out + (head.len() - kept.len() + begin) as u64,
        text: Claim::new(kept),
        end: Claim::new(&end[begin..]),
    }
}

/// A text in a fence that is longer than any in it.
fn fence(text: &Excerpt, language: &str) -> String {
    let mut inside = text.text.visible().into_owned();
    if text.left_out > 0 {
        let _ = write!(inside, "\n[… {} left out …]\n{}", show_bytes(text.left_out), text.end.visible());
    }
    let inside = inside.trim_end_matches('\n');
    let fence = "`".repeat(longest_run(inside).max(2) + 1);
    format!("{fence}{language}\n{inside}\n{fence}\n")
}

/// A text in a span of one line, which may stand in a table.
fn span(text: &Claim) -> String {
    let line = text.visible().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut line = match line.len() > SPAN {
        true => format!("{}…", prefix(&line, SPAN)),
        false => line,
    };
    if line.is_empty() {
        return "-".to_owned();
    }
    // In a table, a bar would end the cell, although it stands in code.
    if line.contains('|') {
        line = line.replace('|', "¦");
    }
    let ticks = "`".repeat(longest_run(&line) + 1);
    let space = if line.starts_with('`') || line.ends_with('`') { " " } else { "" };
    format!("{ticks}{space}{line}{space}{ticks}")
}

/// The most backticks in a row.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests;
