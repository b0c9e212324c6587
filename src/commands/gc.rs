//! `execenv gc`.

use std::io::Write;

use anyhow::Result;
use chrono::Duration;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::{Context, env_completer, parse_duration, show_duration};
use crate::environment::Outcome;
use crate::failure::Code;
use crate::gc::{Action, GcRequest, Judged, Policy, Summary, cycle, explain};
use crate::output::{Format, escape, line, show_age, show_bytes, stream};

/// Collect old environments: one cycle over the workspaces root
///
/// Decides for each environment by its record and its age. What goes, goes to the trash first and can be had back
/// with `execenv trash restore`. Environments in use, leased, or of a folder of yours are never taken.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv gc --dry-run
  execenv gc --orphan-ttl 7d --trash-ttl 0
  execenv gc --explain 3f9c
  0 * * * *  execenv gc -q            (a cron line)")]
pub struct GcArgs {
    /// Decide and report, change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The decision on one environment, with every fact that it rests on
    #[arg(long, value_name = "ENV", add = env_completer(), conflicts_with_all = ["dry_run", "workspace"])]
    pub explain: Option<String>,
    /// When an ended task without a parent goes [default: 24h]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub ttl: Option<Duration>,
    /// When an environment goes that nobody has used [default: 72h]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub orphan_ttl: Option<Duration>,
    /// When any environment with an ended run goes; 0: that alone is no reason [default: 0]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub completed_ttl: Option<Duration>,
    /// How long the trash keeps things; 0 removes at once [default: 24h]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub trash_ttl: Option<Duration>,
    /// Only this workspace
    #[arg(long, value_name = "ID")]
    pub workspace: Option<String>,
}

pub(super) fn run(args: &GcArgs, context: &Context) -> Result<u8> {
    let age = |flag: Option<Duration>, key: &str| match flag {
        Some(age) => Ok(age),
        None => context.settings.duration(key),
    };
    let policy = Policy {
        ttl: age(args.ttl, "ttl")?,
        orphan_ttl: age(args.orphan_ttl, "orphan_ttl")?,
        completed_ttl: Some(age(args.completed_ttl, "completed_ttl")?).filter(|ttl| !ttl.is_zero()),
    };
    let request = GcRequest {
        root: &context.root,
        policy,
        trash_ttl: age(args.trash_ttl, "trash_ttl")?,
        dry_run: args.dry_run,
        workspace: args.workspace.clone(),
        now: context.now,
        git: &context.git(),
        stop: &context.stop,
    };
    if let Some(env) = &args.explain {
        let found = context.find(env)?;
        let judged = explain(&request, &found.env.path)?;
        match context.settings.output {
            Format::Json => line(&document(&judged, &request).to_string())?,
            _ => line(&explanation(&judged, &request))?,
        }
        return Ok(0);
    }
    match context.settings.output {
        Format::Json => print_json(&request),
        _ => print_text(&request),
    }
}

/// One document, written as it comes: a hundred thousand decisions need no memory.
fn print_json(request: &GcRequest<'_>) -> Result<u8> {
    let mut out = stream();
    write!(out, "{{\"schema\":1,\"dry_run\":{},\"decisions\":[", request.dry_run)?;
    let mut first = true;
    let done = cycle(request, &mut |judged| {
        if !std::mem::take(&mut first) {
            out.write_all(b",")?;
        }
        serde_json::to_writer(&mut out, &document(judged, request))?;
        tell(judged);
        Ok(())
    });
    let summary = done?; // half a document is none: what follows on stderr says why
    let counts = json!({
        "scanned": summary.scanned,
        "cleaned": summary.cleaned,
        "orphaned": summary.orphaned,
        "skipped": summary.skipped,
        "active": summary.active,
        "failed": summary.failed,
        "bytes_reclaimed": summary.bytes_reclaimed,
        // Nothing of the kind is collected yet; the contract names the keys.
        "artifact_dirs": 0,
        "artifact_removed": 0,
        "by_pattern": {},
        "repos": {"pruned": 0, "branches_deleted": 0},
        "trash": {
            "entries": summary.trash_entries,
            "swept": summary.trash_swept,
            "bytes": summary.trash_bytes,
        },
        "already_running": summary.already_running,
        "interrupted": summary.interrupted,
    });
    let counts = counts.to_string();
    writeln!(out, "],{}", counts.trim_start_matches('{'))?;
    out.flush()?;
    Ok(status(&summary))
}

