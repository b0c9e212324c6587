//! What only a task on an issue needs: its metadata, what outranks what, sub-issues.

use super::platform::ISSUE;
use super::scene::Scene;

pub(super) fn metadata(scene: &Scene) -> Option<String> {
    scene.cli?;
    Some(
        "## Issue Metadata\n\n\
         Each issue has a few keys and values, a scratchpad for the runs that come after. They arrive with the issue.\n\n\
         - On entry: hints, no more. The latest comment and the code win. Often there are none (`{}`), and a failure to \
         read them is normal.\n\
         - On exit: write only what is important **and** will be read again, which is seldom. Overwrite or delete what \
         has become stale.\n\
         - Never: secrets, logs, summaries, bookkeeping of this runtime, details of a single run.\n\
         - Keys are snake_case ASCII. Use these where they fit: `pr_url`, `pr_number`, `pipeline_status`, \
         `deploy_url`, `external_issue_url`, `waiting_on`, `blocked_reason`, `decision`."
            .to_owned(),
    )
}

pub(super) fn precedence(scene: &Scene) -> Option<String> {
    scene.cli?;
    Some(
        "## Instruction Precedence\n\n\
         Your identity instructions outrank the workflow below: skip a step that conflicts with them and go on with the \
         others. The workflow grants nothing: that it mentions a status, an investigation or a change is no permission \
         to make one. Nor does it allow you to create, update or delegate an issue where your identity does not."
            .to_owned(),
    )
}

pub(super) fn sub_issues(scene: &Scene) -> Option<String> {
    let cli = scene.cli?;
    Some(format!(
        "## Sub-issue Creation\n\n\
         - A child created with status `todo` starts its agent at once. `backlog` holds it back until it is promoted: \
         `{}`.\n\
         - A chain in which each step needs the one before: only the first is `todo`.\n\
         - Stages are groups with a barrier between them: `--stage <n>`, counted from 1. Create the later stages in \
         `backlog`. A stage is finished when all its issues are done or cancelled; the platform then runs the parent's \
         agent once, which promotes the next. Children without a stage form one.\n\
         - What there is: `{}`.",
        cli.issue_status("<child-id>", "todo"),
        cli.issue_children(),
    ))
}

/// The numbered steps. One list for every trigger: what differs from turn to turn is in the turn's message.
pub(super) fn workflow(scene: &Scene) -> Option<String> {
    let cli = scene.cli?;
    let leader = scene.task.is_leader();
    let mut steps = [
        format!(
            "Fetch the issue: `{}`. The turn's message has the id. The metadata comes with it.",
            cli.issue_get(ISSUE)
        ),
        format!(
            "Catch up on the comments; this is mandatory. If the turn's message says what to read, read that. Otherwise \
             scan the threads, `{}`, and open only those that bear on the task, `{}`. Go further back, page by \
             page (`--before`, `--before-id` from stderr), only when something is missing. Never pull the whole \
             history.",
            cli.comment_scan(ISSUE),
            cli.comment_list(ISSUE, "--thread <comment-id> --tail 30"),
        ),
        "If a comment triggered you, find it by its id and answer that one, not an earlier one like it. If the turn's \
         message has several, each is an instruction: leave none out."
            .to_owned(),
        format!(
            "Do the work, within the limits of your identity. If it is part of what the issue itself asks for, set \
             `{}` when you start, unless the issue is in progress already or your identity forbids it. If you only \
             delegate, stop once you have delegated.",
            cli.issue_status(ISSUE, "in_progress")
        ),
        format!(
            "Post the result as a comment; this is mandatory, as nothing else is delivered: `{}`, under the comment that \
             the turn's message names, or as a new thread where it names none. One comment, the result: no progress \
             reports. If the message names two or more threads, post one reply in each, oldest thread first, under the \
             newest comment there that triggered you, each from its own body file. Without a mention, unless the rules \
             below call for one.",
            cli.comment_add(ISSUE, "--content-file ./reply.md [--parent <comment-id>]")
        ),
        format!(
            "If something clears the bar for metadata, keep it: `{}`. Remove what is stale: `{}`.",
            cli.metadata(&format!("set {ISSUE} --key <key> --value <value>")),
            cli.metadata(&format!("delete {ISSUE} --key <key>")),
        ),
        status(scene, &cli),
    ];
    if leader {
        steps[4].push_str(&format!(" {}", no_action(&cli)));
    }
    let numbered: Vec<_> = steps.iter().enumerate().map(|(n, step)| format!("{}. {step}", n + 1)).collect();
    Some(format!("## Workflow\n\n{}", numbered.join("\n")))
}

fn status(scene: &Scene, cli: &super::platform::Commands) -> String {
    let own = if scene.task.issue_statuses.is_empty() {
        ""
    } else {
        " Where the workspace has statuses of its own in a category, take the one whose description fits."
    };
    let leader = if scene.task.is_leader() {
        " A turn in which you hand out work delivers nothing: the parent stays in progress until you have confirmed that \
         its goal is reached."
    } else {
        ""
    };
    format!(
        "Set the status where the issue's own state has changed, unless your identity forbids it: `{}` when what it \
         asks for is delivered, also for a sub-issue of a stage, because the stage waits for it; `in_progress` when work \
         on it goes on beyond this turn; `blocked`, with a comment that says by what. Write it only where it differs from \
         what the issue has. The issue's state decides, never what kind of activity yours was. A question or a \
         consultation changes nothing: leave the status alone. `done` is for people to set.{own}{leader}",
        cli.issue_status(ISSUE, "in_review")
    )
}

/// A squad leader that finds nothing to do posts no comment; in every other case it posts one.
pub(super) fn no_action(cli: &super::platform::Commands) -> String {
    format!(
        "As squad leader, when the trigger asks nothing of the squad: record it with `{}` and end without any comment. \
         Never post that there is no action to take.",
        cli.squad_no_action(ISSUE)
    )
}
