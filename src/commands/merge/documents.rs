//! What the steps of a merge print as JSON.

use std::borrow::Cow;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::formats::path_text;
use crate::git::{Conflict, ConflictKind};
use crate::output::Version;
use crate::work::merge::{By, Counted, Standing, TaskBranch};

/// A path at which a merge stopped.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Shown<'a> {
    /// The path in the repository.
    #[serde(serialize_with = "path_text::serialize")]
    #[cfg_attr(test, schemars(with = "String"))]
    path: &'a Path,
    /// How the two sides disagree.
    kind: ConflictKind,
    /// What is there: `file`, `symlink` or `submodule`.
    what: &'static str,
}

/// The conflicts of a merge.
pub(crate) fn shown(conflicts: &[Conflict]) -> Vec<Shown<'_>> {
    conflicts.iter().map(|it| Shown { path: &it.path, kind: it.kind(), what: it.what() }).collect()
}

/// The branches of tasks in the repository of an environment.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct MergeList<'a> {
    pub(super) schema: Version,
    /// The branches.
    pub(super) branches: Vec<Row<'a>>,
}

/// Whether all branches of tasks are merged.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct MergeCheck<'a> {
    pub(super) schema: Version,
    /// Whether no branch is left to be merged.
    pub(super) can_complete: bool,
    /// The branches that are merged.
    pub(super) merged: Vec<Row<'a>>,
    /// Those that `merge skip` leaves out.
    pub(super) skipped: Vec<Row<'a>>,
    /// Those that are left.
    pub(super) unmerged: Vec<Row<'a>>,
    /// Those that were there before the environment, and do not count.
    pub(super) older: Vec<Row<'a>>,
}

/// The branch of a task.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Row<'a> {
    /// Its name.
    branch: &'a str,
    /// The key of its task.
    task: &'a str,
    /// `merged`, `skipped`, `unmerged` or `older`.
    status: &'static str,
    /// What proves that it is merged: `git`, `record` or `chain`; else null.
    merged_by: Option<&'static str>,
    /// Why it is skipped; else null.
    reason: Option<&'a str>,
    /// Its commit.
    commit: &'a str,
    /// When that was made; null: not known.
    committed_at: Option<DateTime<Utc>>,
    /// The first line of its message.
    subject: &'a str,
}

/// The branches as rows of a document.
pub(super) fn rows(branches: &[TaskBranch]) -> Vec<Row<'_>> {
    branches.iter().map(row).collect()
}

fn row(branch: &TaskBranch) -> Row<'_> {
    let (merged_by, reason) = match &branch.standing {
        Standing::Merged(By::Git) => (Some("git"), None),
        Standing::Merged(By::Record) => (Some("record"), None),
        Standing::Merged(By::Chain) => (Some("chain"), None),
        Standing::Skipped(reason) => (None, Some(reason.as_str())),
        Standing::Unmerged => (None, None),
    };
    Row {
        branch: &branch.name,
        task: &branch.key,
        status: word(branch),
        merged_by,
        reason,
        commit: &branch.commit,
        committed_at: branch.committed_at,
        subject: &branch.subject,
    }
}

/// The status of a branch.
pub(super) fn word(branch: &TaskBranch) -> &'static str {
    match (&branch.standing, branch.counted) {
        (Standing::Merged(_), _) => "merged",
        (Standing::Skipped(_), _) => "skipped",
        (Standing::Unmerged, Counted::Older) => "older",
        (Standing::Unmerged, Counted::Yes) => "unmerged",
    }
}

/// A merge that was started.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct MergeStarted<'a> {
    pub(super) schema: Version,
    /// The branch that is merged.
    pub(super) branch: &'a str,
    /// Its commit.
    pub(super) source: &'a str,
    /// Whether it is merged already, so that nothing was begun.
    pub(super) up_to_date: bool,
    /// Where the merge stopped.
    pub(super) conflicts: Vec<Shown<'a>>,
    /// What git says of the conflicts.
    pub(super) messages: &'a [String],
    /// The commit of the merge, with `--commit`; else null.
    pub(super) commit: Option<&'a str>,
}

/// Where a merge stands.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct MergeStatus<'a> {
    pub(super) schema: Version,
    /// `none`, `merging`, or `interrupted`: a command was cut short.
    pub(super) state: &'static str,
    /// The branch that is merged, or null.
    pub(super) branch: Option<&'a str>,
    /// Its commit, or null.
    pub(super) source: Option<&'a str>,
    /// The commit that is checked out; null: none yet.
    pub(super) head: Option<&'a str>,
    /// What is still to be resolved.
    pub(super) conflicts: Vec<Shown<'a>>,
}

/// Conflicts that were resolved.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct MergeResolved<'a> {
    pub(super) schema: Version,
    /// The files that were resolved.
    pub(super) resolved: Vec<Cow<'a, str>>,
    /// What is still to be resolved.
    pub(super) conflicts: Vec<Shown<'a>>,
}

/// A merge that was committed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct MergeCommitted<'a> {
    pub(super) schema: Version,
    /// The commit.
    pub(super) commit: &'a str,
    /// The branch that was merged.
    pub(super) branch: &'a str,
    /// Whether the commit has one parent.
    pub(super) squash: bool,
}

/// A merge that was taken back.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct MergeAborted<'a> {
    pub(super) schema: Version,
    /// Whether a merge was in progress.
    pub(super) aborted: bool,
    /// The branch that was being merged, or null.
    pub(super) branch: Option<&'a str>,
    /// The commit that is checked out.
    pub(super) head: &'a str,
    /// A ref with the files of the merge that were edited by hand, or null.
    pub(super) kept: Option<&'a str>,
}

/// A branch that `merge check` leaves out, or counts again.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct MergeSkipped<'a> {
    pub(super) schema: Version,
    /// The branch.
    pub(super) branch: &'a str,
    /// The key of its task.
    pub(super) task: &'a str,
    /// Why it is left out; null with `--undo`.
    pub(super) reason: Option<&'a str>,
}
