//! What is around one turn: who reads along, which apps are connected, which other runs are on. It differs from run to run,
//! so it is part of the turn notes and not of the brief.

use super::platform::Commands;
use super::sanitize::{code_span, command_id, display_name};
use crate::task::{SiblingRun, TaskDocument};

pub(super) const SHARED_FOLDER: &str = "## Shared Folder\n\n\
     The work dir is a folder of the user's own. They, and other agents, may have files open there and changes that are not \
     committed: touch only what the task needs, and never reset, clean or stash what is not yours.";

pub(super) fn connected_apps(task: &TaskDocument) -> Option<String> {
    let apps: Vec<String> = task
        .connected_apps
        .iter()
        .filter_map(|app| {
            let name = [&app.toolkit_name, &app.toolkit_slug].into_iter().map(|name| display_name(name));
            let name = name.into_iter().find(|name| !name.is_empty())?;
            let server = display_name(&app.server_name);
            let server = if server.is_empty() {
                server
            } else {
                format!(", by the MCP server {}", code_span(&app.server_name))
            };
            Some(format!("- **{name}**{server}"))
        })
        .collect();
    (!apps.is_empty()).then(|| {
        format!(
            "## Connected Apps\n\nConnected for this run, with the rights of the person who connected them. Use one when the \
             task needs it, and only as far as it does.\n\n{}",
            apps.join("\n")
        )
    })
}

pub(super) fn sibling_runs(task: &TaskDocument) -> Option<String> {
    let runs: Vec<String> = task.active_sibling_runs.iter().map(run).collect();
    (!runs.is_empty()).then(|| {
        format!(
            "## Other Runs\n\nThese are on at the same time. Do not do their work again, and do not wait for them; if what \
             you are to do is theirs already, say so in your result and leave it.\n\n{}",
            runs.join("\n")
        )
    })
}

fn run(run: &SiblingRun) -> String {
    let issue = match (display_name(&run.issue_identifier), command_id(&run.issue_id)) {
        (name, _) if !name.is_empty() => name,
        (_, Some(id)) => format!("issue `{id}`"),
        _ => "an issue".to_owned(),
    };
    let title = display_name(&run.issue_title);
    let title = if title.is_empty() { title } else { format!(" ({title})") };
    let agent = display_name(&run.agent_name);
    let agent = if agent.is_empty() { "another agent".to_owned() } else { format!("**{agent}**") };
    let status = display_name(&run.status);
    let status = if status.is_empty() { status } else { format!(", {status}") };
    let stale = if run.stale { ", without a sign of life for some time: it may be dead" } else { "" };
    format!("- {agent} on {issue}{title}{status}{stale}")
}

/// Who reads the reply, where the conversation is, and whether a file gets there.
pub(super) fn audience(cli: &Commands, task: &TaskDocument) -> String {
    let mut parts = vec![
        match task.chat_type.trim() {
            "group" => "Several people read this chat: say nothing that is meant for one of them alone.",
            "p2p" | "direct" => "One person reads this chat.",
            _ => "It is not known who reads this chat: do not take it for private.",
        }
        .to_owned(),
    ];
    if !task.chat_channel_type.trim().is_empty() {
        parts.push(match task.chat_in_thread {
            true => format!("The message is part of a thread: read that first, `{}`.", cli.chat("thread")),
            false => format!("For what was said before: `{}`.", cli.chat("history")),
        });
        parts.push(match task.chat_channel_delivers_files {
            true => {
                format!("A file that you upload (`{}`) is delivered to the channel.", cli.attachment_upload())
            }
            false => "No file reaches this channel: put what matters into the text.".to_owned(),
        });
    }
    format!("## Audience\n\n{}", parts.join(" "))
}
