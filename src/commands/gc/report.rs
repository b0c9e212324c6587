//! What a cycle's decisions and counts look like: for a person, for a program.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::cli::show_duration;
use crate::gc::{Judged, ParentState, Policy, Summary};
use crate::output::{escape, show_age, show_bytes};

/// One decision with its evidence.
pub(super) fn decision_json(judged: &Judged, now: DateTime<Utc>) -> Value {
    let facts = &judged.facts;
    let mut evidence = serde_json::to_value(facts).unwrap_or_default();
    if let Some(used) = facts.last_used {
        evidence["age_seconds"] = (now - used).num_seconds().into();
    }
    evidence["parent"] = serde_json::to_value(&judged.parent).unwrap_or_default();
    let mut decision = json!({
        "root_dir": facts.root_dir.to_string_lossy(),
        "kind": facts.kind,
        "action": judged.decision.action.word(),
        "outcome": judged.outcome,
        "reason": judged.decision.reason.word(),
        "evidence": evidence,
        "bytes": judged.bytes,
    });
    if let Some(artifacts) = &judged.artifacts {
        decision["artifacts"] = json!({"removed": artifacts.count, "by_pattern": artifacts.by_pattern});
    }
    if let Some(error) = &judged.error {
        decision["error"] = error.as_str().into();
    }
    decision
}

/// A cycle's counts, by the names of the contract.
pub(super) fn summary_json(summary: &Summary) -> Map<String, Value> {
    let counts = json!({
        "scanned": summary.scanned,
        "cleaned": summary.cleaned,
        "orphaned": summary.orphaned,
        "artifact_dirs": summary.artifact_dirs,
        "artifact_removed": summary.artifact_removed,
        "skipped": summary.skipped,
        "active": summary.active,
        "failed": summary.failed,
        "bytes_reclaimed": summary.bytes_reclaimed,
        "bytes_freed": summary.bytes_freed,
        "by_pattern": summary.by_pattern,
        "repos": {
            "pruned": summary.repos.pruned,
            "branches_deleted": summary.repos.branches_deleted,
            "branches_kept": summary.repos.branches_kept,
            "evicted": summary.repos.evicted,
        },
        "stores": {"pruned": summary.stores_pruned},
        "trash": {
            "entries": summary.trash_entries,
            "swept": summary.trash_swept,
            "bytes": summary.trash_bytes,
        },
        "bounds": summary.bounds,
        "requests": summary.requests,
        "parents_unknown": summary.parents_unknown,
        "parents_no_uuid": summary.parents_no_uuid,
        "already_running": summary.already_running,
        "interrupted": summary.interrupted,
    });
    match counts {
        Value::Object(counts) => counts,
        _ => Map::new(),
    }
}

/// One line for one environment.
pub(super) fn row(judged: &Judged) -> String {
    let path = judged.facts.root_dir.display().to_string();
    let size = if judged.bytes == 0 { String::new() } else { show_bytes(judged.bytes) };
    let (action, reason) = (judged.decision.action.word(), judged.decision.reason.word());
    format!("{action}\t{reason}\t{size}\t{}", escape(&path))
}

