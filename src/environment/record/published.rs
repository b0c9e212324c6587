//! What the record says of work that was handed on.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Work that was handed on. It is for people and scripts to read, because the agent can write to the record: all that rests on it is
/// which commits `publish --force-with-lease` may replace, if they are related to the work, and what a squash need not bring again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct PublishedRecord {
    /// How: `branch`, `merge` or `pr`.
    pub to: String,
    /// The repository's folder in the work dir; empty: the work dir itself.
    #[serde(skip_serializing_if = "is_top")]
    pub repository: PathBuf,
    /// Where: a folder, or an address without a login.
    pub target: String,
    /// The branch.
    pub branch: String,
    /// Its commit.
    pub commit: String,
    /// The branch that it goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The commit of that branch with the work in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged: Option<String>,
    /// The pull request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When.
    pub at: Option<DateTime<Utc>>,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

fn is_top(path: &std::path::Path) -> bool {
    path.as_os_str().is_empty()
}

impl PublishedRecord {
    /// Whether another entry is about the same: the later one replaces it.
    pub fn is_again(&self, other: &PublishedRecord) -> bool {
        let key = |it: &PublishedRecord| {
            (it.to.clone(), it.repository.clone(), it.target.clone(), it.branch.clone(), it.base.clone())
        };
        key(self) == key(other)
    }
}
