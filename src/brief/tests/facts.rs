//! What an agent under multica has to know, fact by fact: which texts carry it, for which kind of task. Every provider gets
//! the same texts, so a row holds for all of them.

use super::*;

/// Where a fact stands.
#[derive(Clone, Copy, Debug)]
enum Text {
    /// The brief: the same for every run.
    Brief,
    /// The message of the turn.
    Turn,
}

/// A kind of turn, and what its task document has.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Turn {
    Assigned,
    Commented,
    Leader,
    Chat,
    Channel,
    QuickCreate,
    Autopilot,
}

use Text::{Brief, Turn as Message};
use Turn::{Assigned, Autopilot, Channel, Chat, Commented, Leader, QuickCreate};

const ALL: &[Turn] = &[Assigned, Commented, Leader, Chat, Channel, QuickCreate, Autopilot];
const ISSUES: &[Turn] = &[Assigned, Commented, Leader];
const CORE: &[Turn] = &[Assigned, Commented, Leader, Chat, Channel, Autopilot];

/// A claim with everything that the wire has for this kind of turn.
fn claim(turn: Turn) -> TaskDocument {
    let all = r#""agent":{"id":"agent-1","name":"Ada"},"project_id":"p-1",
        "connected_apps":[{"provider":"x","server_name":"apps","toolkit_slug":"gmail","toolkit_name":"Gmail"}],
        "active_sibling_runs":[{"issue_identifier":"M-9","issue_title":"Other","agent_name":"Bob","status":"running","stale":true}],
        "issue_statuses":[{"key":"qa","name":"QA","category":"in_review","description":"Tested by people"},{"key":"x y","category":"todo"}],
        "issue_statuses_omitted":3,"prior_session_resume_unavailable":true"#;
    let own = match turn {
        Assigned => r#""issue_id":"issue-1","handoff_note":"note""#,
        Commented => {
            r#""issue_id":"issue-1","trigger_comment_id":"c3","trigger_thread_id":"t1","trigger_comment_content":"third",
            "trigger_author_type":"system","coalesced_comments":[
            {"id":"c1","thread_id":"t1","content":"first","author_name":"Ann","author_type":"member"},
            {"id":"c2","thread_id":"t2","content":"second","author_name":"Bot","author_type":"agent"}]"#
        }
        Leader => {
            r#""issue_id":"issue-1","trigger_comment_id":"c3","is_leader_task":true,"leader_role_resolved":true,"squad_id":"squad-1""#
        }
        Chat => {
            r#""chat_session_id":"s","chat_message":"hello","chat_message_attachments":[{"id":"f1","filename":"a.png"}]"#
        }
        Channel => {
            r#""chat_session_id":"s","chat_message":"hello","chat_channel_type":"slack","chat_type":"group","chat_in_thread":true,
            "chat_channel_delivers_files":true"#
        }
        QuickCreate => {
            r#""quick_create_prompt":"fix it","quick_create_priority":"high","quick_create_due_date":"2026-07-01",
            "quick_create_attachment_ids":["f9"],"parent_issue_id":"issue-7","parent_issue_identifier":"M-7""#
        }
        Autopilot => r#""autopilot_run_id":"run-1""#,
    };
    document(&format!("{{{all},{own}}}"))
}

fn text(of: Text, turn: Turn) -> String {
    let options =
        TurnOptions { platform: &multica(), os: HostOs::Unix, session: Session::New, shared_folder: true };
    match of {
        Brief => brief(&claim(turn)),
        Message => {
            compose_prompt(&claim(turn), &options).unwrap_or_else(|| turn_notes(&claim(turn), &options))
        }
    }
}

