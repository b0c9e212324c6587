//! A report of made-up data, for tests of its forms.

use chrono::{DateTime, Duration, Utc};
use serde_json::value::RawValue;

use super::claim::Claim;
use super::collect::{Collector, Moment};
use super::excerpt::{Excerpt, Most};
use super::model::{ChangedFile, Changes, Checkpoint, Ending, Report, State, Task};
use crate::protocol::{Event, NoticeLevel, Spent, Usage};

const MOST: Most = Most { head: 10_000, tail: 10_000 };

/// A report in which every text from outside is this one.
pub(super) fn report(text: &str) -> Report {
    let claim = || Claim::new(text);
    let excerpt = || Excerpt::of(text, MOST);
    let began: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
    let mut collector = Collector::new(Some(began));
    let json = serde_json::json!({ "command": text, text: [text] }).to_string();
    let input = RawValue::from_string(json).unwrap();
    let events = [
        Event::Session { session_id: text, model: Some(text) },
        Event::Text { text: text.into(), is_part: false },
        Event::Thinking { text: text.into() },
        Event::ToolUse { id: "1", tool: text, input: &input },
        Event::ToolResult { id: "1", tool: text, output: text.into(), is_error: Some(true) },
        Event::ToolUse { id: "2", tool: "Read", input: &input },
        Event::ToolResult { id: "?", tool: text, output: text.into(), is_error: None },
        Event::Notice { level: NoticeLevel::Warning, text },
        Event::Permission { request: text, decision: crate::protocol::Permission::Deny },
        Event::Iteration { n: 1, ready: false, reason: Some(text) },
        Event::Heartbeat { commit: text, pushed: true, patch: None },
        Event::AuthRequired { provider: text, hostname: text, login_url: Some(text), hint: text },
        Event::AgentErrors(text.as_bytes()),
        Event::Working(&Spent { tokens: 1200, cost_usd: serde_json::Number::from_f64(0.25), turns: 1 }),
        Event::Output(text.as_bytes()),
    ];
    for (second, event) in events.iter().enumerate() {
        let time = Some(began + Duration::seconds(second as i64 * 7));
        let turn = if second > 8 { 2 } else { 1 };
        collector.take(Moment { time, turn, offset: 0 }, event);
    }
    let log = collector.finish(Some(began + Duration::seconds(120)));
    Report {
        schema: 1,
        made_at: began,
        previous: false,
        task: Task {
            key: claim(),
            root_dir: claim(),
            work_dir: claim(),
            has_work_dir: true,
            workspace_id: claim(),
            task_id: claim(),
            kind: claim(),
            provider: claim(),
            agent_name: claim(),
            branch: claim(),
            prompt: excerpt(),
            is_prompt_of_document: true,
            context: excerpt(),
        },
        run: Ending {
            id: claim(),
            status: State::Failed,
            is_over: true,
            failure_reason: Some(claim()),
            explanation: Some("The agent's process failed.".to_owned()),
            error: Some(claim()),
            exit_code: Some(1),
            text: excerpt(),
            started_at: Some(began),
            ended_at: Some(began + Duration::seconds(120)),
            duration_ms: Some(120_000),
            iterations: 2,
            cost_usd: serde_json::Number::from_f64(0.25),
            usage: [(claim(), Usage { input_tokens: 1200, ..Usage::default() })].into(),
            session_id: claim(),
            host: claim(),
            engine: [(claim(), claim())].into(),
            sandbox: claim(),
            recovered: true,
            survivors_killed: 1,
            commits: vec![claim()],
            pr_url: claim(),
            published: None,
            source_drift: vec![claim()],
        },
        timeline: log.timeline,
        transcript: log.transcript,
        stderr: log.stderr,
        changes: vec![Changes {
            repository: claim(),
            base: Some("0123456789abcdef".to_owned()),
            files: vec![ChangedFile { action: 'R', path: claim(), from: Some(claim()) }],
            more_files: 1,
            added: 3,
            removed: 1,
            patch: Claim::new(format!("diff --git a/x b/x\n@@ -1 +1 @@\n-{text}\n+{text}\n")),
            is_patch_cut: true,
        }],
        no_changes: Some(text.to_owned()),
        checkpoints: vec![Checkpoint {
            n: 1,
            commit: claim(),
            message: claim(),
            at: Some(began),
            files: 1,
            added: 1,
            removed: 0,
            patch: claim(),
        }],
        warnings: vec![claim()],
    }
}
