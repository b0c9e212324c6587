//! execenv's own part of the record. Each of its objects keeps keys that this version does not know.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::checkpoint::CheckpointRecord;
use super::failed_start::FailedStart;
use super::merge::MergeRecord;
use super::published::PublishedRecord;
use super::setup::{PortRecord, SetupRecord};
use crate::git::GitIdentity;
use crate::layout;

/// The `execenv` key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Own {
    /// Version of this object.
    pub schema: u32,
    /// The full id of the task.
    pub task_id: String,
    /// The agent CLI; empty for none.
    pub provider: String,
    /// The folder in which the agent runs.
    pub work_dir: PathBuf,
    /// The platform CLI that the brief tells the agent to use; empty for none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// The agent's name, for display.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub agent_name: String,
    /// The agent's id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub agent_id: String,
    /// The status of the environment or of its last run.
    pub status: EnvStatus,
    /// Variables with which the agent must be started. They contain paths, never secrets.
    /// The agent can write to the record: they are read through `Exports` only.
    #[serde(rename = "env", skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::environment) recorded_env: BTreeMap<String, String>,
    /// Files without which no run may start, as paths below the env root.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<PathBuf>,
    /// In whose name the agent, and execenv for it, make commits (`--git-identity`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_identity: Option<GitIdentity>,
    /// When it was prepared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prepared_at: Option<DateTime<Utc>>,
    /// When it was last reused or cleaned up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_at: Option<DateTime<Utc>>,
    /// When `gc` last removed artifacts from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts_swept_at: Option<DateTime<Utc>>,
    /// The end of its lease: until then `gc` does not remove it although no process holds it (decision D3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<DateTime<Utc>>,
    /// Device and inode of the user's folder, to detect that it was moved or replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_identity: Option<(u64, u64)>,
    /// The repository that the work dir is a worktree of, or that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositoryRecord>,
    /// What was saved of the work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checkpoints: Vec<CheckpointRecord>,
    /// Merges into the branch of the environment.
    #[serde(skip_serializing_if = "MergeRecord::is_empty")]
    pub merge: MergeRecord,
    /// What was handed on of the work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub published: Vec<PublishedRecord>,
    /// What its setup commands have done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup: Option<SetupRecord>,
    /// The ports that it has for itself, the first of them as `EXECENV_PORT`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortRecord>,
    /// The agent's conversation, which the next run can resume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionRecord>,
    /// The current or last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunRecord>,
    /// Files have come into the work dir that an agent in a sandbox elsewhere wrote, or may have written.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub from_sandbox: bool,
    /// How the last run ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_result: Option<LastResult>,
    /// A later run, if it failed before its agent started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_start: Option<FailedStart>,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Own {
    /// Whether the work dir has what an agent in a sandbox wrote: that must not run outside of a sandbox.
    pub fn was_sandboxed(&self) -> bool {
        self.from_sandbox || self.run.as_ref().is_some_and(|run| run.sandboxed)
    }

    /// Whether no run has ended since it was prepared, reused or started: a run is still to come, or it is on.
    pub fn is_reserved(&self) -> bool {
        self.lease_until.is_some() || self.status.is_active()
    }

    /// The number of the last run that began; 0: none has.
    pub fn last_seq(&self) -> u64 {
        self.run.as_ref().map_or(0, |run| run.seq)
    }

    /// The ports that it was given, by their names.
    pub fn named_ports(&self) -> BTreeMap<&str, u16> {
        self.ports.iter().map(|given| (given.name.as_str(), given.port)).collect()
    }

    /// Whether its task is done: the last run completed, and since then nothing was prepared and no run began. A clean-up
    /// leaves a task done.
    pub fn has_completed(&self) -> bool {
        let Some(last) = &self.last_result else { return false };
        let is_over = matches!(self.status, EnvStatus::Completed | EnvStatus::Cleaned);
        let began_later = self.run.as_ref().is_some_and(|run| run.started_at > last.ended_at);
        is_over && last.status == EnvStatus::Completed.word() && !began_later
    }
}

/// The status of an environment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EnvStatus {
    /// Ready for a run.
    #[default]
    Prepared,
    /// A run is about to start its agent.
    Starting,
    /// An agent runs.
    Running,
    /// An agent runs, and its processes are stopped by `execenv pause`.
    Paused,
    /// The last run was successful.
    Completed,
    /// The last run failed.
    Failed,
    /// The last run reached a time limit.
    Timeout,
    /// The last run was stopped.
    Interrupted,
    /// The last run had to be killed.
    Killed,
    /// The last run died without recording how it ended. Written by later commands, never by the run itself.
    Crashed,
    /// The work dir was removed.
    Cleaned,
    /// A status of a later version.
    #[serde(other)]
    Unknown,
}

impl EnvStatus {
    /// All of them, in the order of an environment's life.
    pub const ALL: [EnvStatus; 12] = [
        EnvStatus::Prepared,
        EnvStatus::Starting,
        EnvStatus::Running,
        EnvStatus::Paused,
        EnvStatus::Completed,
        EnvStatus::Failed,
        EnvStatus::Timeout,
        EnvStatus::Interrupted,
        EnvStatus::Killed,
        EnvStatus::Crashed,
        EnvStatus::Cleaned,
        EnvStatus::Unknown,
    ];

    /// Whether a run should be holding the environment's lock.
    pub fn is_active(self) -> bool {
        matches!(self, EnvStatus::Starting | EnvStatus::Running | EnvStatus::Paused)
    }

    /// Whether it is how a run ended.
    pub const fn is_end(self) -> bool {
        use EnvStatus::{Completed, Crashed, Failed, Interrupted, Killed, Timeout};
        matches!(self, Completed | Failed | Timeout | Interrupted | Killed | Crashed)
    }