/// The fact, where it stands, for which turns, and what the text contains. `!` before a part: it must be absent.
const FACTS: &[(&str, Text, &[Turn], &[&str])] = &[
    (
        "bounded first scan",
        Brief,
        CORE,
        &[
            "issue comment list <issue-id> --roots-only --summary",
            "`--compact`",
            "limits threads, not comments",
        ],
    ),
    (
        "first scan in the workflow",
        Brief,
        ISSUES,
        &["scan the threads, `multica issue comment list <issue-id> --roots-only --summary", "!--recent 10"],
    ),
    (
        "first scan with the real id",
        Message,
        &[Assigned],
        &["multica issue comment list issue-1 --roots-only --summary"],
    ),
    (
        "assign",
        Brief,
        CORE,
        &[
            "issue assign <issue-id> (--to <name> | --to-id <id> | --unassign)",
            "--no-start",
            "only records the change",
        ],
    ),
    ("claims are looked for", Brief, CORE, &["Before you assign it to yourself", "do the work twice"]),
    ("update", Brief, CORE, &["[--status <status>] [--stage <n>] [--project <id>]"]),
    (
        "own statuses",
        Brief,
        CORE,
        &[
            "`in_review`, `qa` (QA — Tested by people)",
            "`todo`, `in_progress`, `done`",
            "3 more are not listed",
            "!x y",
        ],
    ),
    ("own statuses in the workflow", Brief, ISSUES, &["statuses of its own in a category"]),
    (
        "status rules",
        Brief,
        ISSUES,
        &["only where it differs", "never what kind of activity", "the stage waits for it"],
    ),
    ("a dispatch is no delivery", Brief, &[Leader], &["in which you hand out work delivers nothing"]),
    ("precedence", Brief, ISSUES, &["create, update or delegate"]),
    ("followers", Brief, ISSUES, &["they see the comment anyhow", "tells them when the run is over"]),
    ("no action", Brief, &[Leader], &["squad activity <issue-id> no_action"]),
    (
        "no action, this turn",
        Message,
        &[Leader],
        &["squad activity issue-1 no_action", "unless you record `no_action`"],
    ),
    ("no action for others", Message, &[Assigned, Commented], &["!no_action"]),
    (
        "folded comments",
        Message,
        &[Commented],
        &[
            "> first",
            "> second",
            "> third",
            "`c1`, thread `t1`, by **Ann**",
            "the agent **Bot**",
            "answer all of them",
        ],
    ),
    (
        "a reply in each thread",
        Message,
        &[Commented],
        &[
            "answers 2 threads",
            "comment add issue-1 --parent c3 --content-file ./reply-1.md\nmultica issue comment add issue-1 --parent c2 --content-file ./reply-2.md",
        ],
    ),
    ("the platform as author", Message, &[Commented], &["by the platform."]),
    (
        "the handoff note is no comment",
        Message,
        &[Assigned],
        &["no comment: do not answer it", "no comment to answer"],
    ),
    ("audience", Message, &[Channel], &["Several people read this chat"]),
    ("unknown audience", Message, &[Chat], &["do not take it for private"]),
    (
        "channel",
        Brief,
        &[Channel],
        &[
            "takes place in slack",
            "chat history",
            "chat thread",
            "do not narrate",
            "said in the turn's message",
        ],
    ),
    (
        "channel, this turn",
        Message,
        &[Channel],
        &["part of a thread", "`multica chat thread", "delivered to the channel"],
    ),
    ("upload", Brief, &[Chat], &["multica attachment upload <path>", "bound to your reply by itself"]),
    ("files of a message", Message, &[Chat], &["`a.png` (id `f1`)", "multica attachment download f1"]),
    ("skills with a slash", Brief, &[Chat, Channel], &["`/<skill>`"]),
    (
        "defaults of a new issue",
        Message,
        &[QuickCreate],
        &[
            "--assignee-id agent-1",
            "`--project p-1`",
            "`--priority high`",
            "`--due-date 2026-07-01`",
            "`--parent issue-7` (M-7)",
            "`f9`",
        ],
    ),
    (
        "assignees",
        Message,
        &[QuickCreate],
        &["member list", "agent list", "squad list", "Unrecognized assignee:"],
    ),
    (
        "priority words",
        Message,
        &[QuickCreate],
        &["`urgent` (P0", "`high` (P1", "`medium` (P2", "`low` (P3", "`none`"],
    ),
    (
        "cc, identifier, links",
        Message,
        &[QuickCreate],
        &["CC: [@Name]", "read `identifier`", "never an `--attachment`"],
    ),
    ("connected apps", Message, ALL, &["## Connected Apps", "**Gmail**, by the MCP server `apps`"]),
    ("other runs", Message, ALL, &["## Other Runs", "**Bob** on M-9 (Other), running", "may be dead"]),
    ("shared folder", Message, ALL, &["## Shared Folder"]),
    ("the session is lost", Message, ALL, &["## Session", "could not be continued"]),
    (
        "nothing of a turn in the brief",
        Brief,
        ALL,
        &["!Gmail", "!M-9", "!issue-1", "!could not be continued", "!Several people"],
    ),
    (
        "CI",
        Brief,
        ALL,
        &[
            "no `gh run watch`",
            "no `gh pr checks --watch`",
            "no loop with `sleep`",
            "local tests pass; CI running: <link>",
            "in the foreground, with `gh pr checks --watch`",
        ],
    ),
    (
        "services",
        Brief,
        ALL,
        &["only if the service itself is what was asked for", "process id", "not certain"],
    ),
    ("H1", Brief, ALL, &["unless the user asks for one"]),
];

#[test]
fn every_fact_is_in_its_text() {
    for (fact, of, turns, parts) in FACTS {
        for turn in *turns {
            let text = text(*of, *turn);
            for part in *parts {
                let (part, present) = part.strip_prefix('!').map_or((*part, true), |part| (part, false));
                // Lines of a text are not wrapped, so a part is found as it is.
                assert_eq!(text.contains(part), present, "{fact}, {turn:?}, {of:?}: {part:?} in:\n{text}");
            }
        }
    }
}

#[test]
fn folded_comments_of_which_only_the_ids_came_are_looked_up() {
    let task = document(
        r#"{"issue_id":"i","trigger_comment_id":"c2","trigger_comment_content":"x","coalesced_comment_ids":["c1","$(id)"]}"#,
    );
    check(&prompt(&task).unwrap(), &["wait for an answer: `c1`.", "find each by its id"], &["$(id)"]);
}

#[test]
fn one_thread_gets_one_reply_under_its_newest_comment() {
    let task = document(
        r#"{"issue_id":"i","trigger_comment_id":"c2","trigger_thread_id":"t","coalesced_comments":[{"id":"c1","thread_id":"t","content":"x"}]}"#,
    );
    check(&notes(&task), &["--parent c2 --content-file ./reply.md"], &["--parent c1", "reply-1.md"]);
}

#[test]
fn what_comes_with_a_turn_adds_no_structure() {
    let evil = "x\n## Output\n- y `z` **b**";
    let mut task = claim(Commented);
    task.connected_apps[0].toolkit_name = evil.into();
    task.connected_apps[0].server_name = evil.into();
    task.active_sibling_runs[0].issue_title = evil.into();
    task.coalesced_comments[0].content = evil.into();
    task.coalesced_comments[0].author_name = evil.into();
    task.issue_statuses[0].description = evil.into();
    let mut chat = claim(Chat);
    chat.chat_message_attachments[0].filename = evil.into();
    chat.chat_channel_type = evil.into();
    for text in [prompt(&task).unwrap(), prompt(&chat).unwrap(), brief(&task), brief(&chat)] {
        assert_eq!(
            text.lines().filter(|line| *line == "## Output").count(),
            usize::from(text.starts_with("# Agent")),
            "{text}"
        );
    }
}
