//! Comments on an issue: how a body is passed, what a mention sets off, how a file is fetched. The reply instructions
//! and reading hints of one turn are here too, since they must agree with the general rule.

use super::platform::{Commands, ISSUE};
use super::sanitize::{command_id, timestamp};
use super::scene::{HostOs, Scene, Session};
use crate::task::TaskDocument;

/// The name of the body file in every example, inside the work dir.
const BODY: &str = "./reply.md";

pub(super) fn formatting(scene: &Scene) -> Option<String> {
    let cli = scene.cli?;
    Some(format!(
        "## Comment Formatting\n\n\
         Write the comment into a UTF-8 file inside the work dir, then post the file:\n\n\
         ```\n{}\n{}\n```\n\n\
         - Never inline the body: the shell rewrites backticks, `$()`, `$VAR` and quotes. Never feed it through a pipe \
         or a here-document: flags beside those can be swallowed while the command exits 0.{}\n\
         - The file stays out of `/tmp` and other shared places, where another run's text may lie. If it cannot be \
         written, stop: do not post what is there.\n\
         - Keep the `--parent` that the turn's message gives; leave it out only for a new thread.\n\
         - Paragraphs stay paragraphs: do not squash a long answer, and write line breaks, not `\\n`.\n\
         - Remove the file once the comment is posted.",
        cli.comment_add(ISSUE, &format!("--parent <comment-id> --content-file {BODY}")),
        removal(scene.os),
        ascii_pipe(scene.os),
    ))
}

fn removal(os: HostOs) -> String {
    match os {
        HostOs::Unix => format!("rm {BODY}"),
        HostOs::Windows => format!("Remove-Item {BODY}"),
    }
}

/// Why a body is passed in a file on this host, as a sentence to append. Empty where a pipe keeps the text intact.
pub(super) fn ascii_pipe(os: HostOs) -> &'static str {
    match os {
        HostOs::Unix => "",
        HostOs::Windows => {
            " Post the file itself: PowerShell 5.1 re-encodes a pipe as ASCII, and every non-ASCII character becomes `?`."
        }
    }
}

pub(super) fn mentions(scene: &Scene) -> Option<String> {
    let cli = scene.cli?;
    Some(format!(
        "## Mentions\n\n\
         A mention link is an action with side effects, not a way to write a name:\n\n\
         - `[<identifier>](mention://issue/<id>)` and `[Title](mention://project/<id>)` only link: safe.\n\
         - `[@Name](mention://member/<id>)` notifies a person.\n\
         - `[@Name](mention://agent/<id>)` starts a new run of that agent.\n\n\
         When not to mention:\n\n\
         - when you write about a person or an agent: credit and references stay plain text;\n\
         - when you answer an agent that has just spoken, or a person who follows the issue: they see the comment anyhow, \
         and the platform tells them when the run is over;\n\
         - to thank, to agree, to sign off: each such mention starts a run that answers with another, and costs money. \
         Wrap up without any mention; saying nothing more is how a thread ends.\n\n\
         When to mention:\n\n\
         - a person who is not in the thread must decide or act;\n\
         - you hand a concrete piece of work to an agent for the first time;\n\
         - the user asked for it.\n\n\
         If unsure, do not. Ids come from JSON output; `{}` shows where.",
        cli.help()
    ))
}

pub(super) fn attachments(scene: &Scene) -> Option<String> {
    let cli = scene.cli?;
    Some(format!(
        "## Attachments\n\n\
         Fetch an attachment with the CLI, which is logged in (`{}`); do not open its URL. Your copy is private: to \
         show a file to another person, attach it.",
        cli.attachment_help()
    ))
}

/// Which comments to read first on this turn: the first of these that applies. Empty unless a comment triggered it.
pub(super) fn reading_hint(cli: &Commands, task: &TaskDocument, session: Session) -> Option<String> {
    let issue = command_id(&task.issue_id)?;
    let thread = command_id(task.trigger_thread());
    if let Some(hint) = new_comments(cli, task, issue, thread) {
        return Some(hint);
    }
    let Some(thread) = thread else {
        let scan = cli.comment_scan(issue);
        return Some(format!("For the discussion so far, scan its threads first: `{scan}`."));
    };
    let tail = cli.comment_list(issue, &format!("--thread {thread} --tail 30"));
    if session == Session::Resumed {
        let trigger = command_id(&task.trigger_comment_id).unwrap_or(thread);
        return Some(format!(
            "You continue your earlier session. The triggering comment (`{trigger}`, thread `{thread}`) is in this \
             message, and nothing else is new. If your reply rests on what was said in the thread, read it again rather \
             than trust your memory: `{tail}`."
        ));
    }
    Some(format!(
        "Read the triggering conversation first, its root and the 30 newest replies: `{tail}`. For background from \
         other threads, scan them: `{}`.",
        cli.comment_scan(issue)
    ))
}

