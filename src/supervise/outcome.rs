//! The verdict over a run: a pure function of what was seen.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Number;

use super::command::Dialect;
use super::{reason, redact};
use crate::protocol::Usage;
use crate::protocol::ndjson::claude::Terminal;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// The agent did what it was asked.
    Completed,
    /// It did not.
    Failed,
    /// A limit of ours ended it.
    Timeout,
    /// Somebody asked for the end, and the agent went.
    Interrupted,
    /// Somebody asked for the end, and the agent had to be killed.
    Killed,
}

/// How the agent's process ended. Empty where its end was our doing, after it had delivered its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Exit {
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

/// What came of a run.
#[derive(Clone, Debug, Serialize)]
pub struct RunOutcome {
    /// The verdict.
    pub status: RunStatus,
    /// The agent's own end.
    pub exit: Exit,
    /// The signal that stands for our reason to stop it: 2 for Ctrl-C, 15 for the cancel file, 13 for a reader that left.
    pub stopped_by: Option<i32>,
    /// A stable word; see [`reason`].
    pub failure_reason: Option<String>,
    /// What went wrong, redacted.
    pub error: Option<String>,
    /// The session, whatever the end.
    pub session_id: Option<String>,
    /// The answer; empty unless completed.
    pub text: String,
    /// Tokens by model.
    pub usage: BTreeMap<String, Usage>,
    /// As the CLI states it.
    pub cost_usd: Option<Number>,
    /// Why the session must not be resumed again.
    pub poisoned: Option<String>,
    /// The CLI refused to resume the session that was asked for.
    pub resume_refused: bool,
    /// How many tools were called: after the first, a retry may do things twice.
    pub tool_calls: u64,
    /// From start to end.
    #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
    pub duration: Duration,
    /// The end of standard error, redacted.
    pub stderr_tail: String,
    /// Processes that had left the agent's group and were killed at the end.
    pub survivors_killed: usize,
}

fn milliseconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// The exit status for `run`: the agent's own wherever it says enough.
pub fn exit_status(outcome: &RunOutcome) -> u8 {
    let signal = |number: i32| u8::try_from(128 + number).unwrap_or(1);
    match outcome.status {
        RunStatus::Completed => 0,
        RunStatus::Timeout => 124,
        RunStatus::Interrupted => signal(outcome.stopped_by.unwrap_or(15)),
        RunStatus::Killed => signal(9),
        RunStatus::Failed => match outcome.exit {
            Exit { signal: Some(number), .. } => signal(number),
            Exit { code: Some(code @ 1..=255), .. } => u8::try_from(code).unwrap_or(1),
            _ => 1,
        },
    }
}

/// Why we stopped the agent.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cause {
    Timeout(Duration),
    Idle(Duration),
    Tool(Duration),
    Signal(i32),
    CancelFile,
    SinkBroken,
    /// It had delivered its result, or closed its output, and did not go.
    Overdue,
}

/// What was seen of a run.
#[derive(Clone, Debug)]
pub(super) struct Facts<'a> {
    pub(super) provider: &'a str,
    pub(super) dialect: Dialect,
    pub(super) terminal: Option<&'a Terminal>,
    /// The terminal result came before our reason to stop.
    pub(super) terminal_first: bool,
    pub(super) fallback: &'a str,
    pub(super) launched_async: bool,
    pub(super) cause: Option<&'a Cause>,
    /// SIGKILL was needed.
    pub(super) killed: bool,
    pub(super) exit: Exit,
    pub(super) lost_line: Option<u64>,
    pub(super) read_error: Option<String>,
    pub(super) write_error: Option<String>,
    pub(super) stderr: &'a str,
    pub(super) resume: Option<&'a str>,
    pub(super) session_id: Option<&'a str>,
}

/// The part of an [`RunOutcome`] that is judged.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    pub(super) status: RunStatus,
    pub(super) failure_reason: Option<String>,
    pub(super) error: Option<String>,
    pub(super) text: String,
    pub(super) poisoned: Option<String>,
    pub(super) resume_refused: bool,
    pub(super) stopped_by: Option<i32>,
    pub(super) exit: Exit,
}

