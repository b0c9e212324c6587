//! The record's part on merges: the one in progress, what was merged, and what is left out on purpose. Each object keeps keys that
//! this version does not know.
//!
//! An agent can write to it. So each commit in it is compared with what the repository holds before anything rests on it, and
//! no path in it is opened.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The `merge` key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct MergeRecord {
    /// The merge in progress. It is written before the first file is changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<CurrentMerge>,
    /// What was merged here: git does not know it of a squashed branch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<MergedBranch>,
    /// What is not to be merged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<SkippedBranch>,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl MergeRecord {
    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        *self == MergeRecord::default()
    }

    /// Notes that the current merge is committed, as `commit`.
    pub fn finish(&mut self, commit: &str, now: DateTime<Utc>) {
        let Some(current) = self.current.take() else { return };
        let is_same = |merged: &MergedBranch| {
            (&merged.repository, &merged.branch) == (&current.repository, &current.branch)
        };
        self.merged.retain(|merged| !is_same(merged));
        self.merged.push(MergedBranch {
            repository: current.repository,
            branch: current.branch,
            source: current.source,
            commit: commit.to_owned(),
            at: Some(now),
            other: Map::new(),
        });
    }
}

/// A merge in progress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CurrentMerge {
    /// The repository's folder in the work dir; empty: the work dir itself.
    #[serde(skip_serializing_if = "is_top")]
    pub repository: PathBuf,
    /// The branch that is merged, without `refs/heads/`.
    pub branch: String,
    /// Its commit.
    pub source: String,
    /// HEAD's commit before.
    pub orig_head: String,
    /// The tree that the merge wrote, with markers at conflicts.
    pub tree: String,
    /// The result gets one parent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub squash: bool,
    /// All files are written, and git knows of the merge. Before that, a command that was cut short is undone.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub begun: bool,
    /// The commit that HEAD is about to be moved to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// When it began.
    pub at: Option<DateTime<Utc>>,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A branch that was merged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct MergedBranch {
    /// The repository's folder in the work dir.
    #[serde(skip_serializing_if = "is_top")]
    pub repository: PathBuf,
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// Its commit then.
    pub source: String,
    /// The commit that has it.
    pub commit: String,
    /// When.
    pub at: Option<DateTime<Utc>>,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A branch that is not to be merged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct SkippedBranch {
    /// The repository's folder in the work dir.
    #[serde(skip_serializing_if = "is_top")]
    pub repository: PathBuf,
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// Why.
    pub reason: String,
    /// When that was said.
    pub at: Option<DateTime<Utc>>,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

fn is_top(path: &std::path::Path) -> bool {
    path.as_os_str().is_empty()
}
