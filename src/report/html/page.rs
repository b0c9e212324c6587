//! The page: one file that needs nothing else, and no script to be read.
//!
//! What it shows was written by an agent. Three walls stand before it: the macro escapes every text; a text from outside is a
//! [`Claim`], whose control characters become visible; and the policy in the page lets the browser load nothing, and run nothing
//! but the one script whose digest it names.
//!
//! [`Claim`]: crate::report::claim::Claim

use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::{changes, picture, summary, transcript};
use crate::formats::{base64, shortened};
use crate::report::model::Report;

const STYLE: &str = include_str!("style.css");
/// Folds and filters. The page can be read without it.
const SCRIPT: &str = include_str!("script.js");

/// The page of a report.
pub fn page(report: &Report) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="referrer" content="no-referrer";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (report.run.status.word()) ": " (summary::title(report)) " " (report.task.key) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (summary::header(report))
                main {
                    h1 { (headline(report)) }
                    (summary::ending(report))
                    (summary::task(report))
                    (timeline(report))
                    (changes::changes(report))
                    (transcript::transcript(report))
                    (checkpoints(report))
                    (summary::about(report))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

/// Nothing is loaded and nothing is run but the style and the script of this very file.
fn policy() -> String {
    let hash = |text: &str| base64::encode(&Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// The first line of the prompt, or the task.
fn headline(report: &Report) -> Markup {
    let first = report.task.prompt.text.first_line();
    html! {
        @if first.trim().is_empty() { "Task " (report.task.task_id) }
        @else { (shortened(&first, 120)) }
    }
}

fn timeline(report: &Report) -> Markup {
    html! {
        section #timeline aria-labelledby="timeline-h" {
            h2 #timeline-h { "Timeline" }
            @if report.timeline.lanes.is_empty() {
                p .dim { "The log has no texts and no calls of tools." }
            } @else {
                (picture::picture(&report.timeline))
                (picture::table(&report.timeline))
            }
        }
    }
}

fn checkpoints(report: &Report) -> Markup {
    html! {
        @if !report.checkpoints.is_empty() {
            section #checkpoints aria-labelledby="checkpoints-h" {
                h2 #checkpoints-h { "Checkpoints" }
                div .wide tabindex="0" role="group" aria-label="Checkpoints, scrolls sideways" {
                    table {
                        thead { tr {
                            th .number scope="col" { "n" } th scope="col" { "message" } th scope="col" { "commit" }
                            th .number scope="col" { "files" } th .number scope="col" { "lines" } th scope="col" { "made" }
                        } }
                        tbody {
                            @for point in &report.checkpoints {
                                tr {
                                    td .number { (point.n) }
                                    th scope="row" { (point.message) }
                                    td { code { (point.commit) } }
                                    td .number { (point.files) }
                                    td .number { span .good { "+" (point.added) } " " span .bad { "−" (point.removed) } }
                                    td { @if let Some(at) = point.at { (at.format("%Y-%m-%d %H:%M")) } }
                                }
                            }
                        }
                    }
                }
                p .dim { "To go back to one: " code { "execenv restore " (report.task.key) } }
            }
        }
    }
}

#[cfg(test)]
mod tests;
