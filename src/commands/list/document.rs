//! What `list -o json` prints.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::environment::{EnvStatus, FailedStart, MadeBy};

/// The whole answer.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ListDocument {
    /// Version of this object.
    pub(super) schema: u32,
    /// The environments, by workspace and key unless `--sort` says otherwise.
    pub(super) environments: Vec<ListedEnv>,
    /// With `--foreign`: the roots of other tools that contain environments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) roots: Option<Vec<ListedRoot>>,
}

/// An environment and what is known of it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ListedEnv {
    /// The env root.
    pub(super) root_dir: String,
    /// The workspace's id: from the environment's files, else the folder's name.
    pub(super) workspace_id: String,
    /// The name of the workspace's folder.
    #[serde(skip)]
    pub(super) workspace: String,
    /// What names it on a command line: its key, or `<workspace>/<key>` where another workspace has that key.
    #[serde(skip)]
    pub(super) name: String,
    /// The name of the env root.
    pub(super) key: String,
    /// The id of its task; empty where it is not known.
    pub(super) task_id: String,
    /// The agent CLI that it is for; empty where it is not known.
    pub(super) provider: String,
    /// The program that created it.
    pub(super) made_by: MadeBy,
    /// What its task belongs to; empty for a plain task.
    pub(super) kind: String,
    /// Its status, as other processes see it.
    pub(super) status: EnvStatus,
    /// A running process holds it.
    pub(super) live: bool,
    /// That is a shell.
    #[serde(skip)]
    pub(super) is_shell: bool,
    /// Which process that is, as far as the system tells.
    pub(super) held_by: Option<String>,
    /// Its agent works in a user folder.
    pub(super) local_directory: bool,
    /// When it was last used, as far as that is known.
    pub(super) last_used: Option<DateTime<Utc>>,
    /// Its last run, where there was one.
    pub(super) run: Option<ListedRun>,
    /// How its last run ended that is over.
    pub(super) last_result: Option<ListedResult>,
    /// A later run, if it failed before its agent started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failed_start: Option<FailedStart>,
    /// Its size, with `--sizes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
}

/// A run.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ListedRun {
    /// The machine it was started on.
    pub(super) host: String,
}

/// How a run ended.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ListedResult {
    /// The status of the run.
    pub(super) status: String,
    /// The exit status of `execenv run`.
    pub(super) exit_code: u8,
    /// Why it failed, as a stable word.
    pub(super) failure_reason: Option<String>,
    /// When it ended.
    pub(super) ended_at: Option<DateTime<Utc>>,
}

/// A root of another tool that contains environments.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ListedRoot {
    /// Its folder.
    pub(super) path: String,
    /// How many environments it has.
    pub(super) environments: usize,
    /// The command that collects it.
    pub(super) collect: String,
}
