//! How a run ended: a pure function of what was seen of it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use super::bounds::Reached;
use super::watch::WorkDirGone;
use super::{reason, redact};
use crate::protocol::{AgentFailure, Ending, FailureReason, GiveUp, Usage};
use crate::provider::COMMAND;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// The agent did what it was asked.
    Completed,
    /// It did not, or its process failed.
    Failed,
    /// A limit of time ended it.
    Timeout,
    /// It was asked to end, and did.
    Interrupted,
    /// It was asked to end, and had to be killed.
    Killed,
    /// execenv died before its end. `run` never says so: another command has rebuilt the result.
    Crashed,
}

impl RunStatus {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            RunStatus::Completed => "completed",
            RunStatus::Failed => "failed",
            RunStatus::Timeout => "timeout",
            RunStatus::Interrupted => "interrupted",
            RunStatus::Killed => "killed",
            RunStatus::Crashed => "crashed",
        }
    }
}

/// How the agent's process ended. Empty where it was stopped after it had stated its result, or at a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Exit {
    /// Its exit status.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

impl Exit {
    /// Whether the process ended as a polite one does that was asked to: by SIGTERM, SIGINT or SIGHUP, or with the status
    /// that stands for one of these.
    pub(super) fn is_by_request(self) -> bool {
        const POLITE: [i32; 3] = [15, 2, 1];
        let by_status = self.code.and_then(|code| code.checked_sub(128));
        self.signal.or(by_status).is_some_and(|number| POLITE.contains(&number))
    }
}

/// What came of one start of an agent.
#[derive(Clone, Debug, Serialize)]
pub struct RunOutcome {
    /// What is judged.
    #[serde(flatten)]
    pub verdict: RunVerdict,
    /// The session, whatever the end.
    pub session_id: Option<String>,
    /// Tokens by model.
    pub usage: BTreeMap<String, Usage>,
    /// The price in US dollars, as the agent states it.
    pub cost_usd: Option<Number>,
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

impl RunOutcome {
    /// The outcome of two starts, the second without the session that the first could not resume. Where the second came no
    /// further, the first one's verdict says more.
    #[must_use]
    pub fn after(self, first: RunOutcome) -> RunOutcome {
        let has_got_further = self.verdict.status == RunStatus::Completed || self.session_id.is_some();
        let (kept, other) = if has_got_further { (self, first) } else { (first, self) };
        kept.with_spent(other)
    }
}

impl RunOutcome {
    /// The outcome of a run of several turns, of which `last` is the last one.
    #[must_use]
    pub fn then(self, last: RunOutcome) -> RunOutcome {
        let session_id = last.session_id.clone().or_else(|| self.session_id.clone());
        RunOutcome { session_id, ..last }.with_spent(self)
    }

    /// Adds what another start has used up.
    fn with_spent(self, other: RunOutcome) -> RunOutcome {
        let mut usage = self.usage;
        for (model, count) in &other.usage {
            usage.entry(model.clone()).or_default().add(count);
        }
        RunOutcome {
            usage,
            cost_usd: match (self.cost_usd, other.cost_usd) {
                (Some(one), Some(two)) => add(&one, &two).or(Some(one)),
                (one, two) => one.or(two),
            },
            tool_calls: self.tool_calls + other.tool_calls,
            duration: self.duration + other.duration,
            survivors_killed: self.survivors_killed + other.survivors_killed,
            ..self
        }
    }
}

fn add(one: &Number, two: &Number) -> Option<Number> {
    Number::from_f64(one.as_f64()? + two.as_f64()?)
}

/// The verdict over one start of an agent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunVerdict {
    /// How it ended.
    pub status: RunStatus,
    /// How the agent's process ended.
    pub exit: Exit,
    /// The signal that stands for the reason to stop the agent: 2 for Ctrl-C, 15 for the cancel file, 13 for a reader of
    /// the events that went away.
    pub stopped_by: Option<i32>,
    /// Why it did not complete.
    pub failure_reason: Option<FailureReason>,
    /// What went wrong, redacted.
    pub error: Option<String>,
    /// The answer; where the run did not complete, the last text of the agent. Of more than 512 KiB the beginning and
    /// the end, with a line between them that says how many bytes were left out.
    pub text: String,
    /// Why the session must not be resumed.
    pub poisoned: Option<FailureReason>,
    /// The agent refused to resume the session that was asked for.
    pub resume_refused: bool,
}

