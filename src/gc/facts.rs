//! What a decision rests on, gathered without changing anything: not even a lock file is made, because that would
//! renew the age of a folder without a record.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::environment::{Meta, Status};

/// Whether the record could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MetaState {
    /// There is a record.
    Read,
    /// There is none.
    Missing,
    /// There is one that makes no sense.
    Unreadable,
}

/// What the environment's lock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LockState {
    /// Nobody has it.
    Free,
    /// A live process has it.
    Held,
    /// The file system does not tell: counts as held (decision D7).
    Unknown,
    /// There is no lock file: an older upstream made the environment.
    None,
    /// Not looked at: the decision is the same either way.
    NotAsked,
}

/// Everything that the decision on one environment rests on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Facts {
    /// The env root.
    #[serde(skip)]
    pub root_dir: PathBuf,
    /// The workspace's folder name.
    #[serde(skip)]
    pub workspace: String,
    /// The record.
    pub meta: MetaState,
    /// Upstream's kind; empty for a plain task.
    pub kind: String,
    /// What the kind's parent is called; empty where the record names none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub parent_id: String,
    /// Another tool wrote the record.
    pub is_foreign: bool,
    /// What the environment was last seen doing.
    pub status: Status,
    /// The agent worked in a folder of the user's.
    pub local_directory: bool,
    /// When its last run ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// The last time anybody used it, as far as the record tells; of another tool's also the folder's own time.
    pub last_used: Option<DateTime<Utc>>,
    /// `last_used` is the folder's own time, which a new file in it renews.
    #[serde(skip)]
    pub by_folder: bool,
    /// Until when it is promised to somebody.
    pub lease_until: Option<DateTime<Utc>>,
    /// When the folders that can be built again were last taken out of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts_swept_at: Option<DateTime<Utc>>,
    /// There is a copy of an agent CLI in it that can be made again; looked at only where that may matter.
    pub has_cache: bool,
    /// When the record was written, where that may matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta_written: Option<DateTime<Utc>>,
    /// The lock.
    pub lock: LockState,
}

impl Facts {
    /// Whether a live process has the environment, as far as anybody can tell.
    pub fn is_held(&self) -> bool {
        matches!(self.lock, LockState::Held | LockState::Unknown)
    }

    /// Whether nobody has run anything in it since it was last swept.
    pub(super) fn is_swept(&self) -> bool {
        self.artifacts_swept_at.is_some_and(|swept| self.last_used.is_none_or(|used| used <= swept))
    }

    /// Takes over what a record says.
    pub(super) fn take(&mut self, meta: &Meta) {
        self.meta = MetaState::Read;
        self.kind.clone_from(&meta.kind);
        // Files of before upstream's second version name only the issue.
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
        if let Some(own) = &meta.own {
            self.status = own.status;
            self.lease_until = own.lease_until;
            self.artifacts_swept_at = own.artifacts_swept_at;
            let started = own.run.as_ref().and_then(|run| run.started_at);
            let used = own.used_at;
            self.last_used = [self.completed_at, own.prepared_at, started, used].into_iter().flatten().max();
        }
    }
}
