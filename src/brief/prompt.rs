//! The message that starts a turn, built from the task document when the user gives none.
//!
//! Short on purpose: the rules are in the brief. What holds for *this* turn only (which comment, which ids) is repeated every
//! time, because a resumed session still contains that of earlier turns.

use super::autopilot;
use super::platform::Commands;
use super::sanitize::{block, blockquote, command_id, display_name};
use super::turn::{TurnOptions, turn_notes};
use crate::task::{TaskDocument, TaskKind, TriggerSource};

/// The prompt with the turn's notes after it. `None` when the document has nothing to build one from: a plain task,
/// or a chat without a message.
pub fn compose_prompt(task: &TaskDocument, options: &TurnOptions) -> Option<String> {
    let cli = options.platform.commands();
    let body = match TaskKind::of(task) {
        TaskKind::Chat => block(&task.chat_message)?,
        TaskKind::QuickCreate => quick_create(task, cli),
        TaskKind::AutopilotRun => autopilot::assignment(task, cli),
        TaskKind::Issue => match task.trigger() {
            TriggerSource::Comment => comment(task, cli),
            TriggerSource::Assignment => assignment(task, cli),
        },
        TaskKind::Plain => return None,
    };
    let notes = turn_notes(task, options);
    Some(if notes.is_empty() { body } else { format!("{body}\n\n---\n\n{notes}") })
}

fn comment(task: &TaskDocument, cli: Option<Commands>) -> String {
    let author = match (display_name(&task.trigger_author_name), task.trigger_author_type.as_str()) {
        (name, "agent") if name.is_empty() => "another agent".to_owned(),
        (name, "agent") => format!("the agent **{name}**"),
        (name, _) if name.is_empty() => "an unnamed author".to_owned(),
        (name, _) => format!("**{name}**"),
    };
    let issue = command_id(&task.issue_id).map(|id| format!(" on issue `{id}`")).unwrap_or_default();
    let id = command_id(&task.trigger_comment_id).map(|id| format!(" (id `{id}`)")).unwrap_or_default();
    let mut parts = vec![format!("A new comment{issue}{id}, by {author}.")];
    match block(&task.trigger_comment_content) {
        Some(content) => parts
            .push(format!("This is the comment to act on, not an earlier one:\n\n{}", blockquote(&content))),
        None => parts.push(
            "Its text is not here: find it by its id among the comments and act on that one.".to_owned(),
        ),
    }
    if cli.is_some() {
        parts.push("The runtime brief has the workflow.".to_owned());
    }
    parts.join("\n\n")
}

fn assignment(task: &TaskDocument, cli: Option<Commands>) -> String {
    let mut parts = vec![match command_id(&task.issue_id) {
        Some(id) => format!("Issue `{id}` is assigned to you."),
        None => "An issue is assigned to you; `.agent_context/issue_context.md` says which.".to_owned(),
    }];
    if !task.handoff_note.trim().is_empty() {
        parts.push(format!(
            "Whoever assigned it left this note. It is the scope of this run: do it before anything broader.\n\n{}",
            blockquote(&task.handoff_note)
        ));
    }
    if let (Some(cli), Some(id)) = (cli, command_id(&task.issue_id)) {
        parts.push(format!(
            "Start with `{}`, then follow the workflow of the runtime brief.",
            cli.issue_get(id)
        ));
    }
    parts.join("\n\n")
}

fn quick_create(task: &TaskDocument, cli: Option<Commands>) -> String {
    let input = blockquote(&task.quick_create_prompt);
    let Some(cli) = cli else {
        return format!("Turn this into the text of one issue, a title and a description:\n\n{input}");
    };
    format!(
        "Turn this into one issue:\n\n{input}\n\n\
         - Title: short, and says what is to be achieved. Description: what the user said, in their language and with \
         their facts, links and names; add nothing that they did not say. Leave it out when the title says it all.\n\
         - Set a priority, a due date, an assignee, a project, a parent or a status only where the user names it.\n\
         - The description goes into a UTF-8 file inside the work dir, without an H1, and is passed with \
         `--description-file`.\n\
         - Run `{0} issue create … --output json` exactly once, then end with the line `Created <identifier>: <title>`. \
         On failure give the CLI's error and nothing else, without a second try.",
        cli.program
    )
}