/// What became of the whole root.
pub(super) fn summary_text(summary: &Summary, dry_run: bool) -> String {
    let would = if dry_run { "would remove" } else { "removed" };
    let mut lines = vec![format!(
        "{} environments: {would} {} ({}), kept {}, failed {}",
        summary.scanned,
        summary.cleaned + summary.orphaned,
        show_bytes(summary.bytes_reclaimed),
        summary.skipped.saturating_sub(summary.failed),
        summary.failed,
    )];
    if summary.artifact_removed > 0 {
        let each: Vec<String> = summary
            .by_pattern
            .iter()
            .map(|(name, tally)| format!("{} {} ({})", tally.count, escape(name), show_bytes(tally.bytes)))
            .collect();
        lines.push(format!("{would} in {} of them: {}", summary.artifact_dirs, each.join(", ")));
    }
    let repos = &summary.repos;
    if repos.branches_deleted + repos.evicted > 0 {
        lines.push(format!(
            "repository caches: {} branches deleted, {} kept, {} caches removed",
            repos.branches_deleted, repos.branches_kept, repos.evicted
        ));
    }
    if summary.stores_pruned > 0 {
        lines.push(format!("stores of agents: {would} {}", summary.stores_pruned));
    }
    if summary.trash_entries + summary.trash_swept > 0 {
        lines.push(format!(
            "trash: {} entries ({}), {} deleted for good",
            summary.trash_entries,
            show_bytes(summary.trash_bytes),
            summary.trash_swept
        ));
    }
    if summary.interrupted {
        lines.push("stopped on request before the end".to_owned());
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Everything that one decision rests on.
pub(super) fn explanation(judged: &Judged, policy: &Policy, now: DateTime<Utc>) -> String {
    let facts = &judged.facts;
    let time = |at: Option<DateTime<Utc>>| match at {
        None => "-".to_owned(),
        Some(at) if at > now => format!("{} (in {})", at.to_rfc3339(), show_age(at - now)),
        Some(at) => format!("{} ({} ago)", at.to_rfc3339(), show_age(now - at)),
    };
    let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
    let off = |ttl: Option<chrono::Duration>| ttl.map_or_else(|| "off".to_owned(), show_duration);
    let dash = |text: &str| if text.is_empty() { "-".to_owned() } else { escape(text) };
    let outcome = judged.outcome.map(|outcome| word(serde_json::to_value(outcome).unwrap_or_default()));
    let outcome = outcome.map_or_else(String::new, |outcome| format!(", but {outcome}"));
    let parent = match &judged.parent {
        ParentState::Offline => "no server was asked".to_owned(),
        ParentState::None => "none".to_owned(),
        ParentState::Nameless => "not named in the record".to_owned(),
        ParentState::StrangeKind => "of a kind that this version does not know".to_owned(),
        ParentState::Found { status, at } => format!("{}, {}", escape(status), time(*at)),
        ParentState::Gone { certain: true } => "deleted".to_owned(),
        ParentState::Gone { certain: false } => "not known to the server, or not shown".to_owned(),
        ParentState::Unknown { why } => format!("not known: {}", escape(why)),
    };
    let mut lines = vec![
        format!("{}: {}{outcome}", judged.decision.action.word(), judged.decision.reason.word()),
        format!("  because       {}", judged.decision.reason.meaning()),
        format!("  stays         {}", judged.error.as_deref().map_or_else(|| "-".into(), escape)),
        format!("  env root      {}", escape(&facts.root_dir.display().to_string())),
        format!("  record        {}", word(serde_json::to_value(facts.meta).unwrap_or_default())),
        format!("  made by       {}", if facts.is_foreign { "another tool" } else { "execenv" }),
        format!("  kind          {}", dash(&facts.kind)),
        format!("  parent        {} {parent}", dash(&facts.parent_id)),
        format!("  status        {}", facts.status.word()),
        format!("  lock          {}", word(serde_json::to_value(facts.lock).unwrap_or_default())),
        format!("  local dir     {}", facts.local_directory),
        format!("  completed     {}", time(facts.completed_at)),
        format!("  last used     {}", time(facts.last_used)),
        format!("  leased until  {}", time(facts.lease_until)),
        format!("  size          {}", show_bytes(judged.bytes)),
    ];
    if let Some(artifacts) = &judged.artifacts {
        lines.push(format!("  rebuildable   {} folders, {}", artifacts.count, show_bytes(artifacts.bytes)));
    }
    lines.push(format!(
        "  ages          ttl {}, orphan-ttl {}, completed-ttl {}, artifact-ttl {}",
        show_duration(policy.ttl),
        show_duration(policy.orphan_ttl),
        off(policy.completed_ttl),
        off(policy.artifact_ttl),
    ));
    lines.join("\n")
}
