//! The rows about one turn: its notes, its context file, its prompt.

use super::*;

#[test]
fn the_turn_says_which_comments_to_read() {
    let cold = notes(&comment_task());
    let tail = "multica issue comment list issue-1 --thread thread-1 --tail 30 --output json";
    check(
        &cold,
        &["Read the triggering conversation first", tail, "--roots-only --summary"],
        &["Since your last run", "--recent"],
    );
    let resumed = notes_on(&comment_task(), Session::Resumed, HostOs::Unix);
    let own = ["You continue your earlier session", "`comment-1`", "`thread-1`", tail];
    check(&resumed, &own, &["Read the triggering conversation first", "--recent 10", "--since"]);
    let delta = |count, since: &str| TaskDocument {
        new_comment_count: count,
        new_comments_since: since.into(),
        ..comment_task()
    };
    let since = "2026-05-01T10:00:00Z";
    let four = notes(&delta(4, since));
    check(
        &four,
        &[
            "4 new comments on the whole issue",
            "Do not read them all",
            "--thread thread-1 --since 2026-05-01T10:00:00Z --compact --output json",
            "`--tail 30`",
            "multica issue comment list issue-1 --since 2026-05-01T10:00:00Z --compact --output json",
        ],
        &["Read the triggering conversation first"],
    );
    for none in [delta(0, since), delta(-1, since), delta(4, ""), delta(4, "$(id)")] {
        assert_eq!(notes(&none), cold);
    }
    let no_thread = TaskDocument { trigger_thread_id: String::new(), ..comment_task() };
    check(&notes(&no_thread), &["--thread comment-1 --tail 30"], &[]);
}

#[test]
fn the_turn_says_where_to_reply() {
    for (os, present) in [
        (HostOs::Unix, &["rm ./reply.md"][..]),
        (HostOs::Windows, &["Remove-Item ./reply.md", "PowerShell 5.1", "ASCII"]),
    ] {
        let text = notes_on(&comment_task(), Session::New, os);
        check(&text, present, &["stdin", "<<", "--content "]);
        check(
            &text,
            &["multica issue comment add issue-1 --parent comment-1 --content-file ./reply.md"],
            &[],
        );
    }
    let text = notes(&task(TaskKind::Issue));
    check(&text, &["multica issue comment add issue-1 --content-file ./reply.md"], &["--parent"]);
    for bad in ["$(id)", "a b", "-x"] {
        let task = TaskDocument { issue_id: bad.into(), ..comment_task() };
        check(&(notes(&task) + &prompt(&task).unwrap()), &[], &[bad, "## This Turn"]);
    }
    let unsafe_trigger = TaskDocument { trigger_comment_id: "$(id)".into(), ..comment_task() };
    check(
        &notes(&unsafe_trigger),
        &["--thread thread-1 --tail 30"],
        &["$(id)", "comment add", "No comment triggered"],
    );
    for kind in [TaskKind::Chat, TaskKind::QuickCreate, TaskKind::AutopilotRun, TaskKind::Plain] {
        check(&notes(&task(kind)), &["## Task Initiator"], &["## This Turn", "comment add"]);
    }
}

