//! The platform's CLI: its commands, and that the agent reaches the platform only through it.

use super::comments::ascii_pipe;
use super::platform::{Commands, ISSUE};
use super::scene::Scene;
use crate::task::TaskKind;

/// The core loop only; the rest is behind `--help`, where it cannot go stale.
pub(super) fn available(scene: &Scene) -> Option<String> {
    let cli = scene.cli?;
    let mut parts = vec![format!("## Available Commands\n\n{}", reading(&cli))];
    if scene.kind == TaskKind::QuickCreate {
        parts.push(format!("- `{}`: the one command of this task.", cli.issue_create()));
        return Some(parts.join("\n\n"));
    }
    parts.push(format!("### Core\n\n{}", core(&cli)));
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

fn core(cli: &Commands) -> String {
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
            "- `{}`: a comment. More: `{}`.",
            cli.comment_add(ISSUE, "--content-file <path> [--parent <comment-id>] [--attachment <path>]"),
            format_args!("{} issue comment add --help", cli.program)
        ),
        format!("- `{}`: a new issue.", cli.issue_create()),
        format!("- `{}`: change an issue; `--parent \"\"` takes it out from under its parent.", cli.issue_update()),
        format!(
            "- `{}`: one of `todo`, `in_progress`, `in_review`, `done`, `blocked`, `backlog`, `cancelled`.",
            cli.issue_status(ISSUE, "<status>")
        ),
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
         - The title stands above the body: no H1 in it. Start sections at `##`.\n\
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