fn print_text(request: &GcRequest<'_>) -> Result<u8> {
    let mut out = stream();
    let all = log::log_enabled!(log::Level::Info);
    let summary = cycle(request, &mut |judged| {
        tell(judged);
        let stays = judged.outcome.is_some() && !judged.is_gone();
        let quiet = stays && log::max_level() < log::Level::Warn && judged.outcome != Some(Outcome::Failed);
        if (judged.decision.action != Action::Skip && !quiet) || all {
            let path = judged.facts.root_dir.display().to_string();
            let size =
                if judged.decision.action == Action::Skip { String::new() } else { show_bytes(judged.bytes) };
            writeln!(
                out,
                "{}\t{}\t{size}\t{}",
                action(judged),
                judged.decision.reason.word(),
                escape(&path)
            )?;
        }
        Ok(())
    })?;
    if summary.already_running {
        log::warn!("another gc is at work in {}", request.root.path().display());
    }
    if log::max_level() < log::Level::Warn && summary.cleaned + summary.orphaned + summary.failed == 0 {
        return Ok(status(&summary)); // quiet, and a mail from cron about nothing is no news
    }
    let would = if request.dry_run { "would remove" } else { "removed" };
    writeln!(
        out,
        "{} environments: {would} {} ({}), kept {}, failed {}",
        summary.scanned,
        summary.cleaned + summary.orphaned,
        show_bytes(summary.bytes_reclaimed),
        summary.skipped - summary.failed,
        summary.failed,
    )?;
    if summary.trash_entries + summary.trash_swept > 0 {
        writeln!(out, "trash: {} entries, {} deleted for good", summary.trash_entries, summary.trash_swept)?;
    }
    out.flush()?;
    Ok(status(&summary))
}

fn status(summary: &Summary) -> u8 {
    if summary.failed > 0 { Code::Incomplete.status() } else { 0 }
}

fn tell(judged: &Judged) {
    if let Some(error) = &judged.error {
        let name = judged.facts.root_dir.display();
        match judged.outcome {
            Some(Outcome::Failed) => log::error!("{name}: {error}"),
            _ => log::warn!("kept {name}: {error}"),
        }
    }
}

fn action(judged: &Judged) -> &'static str {
    match judged.decision.action {
        Action::Skip => "skip",
        Action::Clean => "clean",
        Action::Orphan => "orphan",
    }
}

fn document(judged: &Judged, request: &GcRequest<'_>) -> Value {
    let facts = &judged.facts;
    let mut evidence = serde_json::to_value(facts).unwrap_or_default();
    if let Some(used) = facts.last_used {
        evidence["age_seconds"] = (request.now - used).num_seconds().into();
    }
    json!({
        "root_dir": facts.root_dir.to_string_lossy(),
        "kind": facts.kind,
        "action": action(judged),
        "outcome": judged.outcome,
        "reason": judged.decision.reason.word(),
        "evidence": evidence,
        "bytes": judged.bytes,
    })
}

fn explanation(judged: &Judged, request: &GcRequest<'_>) -> String {
    let facts = &judged.facts;
    let time = |at: Option<chrono::DateTime<chrono::Utc>>| match at {
        None => "-".to_owned(),
        Some(at) if at > request.now => format!("{} (in {})", at.to_rfc3339(), show_age(at - request.now)),
        Some(at) => format!("{} ({} ago)", at.to_rfc3339(), show_age(request.now - at)),
    };
    let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
    let policy = &request.policy;
    let outcome = judged.outcome.map(|outcome| word(serde_json::to_value(outcome).unwrap_or_default()));
    let outcome = outcome.map_or_else(String::new, |outcome| format!(", but {outcome}"));
    [
        format!("{}: {}{outcome}", action(judged), judged.decision.reason.word()),
        format!("  stays         {}", judged.error.as_deref().map_or_else(|| "-".into(), escape)),
        format!("  env root      {}", escape(&facts.root_dir.display().to_string())),
        format!("  record        {}", word(serde_json::to_value(facts.meta).unwrap_or_default())),
        format!("  kind          {}", if facts.kind.is_empty() { "-".into() } else { escape(&facts.kind) }),
        format!("  status        {}", facts.status.word()),
        format!("  lock          {}", word(serde_json::to_value(facts.lock).unwrap_or_default())),
        format!("  local dir     {}", facts.local_directory),
        format!("  completed     {}", time(facts.completed_at)),
        format!("  last used     {}", time(facts.last_used)),
        format!("  leased until  {}", time(facts.lease_until)),
        format!("  size          {}", show_bytes(judged.bytes)),
        format!(
            "  ages          ttl {}, orphan-ttl {}, completed-ttl {}",
            show_duration(policy.ttl),
            show_duration(policy.orphan_ttl),
            policy.completed_ttl.map_or_else(|| "off".to_owned(), show_duration),
        ),
    ]
    .join("\n")
}
