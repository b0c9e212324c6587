//! What the work changed: files, and the diff file by file.

use maud::{Markup, html};

use crate::output::counted;
use crate::report::diff::{FileDiff, LineKind, files};
use crate::report::model::{ChangedFile, Changes, Report};
use crate::report::words::CHANGES_OF;

/// Diffs of so many lines together are open from the start.
const OPEN: usize = 300;

pub(super) fn changes(report: &Report) -> Markup {
    html! {
        section #changes aria-labelledby="changes-h" {
            h2 #changes-h { "Changes" }
            @if let Some(why) = &report.no_changes { p .dim { (crate::report::claim::Claim::new(why.as_str())) } }
            @for changes in &report.changes { (repository(changes, report)) }
        }
    }
}

fn repository(changes: &Changes, report: &Report) -> Markup {
    let patch = changes.patch.visible();
    let diffs = files(&patch);
    let lines: usize = diffs.iter().map(|diff| diff.lines.len()).sum();
    let count = changes.files.len() as u64 + changes.more_files;
    html! {
        p {
            @if count == 0 { "Nothing differs" } @else {
                b { (counted(count, "file", "files")) }
                " " span .good { "+" (changes.added) } " " span .bad { "−" (changes.removed) }
            }
            @if report.changes.len() > 1 || !report.task.has_work_dir { " in " code { (changes.repository) } }
            @if let Some(base) = &changes.base { " since commit " code { (base.chars().take(12).collect::<String>()) } }
            @if count > 0 { ", " (CHANGES_OF) }
        }
        @if !changes.files.is_empty() {
            details open[changes.files.len() <= 40] {
                summary { "Files" }
                ul .files {
                    @for file in &changes.files { (self::file(file)) }
                    @if changes.more_files > 0 { li .cut { "⋯ and " (changes.more_files) " more" } }
                }
            }
        }
        @for diff in &diffs { (self::diff(diff, lines <= OPEN)) }
        @if changes.is_patch_cut {
            p .cut { "⋯ The diff goes on. All of it: " code { "execenv diff " (report.task.key) } }
        }
    }
}

fn file(file: &ChangedFile) -> Markup {
    let word = match file.action {
        'A' => "added",
        'M' => "modified",
        'D' => "deleted",
        'R' => "renamed",
        'T' => "another kind",
        _ => "changed",
    };
    html! {
        li {
            span .action { (word) } " " code { (file.path) }
            @if let Some(from) = &file.from { " from " code { (from) } }
        }
    }
}

fn diff(diff: &FileDiff<'_>, is_open: bool) -> Markup {
    html! {
        details .diff open[is_open] {
            summary { code { (diff.name) } " " span .good { "+" (diff.added) } " " span .bad { "−" (diff.removed) } }
            pre {
                @for (kind, line) in &diff.lines {
                    @match kind {
                        LineKind::Added => ins { (line) "\n" },
                        LineKind::Removed => del { (line) "\n" },
                        LineKind::Head => {},
                        LineKind::Place => span .hunk { (line) "\n" },
                        LineKind::Same => { (line) "\n" },
                    }
                }
            }
        }
    }
}
