//! What a report is made of: the data behind the page, the Markdown and the JSON.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Number, Value};

use super::claim::Claim;
use super::excerpt::Excerpt;
use super::timeline::Timeline;
use super::transcript::Transcript;
use crate::protocol::Usage;

/// One run, as a person looks at it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// The version of this form.
    pub schema: u32,
    /// When the report was made.
    pub made_at: DateTime<Utc>,
    /// Whether it is about the run before the last one.
    pub previous: bool,
    /// The environment and its task.
    pub task: Task,
    /// How the run ended.
    pub run: Ending,
    /// Turns and calls of tools over the time.
    pub timeline: Timeline,
    /// What the agent said and did.
    pub transcript: Transcript,
    /// The end of its standard error, without what looks like a secret.
    pub stderr: Excerpt,
    /// What all runs of the environment together have changed, one entry for each repository of the work dir.
    pub changes: Vec<Changes>,
    /// Why there is nothing, or not all, of the changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_changes: Option<String>,
    /// What was saved of the work.
    pub checkpoints: Vec<Checkpoint>,
    /// What a reader should know: notices of the run, and what this report could not find out.
    pub warnings: Vec<Claim>,
}

/// The environment and its task.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Task {
    /// The environment's key.
    pub key: Claim,
    /// The env root.
    pub root_dir: Claim,
    /// The work dir.
    pub work_dir: Claim,
    /// Whether it is there.
    pub has_work_dir: bool,
    /// The workspace.
    pub workspace_id: Claim,
    /// The task.
    pub task_id: Claim,
    /// What the task belongs to.
    pub kind: Claim,
    /// The agent CLI.
    pub provider: Claim,
    /// The agent's name.
    pub agent_name: Claim,
    /// The branch of the work.
    pub branch: Claim,
    /// The prompt of the run; of a run that kept none, that of the task document.
    pub prompt: Excerpt,
    /// Whether the prompt is that of the task document: the run may have been given another one.
    pub is_prompt_of_document: bool,
    /// The context file, as it is in the work dir now.
    pub context: Excerpt,
}

/// How a run ended, or how far it is.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ending {
    /// The run.
    pub id: Claim,
    /// `completed`, `failed`, …; of a run that is on, `running`.
    pub status: State,
    /// Whether it is over.
    pub is_over: bool,
    /// The stable word for why it did not complete.
    pub failure_reason: Option<Claim>,
    /// The same in plain words.
    pub explanation: Option<String>,
    /// The error's text.
    pub error: Option<Claim>,
    /// The exit status of `execenv run`.
    pub exit_code: Option<u8>,
    /// The agent's answer, or its last text.
    pub text: Excerpt,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// How long the agent worked; of a run that is on, so far.
    pub duration_ms: Option<u64>,
    /// Turns of the agent.
    pub iterations: u32,
    /// The price in US dollars, as the agent states it.
    #[cfg_attr(test, schemars(with = "Option<f64>"))]
    pub cost_usd: Option<Number>,
    /// Tokens by model.
    pub usage: BTreeMap<Claim, Usage>,
    /// The agent's session.
    pub session_id: Claim,
    /// The machine.
    pub host: Claim,
    /// The job of an engine, by the engine's own variables.
    pub engine: BTreeMap<Claim, Claim>,
    /// The sandbox.
    pub sandbox: Claim,
    /// Another command has rebuilt the result from the log.
    pub recovered: bool,
    /// Processes that were killed at the end.
    pub survivors_killed: u64,
    /// Commits that the run made.
    pub commits: Vec<Claim>,
    /// The pull request.
    pub pr_url: Claim,
    /// What was published.
    #[cfg_attr(test, schemars(with = "Option<BTreeMap<String, Value>>"))]
    pub published: Option<Value>,
    /// Files of the checkout that the work dir is a worktree of which have changed meanwhile.
    pub source_drift: Vec<Claim>,
}

/// The status of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// An agent works.
    Running,
    /// The agent is stopped by `execenv pause`.
    Paused,
    /// The agent was done.
    Completed,
    /// It failed.
    Failed,
    /// It reached a time limit.
    Timeout,
    /// It was stopped.
    Interrupted,
    /// It had to be killed.
    Killed,
    /// It died without recording how it ended.
    Crashed,
    /// Nothing says how it ended.
    Unknown,
}

impl State {
    const ALL: [(&'static str, State); 8] = [
        ("running", State::Running),
        ("paused", State::Paused),
        ("completed", State::Completed),
        ("failed", State::Failed),
        ("timeout", State::Timeout),
        ("interrupted", State::Interrupted),
        ("killed", State::Killed),
        ("crashed", State::Crashed),
    ];

    /// The status of a word.
    pub fn of_word(word: &str) -> State {
        let known = State::ALL.iter().find(|(known, _)| *known == word);
        known.map_or(State::Unknown, |(_, state)| *state)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        State::ALL.iter().find(|(_, state)| *state == self).map_or("unknown", |(word, _)| *word)
    }

    /// Whether the run is on.
    pub fn is_on(self) -> bool {
        matches!(self, State::Running | State::Paused)
    }
}

/// What the work has changed in one repository.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Changes {
    /// The repository's folder.
    pub repository: Claim,
    /// The commit that it is compared with; `null`: nothing.
    pub base: Option<String>,
    /// The files, the first thousand of them.
    pub files: Vec<ChangedFile>,
    /// How many more there are.
    pub more_files: u64,
    /// Lines that were added.
    pub added: u64,
    /// Lines that were removed.
    pub removed: u64,
    /// The beginning of the diff.
    pub patch: Claim,
    /// Whether the diff goes on.
    pub is_patch_cut: bool,
}

/// A file that differs.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChangedFile {
    /// `A` added, `M` modified, `D` deleted, `R` renamed, `T` of another kind now.
    pub action: char,
    /// Its path.
    pub path: Claim,
    /// Its path before it was renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Claim>,
}

/// A checkpoint.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Checkpoint {
    /// Its number.
    pub n: u64,
    /// The commit.
    pub commit: Claim,
    /// The message.
    pub message: Claim,
    /// When it was made.
    pub at: Option<DateTime<Utc>>,
    /// Files that differ.
    pub files: u64,
    /// Lines added.
    pub added: u64,
    /// Lines removed.
    pub removed: u64,
    /// Its patch, below the env root.
    pub patch: Claim,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::EnvStatus;

    #[test]
    fn each_status_of_a_run_has_its_word_of_the_record() {
        for status in [
            EnvStatus::Running,
            EnvStatus::Paused,
            EnvStatus::Completed,
            EnvStatus::Failed,
            EnvStatus::Timeout,
            EnvStatus::Interrupted,
            EnvStatus::Killed,
            EnvStatus::Crashed,
        ] {
            let state = State::of_word(status.word());
            assert_eq!((state.word(), state.is_on()), (status.word(), status.is_active()));
            assert_eq!(serde_json::to_value(state).unwrap(), status.word());
        }
        assert_eq!(State::of_word("cleaned"), State::Unknown);
    }
}
