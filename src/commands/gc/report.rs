//! Shows the decisions and counts of a cycle: for a person, and as JSON.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::environment::{CleanupOutcome, Damage, quoted};
use crate::gc::{Due, Judged, Policy, Reason, Summary, TRY_AGAIN, due};
use crate::invocation::show_duration;
use crate::output::{counted, escape, show_age, show_age_in_two, show_bytes};
use crate::server::Parent;

/// One line for one environment: action, reason, size, path and, if kept, what keeps it.
pub(super) fn row(judged: &Judged) -> String {
    let size = if judged.bytes == 0 { String::new() } else { show_bytes(judged.bytes) };
    let (fate, why) = (fate(judged), judged.decision.reason.word());
    let path = escape(&judged.facts.root_dir.display().to_string());
    match (&judged.error, judged.outcome) {
        (Some(error), Some(outcome)) if fate == "keep" => {
            format!("{fate}\t{}\t\t{path}\t{}", outcome_word(outcome), escape(below(judged, error)))
        }
        (None, Some(outcome)) if fate == "keep" => format!("{fate}\t{}\t\t{path}", outcome_word(outcome)),
        _ => format!("{fate}\t{why}\t{size}\t{path}"),
    }
}

/// The action in the line of an environment.
fn fate(judged: &Judged) -> &'static str {
    match judged.outcome {
        Some(CleanupOutcome::Removed) => "remove",
        Some(CleanupOutcome::Trashed) => "trash",
        Some(CleanupOutcome::Failed) => "failed",
        Some(_) => "keep",
        None => judged.decision.action.word(),
    }
}

fn outcome_word(outcome: CleanupOutcome) -> String {
    let word = serde_json::to_value(outcome).unwrap_or_default();
    word.as_str().unwrap_or_default().to_owned()
}

/// An error without the path of the env root, which stands beside it.
fn below<'a>(judged: &Judged, error: &'a str) -> &'a str {
    let root = format!("{}/", judged.facts.root_dir.display());
    error.strip_prefix(&root).unwrap_or(error)
}

/// The warning about an environment that is kept, with its path once.
pub(super) fn kept(judged: &Judged, error: &str) -> String {
    let root = judged.facts.root_dir.display().to_string();
    let way_out = way_out(judged);
    if error.starts_with(&root) {
        format!("kept {error}; {way_out}")
    } else {
        format!("kept {root}: {error}; {way_out}")
    }
}

/// What to do about what keeps an environment, or went wrong with it.
pub(super) fn way_out(judged: &Judged) -> String {
    let env = quoted(&judged.facts.root_dir);
    let to_trash = format!("`execenv cleanup --all --trash {env}` moves it to the trash");
    match (judged.outcome, &judged.hint) {
        (_, Some(hint)) => hint.clone(),
        (Some(CleanupOutcome::RetainedDirty | CleanupOutcome::RetainedUnpushed), None) => {
            format!("push or copy that work, or {to_trash} with it")
        }
        (Some(CleanupOutcome::Failed), None) => TRY_AGAIN.to_owned(),
        (_, None) => format!("{TRY_AGAIN}, or {to_trash} as it is"),
    }
}

/// The summary of a cycle.
pub(super) fn summary_text(summary: &Summary, dry_run: bool) -> String {
    let would =
        |done: &str, infinitive: &str| if dry_run { format!("would {infinitive}") } else { done.to_owned() };
    let are = |done: &str| if dry_run { format!("would be {done}") } else { done.to_owned() };
    let mut lines = vec![format!(
        "{}: {} {} ({}), {} {}, failed {}",
        counted(summary.scanned, "environment", "environments"),
        would("removed", "remove"),
        summary.cleaned + summary.orphaned,
        show_bytes(summary.env_bytes),
        would("kept", "keep"),
        summary.skipped.saturating_sub(summary.failed),
        summary.failed,
    )];
    if summary.artifact_removed > 0 {
        let tallies = summary.by_pattern.iter();
        let each = tallies
            .clone()
            .map(|(name, tally)| format!("{} {} ({})", tally.count, escape(name), show_bytes(tally.bytes)));
        lines.push(format!(
            "build artifacts: {} {} ({}) in {}: {}",
            would("removed", "remove"),
            counted(summary.artifact_removed, "folder", "folders"),
            show_bytes(tallies.map(|(_, tally)| tally.bytes).sum()),
            counted(summary.artifact_dirs, "kept environment", "kept environments"),
            each.collect::<Vec<_>>().join(", ")
        ));
    }
    let repos = &summary.repos;
    if repos.branches_deleted + repos.evicted > 0 {
        lines.push(format!(
            "repository caches: {} {}, {} kept; {} {}",
            counted(repos.branches_deleted, "branch", "branches"),
            are("deleted"),
            repos.branches_kept,
            counted(repos.evicted, "cache", "caches"),
            are("removed"),
        ));
    }
    if summary.stores_pruned > 0 {
        lines.push(format!(
            "unused sessions and memories: {} {}",
            would("removed", "remove"),
            counted(summary.stores_pruned, "store", "stores")
        ));
    }
    if summary.trash_entries + summary.trash_swept > 0 {
        lines.push(format!(
            "trash: {} ({}), {} {} for good",
            counted(summary.trash_entries, "entry", "entries"),
            show_bytes(summary.trash_bytes),
            summary.trash_swept,
            are("deleted")
        ));
    }
    if summary.interrupted {
        let scanned = counted(summary.scanned, "environment", "environments");
        lines.push(match summary.not_reached {
            Some(left) => {
                format!("stopped: {scanned} of {} done; the next `gc` does the rest", summary.scanned + left)
            }
            None => format!("stopped: {scanned} done; the next `gc` does the rest"),
        });
    }
    lines.push(String::new());
    lines.join("\n")
}

