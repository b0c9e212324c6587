//! The record file as other programs see it, for its JSON Schema: `Meta` reads and writes it by hand.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::own::Own;

/// What an environment is for, and its state. The keys but `execenv` are multica's. While an environment is reserved or
/// running, those that say what it belongs to are below `execenv.parent`, so that multica does not judge it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct MetaFile {
    #[serde(flatten)]
    parent: Parent,
    /// The workspace.
    workspace_id: String,
    /// Whether the agent works in a folder of the user; absent: no.
    #[serde(skip_serializing_if = "Option::is_none")]
    local_directory: Option<bool>,
    /// execenv's own part; absent: another program made the environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    execenv: Option<OwnOnDisk>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

#[derive(Serialize, JsonSchema)]
struct OwnOnDisk {
    #[serde(flatten)]
    own: Own,
    /// What multica must not see until a run has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Parent>,
}

#[derive(Serialize, JsonSchema)]
struct Parent {
    /// What the task belongs to: `issue`, `chat`, `autopilot_run` or `quick_create`; absent: nothing. `execenv`: it is hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// The issue, of an issue task.
    #[serde(skip_serializing_if = "Option::is_none")]
    issue_id: Option<String>,
    /// The chat session, of a chat task.
    #[serde(skip_serializing_if = "Option::is_none")]
    chat_session_id: Option<String>,
    /// The run, of an autopilot's task.
    #[serde(skip_serializing_if = "Option::is_none")]
    autopilot_run_id: Option<String>,
    /// The task itself, of a quick-create task.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<String>,
    /// When the last run ended; absent: none has.
    #[serde(skip_serializing_if = "Option::is_none")]
    completed_at: Option<DateTime<Utc>>,
}
