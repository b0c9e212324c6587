//! The facts that a decision on one environment is based on.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::environment::{EnvStatus, Meta};

/// Whether the record could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MetaState {
    /// There is a record.
    Read,
    /// There is none.
    Missing,
    /// There is one that cannot be read.
    Unreadable,
}

/// The state of the environment's lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LockState {
    /// No process holds it.
    Free,
    /// A running process holds it.
    Held,
    /// The file system does not say: counts as held (decision D7).
    Unknown,
    /// There is no lock file: an older upstream made the environment.
    None,
    /// Not looked at: the decision is the same either way.
    NotAsked,
}

/// Everything that the decision on one environment is based on.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GcFacts {
    /// The env root.
    #[serde(skip)]
    pub root_dir: PathBuf,
    /// The workspace's folder name.
    #[serde(skip)]
    pub workspace: String,
    /// The workspace's id, as the record names it.
    #[serde(skip)]
    pub workspace_id: String,
    /// The record.
    pub meta: MetaState,
    /// Upstream's kind; empty for a plain task.
    pub kind: String,
    /// The parent's id; empty where the record names none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub parent_id: String,
    /// Another tool wrote the record.
    pub is_foreign: bool,
    /// Its status: the record's, and as other processes see it once the lock was looked at.
    pub status: EnvStatus,
    /// The agent worked in a user's folder.
    pub local_directory: bool,
    /// That folder was cleaned up, and holds nothing of execenv's any more.
    pub folder_restored: bool,
    /// When its last run ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// When it was last used, by the record; for another tool's also by the folder's own time.
    pub last_used: Option<DateTime<Utc>>,
    /// `last_used` is the folder's own time, which a new file in it renews.
    #[serde(skip)]
    pub by_folder: bool,
    /// When its lease ends.
    pub lease_until: Option<DateTime<Utc>>,
    /// When its build artifacts were last removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts_swept_at: Option<DateTime<Utc>>,
    /// It contains a copy of an agent CLI that the CLI makes again. Looked for only where that may matter.
    pub has_cache: bool,
    /// When the record was written, where that may matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_written: Option<DateTime<Utc>>,
    /// The lock.
    pub lock: LockState,
}

impl GcFacts {
    /// Whether it belongs to a workspace: its record says so, or its folder is called so.
    pub(super) fn is_of_workspace(&self, id: &str) -> bool {
        self.workspace == id || self.workspace_id == id
    }

    /// Whether a running process holds the environment. An unknown lock counts as held.
    pub fn is_held(&self) -> bool {
        matches!(self.lock, LockState::Held | LockState::Unknown)
    }

    /// Whether it has not been used since its artifacts were removed.
    pub(super) fn is_swept(&self) -> bool {
        self.artifacts_swept_at.is_some_and(|swept| self.last_used.is_none_or(|used| used <= swept))
    }

    /// Whether the record says that it will be used.
    pub(super) fn has_future_use(&self, now: DateTime<Utc>) -> bool {
        self.last_used.is_some_and(|used| used > now)
    }

    /// No use is later than `last`: a record with a time in the future, from a wrong clock or an agent, would keep the
    /// environment until then.
    pub(super) fn cap_uses(&mut self, last: DateTime<Utc>) {
        self.completed_at = self.completed_at.map(|at| at.min(last));
        self.last_used = self.last_used.map(|at| at.min(last));
    }

    /// Takes over what a record says.
    pub(super) fn take(&mut self, meta: &Meta) {
        self.meta = MetaState::Read;
        self.workspace_id.clone_from(&meta.workspace_id);
        self.kind.clone_from(&meta.kind);
        // Records from before multica's second version name only the issue.
        if self.kind.is_empty() && !meta.issue_id.is_empty() {
            self.kind.push_str("issue");
        }
        self.parent_id = match self.kind.as_str() {
            "issue" => meta.issue_id.clone(),
            "chat" => meta.chat_session_id.clone(),
            "autopilot_run" => meta.autopilot_run_id.clone(),
            "quick_create" => meta.task_id.clone(),
            _ => String::new(),
        };
        self.local_directory = meta.local_directory;
        self.completed_at = meta.completed_at;
        self.last_used = meta.completed_at;
        self.is_foreign = meta.own.is_none();
        self.status = meta.status();
        if let Some(own) = &meta.own {
            self.lease_until = own.lease_until;
            self.artifacts_swept_at = own.artifacts_swept_at;
            let started = own.run.as_ref().and_then(|run| run.started_at);
            let used = own.used_at;
            self.last_used = [self.completed_at, own.prepared_at, started, used].into_iter().flatten().max();
        }
    }
}
