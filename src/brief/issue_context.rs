//! `.agent_context/issue_context.md`: what this task is, where the agent can look it up again.
//!
//! The labels are stable. Deliberately not here: the issue's own text and comments (the agent fetches them fresh),
//! workspace, repositories, people (the brief and the turn notes have them), skills.

use super::autopilot::{ISSUE_BOUNDARY, facts, payload};
use super::platform::{Commands, Platform};
use super::sanitize::{block, blockquote, code_span, command_id};
use crate::task::{TaskDocument, TaskKind};

/// The file's text: LF only, one blank line after every block.
pub fn issue_context(task: &TaskDocument, platform: &Platform) -> String {
    let cli = platform.commands();
    let blocks = match TaskKind::of(task) {
        TaskKind::Chat => chat(task, cli),
        TaskKind::QuickCreate => quick_create(task),
        TaskKind::AutopilotRun => autopilot(task, cli),
        TaskKind::Issue => issue(task, cli),
        TaskKind::Plain => plain(task),
    };
    blocks.into_iter().map(|block| block + "\n\n").collect()
}

fn label(name: &str, value: &str) -> String {
    format!("**{name}:** {value}").trim_end().to_owned()
}

fn issue(task: &TaskDocument, cli: Option<Commands>) -> Vec<String> {
    let mut blocks = vec!["# Task Assignment".to_owned(), label("Issue ID", &code_span(&task.issue_id))];
    if task.trigger_comment_id.is_empty() {
        blocks.push(label("Trigger", "New assignment"));
    } else {
        blocks.push(label("Trigger", "Comment reply"));
        blocks.push(label("Triggering comment ID", &code_span(&task.trigger_comment_id)));
    }
    if !task.handoff_note.is_empty() {
        blocks.push(format!(
            "## Handoff Note\n\nWhoever assigned the issue left this note. It is the scope of this run: do it before \
             anything broader.\n\n{}",
            blockquote(&task.handoff_note)
        ));
    }
    if let (Some(cli), Some(id)) = (cli, command_id(&task.issue_id)) {
        blocks.push(format!("## Quick Start\n\nFetch the issue:\n\n```\n{}\n```", cli.issue_get(id)));
    }
    blocks
}

fn quick_create(task: &TaskDocument) -> Vec<String> {
    vec![
        "# Quick Create".to_owned(),
        label("Trigger", "Quick-create box"),
        format!("## User input\n\n{}", blockquote(&task.quick_create_prompt)),
    ]
}

fn autopilot(task: &TaskDocument, cli: Option<Commands>) -> Vec<String> {
    let mut blocks = vec!["# Autopilot Run".to_owned(), facts(task)];
    if let Some(payload) = payload(task) {
        blocks.push(format!("## Trigger Payload\n\n{payload}"));
    }
    if let Some(cli) = cli {
        let mut start = format!("## Quick Start\n\n{ISSUE_BOUNDARY}");
        if let Some(id) = command_id(&task.autopilot_id) {
            let get = cli.autopilot_get(id);
            start.push_str(&format!("\n\nFetch the autopilot's full configuration:\n\n```\n{get}\n```"));
        }
        blocks.push(start);
    }
    if let Some(instructions) = block(&task.autopilot_description) {
        blocks.push(format!("## Autopilot Instructions\n\n{instructions}"));
    }
    blocks
}

fn chat(task: &TaskDocument, cli: Option<Commands>) -> Vec<String> {
    let mut blocks = vec![
        "# Chat Session".to_owned(),
        label("Chat session ID", &code_span(&task.chat_session_id)),
        label("Trigger", "Chat message"),
    ];
    let mut start =
        "## Quick Start\n\nThe message is in the prompt, and your reply goes to the chat. No issue is assigned.".to_owned();
    if let Some(cli) = cli {
        start.push_str(&format!(
            " To look things up:\n\n```\n{}\n{}\n```",
            cli.workspace_get(),
            cli.issue_list()
        ));
    }
    blocks.push(start);
    blocks
}

fn plain(task: &TaskDocument) -> Vec<String> {
    let mut blocks = vec!["# Task".to_owned()];
    if !task.id.is_empty() {
        blocks.push(label("Task ID", &code_span(&task.id)));
    }
    blocks.push("What is to be done is in the prompt.".to_owned());
    blocks
}
