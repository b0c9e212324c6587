//! The result of a run: the last event, the file `output/result.json`, and the record, all from one value.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Error, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Number;

use super::engine::Engine;
use crate::environment::{EnvStatus, LastResult};
use crate::exit;
use crate::failure::Failure;
use crate::git::Drift;
use crate::layout::names;
use crate::protocol::{FailureReason, Usage};
use crate::supervise::{Exit, RunOutcome, RunStatus, RunVerdict};
use crate::sys::tree::Tree;
use crate::work::publish::{Published, To};

/// How a run ended: the same fields for every end.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunResult {
    /// Always `result`: the type of the event.
    #[serde(rename = "type")]
    #[cfg_attr(test, schemars(extend("const" = "result")))]
    kind: &'static str,
    /// The id of the run, which its processes have as `EXECENV_RUN_ID`.
    pub run_id: String,
    /// How it ended.
    pub status: RunStatus,
    /// Why it did not complete.
    pub failure_reason: Option<FailureReason>,
    /// What went wrong, redacted.
    pub error: Option<String>,
    /// The exit status of `execenv run`.
    pub exit_code: u8,
    /// How the agent's process ended.
    pub agent_exit: Exit,
    /// The agent's session.
    pub session_id: Option<String>,
    /// The answer; where the run did not complete, the last text of the agent. Of more than 512 KiB the beginning and
    /// the end, with a line between them that says how many bytes were left out.
    pub text: String,
    /// Tokens by model.
    pub usage: BTreeMap<String, Usage>,
    /// The price in US dollars, as the agent states it.
    pub cost_usd: Option<Number>,
    /// From the start of the agent to its end.
    pub duration_ms: u64,
    /// How many turns of the agent were run; 0: it was not started.
    pub iterations: u32,
    /// Commits that the run made.
    pub commits: Vec<String>,
    /// The pull request that the run opened, or found open.
    pub pr_url: Option<String>,
    /// What the run published; `null`: nothing was to be published, or it could not be.
    pub published: Option<PublishedWork>,
    /// What has changed in the checkout that the work dir is a worktree of; `null`: there is none, or it could not be looked at.
    pub source_drift: Option<Vec<Drift>>,
    /// Processes that had left the agent's group and were killed at the end.
    pub survivors_killed: usize,
    /// The sandbox that the agent was in; `null`: none.
    pub sandbox: Option<Sandboxed>,
    /// Where the agent's output is.
    pub logs: Logs,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// Another command has rebuilt this from the log, because the run died before it could write it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recovered: bool,
    /// The name of the machine that it ran on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// The job of the engine that it was part of, by the engine's own variables: `SLURM_JOB_ID`, `JOB_COMPLETION_INDEX`,
    /// `GITHUB_RUN_ID`, …
    #[serde(skip_serializing_if = "Engine::is_empty")]
    pub engine: Engine,
    /// Why the session must not be resumed. Belongs to the record of the session, not to the result.
    #[serde(skip)]
    pub(super) poisoned: Option<FailureReason>,
}

/// Why a run ended that its agent had not finished, for a reason of the run's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stopped {
    pub(super) reason: FailureReason,
    pub(super) error: String,
}

/// The sandbox of a run.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sandboxed {
    /// Its kind: `bwrap` or `landlock`.
    pub kind: &'static str,
    /// Whether the agent had a network.
    pub network: bool,
}

/// The logs of a run, by their absolute paths.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Logs {
    /// What the agent printed on standard output, byte for byte.
    pub output: PathBuf,
    /// The same for standard error.
    pub stderr: PathBuf,
    /// When it was started, with what, and how it ended.
    pub run: PathBuf,
}

impl Logs {
    /// The logs of an env root.
    fn of(env_root: &Path) -> Logs {
        let log = |name| env_root.join(names::LOGS).join(name);
        Logs { output: log(names::AGENT_LOG), stderr: log(names::STDERR_LOG), run: log(names::RUN_LOG) }
    }
}

/// What was published, for the result.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PublishedWork {
    /// How: `branch`, `merge` or `pr`.
    to: &'static str,
    /// The repository's folder or address, without secrets.
    target: String,
    /// The branch.
    branch: String,
    /// Its commit.
    commit: String,
    /// The branch that it went to.
    base: Option<String>,
    /// The commit of that branch now.
    merged: Option<String>,
}

impl PublishedWork {
    /// The same, for the result; and the address of the pull request.
    pub(super) fn of(to: To, published: Published) -> (PublishedWork, Option<String>) {
        let Published { branch, commit, base, merged, target, url, .. } = published;
        (PublishedWork { to: to.word(), target, branch, commit, base, merged }, url)
    }
}

impl RunResult {
    /// The result with the id of the run, and the paths of its logs.
    pub(super) fn of_run(self, run_id: &str, env_root: &Path) -> RunResult {
        RunResult { run_id: run_id.to_owned(), logs: Logs::of(env_root), ..self }
    }

    /// The result of a run that died and left so many processes, rebuilt from what is known of it.
    pub(super) fn rebuilt(self, survivors_killed: usize) -> RunResult {
        RunResult { recovered: true, survivors_killed, ..self }
    }

    /// The result with the machine and the job in which the run was.
    pub(super) fn within(self, host: String, engine: Engine) -> RunResult {
        RunResult { host, engine, ..self }
    }

    /// The result with the sandbox.
    pub(super) fn with_sandbox(self, sandbox: Option<Sandboxed>) -> RunResult {
        RunResult { sandbox, ..self }
    }

    /// The result with the commits that the run made.
    pub(super) fn with_commits(self, commits: Vec<String>) -> RunResult {
        RunResult { commits, ..self }
    }