impl RunVerdict {
    /// The verdict over a run of which nothing says how it ended.
    #[must_use]
    pub fn crashed(text: String) -> RunVerdict {
        RunVerdict {
            status: RunStatus::Crashed,
            exit: Exit::default(),
            stopped_by: None,
            failure_reason: Some(FailureReason::Crashed),
            error: Some(
                "the run died before its end: execenv was killed, or the machine went down".to_owned(),
            ),
            text,
            poisoned: None,
            resume_refused: false,
        }
    }

    /// The verdict over a run that was ended between two turns of its agent, which had ended the last one well.
    #[must_use]
    pub fn stopped(self, reason: FailureReason, error: String) -> RunVerdict {
        let (status, exit) = (RunStatus::Failed, Exit::default());
        RunVerdict { status, exit, failure_reason: Some(reason), error: Some(error), ..self }
    }
}

fn milliseconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Why the agent was stopped.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// The run's limit on its duration.
    Timeout(Duration),
    /// The run's limit on silence.
    Idle(Duration),
    /// The run's limit on a tool's silence.
    Tool(Duration),
    /// A signal to the run.
    Signal(i32),
    /// The cancel file.
    CancelFile,
    /// The reader of the events went away.
    SinkBroken,
    /// A limit of its dialect's.
    Dialect(GiveUp),
    /// It has used up what it may.
    Bound(Reached),
    /// The folder in which it works is gone.
    WorkDirGone(WorkDirGone),
    /// It had stated its result, or closed its output, and did not exit.
    Overdue,
}

/// What was seen of a run.
#[derive(Clone, Debug)]
pub struct RunFacts<'a> {
    /// Its name, for error texts.
    pub provider: &'a str,
    /// The agent states its result: without one the run failed.
    pub states_result: bool,
    /// What the conversation knows.
    pub ending: &'a Ending,
    /// The result came before the reason to stop the agent.
    pub is_result_first: bool,
    /// Why the agent was stopped, if it was.
    pub cause: Option<&'a Cause>,
    /// SIGKILL was needed.
    pub is_killed: bool,
    /// How its process ended.
    pub exit: Exit,
    /// Why its output could not be read.
    pub read_error: Option<String>,
    /// Why its input could not be written.
    pub write_error: Option<String>,
    /// The end of its standard error, as its error quotes it.
    pub stderr: &'a str,
    /// More of that end, in which the answer of a server may stand before a stack trace.
    pub searched: &'a str,
    /// The CLI fails without a word where it cannot resume a session.
    pub hides_refusal: bool,
    /// The session that it was asked to resume.
    pub resume: Option<&'a str>,
}

/// A status with its reason and words, before the agent's texts were looked at.
struct Draft {
    status: RunStatus,
    reason: Option<FailureReason>,
    error: Option<String>,
}

impl Draft {
    fn new(status: RunStatus, reason: impl Into<Option<FailureReason>>, error: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), error: Some(error.into()) }
    }

    const COMPLETED: Self = Self { status: RunStatus::Completed, reason: None, error: None };
}

/// Judges a run. The first of these that applies decides: a reader of the events that went away, a failure that the agent
/// states, output that cannot be read, a reason to stop the agent, a read error, work left in the background, the exit
/// status, a missing result.
pub fn judge(facts: &RunFacts<'_>) -> RunVerdict {
    let result = facts.ending.result.as_ref();
    // An agent that did not exit after its result was stopped: its exit says nothing.
    let is_own_end = matches!(facts.cause, Some(Cause::Overdue)) && result.is_some();
    let is_cut_off = matches!(facts.cause, Some(Cause::Bound(_) | Cause::WorkDirGone(_)));
    let exit = if is_own_end || is_cut_off { Exit::default() } else { facts.exit };
    let Draft { status, reason, error } = draft(facts, exit);
    let in_words = error.as_deref().map(|error| reason_in_words(facts, error));
    let is_agents = reason.is_none_or(FailureReason::is_agent_error);
    // A limit or a wish of the user's explains itself; an error of the agent's is explained by its standard error.
    let error = error.map(|error| if is_agents { with_stderr(facts, &error) } else { error });
    finish(facts, exit, Draft { status, reason: reason.or(in_words), error })
}

