//! The platform's CLI: its commands, and that the agent reaches the platform only through it.

use super::comments::ascii_pipe;
use super::platform::{Commands, ISSUE};
use super::sanitize::{command_id, display_name};
use super::scene::Scene;
use crate::task::{IssueStatus, TaskKind};

/// The core loop only; the rest is behind `--help`, where it cannot go stale.
pub(super) fn available(scene: &Scene) -> Option<String> {
    let cli = scene.cli?;
    let mut parts = vec![format!("## Available Commands\n\n{}", reading(&cli))];
    if scene.kind == TaskKind::QuickCreate {
        parts.push(format!("- `{}`: the one command of this task.", cli.issue_create()));
        return Some(parts.join("\n\n"));
    }
    parts.push(format!("### Core\n\n{}", core(scene, &cli)));
    if scene.task.is_leader() {
        parts.push(format!(
            "### Squad maintenance\n\n\
             - `{}`: record that a trigger asked nothing of the squad.\n\
             - `{}`: change what a member is for.",
            cli.squad_no_action(ISSUE),
            cli.squad_set_role()
        ));
    }
    Some(parts.join("\n\n"))
}

fn reading(cli: &Commands) -> String {
    format!(
        "Prefer `--output json`. JSON comes on stdout, confirmations and warnings on stderr: never merge the two \
         (`2>&1`) into a parser, or a write that succeeded looks failed and is done twice. Tables show keys and short \
         ids that commands accept; a flag prints full ids. What is not listed here: `{}`, and `--help` at every level \
         below it.",
        cli.help()
    )
}

/// The built-in statuses, in the order of a board.
const STATUSES: [&str; 7] = ["backlog", "todo", "in_progress", "in_review", "done", "blocked", "cancelled"];

/// The words that a status may be; with a workspace's own, by the built-in one that each counts as.
fn statuses(scene: &Scene) -> String {
    let own: Vec<&IssueStatus> =
        scene.task.issue_statuses.iter().filter(|status| command_id(&status.key).is_some()).collect();
    let of = |category: &str| own.iter().filter(|status| status.category == category).collect::<Vec<_>>();
    let (with, plain): (Vec<&str>, Vec<&str>) = STATUSES.iter().partition(|key| !of(key).is_empty());
    if with.is_empty() {
        return "one of `todo`, `in_progress`, `in_review`, `done`, `blocked`, `backlog`, `cancelled`."
            .to_owned();
    }
    let mut lines = vec![
        "one of these; each line is one category, and what holds for its first word holds for all of it:"
            .to_owned(),
    ];
    for category in with {
        let customs = of(category).into_iter().map(|status| {
            let told = [display_name(&status.name), display_name(&status.description)];
            let told: Vec<String> = told.into_iter().filter(|text| !text.is_empty()).collect();
            let told = if told.is_empty() { String::new() } else { format!(" ({})", told.join(" — ")) };
            format!("`{}`{told}", status.key)
        });
        lines.push(format!("  - `{category}`, {}", customs.collect::<Vec<_>>().join(", ")));
    }
    if !plain.is_empty() {
        let plain: Vec<String> = plain.iter().map(|key| format!("`{key}`")).collect();
        lines.push(format!("  - {}", plain.join(", ")));
    }
    if scene.task.issue_statuses_omitted > 0 {
        lines.push(format!("  - {} more are not listed here.", scene.task.issue_statuses_omitted));
    }
    lines.join("\n")
}

fn core(scene: &Scene, cli: &Commands) -> String {
    [
        format!("- `{}`: an issue with its metadata.", cli.issue_get(ISSUE)),
        format!(
            "- `{}`: comments, never all of them. `--recent` counts threads; within one, `--thread <comment-id> \
             --tail <n>` counts replies. `--since <RFC 3339>` asks for what is newer. The cursor for the page before \
             is printed on stderr (`Next thread cursor`, `Next reply cursor`): give it back as `--before <timestamp> \
             --before-id <uuid>`.",
            cli.comment_list(ISSUE, "[--recent <n> | --thread <comment-id> --tail <n>]")
        ),
        format!(
            "- `{}`: the first look, one short line a thread; `--compact` leaves out what only programs need. Not \
             `--recent`: it limits threads, not comments, and brings all of each thread.",
            cli.comment_scan(ISSUE)
        ),
        format!(
            "- `{}`: a comment. More: `{}`.",
            cli.comment_add(ISSUE, "--content-file <path> [--parent <comment-id>] [--attachment <path>]"),
            format_args!("{} issue comment add --help", cli.program)
        ),
        format!("- `{}`: a new issue.", cli.issue_create()),
        format!("- `{}`: change an issue; `--parent \"\"` takes it out from under its parent.", cli.issue_update()),
        format!(
            "- `{}`: give an issue to someone. Before you assign it to yourself, look whether someone has claimed it: \
             two runs on one issue do the work twice.",
            cli.issue_assign()
        ),
        "- `--no-start`, with assign, update and status: only records the change. Without it, an agent that becomes or \
         is the assignee may start a run."
            .to_owned(),
        format!("- `{}`: {}", cli.issue_status(ISSUE, "<status> [--no-start]"), statuses(scene)),
        format!("- `{}`: its sub-issues, by stage.", cli.issue_children()),
        format!("- `{}`: its notes.", cli.metadata(&format!("list {ISSUE} --output json"))),
        format!(
            "- `{}`: write one.",
            cli.metadata(&format!("set {ISSUE} --key <key> --value <value> [--type string|number|bool]"))
        ),
        format!("- `{}`: drop one.", cli.metadata(&format!("delete {ISSUE} --key <key>"))),
        format!("- `{}`: a repository, on a branch of your own.", cli.checkout()),
    ]
    .join("\n")
}

pub(super) fn issue_bodies(scene: &Scene) -> Option<String> {
    scene.cli?;
    let pipe = ascii_pipe(scene.os);
    Some(format!(
        "## Issue Bodies\n\n\
         - Write the description into a UTF-8 file inside the work dir, never `/tmp` or another shared place, and pass \
         it with `--description-file`. If the file cannot be written, stop: do not post what may be another run's \
         text.{pipe}\n\
         - The title stands above the body: no H1 in it, unless the user asks for one. Start sections at `##`.\n\
         - A due date is `YYYY-MM-DD`."
    ))
}

pub(super) fn always_the_cli(scene: &Scene) -> Option<String> {
    let cli = scene.cli?;
    let unsupported = match scene.kind {
        TaskKind::Issue => "say so in your comment to the workspace owner",
        _ => "say so in your answer",
    };
    Some(format!(
        "## Always Use the CLI\n\n\
         All that belongs to the platform goes through `{}`: no `curl`, no `wget`, no opened links of it. If the CLI \
         cannot do something, {unsupported} instead of working around it.",
        cli.program
    ))
}
