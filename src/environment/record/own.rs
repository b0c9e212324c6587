//! execenv's own part of the record, sub-object by sub-object. Keys that this version does not know are kept in each.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The `execenv` key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Own {
    /// Version of this object.
    pub schema: u32,
    /// The full task id: whose environment this is.
    pub task_id: String,
    /// Which agent CLI it is for; empty for none.
    pub provider: String,
    /// Where the agent runs.
    pub work_dir: PathBuf,
    /// The platform CLI that brief and context speak of; empty for none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// The agent's name, for display.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub agent_name: String,
    /// The agent's id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub agent_id: String,
    /// What the environment is doing, or how its last run ended.
    pub status: EnvStatus,
    /// Variables the agent must be started with because of the environment. Paths, never secrets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Files of the env root that no run goes without, as paths below it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<PathBuf>,
    /// When it was prepared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prepared_at: Option<DateTime<Utc>>,
    /// When it was last reused or cleaned up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_at: Option<DateTime<Utc>>,
    /// When `gc` last took out of it what can be built again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts_swept_at: Option<DateTime<Utc>>,
    /// Until when `gc` leaves it alone although nothing holds it (decision D3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<DateTime<Utc>>,
    /// Device and inode of the user's folder, so that a folder moved or replaced is noticed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_identity: Option<(u64, u64)>,
    /// The agent's conversation, to resume it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionRecord>,
    /// The present or last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunRecord>,
    /// How the last run ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_result: Option<LastResult>,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What an environment is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvStatus {
    /// Ready for a run.
    #[default]
    Prepared,
    /// A run is about to start its agent.
    Starting,
    /// An agent runs.
    Running,
    /// The last run reached its end.
    Completed,
    /// The last run failed.
    Failed,
    /// The last run ran into a limit of time.
    Timeout,
    /// The last run was asked to stop.
    Interrupted,
    /// The last run had to be killed.
    Killed,
    /// The last run died without a word. Concluded by others, never written by the run itself.
    Crashed,
    /// The work dir has been taken away.
    Cleaned,
    /// A status of a later version.
    #[serde(other)]
    Unknown,
}

impl EnvStatus {
    /// Whether a run should be holding the lock.
    pub fn is_active(self) -> bool {
        matches!(self, EnvStatus::Starting | EnvStatus::Running)
    }

    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            EnvStatus::Prepared => "prepared",
            EnvStatus::Starting => "starting",
            EnvStatus::Running => "running",
            EnvStatus::Completed => "completed",
            EnvStatus::Failed => "failed",
            EnvStatus::Timeout => "timeout",
            EnvStatus::Interrupted => "interrupted",
            EnvStatus::Killed => "killed",
            EnvStatus::Crashed => "crashed",
            EnvStatus::Cleaned => "cleaned",
            EnvStatus::Unknown => "unknown",
        }
    }
}

/// A conversation of the agent's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionRecord {
    /// The agent's id for it.
    pub id: String,
    /// Which agent CLI it belongs to.
    pub provider: String,
    /// Where it was held: CLIs key their sessions by folder.
    pub work_dir: PathBuf,
    /// Why it must not be resumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poisoned: Option<String>,
    /// When it was last seen.
    pub updated_at: Option<DateTime<Utc>>,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A run's processes and times. Numbers are for display and for the clean-up after a crash, never for liveness.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunRecord {
    /// A new UUID each run; also in the environment of every process of the run.
    pub id: String,
    /// Counts the runs of this environment.
    pub seq: u64,
    /// The process that runs `execenv run`.
    pub pid: u32,
    /// The agent's process and group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_pid: Option<u32>,
    /// Its private folder for temporary files, where that is not in the env root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temporary: Option<PathBuf>,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastResult {
    /// `completed`, `failed`, `timeout`, `interrupted`, `killed`.
    pub status: String,
    /// The exit status of `execenv run`.
    pub exit_code: u8,
    /// A stable word, where it failed.
    pub failure_reason: Option<String>,
    /// The full result, relative to the env root.
    pub file: String,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}
