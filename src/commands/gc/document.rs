//! What `gc` prints as JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::report::way_out;
use crate::environment::{CleanupOutcome, Damage, Teardown};
use crate::gc::{BoundReport, Due, GcFacts, GcRequest, Judged, Policy, Summary, Tally, due};
use crate::git::Reason;
use crate::output::Version;
use crate::server::Parent;

/// One cycle over the workspaces root. It is written piece by piece, as the cycle goes on.
#[cfg(test)]
#[derive(Serialize, schemars::JsonSchema)]
pub(crate) struct GcDocument<'a> {
    schema: Version,
    /// Whether nothing was changed.
    dry_run: bool,
    /// One decision for each environment.
    decisions: Vec<DecisionDocument<'a>>,
    #[serde(flatten)]
    counts: Counts<'a>,
}

/// A line of `gc --stream`: one for each environment, then one with the counts.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum GcLine<'a> {
    /// The decision on one environment.
    Decision(DecisionDocument<'a>),
    /// The counts, in the last line.
    Summary(SummaryDocument<'a>),
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SummaryDocument<'a> {
    pub(super) schema: Version,
    /// Whether nothing was changed.
    pub(super) dry_run: bool,
    #[serde(flatten)]
    pub(super) counts: Counts<'a>,
}

/// The decision on one environment, and when it will change.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ExplainDocument<'a> {
    schema: Version,
    #[serde(flatten)]
    decision: DecisionDocument<'a>,
    /// When the environment will be removed, if it is not used until then; null: it is due now, or never by its age.
    due: Option<DueDocument>,
    /// The state files that cannot be read.
    damaged: &'a [Damage],
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct DueDocument {
    /// The earliest time.
    at: DateTime<Utc>,
    /// The age limit that is reached then: `ttl`, `orphan-ttl` or `completed-ttl`; null: its lease ends.
    limit: Option<&'static str>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct DecisionDocument<'a> {
    /// The env root.
    root_dir: Cow<'a, str>,
    /// What its task belongs to: `issue`, `chat`, `autopilot_run`, `quick_create`; empty: nothing.
    kind: &'a str,
    /// What was decided: `skip`, `clean`, `orphan` or `clean_artifacts`.
    action: &'static str,
    /// What became of it; null: it was not touched, or this is a dry run.
    outcome: Option<CleanupOutcome>,
    /// Why.
    #[cfg_attr(test, schemars(with = "crate::gc::Reason"))]
    reason: &'static str,
    /// What the decision is based on.
    evidence: Evidence<'a>,
    /// How many bytes of it were removed, or would be.
    bytes: u64,
    /// The unsaved work that keeps it.
    unsaved: Vec<UnsavedDocument<'a>>,
    /// The build artifacts that were removed from it, or would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    artifacts: Option<ArtifactsDocument<'a>>,
    /// What became of its teardown commands, or would become of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    teardown: Option<&'a Teardown>,
    /// What keeps it, or went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    /// What to do about that.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Evidence<'a> {
    #[serde(flatten)]
    facts: &'a GcFacts,
    /// How long it has not been used.
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<i64>,
    /// What is known of its parent.
    parent: &'a Parent,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct UnsavedDocument<'a> {
    /// The repository's folder.
    path: &'a Path,
    /// Why it is kept, for a person.
    why: &'a str,
    /// Each reason.
    unsaved: &'a [Reason],
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ArtifactsDocument<'a> {
    /// How many folders.
    removed: u64,
    /// The same by pattern.
    by_pattern: &'a BTreeMap<String, Tally>,
}

/// The counts of a cycle. In a dry run they are those of the plan.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Counts<'a> {
    /// Environments that were looked at.
    scanned: u64,
    /// Environments removed as finished.
    cleaned: u64,
    /// Environments removed because their task is unknown.
    orphaned: u64,
    /// Kept environments from which build artifacts were removed.
    artifact_dirs: u64,
    /// Folders of build artifacts that were removed.
    artifact_removed: u64,
    /// Environments that were kept.
    skipped: u64,
    /// Those of them that are in use.
    active: u64,
    /// What could not be removed.
    failed: u64,
    /// Bytes of all that was removed, the trash included.
    bytes_reclaimed: u64,
    /// Bytes that were freed on the disk.
    bytes_freed: u64,
    /// The removed folders of build artifacts by pattern.
    by_pattern: &'a BTreeMap<String, Tally>,
    /// The shared repositories.
    repos: ReposCounts,
    /// The conversations and memories of agents.
    stores: StoresCounts,
    /// The trash.
    trash: TrashCounts,
    /// Each bound (`--max-total`, …) at the end.
    bounds: &'a [BoundReport],
    /// How many requests were sent to the server.
    requests: u64,
    /// Environments kept because the server's answer about their parent is missing or unclear.
    parents_unknown: u64,
    /// Environments kept because the id of their parent is not a UUID.
    parents_no_uuid: u64,
    /// Whether another `gc` is at work in this root, so that nothing was done.
    already_running: bool,
    /// Whether a signal stopped the cycle.
    interrupted: bool,
    /// Environments that a stopped cycle did not come to; null: not counted.
    not_reached: Option<u64>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ReposCounts {
    /// Repositories from which registrations of missing worktrees were dropped.
    pruned: u64,
    /// Branches of agents that were deleted.
    branches_deleted: u64,
    /// Branches that are kept because they hold commits that exist nowhere else.
    branches_kept: u64,
    /// Repositories that were removed.
    evicted: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct StoresCounts {
    /// Stores that were removed as unused.
    pruned: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct TrashCounts {
    /// Entries at the end.
    entries: u64,
    /// Entries that were deleted for good.
    swept: u64,
    /// The size of those at the end, in bytes.
    bytes: u64,
}

impl<'a> DecisionDocument<'a> {
    /// The decision on one environment. In a dry run what would be removed has no outcome yet.
    pub(super) fn of(judged: &'a Judged, request: &GcRequest<'_>) -> DecisionDocument<'a> {
        let facts = &judged.facts;
        let unsaved = judged.unsaved.iter();
        DecisionDocument {
            root_dir: facts.root_dir.to_string_lossy(),
            kind: &facts.kind,
            action: judged.decision.action.word(),
            outcome: judged.outcome.filter(|_| !(request.dry_run && judged.is_gone())),
            reason: judged.decision.reason.word(),
            evidence: Evidence {
                facts,
                age_seconds: facts.last_used.map(|used| (request.now - used).num_seconds()),
                parent: &judged.parent,
            },
            bytes: judged.bytes,
            unsaved: unsaved
                .map(|found| UnsavedDocument { path: &found.path, why: &found.what, unsaved: &found.reasons })
                .collect(),
            artifacts: judged.artifacts.as_ref().map(|artifacts| ArtifactsDocument {
                removed: artifacts.count,
                by_pattern: &artifacts.by_pattern,
            }),
            teardown: (!judged.teardown.is_none()).then_some(&judged.teardown),
            error: judged.error.as_deref(),
            hint: judged.error.is_some().then(|| way_out(judged)),
        }
    }
}

impl<'a> ExplainDocument<'a> {
    /// The explanation of a decision.
    pub(super) fn of(
        judged: &'a Judged,
        request: &GcRequest<'_>,
        policy: &Policy,
        damaged: &'a [Damage],
    ) -> ExplainDocument<'a> {
        let due = due(&judged.facts, &judged.parent, policy, request.now);
        ExplainDocument {
            schema: Version,
            decision: DecisionDocument::of(judged, request),
            due: due.map(|Due { at, limit }| DueDocument { at, limit: limit.map(|(limit, _)| limit) }),
            damaged,
        }
    }
}

impl<'a> Counts<'a> {
    /// The counts of a cycle.
    pub(super) fn of(summary: &'a Summary) -> Counts<'a> {
        Counts {
            scanned: summary.scanned,
            cleaned: summary.cleaned,
            orphaned: summary.orphaned,
            artifact_dirs: summary.artifact_dirs,
            artifact_removed: summary.artifact_removed,
            skipped: summary.skipped,
            active: summary.active,
            failed: summary.failed,
            bytes_reclaimed: summary.bytes_reclaimed,
            bytes_freed: summary.bytes_freed,
            by_pattern: &summary.by_pattern,
            repos: ReposCounts {
                pruned: summary.repos.pruned,
                branches_deleted: summary.repos.branches_deleted,
                branches_kept: summary.repos.branches_kept,
                evicted: summary.repos.evicted,
            },
            stores: StoresCounts { pruned: summary.stores_pruned },
            trash: TrashCounts {
                entries: summary.trash_entries,
                swept: summary.trash_swept,
                bytes: summary.trash_bytes,
            },
            bounds: &summary.bounds,
            requests: summary.requests,
            parents_unknown: summary.parents_unknown,
            parents_no_uuid: summary.parents_no_uuid,
            already_running: summary.already_running,
            interrupted: summary.interrupted,
            not_reached: summary.not_reached,
        }
    }
}