    /// The stable word.
    pub const fn word(self) -> &'static str {
        match self {
            EnvStatus::Prepared => "prepared",
            EnvStatus::Starting => "starting",
            EnvStatus::Running => "running",
            EnvStatus::Paused => "paused",
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct SessionRecord {
    /// The agent's id for it.
    pub id: String,
    /// The agent CLI that it belongs to.
    pub provider: String,
    /// The work dir of its runs: CLIs find their sessions by folder.
    pub work_dir: PathBuf,
    /// Why it must not be resumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poisoned: Option<String>,
    /// When a run last used it.
    pub updated_at: Option<DateTime<Utc>>,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Own {
    /// Reads the paths of the work dir and of the variables below the root in which the env root lies now: it may have been
    /// moved. The folder of a session stays, because an agent CLI finds it by that.
    pub(super) fn follow_root(&mut self, env_root: &Path) {
        let recorded =
            std::iter::once(self.work_dir.as_path()).chain(self.recorded_env.values().map(Path::new));
        let Some(former) = recorded.filter_map(|path| layout::former_root(path, env_root)).next() else {
            return;
        };
        let former = former.to_owned();
        let now = |path: &Path| layout::below_root_now(path, &former, env_root);
        if let Some(work_dir) = now(&self.work_dir) {
            self.work_dir = work_dir;
        }
        if let Some(repository) = &mut self.repository
            && let Some(git_dir) = now(&repository.git_dir)
        {
            repository.git_dir = git_dir;
        }
        for value in self.recorded_env.values_mut() {
            if let Some(path) =
                now(Path::new(value)).and_then(|path| path.into_os_string().into_string().ok())
            {
                *value = path;
            }
        }
    }
}

/// What the record says of the repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct RepositoryRecord {
    /// Its git folder, which all of its worktrees share.
    pub git_dir: PathBuf,
    /// The folder that was named.
    pub source: PathBuf,
    /// The branch of the task, without `refs/heads/`.
    pub branch: String,
    /// Branches of the task that were checked out before that one, without `refs/heads/`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<String>,
    /// The ref from which the branch begins.
    pub base: String,
    /// Its commit then.
    pub base_commit: String,
    /// The name of the worktree's registration; empty: the work dir is a repository of its own.
    pub worktree: String,
    /// The key of the environment with whose files the work dir began; empty: of none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub continued_from: String,
    /// The folder of the work dir in which the agent runs, relative to it; empty: the work dir itself. The agent can write to
    /// the record: it is read through `folder()` only.
    #[serde(rename = "folder", skip_serializing_if = "is_empty")]
    pub(in crate::environment) recorded_folder: PathBuf,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What an autonomous run counts, so that a resumed one goes on counting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct IterationRecord {
    /// Turns that have ended.
    pub iterations: u32,
    /// Of the last ones, those that changed nothing.
    pub no_progress: u32,
    /// Of the last ones, those that named the same obstacle.
    pub same_error: u32,
    /// That obstacle, in the form in which two are compared.
    pub last_error: Option<String>,
}

/// A run's processes and times. Process ids serve for display and for the clean-up after a crash, never to decide
/// whether a run is alive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct RunRecord {
    /// A new UUID for each run, also in the environment variables of every process of the run.
    pub id: String,
    /// The number of this run in the environment, from 1.
    pub seq: u64,
    /// The process that runs `execenv run`.
    pub pid: u32,
    /// The agent's process and group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_pid: Option<u32>,
    /// What the agent speaks: its log is read by that after a crash.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub dialect: String,
    /// Its private folder for temporary files, if that is outside the env root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temporary: Option<PathBuf>,
    /// The machine that it runs on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// That machine's present start: another one's locks may not be seen here.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub boot_id: String,
    /// The inode of the namespace in which the process ids count; 0 where it is not known.
    #[serde(skip_serializing_if = "is_zero")]
    pub pid_namespace: u64,
    /// When it began.
    pub started_at: Option<DateTime<Utc>>,
    /// What an autonomous run has counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autonomous: Option<IterationRecord>,
    /// Its agent, or that of a run before, was in a sandbox.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sandboxed: bool,
    /// How its work is to be published when its agent has completed; empty: not at all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub on_success: String,
    /// The branch that this is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub into: Option<String>,
    /// Since when it has been paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_at: Option<DateTime<Utc>>,
    /// When the kernel started the agent's process, in its clock ticks since boot: tells it from a later one of its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_start: Option<u64>,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

fn is_empty(path: &Path) -> bool {
    path.as_os_str().is_empty()
}

impl RepositoryRecord {
    /// Whether the work dir is a linked worktree; else it is a repository of its own.
    pub fn is_worktree(&self) -> bool {
        !self.worktree.is_empty()
    }

    /// Notes that another branch is the task's now.
    pub fn begin(&mut self, branch: &str) {
        let before = std::mem::replace(&mut self.branch, branch.to_owned());
        self.former.retain(|former| *former != before && former != branch);
        if !before.is_empty() && before != branch {
            self.former.push(before);
        }
    }

    /// The folder of the work dir in which the agent runs; empty: the work dir itself.
    pub fn folder(&self) -> &Path {
        let folder = self.recorded_folder.as_path();
        let is_below = folder.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if is_below { folder } else { Path::new("") }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// How a run ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct LastResult {
    /// `completed`, `failed`, `timeout`, `interrupted`, `killed`, `crashed`.
    pub status: String,
    /// The exit status of `execenv run`.
    pub exit_code: u8,
    /// The reason as a stable word, if it failed.
    pub failure_reason: Option<String>,
    /// The full result, relative to the env root.
    pub file: String,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// The run died, and another command has rebuilt the result from the log.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recovered: bool,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}
