//! What `show` prints as JSON.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::environment::{
    CheckpointRecord, Damage, EnvStatus, FailedStart, LastResult, RepositoryRecord, RunRecord, SessionRecord,
    SetupRecord,
};
use crate::output::Version;

/// One environment in full.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ShowDocument<'a> {
    pub(super) schema: Version,
    /// The env root.
    pub(super) root_dir: &'a Path,
    /// The folder in which the agent runs.
    pub(super) work_dir: &'a Path,
    /// The name of the env root's folder.
    pub(super) key: &'a str,
    /// The workspace.
    pub(super) workspace_id: String,
    /// The full id of the task; empty: not known.
    pub(super) task_id: &'a str,
    /// The agent CLI; empty: none.
    pub(super) provider: &'a str,
    /// The agent's name; empty: not known.
    pub(super) agent_name: &'a str,
    /// The CLI that the brief tells the agent to use; empty: none.
    pub(super) platform: &'a str,
    /// What the task belongs to: `issue`, `chat`, `autopilot_run`, `quick_create`; empty: nothing.
    pub(super) kind: &'a str,
    /// Its status.
    pub(super) status: EnvStatus,
    /// Whether a process holds its lock.
    pub(super) live: bool,
    /// Which process that is, as far as the system tells; null: none.
    pub(super) held_by: Option<&'a str>,
    /// Whether the work dir is a folder of the user.
    pub(super) local_directory: bool,
    /// When it was prepared; null: not known.
    pub(super) prepared_at: Option<DateTime<Utc>>,
    /// When its last run ended; null: none has.
    pub(super) completed_at: Option<DateTime<Utc>>,
    /// The end of its lease; null: it has none.
    pub(super) lease_until: Option<DateTime<Utc>>,
    /// The repository that it was made with; null: none.
    pub(super) repository: Option<&'a RepositoryRecord>,
    /// What `checkpoint` and heartbeats saved.
    pub(super) checkpoints: &'a [CheckpointRecord],
    /// The variables with which the agent must be started.
    pub(super) env: &'a BTreeMap<String, String>,
    /// The same for secrets: the file that holds the value.
    pub(super) private_env: &'a BTreeMap<String, PathBuf>,
    /// The setup of the environment; null: there is none.
    pub(super) setup: Option<&'a SetupRecord>,
    /// The ports that it was given, by their names.
    pub(super) ports: BTreeMap<&'a str, u16>,
    /// The agent's conversation; null: none.
    pub(super) session: Option<&'a SessionRecord>,
    /// The current or last run; null: none.
    pub(super) run: Option<&'a RunRecord>,
    /// How the last run ended; null: none has.
    pub(super) last_result: Option<&'a LastResult>,
    /// A later run, if it failed before its agent started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failed_start: Option<&'a FailedStart>,
    /// What execenv created in the work dir.
    pub(super) sidecars: SidecarsOf<'a>,
    /// The folders of the output and of the logs.
    pub(super) paths: PathsOf<'a>,
    /// The state files that cannot be read.
    pub(super) damaged: &'a [Damage],
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct SidecarsOf<'a> {
    /// Files, by their absolute paths.
    pub(super) files: &'a [PathBuf],
    /// Folders, by their absolute paths.
    pub(super) dirs: &'a [PathBuf],
    /// Whether no step was interrupted.
    pub(super) complete: bool,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct PathsOf<'a> {
    /// What the task produced.
    pub(super) output: &'a Path,
    /// The logs of its runs.
    pub(super) logs: &'a Path,
}