/// Judges. The first of these that applies: a reader that left, an error the agent reports, a lost line, our own limit,
/// our caller's wish, a read error, a background launch, the exit status, a missing result.
pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let own_end = matches!(facts.cause, Some(Cause::Overdue)) && facts.terminal.is_some();
    let exit = if own_end { Exit::default() } else { facts.exit };
    let stop = facts.cause.filter(|_| !facts.terminal_first);
    let terminal = facts.terminal.filter(|_| facts.terminal_first || stop.is_none());
    let (status, word, error) = match (stop, terminal) {
        _ if facts.cause == Some(&Cause::SinkBroken) => {
            (RunStatus::Interrupted, Some("cancelled"), Some("the reader of the events left".to_owned()))
        }
        (_, Some(Terminal { error: Some(error), subtype, .. })) => {
            let word = (subtype == "error_max_turns").then_some("iteration_limit");
            (RunStatus::Failed, word, Some(error.clone()))
        }
        _ if facts.lost_line.is_some() => {
            let length = facts.lost_line.unwrap_or_default();
            let limit = crate::protocol::ndjson::lines::KEPT >> 20;
            let error = format!(
                "a line of {length} bytes is too long: more than {limit} MiB of it are left after shortening"
            );
            (RunStatus::Failed, Some("agent_error.empty_or_unparseable_output"), Some(error))
        }
        (Some(Cause::Timeout(limit)), _) => {
            (RunStatus::Timeout, Some("timeout"), Some(format!("not done after {limit:?} (`--timeout`)")))
        }
        (Some(Cause::Idle(limit)), _) => (
            RunStatus::Timeout,
            Some("idle_watchdog"),
            Some(format!("no sign of progress for {limit:?} (`--idle-timeout`)")),
        ),
        (Some(Cause::Tool(limit)), _) => (
            RunStatus::Timeout,
            Some("idle_watchdog"),
            Some(format!("a tool call got no answer for {limit:?} (the tool limit)")),
        ),
        (Some(Cause::Signal(_) | Cause::CancelFile), _) => {
            let status = if facts.killed { RunStatus::Killed } else { RunStatus::Interrupted };
            (status, Some("cancelled"), Some("stopped on request".to_owned()))
        }
        _ if facts.read_error.is_some() && terminal.is_none() => {
            (RunStatus::Failed, None, facts.read_error.clone())
        }
        (_, Some(_)) if facts.launched_async => {
            let error = "a tool was sent to the background, where its end cannot be waited for";
            (RunStatus::Failed, Some("agent_error.process_failure"), Some(error.to_owned()))
        }
        _ => match (exit, facts.dialect, terminal) {
            (Exit { signal: Some(signal), .. }, ..) => {
                (RunStatus::Failed, None, Some(with_write_error(facts, format!("died of signal {signal}"))))
            }
            (Exit { code: Some(code @ 1..), .. }, ..) => {
                (RunStatus::Failed, None, Some(with_write_error(facts, format!("exit status {code}"))))
            }
            (_, Dialect::ClaudeStream, None) => {
                let error = format!("{} stream ended without a terminal result", facts.provider);
                (RunStatus::Failed, None, Some(with_write_error(facts, error)))
            }
            _ => (RunStatus::Completed, None, None),
        },
    };
    let ours = word.is_some_and(|word| !word.starts_with("agent_error."));
    // Our own reasons to stop need no words of the agent's.
    let error = error.map(|error| if ours { error } else { with_stderr(facts, &error) });
    finish(facts, Draft { status, word, error, exit })
}

struct Draft {
    status: RunStatus,
    word: Option<&'static str>,
    error: Option<String>,
    exit: Exit,
}

fn finish(facts: &Facts<'_>, draft: Draft) -> Verdict {
    let Draft { mut status, word, mut error, exit } = draft;
    let mut text = match (status, facts.terminal) {
        (RunStatus::Completed, Some(terminal)) if !terminal.text.trim().is_empty() => terminal.text.clone(),
        (RunStatus::Completed, _) => facts.fallback.to_owned(),
        _ => String::new(),
    };
    let overflow = facts.terminal.is_some_and(|terminal| terminal.terminal_reason == "prompt_too_long");
    let poisoned = if overflow {
        Some("agent_error.context_overflow")
    } else if status == RunStatus::Completed {
        reason::poisoned_by_output(&text)
    } else {
        error.as_deref().and_then(|error| reason::poisoned_by_error(facts.provider, error))
    };
    if status == RunStatus::Completed && poisoned.is_some() {
        status = RunStatus::Failed;
        error = Some(std::mem::take(&mut text));
    }
    let resume_refused = status == RunStatus::Failed
        && facts.resume.is_some_and(|asked| {
            facts.session_id.is_some_and(|answered| answered != asked)
                || reason::is_resume_refused(error.as_deref().unwrap_or_default())
                || reason::is_resume_refused(facts.stderr)
        });
    let failure_reason = (status != RunStatus::Completed).then(|| {
        let known = if status == RunStatus::Failed { poisoned.or(word) } else { word };
        known.unwrap_or_else(|| reason::classify(error.as_deref().unwrap_or_default())).to_owned()
    });
    let stopped_by = match facts.cause {
        Some(Cause::Signal(number)) => Some(*number),
        Some(Cause::CancelFile) => Some(15),
        Some(Cause::SinkBroken) => Some(13),
        _ => None,
    };
    Verdict {
        status,
        failure_reason,
        error: error.map(|error| redact::redact(&error)),
        text,
        poisoned: poisoned.map(str::to_owned),
        resume_refused,
        stopped_by,
        exit,
    }
}

fn with_write_error(facts: &Facts<'_>, error: String) -> String {
    match &facts.write_error {
        Some(write) => format!("{error}; the prompt could not be written: {write}"),
        None => error,
    }
}

fn with_stderr(facts: &Facts<'_>, error: &str) -> String {
    let tail = facts.stderr.trim();
    if tail.is_empty() { error.to_owned() } else { format!("{error}; {} stderr: {tail}", facts.provider) }
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
