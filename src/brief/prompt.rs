//! The message that starts a turn, built from the task document when the user gives none.
//!
//! Short on purpose: the rules are in the brief. What holds for *this* turn only (which comment, which ids) is repeated every
//! time, because a resumed session still contains that of earlier turns.

use super::autopilot;
use super::platform::Commands;
use super::sanitize::{block, blockquote, code_span, command_id, display_name};
use super::turn::{TurnOptions, turn_notes};
use crate::task::{FoldedComment, TaskDocument, TaskKind, TriggerSource};

/// The prompt with the turn's notes after it. `None` when the document has nothing to build one from: a plain task,
/// or a chat without a message.
pub fn compose_prompt(task: &TaskDocument, options: &TurnOptions) -> Option<String> {
    let cli = options.platform.commands();
    let body = match TaskKind::of(task) {
        TaskKind::Chat => chat(task, cli)?,
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

/// The message, and the files that came with it.
fn chat(task: &TaskDocument, cli: Option<Commands>) -> Option<String> {
    let message = block(&task.chat_message);
    let files: Vec<String> = task
        .chat_message_attachments
        .iter()
        .filter_map(|file| {
            let id = command_id(&file.id)?;
            let kind = display_name(&file.content_type);
            let kind = if kind.is_empty() { String::new() } else { format!(", {kind}") };
            let fetch = cli.map(|cli| format!(": `{}`", cli.attachment_download(id))).unwrap_or_default();
            Some(format!("- {} (id `{id}`{kind}){fetch}", code_span(&file.filename)))
        })
        .collect();
    if files.is_empty() {
        return message;
    }
    let files = format!("Files of this message:\n\n{}", files.join("\n"));
    Some(message.map_or(files.clone(), |message| format!("{message}\n\n---\n\n{files}")))
}

fn author(name: &str, kind: &str) -> String {
    match (display_name(name), kind) {
        (_, "system") => "the platform".to_owned(),
        (name, "agent") if name.is_empty() => "another agent".to_owned(),
        (name, "agent") => format!("the agent **{name}**"),
        (name, _) if name.is_empty() => "an unnamed author".to_owned(),
        (name, _) => format!("**{name}**"),
    }
}

/// Comments that waited for this run besides the one that triggered it; each is an instruction as well.
fn folded(task: &TaskDocument) -> Option<String> {
    let comments: Vec<String> = task.coalesced_comments.iter().map(folded_comment).collect();
    if !comments.is_empty() {
        return Some(format!(
            "Before it came {} more, oldest first. Each asks something of you: answer all of them, not only the newest.\n\n{}",
            comments.len(),
            comments.join("\n\n")
        ));
    }
    let ids: Vec<String> = task
        .coalesced_comment_ids
        .iter()
        .filter_map(|id| command_id(id))
        .map(|id| format!("`{id}`"))
        .collect();
    (!ids.is_empty()).then(|| {
        format!(
            "Before it came more that wait for an answer: {}. Their texts are not here: find each by its id, and answer all \
             of them, each in its own thread.",
            ids.join(", ")
        )
    })
}

fn folded_comment(comment: &FoldedComment) -> String {
    let id = command_id(&comment.id).map(|id| format!("`{id}`")).unwrap_or_default();
    let thread = command_id(&comment.thread_id).map(|id| format!(", thread `{id}`")).unwrap_or_default();
    let text =
        block(&comment.content).map(|text| blockquote(&text)).unwrap_or_else(|| "> (empty)".to_owned());
    format!("Comment {id}{thread}, by {}:\n\n{text}", author(&comment.author_name, &comment.author_type))
}

fn comment(task: &TaskDocument, cli: Option<Commands>) -> String {
    let author = author(&task.trigger_author_name, &task.trigger_author_type);
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
    parts.extend(folded(task));
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
            "Whoever assigned it left this note. It is the scope of this run, and no comment to answer: do it before \
             anything broader.\n\n{}",
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
    let mut rules = vec![
        "Title: short, and says what is to be achieved. Description: what the user said, in their language and with their \
         facts, links and names; add nothing that they did not say. Leave it out when the title says it all."
            .to_owned(),
        "The description goes into a UTF-8 file inside the work dir, without an H1 unless the user asks for one, and is \
         passed with `--description-file`."
            .to_owned(),
        assignee(task, &cli),
    ];
    rules.extend(chosen(task));
    rules.push(
        "Set a status only where the user names one. Priority words: `urgent` (P0, critical, at once), `high` (P1, \
         important), `medium` (P2, normal), `low` (P3, some day), `none`."
            .to_owned(),
    );
    rules.push(
        "People who are only to be informed go into a last line of the description: \
         `CC: [@Name](mention://member/<id>)`."
            .to_owned(),
    );
    rules.push("A URL is text for the description, never an `--attachment`.".to_owned());
    rules.push(format!(
        "Run `{0} issue create … --output json` exactly once, read `identifier` from its answer, then end with the line \
         `Created <identifier>: <title>`. On failure give the CLI's error and nothing else, without a second try.",
        cli.program
    ));
    format!("Turn this into one issue:\n\n{input}\n\n- {}", rules.join("\n- "))
}

/// Who gets the new issue.
fn assignee(task: &TaskDocument, cli: &Commands) -> String {
    let default = match (command_id(&task.squad_id), command_id(task.agent_id())) {
        (Some(squad), _) => format!("Assignee: `--assignee-id {squad}`, the squad that was picked"),
        (None, Some(agent)) => format!("Assignee: `--assignee-id {agent}`, which is you"),
        (None, None) => "Assignee: none".to_owned(),
    };
    format!(
        "{default}, unless the user names someone else. Look a name up with `{}`, `{}`, `{}`; if none fits exactly one, \
         leave the default and add the line `Unrecognized assignee: <name>` to the description.",
        cli.list("member"),
        cli.list("agent"),
        cli.list("squad")
    )
}

/// What was picked beside the sentence, and so is no guess.
fn chosen(task: &TaskDocument) -> Vec<String> {
    let mut chosen = Vec::new();
    for (flag, value) in [
        ("project", &task.project_id),
        ("priority", &task.quick_create_priority),
        ("due-date", &task.quick_create_due_date),
    ] {
        match command_id(value) {
            Some(value) => chosen.push(format!("Required, because it was picked: `--{flag} {value}`.")),
            None => chosen.push(format!("`--{flag}` only where the user names one.")),
        }
    }
    chosen.push(match command_id(&task.parent_issue_id) {
        Some(parent) => {
            let name = display_name(&task.parent_issue_identifier);
            let name = if name.is_empty() { String::new() } else { format!(" ({name})") };
            format!("Required, because it was picked: `--parent {parent}`{name}.")
        }
        None => "`--parent` only where the user names one.".to_owned(),
    });
    let files: Vec<String> = task
        .quick_create_attachment_ids
        .iter()
        .filter_map(|id| command_id(id))
        .map(|id| format!("`{id}`"))
        .collect();
    if !files.is_empty() {
        chosen.push(format!(
            "The user attached {}: the platform binds these to the new issue by itself. Do not upload them again.",
            files.join(", ")
        ));
    }
    chosen
}
