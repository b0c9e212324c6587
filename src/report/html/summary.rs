//! The head of the page, how the run ended, and what it was about.

use chrono::{DateTime, SecondsFormat, Utc};
use maud::{Markup, html};

use super::excerpt::excerpt;
use crate::output::{counted, grouped, show_count};
use crate::report::claim::Claim;
use crate::report::model::{Ending, Report, State, Task};
use crate::report::words::{duration, price, tokens};

/// The line that stays at the top.
pub(super) fn header(report: &Report) -> Markup {
    let run = &report.run;
    let look = run.status.look();
    html! {
        header .top {
            div .bar {
                span class=(format!("state {}", look.class)) {
                    span aria-hidden="true" { (look.sign) } " " (run.status.word())
                }
                span .who {
                    b { (title(report)) }
                    @if !report.task.agent_name.is_empty() { " " span .dim { (report.task.provider) } }
                    " " span .dim { (report.task.key) }
                    @if report.previous { " " span .dim { "(the run before the last one)" } }
                }
                span .facts {
                    @if let Some(millis) = run.duration_ms { span { (duration(millis)) } }
                    @if let Some(price) = price(run) { span { (price) } }
                    @if tokens(run) > 0 { span { (show_count(tokens(run))) " tokens" } }
                }
            }
            nav aria-label="Parts of the report" {
                @for (id, name) in parts(report) { a href={ "#" (id) } { (name) } }
            }
        }
    }
}

/// The parts that this report has.
fn parts(report: &Report) -> Vec<(&'static str, &'static str)> {
    let mut parts =
        vec![("ending", "Ending"), ("task", "Task"), ("timeline", "Timeline"), ("changes", "Changes")];
    parts.push(("transcript", "Transcript"));
    if !report.checkpoints.is_empty() {
        parts.push(("checkpoints", "Checkpoints"));
    }
    parts.push(("about", "About"));
    parts
}

/// Who worked on what.
pub(in crate::report) fn title(report: &Report) -> Claim {
    let who = [&report.task.agent_name, &report.task.provider].into_iter().find(|name| !name.is_empty());
    who.cloned().unwrap_or_else(|| Claim::new("agent"))
}

/// How it ended, and why.
pub(super) fn ending(report: &Report) -> Markup {
    let run = &report.run;
    let look = run.status.look();
    html! {
        section #ending aria-labelledby="ending-h" {
            h2 #ending-h { "How it ended" }
            div class=(format!("verdict {}", look.class)) {
                p .lead {
                    span aria-hidden="true" { (look.sign) } " " (run.status.sentence())
                    @if let Some(why) = &run.explanation { " " (why) }
                }
                @if let Some(error) = run.error.as_ref().filter(|error| !error.is_empty()) {
                    pre .error { (error) }
                }
                @if run.recovered {
                    p .dim { "This result was rebuilt from the log by a later command." }
                }
            }
            dl .tiles {
                (tile("Exit status", run.exit_code))
                (tile("Duration", run.duration_ms.map(duration)))
                (tile("Starts of the agent", (run.iterations > 1).then_some(run.iterations)))
                (tile("Cost", price(run)))
                (tile("Tokens", (tokens(run) > 0).then(|| show_count(tokens(run)))))
                (tile("Reason", run.failure_reason.as_ref().map(|reason| html! { code { (reason) } })))
            }
            (warnings(report))
            @if !run.text.is_empty() {
                h3 { (answer_title(run)) }
                div .answer { (excerpt(&run.text)) }
            }
            (usage(run))
        }
    }
}

/// What the agent's text is.
pub(in crate::report) fn answer_title(run: &Ending) -> &'static str {
    match run.status {
        State::Completed => "Answer of the agent",
        _ => "Last text of the agent",
    }
}

fn tile(name: &str, value: Option<impl maud::Render>) -> Markup {
    html! {
        @if let Some(value) = value { div { dt { (name) } dd { (value) } } }
    }
}