/// One decision, and every fact that it is based on.
pub(super) fn explanation(
    judged: &Judged,
    damaged: &[Damage],
    policy: &Policy,
    now: DateTime<Utc>,
) -> String {
    let facts = &judged.facts;
    let time = |at: Option<DateTime<Utc>>| match at {
        None => "-".to_owned(),
        Some(at) if at > now => format!("{} (in {})", at.to_rfc3339(), show_age(at - now)),
        Some(at) => format!("{} ({} ago)", at.to_rfc3339(), show_age(now - at)),
    };
    let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
    let off = |ttl: Option<chrono::Duration>| ttl.map_or_else(|| "off".to_owned(), show_duration);
    let dash = |text: &str| if text.is_empty() { "-".to_owned() } else { escape(text) };
    let kept = judged.outcome.filter(|_| !judged.is_gone());
    let outcome = kept.map_or_else(String::new, |outcome| format!(", but {}", outcome_word(outcome)));
    let parent = match &judged.parent {
        Parent::Offline => "(no server is configured)".to_owned(),
        Parent::None => "none".to_owned(),
        Parent::Nameless => "not named in the record".to_owned(),
        Parent::UnknownKind => "has a kind that this version does not know".to_owned(),
        Parent::Found { status, at } => format!("{}, {}", escape(status), time(*at)),
        Parent::Gone { certain: true } => "deleted".to_owned(),
        Parent::Gone { certain: false } => "unknown to the server, or not visible with this token".to_owned(),
        Parent::Unknown { why } => format!("unknown: {}", escape(why)),
        Parent::Unaskable { why } => format!("unknown: {why}"),
    };
    let mut lines = vec![
        format!("{}: {}{outcome}", judged.decision.action.word(), judged.decision.reason.word()),
        format!("  because       {}", because(judged, now)),
        format!("  removed       {}", removed(judged, policy, now)),
        format!("  env root      {}", escape(&facts.root_dir.display().to_string())),
        format!("  .gc_meta.json {}", word(serde_json::to_value(facts.meta).unwrap_or_default())),
        format!("  made by       {}", if facts.is_foreign { "another tool" } else { "execenv" }),
        format!("  kind          {}", dash(&facts.kind)),
        format!("  parent        {} {parent}", dash(&facts.parent_id)),
        format!("  status        {}", facts.status.word()),
        format!("  lock          {}", word(serde_json::to_value(facts.lock).unwrap_or_default())),
        format!("  your folder   {}", if facts.local_directory { "yes" } else { "no" }),
        format!("  completed     {}", time(facts.completed_at)),
        format!("  last used     {}", time(facts.last_used)),
        format!("  leased until  {}", time(facts.lease_until)),
        format!("  size          {}", show_bytes(judged.bytes)),
    ];
    lines.extend(damaged.iter().map(|damage| format!("  cannot read   {}", escape(&damage.why))));
    if let Some(error) = &judged.error {
        lines.insert(2, format!("  kept for      {}", escape(error)));
    }
    if let Some(artifacts) = &judged.artifacts {
        lines.push(format!("  artifacts     {} folders, {}", artifacts.count, show_bytes(artifacts.bytes)));
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

/// Why, with the facts that the reason is about.
fn because(judged: &Judged, now: DateTime<Utc>) -> String {
    let facts = &judged.facts;
    match (judged.decision.reason, facts.lease_until, facts.last_used) {
        (Reason::Leased, Some(until), _) => {
            format!("it is reserved for another {} (--lease)", show_age(until - now))
        }
        (Reason::TooYoung, _, Some(used)) => {
            format!("it was used {} ago and has not reached an age limit", show_age(now - used))
        }
        (reason, ..) => reason.meaning().to_owned(),
    }
}

/// When the environment will be removed, and by which limit.
fn removed(judged: &Judged, policy: &Policy, now: DateTime<Utc>) -> String {
    let key = judged.facts.root_dir.file_name().unwrap_or_default().to_string_lossy();
    let force = format!("`execenv cleanup --all --force {}`", escape(&key));
    if judged.decision.action.removes() {
        return match judged.outcome {
            _ if judged.error.is_none() => "by the next gc".to_owned(),
            Some(CleanupOutcome::RetainedDirty) => {
                format!("when its changes are committed and pushed, or by {force}")
            }
            Some(CleanupOutcome::RetainedUnpushed) => format!("when its commits are pushed, or by {force}"),
            _ => format!("when what keeps it is gone, or by {force}"),
        };
    }
    let Some(Due { at, limit }) = due(&judged.facts, &judged.parent, policy, now) else {
        return match judged.decision.reason {
            Reason::InUse | Reason::LockUnknown => "not while it is in use".to_owned(),
            Reason::ParentOpen => "not while its parent is open".to_owned(),
            Reason::ParentUnknown => "not before the server's answer is clear".to_owned(),
            Reason::LocalDirectory => format!("only by `execenv cleanup --all {}`", escape(&key)),
            _ => "not by its age alone".to_owned(),
        };
    };
    let seconds = u64::try_from((at - now).num_seconds()).unwrap_or(0);
    let by = limit.map_or_else(
        || "when its lease ends".to_owned(),
        |(limit, ttl)| format!("by --{limit} {}", show_duration(ttl)),
    );
    format!("in {}, {by}, if it is not used until then", show_age_in_two(seconds))
}
