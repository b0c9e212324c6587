//! What the record says of the checkpoints of an environment: what was saved, and where.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One checkpoint. The agent can write to the record: what this names is looked up by its number, and checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CheckpointRecord {
    /// Its number, from 1.
    pub n: u64,
    /// The commit that holds the work.
    pub sha: String,
    /// The commit that its patch begins from; empty: from nothing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base_sha: String,
    /// The commit that was checked out; empty: none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub head: String,
    /// The branch that was checked out; empty: none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub branch: String,
    /// The folder of the repository in the work dir; empty: the work dir itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// The message.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When it was made.
    pub at: Option<DateTime<Utc>>,
    /// A person or a script asked for it: it is kept until the environment goes.
    pub manual: bool,
    /// How many files differ from the commit that was checked out.
    pub files: u64,
    /// How many lines were added.
    pub added: u64,
    /// How many lines were removed.
    pub removed: u64,
    /// Its patch; `None`: it would have been too large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<PatchRecord>,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The patch of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct PatchRecord {
    /// Its file, relative to the env root.
    pub file: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}