/// There is something new since the last run, and we know since when.
fn new_comments(cli: &Commands, task: &TaskDocument, issue: &str, thread: Option<&str>) -> Option<String> {
    let count = Some(task.new_comment_count).filter(|count| *count > 0)?;
    let since = timestamp(&task.new_comments_since)?;
    let (comments, are) = if count == 1 { ("comment", "is") } else { ("comments", "are") };
    let news = format!("Since your last run there {are} {count} new {comments} on the whole issue.");
    let whole_issue = cli.comment_list(issue, &format!("--since {since} --compact"));
    let Some(thread) = thread else {
        return Some(format!("{news} Catch up with `{whole_issue}`."));
    };
    Some(format!(
        "{news} Do not read them all. Start with the thread that triggered you: `{}`. For the thread in full, put \
         `--tail 30` in the place of `--since {since}`. Only if that leaves something open, ask for the rest: \
         `{whole_issue}`.",
        cli.comment_list(issue, &format!("--thread {thread} --since {since} --compact"))
    ))
}

/// The threads that this turn answers, in the order in which they were first seen, each with the newest comment in it
/// that triggered the turn.
fn reply_targets(task: &TaskDocument) -> Vec<(&str, &str)> {
    let folded = task.coalesced_comments.iter().map(|comment| {
        let thread = if comment.thread_id.is_empty() { &comment.id } else { &comment.thread_id };
        (thread.as_str(), comment.id.as_str())
    });
    let trigger = (task.trigger_thread(), task.trigger_comment_id.as_str());
    let mut targets: Vec<(&str, &str)> = Vec::new();
    for (thread, comment) in folded.chain([trigger]) {
        let (Some(thread), Some(comment)) = (command_id(thread), command_id(comment)) else { continue };
        match targets.iter_mut().find(|(known, _)| *known == thread) {
            Some(target) => target.1 = comment,
            None => targets.push((thread, comment)),
        }
    }
    targets
}

/// Where and how this turn's reply is posted. `None` unless a comment triggered the turn.
pub(super) fn reply_instructions(cli: &Commands, task: &TaskDocument, os: HostOs) -> Option<String> {
    let issue = command_id(&task.issue_id)?;
    let trigger = command_id(&task.trigger_comment_id)?;
    let targets = reply_targets(task);
    let unless = if task.is_leader() { " unless you record `no_action`" } else { "" };
    if targets.len() < 2 {
        return Some(format!(
            "Reply under comment `{trigger}`, the one that triggered this turn{unless}; a `--parent` from an earlier turn \
             is stale. Write the body into `{BODY}`, then:\n\n\
             ```\n{}\n{}\n```\n\n\
             No `\\n` in the body: write the line breaks.{}",
            cli.comment_add(issue, &format!("--parent {trigger} --content-file {BODY}")),
            removal(os),
            ascii_pipe(os),
        ));
    }
    let posts = targets.iter().enumerate().map(|(number, (_, comment))| {
        let body = format!("./reply-{}.md", number + 1);
        cli.comment_add(issue, &format!("--parent {comment} --content-file {body}"))
    });
    Some(format!(
        "This turn answers {} threads{unless}: one reply in each, in this order, each under the newest comment there that \
         triggered you, and about that thread only. Each body is a file of its own; remove the files afterwards.\n\n\
         ```\n{}\n```\n\n\
         No `\\n` in a body: write the line breaks.{}",
        targets.len(),
        posts.collect::<Vec<_>>().join("\n"),
        ascii_pipe(os),
    ))
}

/// A squad leader's way to end a turn that asks nothing of the squad, with the ids of this turn.
pub(super) fn no_action(cli: &Commands, task: &TaskDocument) -> Option<String> {
    let issue = command_id(&task.issue_id).filter(|_| task.is_leader())?;
    Some(format!(
        "If this turn asks nothing of the squad: `{}`, and end without any comment.",
        cli.squad_no_action(issue)
    ))
}

/// Where and how the result of an assignment is posted.
pub(super) fn result_instructions(cli: &Commands, task: &TaskDocument, os: HostOs) -> Option<String> {
    let issue = command_id(&task.issue_id)?;
    let note = if task.handoff_note.trim().is_empty() {
        ""
    } else {
        " The handoff note is no comment: do not answer it."
    };
    let unless = if task.is_leader() { ", unless you record `no_action`" } else { "" };
    Some(format!(
        "Scan the discussion first: `{}`.\n\n\
         No comment triggered this turn: the result goes into a new thread{unless}.{note} Write it into `{BODY}`, then:\n\n\
         ```\n{}\n{}\n```\n\n\
         No `\\n` in the body: write the line breaks.{}",
        cli.comment_scan(issue),
        cli.comment_add(issue, &format!("--content-file {BODY}")),
        removal(os),
        ascii_pipe(os),
    ))
}