#[test]
fn the_turn_says_who_set_it_off_and_what_was_lost() {
    let by = |name: &str, kind: &str, email: &str| {
        notes(&TaskDocument {
            initiator_name: name.into(),
            initiator_type: kind.into(),
            initiator_email: email.into(),
            ..task(TaskKind::Issue)
        })
    };
    check(&by("Ann", "member", "a@b.c"), &["a member of the workspace, **Ann** (a@b.c)"], &["another agent"]);
    check(&by("Ann", "member", "a b@c"), &["**Ann**."], &["a b@c"]);
    check(&by("Bot", "agent", "a@b.c"), &["another agent, **Bot**."], &["member", "a@b.c"]);
    check(&by(" \n", "member", "a@b.c"), &[], &["## Task Initiator"]);
    let lost = |kind| notes_on(&task(kind), Session::Lost, HostOs::Unix);
    check(&lost(TaskKind::Issue), &["comments are the record", "do not announce"], &["tell the user"]);
    check(
        &lost(TaskKind::Chat),
        &["Read the history", "Only if nothing", "tell the user"],
        &["comments are"],
    );
    check(&notes(&task(TaskKind::Issue)), &[], &["## Session"]);
    assert_eq!(notes(&document(r#"{"id":"x"}"#)), "");
}

#[test]
fn the_issue_context_of_each_kind() {
    let with_note = TaskDocument { handoff_note: "first\r\n# second\rthird".into(), ..task(TaskKind::Issue) };
    let rows: [(TaskDocument, &[&str], &[&str]); 6] = [
        (
            with_note,
            &[
                "# Task Assignment\n\n**Issue ID:** `issue-1`\n\n**Trigger:** New assignment\n\n## Handoff Note\n\n",
                "> first\n> # second\n> third\n\n",
                "## Quick Start\n\nFetch the issue:\n\n```\nmultica issue get issue-1 --output json\n```\n\n",
            ],
            &["Triggering"],
        ),
        (
            comment_task(),
            &["**Trigger:** Comment reply\n\n**Triggering comment ID:** `comment-1`\n\n"],
            &["Handoff", "New assignment", "look"],
        ),
        (
            task(TaskKind::QuickCreate),
            &["# Quick Create\n\n", "## User input\n\n> Fix\n> login\n\n"],
            &["issue"],
        ),
        (
            task(TaskKind::AutopilotRun),
            &[
                "# Autopilot Run\n\n**Autopilot run ID:** `run-1`\n\n**Autopilot ID:** `auto-1`\n\n**Title:** Nightly\n\n\
                 **Trigger source:** schedule\n\n## Trigger Payload\n\n````json\n",
                "No issue is assigned",
                "multica autopilot get auto-1 --output json",
                "## Autopilot Instructions\n\nSweep the floor.\n\n",
            ],
            &["issue get"],
        ),
        (
            task(TaskKind::Chat),
            &["# Chat Session\n\n", "`chat-1`", "multica issue list"],
            &["Issue ID", "issue get"],
        ),
        (task(TaskKind::Plain), &["# Task\n\n**Task ID:** `task-1`\n\n"], &["Issue", "multica"]),
    ];
    for (task, present, absent) in rows {
        let text = issue_context(&task, &multica());
        check(&text, present, absent);
        check(
            &text,
            &[],
            &["## Description", "## Workspace Context", "Agent Skills", "go-conventions", "\r", "\n\n\n"],
        );
        assert!(text.ends_with("\n\n"));
    }
}

#[test]
fn the_prompt_of_each_kind() {
    let comment = prompt(&comment_task()).unwrap();
    check(
        &comment,
        &[
            "A new comment on issue `issue-1` (id `comment-1`), by **Bob**.",
            "> Please\n> # look",
            "--parent comment-1",
        ],
        &["is assigned to you"],
    );
    let note = TaskDocument { handoff_note: "only\nthis".into(), ..task(TaskKind::Issue) };
    let assigned = prompt(&note).unwrap();
    check(
        &assigned,
        &["Issue `issue-1` is assigned to you.", "> only\n> this", "multica issue get issue-1"],
        &[],
    );
    assert!(prompt(&task(TaskKind::Chat)).unwrap().starts_with("Hi?\n\n---\n\n## Task Initiator"));
    check(
        &prompt(&task(TaskKind::QuickCreate)).unwrap(),
        &["> Fix\n> login", "exactly once", "without an H1"],
        &[],
    );
    let autopilot = prompt(&task(TaskKind::AutopilotRun)).unwrap();
    check(&autopilot, &["`run-1`", "Sweep the floor.", "No issue is assigned", "````json"], &["issue get"]);
    assert_eq!(prompt(&task(TaskKind::Plain)), None);
    assert_eq!(prompt(&TaskDocument { chat_message: " \n".into(), ..task(TaskKind::Chat) }), None);
}
