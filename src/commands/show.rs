//! `execenv show`.

mod document;
mod file;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use crate::environment::{
    EnvLock, EnvStatus, Exports, FoundEnv, Held, Meta, damage, holder_of_env, private_files,
};
use crate::invocation::{Context, env_completer};
use crate::layout::names;
use crate::output::{Answer, Deed, Version, answer, document, escape};
use crate::sidecar::Manifest;
pub(crate) use document::ShowDocument;
use document::{PathsOf, SidecarsOf};
#[cfg(test)]
pub(crate) use file::FileDocument;

/// Show one environment in full: record, generated files, last run, paths
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv show 3f9c
  execenv show \"$env\" -o json | jq .last_result
  execenv show \"$env\" --file src/main.rs")]
pub struct ShowArgs {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
    /// Print this file of the work dir unchanged, instead of the summary; with `-o json` its content as text, or as base64 if it is
    /// no UTF-8
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
    /// With --file and `-o json`: all of a file of more than 1 MiB
    #[arg(long, requires = "file")]
    pub no_limit: bool,
}

pub(crate) fn run(args: &ShowArgs, context: &Context) -> Result<u8> {
    let found = context.find_even_damaged(&args.env)?;
    match &args.file {
        Some(path) => file::print(&found, path, !args.no_limit, context),
        None => answer(&shown(&found), Deed::Nothing, context.settings.output),
    }
}

/// What is known of an environment. A state file that cannot be read is named, and the rest is shown.
fn shown(found: &FoundEnv) -> Answer {
    let env = &found.env;
    let meta = found.require_meta().ok();
    if let Some(warning) = found.without_record().filter(|_| meta.is_some()) {
        log::warn!("{}", escape(&warning));
    }
    let damaged = damage(env);
    let is_foreign = meta.as_ref().is_none_or(|meta| meta.own.is_none());
    let own = meta.as_ref().map(|meta| meta.own_or_rebuilt(&env.tree)).unwrap_or_default();
    let live = matches!(EnvLock::try_acquire(&env.tree, false), Err(Held::ByOther | Held::Unknown(_)));
    let held_by = live.then(|| holder_of_env(&env.path)).flatten().map(|holder| holder.to_string());
    let recorded = meta.as_ref().map_or(EnvStatus::Unknown, Meta::status);
    let status = recorded.seen(is_foreign, live);
    let meta = meta.unwrap_or_default();
    let manifest = Manifest::load(&env.tree).ok().flatten().unwrap_or_default();
    let work_dir = found.work_dir_path();
    let folders = [names::OUTPUT, names::LOGS].map(|name| env.path.join(name));
    let json = document(ShowDocument {
        schema: Version,
        root_dir: &env.path,
        work_dir: &work_dir,
        key: &env.key(),
        workspace_id: if meta.workspace_id.is_empty() { env.workspace() } else { meta.workspace_id },
        task_id: &own.task_id,
        provider: &own.provider,
        agent_name: &own.agent_name,
        platform: &own.platform,
        kind: &meta.kind,
        status,
        live,
        held_by: held_by.as_deref(),
        local_directory: found.work_dir.is_user_folder(),
        prepared_at: own.prepared_at,
        completed_at: meta.completed_at,
        lease_until: own.lease_until,
        repository: own.repository.as_ref(),
        checkpoints: &own.checkpoints,
        env: &Exports::of(&own).variables,
        private_env: &private_files(&env.tree, &own.provider).unwrap_or_default(),
        setup: own.setup.as_ref(),
        ports: own.named_ports(),
        session: own.session.as_ref(),
        run: own.run.as_ref(),
        last_result: own.last_result.as_ref(),
        failed_start: own.failed_start.as_ref(),
        sidecars: SidecarsOf {
            files: &manifest.files,
            dirs: &manifest.dirs,
            complete: manifest.is_complete(),
        },
        paths: PathsOf { output: &folders[0], logs: &folders[1] },
        damaged: &damaged,
    });
    let mut lines = Vec::new();
    let mut row = |label: &str, value: &str| lines.push(format!("{label:<15} {value}"));
    row("env root", &escape(&env.path.display().to_string()));
    let (ended, result) = match status {
        // What the record says of an end is of the run before.
        status if status.is_active() => ("previous run", "previous result"),
        EnvStatus::Completed => ("completed", "last result"),
        _ => ("ended", "last result"),
    };
    for (label, key) in [
        ("work dir", "work_dir"),
        ("task", "task_id"),
        ("workspace", "workspace_id"),
        ("provider", "provider"),
        ("agent", "agent_name"),
        ("kind", "kind"),
        ("status", "status"),
        ("live", "live"),
        ("local directory", "local_directory"),
        ("prepared", "prepared_at"),
        (ended, "completed_at"),
        ("leased until", "lease_until"),
    ] {
        row(label, &plain(&json[key]));
    }
    if held_by.is_some() {
        row("held by", &plain(&json["held_by"]));
    }
    if own.run.is_some() {
        row("transcript", &format!("execenv logs {}", env.key()));
    }
    if let Some(repository) = &own.repository {
        row("repository", &escape(&repository.source.display().to_string()));
        row("branch", &format!("{} (from {})", escape(&repository.branch), escape(&repository.base)));
    }
    if let Some(last) = own.checkpoints.last() {
        let count = own.checkpoints.len();
        row("checkpoints", &format!("{count}, the last is {}: {}", last.n, escape(&last.message)));
    }
    if let Some(setup) = &json["setup"]["state"].as_str() {
        row("setup", setup);
    }
    if !own.ports.is_empty() {
        let ports: Vec<String> =
            own.ports.iter().map(|record| format!("{} {}", escape(&record.name), record.port)).collect();
        row("ports", &ports.join(", "));
    }
    for (label, key) in [("output", "output"), ("logs", "logs")] {
        row(label, &plain(&json["paths"][key]));
    }
    if own.status == EnvStatus::Cleaned {
        row("private files", "removed by cleanup");
    }
    if let Some(session) = &own.session {
        row("session", &escape(&session.id));
    }
    if let Some(last) = &own.last_result {
        let reason = last.failure_reason.as_deref().filter(|reason| *reason != last.status);
        let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        let source = if last.recovered { ", rebuilt from its log" } else { "" };
        row(
            result,
            &format!("{}{}, status {}{source}", escape(&last.status), escape(&reason), last.exit_code),
        );
    }
    if let Some(start) = &own.failed_start {
        row("last start", &escape(&format!("{} ({})", start.how(), start.code)));
    }
    if damaged.is_empty() && found.meta.is_none() {
        row("record", &format!("there is no {}", names::META));
    }
    for damage in &damaged {
        row("cannot read", &escape(&damage.why));
    }
    if damaged.iter().all(|damage| !damage.path.ends_with(names::MANIFEST)) {
        let unfinished = if manifest.is_complete() { "" } else { ", unfinished" };
        let counts = format!("{} files, {} folders", manifest.files.len(), manifest.dirs.len());
        row("sidecars", &format!("{counts}{unfinished}"));
        lines.extend(manifest.files.iter().map(|path| format!("  {}", escape(&path.display().to_string()))));
    }
    Answer::new(lines.join("\n"), json)
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) if text.is_empty() => "-".into(),
        Value::String(text) => escape(text),
        other => other.to_string(),
    }
}