/// The reason in the words of the failure; in those of standard error, which may hold anything, where they say no more than
/// that it failed.
fn reason_in_words(facts: &RunFacts<'_>, error: &str) -> FailureReason {
    use FailureReason::{ProcessFailure, Unknown};
    // What a program prints of servers and logins is not of a model's.
    if facts.provider == COMMAND.name {
        return ProcessFailure;
    }
    let own = reason::classify(error);
    let is_vague = matches!(own, Unknown | ProcessFailure);
    match reason::classify_log(facts.stderr, facts.searched) {
        Unknown => own,
        by_log if is_vague => by_log,
        _ => own,
    }
}

fn draft(facts: &RunFacts<'_>, exit: Exit) -> Draft {
    use RunStatus::{Failed, Interrupted, Killed};
    let stop = facts.cause.filter(|_| !facts.is_result_first);
    let result = facts.ending.result.as_ref().filter(|_| facts.is_result_first || stop.is_none());
    if facts.cause == Some(&Cause::SinkBroken) {
        return Draft::new(
            Interrupted,
            FailureReason::Cancelled,
            "the program that reads the output ended, so the agent was stopped",
        );
    }
    if let Some(AgentFailure { error, reason, .. }) = result.and_then(|result| result.failure.as_ref()) {
        return Draft::new(Failed, *reason, error);
    }
    if let Some(error) = &facts.ending.unreadable {
        return Draft::new(Failed, FailureReason::UnreadableOutput, error);
    }
    match stop {
        Some(Cause::Signal(_) | Cause::CancelFile) => {
            let status = if facts.is_killed { Killed } else { Interrupted };
            return Draft::new(status, FailureReason::Cancelled, "stopped on request");
        }
        Some(Cause::Bound(reached)) => {
            return Draft::new(Failed, reached.reason(), reached.words());
        }
        Some(Cause::WorkDirGone(gone)) => {
            return Draft::new(Failed, FailureReason::WorkDirMissing, &gone.error);
        }
        Some(limit) if let Some(draft) = over_limit(limit) => return draft,
        _ => {}
    }
    if let Some(error) = facts.read_error.as_ref().filter(|_| result.is_none()) {
        return Draft::new(Failed, None, error);
    }
    if result.is_some() && facts.ending.has_background_work {
        let error = "a tool still works in the background; its result would be lost";
        return Draft::new(Failed, FailureReason::ProcessFailure, error);
    }
    let subject = if facts.states_result { facts.provider } else { "the program" };
    match exit {
        Exit { signal: Some(signal), .. } => {
            Draft::new(Failed, None, with_write_error(facts, format!("{subject} died of signal {signal}")))
        }
        Exit { code: Some(code @ 1..), .. } => Draft::new(
            Failed,
            None,
            with_write_error(facts, format!("{subject} ended with exit status {code}{}", said(facts))),
        ),
        _ if facts.states_result && result.is_none() => {
            let error = format!("the output of {subject} ended without a result");
            Draft::new(Failed, None, with_write_error(facts, error))
        }
        _ => Draft::COMPLETED,
    }
}