    /// The result with what the run published, and the address of its pull request.
    pub(super) fn with_published(self, published: Option<(PublishedWork, Option<String>)>) -> RunResult {
        let (published, pr_url) = published.unzip();
        RunResult { published, pr_url: pr_url.flatten(), ..self }
    }

    /// The result with what has changed in the checkout that the worktree came from.
    pub(super) fn with_drift(self, source_drift: Option<Vec<Drift>>) -> RunResult {
        RunResult { source_drift, ..self }
    }

    /// The result of a run whose agent was started.
    pub(super) fn of(outcome: RunOutcome, iterations: u32, now: DateTime<Utc>) -> RunResult {
        let verdict = outcome.verdict;
        RunResult {
            exit_code: exit::of_agent(&verdict),
            failure_reason: verdict.failure_reason,
            error: verdict.error,
            agent_exit: verdict.exit,
            session_id: outcome.session_id,
            text: verdict.text,
            usage: outcome.usage,
            cost_usd: outcome.cost_usd,
            duration_ms: u64::try_from(outcome.duration.as_millis()).unwrap_or(u64::MAX),
            iterations,
            survivors_killed: outcome.survivors_killed,
            poisoned: verdict.poisoned,
            ..RunResult::empty(verdict.status, now)
        }
    }

    /// The result of a run whose agent could not be started.
    pub(super) fn not_started(error: &Error, now: DateTime<Utc>) -> RunResult {
        let status = Failure::code_of(error).status();
        let reason = match status {
            126 | 127 => FailureReason::MissingExecutable,
            _ => FailureReason::NotStarted,
        };
        RunResult {
            failure_reason: Some(reason),
            error: Some(format!("{error:#}")),
            exit_code: if status == 1 { 125 } else { status },
            ..RunResult::empty(RunStatus::Failed, now)
        }
    }

    /// The result of a run that died, of which nothing is known.
    pub(super) fn crashed(now: DateTime<Utc>) -> RunResult {
        let verdict = RunVerdict::crashed(String::new());
        RunResult {
            exit_code: exit::of_agent(&verdict),
            failure_reason: verdict.failure_reason,
            error: verdict.error,
            ..RunResult::empty(verdict.status, now)
        }
    }

    /// The result of a run that completed then, of which nothing else is known.
    pub(super) fn completed(then: DateTime<Utc>) -> RunResult {
        RunResult { iterations: 1, ..RunResult::empty(RunStatus::Completed, then) }
    }

    fn empty(status: RunStatus, now: DateTime<Utc>) -> RunResult {
        RunResult {
            kind: "result",
            run_id: String::new(),
            status,
            failure_reason: None,
            error: None,
            exit_code: 0,
            agent_exit: Exit::default(),
            session_id: None,
            text: String::new(),
            usage: BTreeMap::new(),
            cost_usd: None,
            duration_ms: 0,
            iterations: 0,
            commits: Vec::new(),
            pr_url: None,
            published: None,
            source_drift: None,
            survivors_killed: 0,
            sandbox: None,
            logs: Logs::default(),
            ended_at: now,
            recovered: false,
            host: String::new(),
            engine: Engine::new(),
            poisoned: None,
        }
    }

    /// Writes the file of an env root, so that it is on the disk. It is private: the agent's text may quote secrets.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn store(&self, env: &Tree) -> Result<()> {
        let file = result_file();
        let document = serde_json::to_vec(self).context("write the result")?;
        env.ensure_dir(Path::new(names::OUTPUT), 0o755)
            .and_then(|()| env.replace_unsynced(&file, &document, 0o600, names::TEMPORARY))
            .and_then(|()| env.sync_all_of(&file))
            .with_context(|| format!("write {}", env.path().join(&file).display()))
    }

    /// The key of its environment.
    pub fn key(&self) -> String {
        let root = self.logs.output.ancestors().nth(2).and_then(Path::file_name);
        root.unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whether the agent was started.
    pub fn has_started(&self) -> bool {
        self.iterations > 0
    }

    /// The result in the environment's record.
    pub(super) fn record(&self) -> LastResult {
        LastResult {
            status: self.status.word().into(),
            exit_code: self.exit_code,
            failure_reason: self.failure_reason.map(|reason| reason.word().into()),
            file: result_file().to_string_lossy().into_owned(),
            ended_at: Some(self.ended_at),
            recovered: self.recovered,
            ..LastResult::default()
        }
    }
}

/// The file of a result, below an env root.
pub(super) fn result_file() -> PathBuf {
    Path::new(names::OUTPUT).join(names::RESULT)
}

/// The environment's status after a run: the only place where one follows from the other.
impl From<RunStatus> for EnvStatus {
    fn from(status: RunStatus) -> EnvStatus {
        match status {
            RunStatus::Completed => EnvStatus::Completed,
            RunStatus::Failed => EnvStatus::Failed,
            RunStatus::Timeout => EnvStatus::Timeout,
            RunStatus::Interrupted => EnvStatus::Interrupted,
            RunStatus::Killed => EnvStatus::Killed,
            RunStatus::Crashed => EnvStatus::Crashed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_status_and_its_status_in_the_record_have_one_word() {
        for status in [
            RunStatus::Completed,
            RunStatus::Failed,
            RunStatus::Timeout,
            RunStatus::Interrupted,
            RunStatus::Killed,
            RunStatus::Crashed,
        ] {
            assert_eq!(status.word(), EnvStatus::from(status).word());
            assert_eq!(serde_json::to_value(status).unwrap(), status.word());
        }
    }
}