fn warnings(report: &Report) -> Markup {
    html! {
        @if !report.warnings.is_empty() {
            h3 #warnings { "⚠ " (counted(report.warnings.len() as u64, "warning", "warnings")) }
            ul .warnings { @for warning in &report.warnings { li { (warning) } } }
        }
    }
}

fn usage(run: &Ending) -> Markup {
    html! {
        @if !run.usage.is_empty() {
            h3 { "Tokens by model" }
            div .wide tabindex="0" role="group" aria-label="Tokens, scrolls sideways" {
                table {
                    thead { tr {
                        th scope="col" { "model" }
                        @for name in ["input", "output", "from the cache", "into the cache"] {
                            th .number scope="col" { (name) }
                        }
                    } }
                    tbody {
                        @for (model, usage) in run.usage.iter().take(50) {
                            tr {
                                th scope="row" { code { (model) } }
                                @for count in [usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens] {
                                    td .number { (grouped(count)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What it was about.
pub(super) fn task(report: &Report) -> Markup {
    let task = &report.task;
    html! {
        section #task aria-labelledby="task-h" {
            h2 #task-h { "Task" }
            dl .rows {
                (row("task", &task.task_id))
                (row("agent", &task.agent_name))
                (row("provider", &task.provider))
                (row("kind", &task.kind))
                (row("workspace", &task.workspace_id))
                (row("branch", &task.branch))
            }
            @if !task.prompt.is_empty() {
                details open[task.prompt.len() < 1500] {
                    summary { (prompt_title(task)) }
                    (excerpt(&task.prompt))
                }
            }
            @if !task.context.is_empty() {
                details { summary { "Context file of the agent" } (excerpt(&task.context)) }
            }
        }
    }
}

/// What the prompt is.
pub(in crate::report) fn prompt_title(task: &Task) -> &'static str {
    if task.is_prompt_of_document { "Prompt of the task document" } else { "Prompt" }
}

fn row(name: &str, value: &Claim) -> Markup {
    html! {
        @if !value.is_empty() { dt { (name) } dd { code { (value) } } }
    }
}

/// Where it ran.
pub(super) fn about(report: &Report) -> Markup {
    let (run, task) = (&report.run, &report.task);
    let gone = if task.has_work_dir { "" } else { " (is gone)" };
    html! {
        section #about aria-labelledby="about-h" {
            h2 #about-h { "About this run" }
            dl .rows {
                (row("run", &run.id))
                (time("began", run.started_at))
                (time("ended", run.ended_at))
                (row("session", &run.session_id))
                (row("machine", &run.host))
                @for (name, value) in run.engine.iter().take(20) { dt { (name) } dd { code { (value) } } }
                (row("sandbox", &run.sandbox))
                (row("pull request", &run.pr_url))
                @if let Some(published) = &run.published { (row("published", &Claim::new(published.to_string()))) }
                @for drift in &run.source_drift { (row("changed meanwhile", drift)) }
                @if !run.commits.is_empty() {
                    dt { "commits" }
                    dd { @for commit in run.commits.iter().take(50) { code { (commit) } " " } }
                }
                @if run.survivors_killed > 0 {
                    dt { "killed at the end" }
                    dd { (counted(run.survivors_killed, "process", "processes")) " that had outlived the agent" }
                }
                (row("env root", &task.root_dir))
                dt { "work dir" } dd { code { (task.work_dir) } (gone) }
                (time("report made", Some(report.made_at)))
            }
            p .dim {
                "Made by " code { "execenv report" } ". Texts and outputs are those of the agent and its tools: execenv has \
                 not checked them, and they may hold secrets."
            }
        }
    }
}

fn time(name: &str, at: Option<DateTime<Utc>>) -> Markup {
    html! {
        @if let Some(at) = at {
            @let text = at.to_rfc3339_opts(SecondsFormat::Secs, true);
            dt { (name) } dd { time datetime=(text) { (text) } }
        }
    }
}
