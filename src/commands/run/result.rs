//! The result of a run, as the last event, as a file and as a record.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::environment::{LastResult, Status};
use crate::failure::Failure;
use crate::supervise::{self, RunOutcome};

const FILE: &str = "output/result.json";

/// The status for the record, the record, and the document. `source_drift` is `null`: nobody has looked.
pub(super) fn of(outcome: &RunOutcome, exit_status: u8, now: DateTime<Utc>) -> (Status, LastResult, Value) {
    let (status, word) = match outcome.status {
        supervise::RunStatus::Completed => (Status::Completed, "completed"),
        supervise::RunStatus::Failed => (Status::Failed, "failed"),
        supervise::RunStatus::Timeout => (Status::Timeout, "timeout"),
        supervise::RunStatus::Interrupted => (Status::Interrupted, "interrupted"),
        supervise::RunStatus::Killed => (Status::Killed, "killed"),
    };
    let record = LastResult {
        status: word.into(),
        exit_code: exit_status,
        failure_reason: outcome.failure_reason.clone(),
        file: FILE.into(),
        ended_at: Some(now),
    };
    let document = json!({
        "type": "result",
        "status": word,
        "failure_reason": outcome.failure_reason,
        "error": outcome.error,
        "exit_code": exit_status,
        "agent_exit": outcome.exit,
        "session_id": outcome.session_id,
        "text": outcome.text,
        "usage": outcome.usage,
        "cost_usd": outcome.cost_usd,
        "duration_ms": u64::try_from(outcome.duration.as_millis()).unwrap_or(u64::MAX),
        "iterations": 1,
        "commits": [],
        "pr_url": null,
        "source_drift": null,
        "survivors_killed": outcome.survivors_killed,
        "ended_at": now,
    });
    (status, record, document)
}

/// The record and the document of a run whose agent never started.
pub(super) fn not_started(error: &anyhow::Error, now: DateTime<Utc>) -> (LastResult, Value) {
    let code = Failure::code_of(error);
    let reason = match code.status() {
        126 | 127 => "agent_error.runtime_missing_executable",
        _ => "not_started",
    };
    let exit_code = if code.status() == 1 { 125 } else { code.status() };
    let document = json!({
        "type": "result",
        "status": "failed",
        "failure_reason": reason,
        "error": format!("{error:#}"),
        "exit_code": exit_code,
        "session_id": null,
        "text": "",
        "usage": {},
        "cost_usd": null,
        "duration_ms": 0,
        "iterations": 0,
        "commits": [],
        "pr_url": null,
        "source_drift": null,
        "ended_at": now,
    });
    let record = LastResult {
        status: "failed".into(),
        exit_code,
        failure_reason: Some(reason.into()),
        file: FILE.into(),
        ended_at: Some(now),
    };
    (record, document)
}
