//! What an environment belongs to, and what is known of it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// What an environment can belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ParentKind {
    /// An issue.
    Issue,
    /// A chat session.
    Chat,
    /// A run of an autopilot.
    AutopilotRun,
    /// A quick-create task.
    QuickCreate,
}

/// One parent to ask the server about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// What it is.
    pub kind: ParentKind,
    /// Its id.
    pub id: Uuid,
    /// The workspace's id, under which the server is asked about issues; nil for the other kinds.
    pub workspace: Uuid,
}

/// What is known of an environment's parent: the server's answer, or why the server was not asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Parent {
    /// The server knows it.
    Found {
        /// Its state in the server's word; never empty.
        status: String,
        /// When it last changed (issues, chats) or ended (runs, tasks), if the server says so.
        at: Option<DateTime<Utc>>,
    },
    /// The server does not know it, or does not show it to this token.
    Gone {
        /// The answer can only mean that it was deleted: a chat session's own 404.
        certain: bool,
    },
    /// The server was asked, or should have been, and gave no answer that could be understood.
    Unknown {
        /// Why, in a few words for a person; safe to print.
        why: String,
    },
    /// No server can be asked about its id.
    #[serde(rename = "unknown")]
    #[cfg_attr(test, schemars(skip))] // in JSON the variant above
    Unaskable {
        /// What is wrong with the id.
        why: &'static str,
    },
    /// The record has a kind that this version does not know.
    #[serde(rename = "strange_kind")]
    UnknownKind,
    /// The record's kind has a parent, but the record does not name it.
    Nameless,
    /// A plain task, which has no parent.
    None,
    /// No server is configured.
    Offline,
}