/// The draft for a limit of time; `None` for other causes.
fn over_limit(cause: &Cause) -> Option<Draft> {
    let (reason, error) = match cause {
        Cause::Timeout(limit) => (FailureReason::Timeout, format!("stopped after {limit:?} (`--timeout`)")),
        Cause::Idle(limit) => (
            FailureReason::IdleWatchdog,
            format!("stopped: no sign of work for {limit:?} (`--idle-timeout`)"),
        ),
        Cause::Tool(limit) => {
            (FailureReason::IdleWatchdog, format!("stopped: a tool call had no answer for {limit:?}"))
        }
        Cause::Dialect(GiveUp { reason, error }) => (*reason, error.clone()),
        Cause::Signal(_)
        | Cause::CancelFile
        | Cause::SinkBroken
        | Cause::Overdue
        | Cause::Bound(_)
        | Cause::WorkDirGone(_) => return None,
    };
    Some(Draft::new(RunStatus::Timeout, reason, error))
}

fn finish(facts: &RunFacts<'_>, exit: Exit, draft: Draft) -> RunVerdict {
    let Draft { mut status, reason, mut error } = draft;
    let result = facts.ending.result.as_ref();
    let mut text = match (status, result) {
        (RunStatus::Completed, Some(result)) if !result.text.trim().is_empty() => result.text.clone(),
        (RunStatus::Completed, _) => facts.ending.fallback.clone(),
        // A good answer may stand before a failure: the exit status of a hook, a connection that broke at the end.
        (_, Some(result)) if result.failure.is_none() && !result.text.trim().is_empty() => {
            result.text.clone()
        }
        _ => facts.ending.last_text.clone(),
    };
    let poisoned = result.and_then(|result| result.poisoned).or_else(|| match &error {
        _ if status == RunStatus::Completed => reason::poisoned_by_output(&text),
        Some(error) => reason::poisoned_by_error(facts.provider, error),
        None => None,
    });
    if status == RunStatus::Completed && poisoned.is_some() {
        status = RunStatus::Failed;
        error = Some(std::mem::take(&mut text));
    }
    let failure_reason = (status != RunStatus::Completed).then(|| {
        let known = if status == RunStatus::Failed { poisoned.or(reason) } else { reason };
        known.unwrap_or(FailureReason::Unknown)
    });
    let stopped_by = match facts.cause {
        Some(Cause::Signal(number)) => Some(*number),
        Some(Cause::CancelFile) => Some(15),
        Some(Cause::SinkBroken) => Some(13),
        _ => None,
    };
    let resume_refused =
        status == RunStatus::Failed && is_resume_refused(facts, error.as_deref(), failure_reason);
    RunVerdict {
        status,
        exit,
        stopped_by,
        failure_reason,
        error: error.map(|error| redact::redact(&error)),
        text,
        poisoned,
        resume_refused,
    }
}

/// Whether the agent refused to resume the session. One that fails before it names any session, for no reason that lies
/// elsewhere, is taken to have refused it where its CLI is known to say no more.
fn is_resume_refused(facts: &RunFacts<'_>, error: Option<&str>, reason: Option<FailureReason>) -> bool {
    use FailureReason::{ProcessFailure, Unknown, UnreadableOutput};
    let is_unexplained = matches!(reason, None | Some(ProcessFailure | Unknown | UnreadableOutput));
    let is_silent_refusal = facts.hides_refusal && is_unexplained && facts.ending.session_id.is_none();
    let failure = facts.ending.result.as_ref().and_then(|result| result.failure.as_ref());
    facts.resume.is_some_and(|asked| {
        is_silent_refusal
            || facts.ending.session_id.as_deref().is_some_and(|answered| answered != asked)
            || failure.is_some_and(|failure| failure.is_resume_refused)
            || reason::is_resume_refused(error.unwrap_or_default())
            || reason::is_resume_refused(facts.stderr)
    })
}

/// What a plain-text agent said last, where that is its error.
fn said(facts: &RunFacts<'_>) -> String {
    match facts.ending.last_words.trim() {
        "" => String::new(),
        words => format!(": {words}"),
    }
}

fn with_write_error(facts: &RunFacts<'_>, error: String) -> String {
    match &facts.write_error {
        Some(write) => format!("{error}; its input could not be written: {write}"),
        None => error,
    }
}

fn with_stderr(facts: &RunFacts<'_>, error: &str) -> String {
    let tail = facts.stderr.trim();
    if tail.is_empty() { error.to_owned() } else { format!("{error}; its last words: {tail}") }
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
