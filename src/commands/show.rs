//! `execenv show`.

use std::io::Write;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Value, json};

use super::list::seen_status;
use crate::environment::{EnvLock, EnvStatus, FoundEnv, Held, private_files};
use crate::failure::{Code, Failure};
use crate::invocation::{Context, env_completer};
use crate::layout::names;
use crate::output::{Answer, answer, escape, stream};
use crate::sidecar::Manifest;
use crate::sys::tree::leaves_tree;

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
    /// Print this file of the work dir unchanged, instead of the summary
    #[arg(long, value_name = "PATH")]
    pub file: Option<PathBuf>,
}

pub(crate) fn run(args: &ShowArgs, context: &Context) -> Result<u8> {
    let found = context.find(&args.env)?;
    match &args.file {
        Some(path) => print_file(&found, path),
        None => answer(&document(&found)?, context.settings.output),
    }
}

fn print_file(found: &FoundEnv, path: &Path) -> Result<u8> {
    let work_dir = found.work_dir_path();
    let outside = || {
        Failure::new(Code::LeavesTree, format!("{} is outside {}", path.display(), work_dir.display()))
            .hint("`--file` takes a path relative to the work dir")
    };
    let relative = if path.is_absolute() {
        path.strip_prefix(&work_dir).map_err(|_| outside())?.to_owned()
    } else {
        path.to_owned()
    };
    if relative.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(outside().into());
    }
    let tree = found.open_work_dir()?;
    let shown = work_dir.join(&relative);
    let resolved = tree
        .resolve(&relative)
        .map_err(|error| if leaves_tree(&error) { anyhow::Error::from(outside()) } else { error.into() });
    let resolved = resolved.with_context(|| format!("read {}", shown.display()))?;
    let bytes = tree.read(&resolved, 1 << 30).with_context(|| format!("read {}", shown.display()))?;
    let bytes = bytes.with_context(|| format!("{} does not exist", shown.display()))?;
    let mut out = stream();
    out.write_all(&bytes)?;
    out.flush()?;
    Ok(0)
}

fn document(found: &FoundEnv) -> Result<Answer> {
    let meta = found.require_meta()?;
    let own = meta.own_or_rebuilt(&found.env.path);
    let live = matches!(EnvLock::try_acquire(&found.env.tree, false), Err(Held::ByOther | Held::Unknown(_)));
    let manifest = Manifest::load(&found.env.tree)?.unwrap_or_default();
    let status = seen_status(own.status, live);
    let work_dir = found.work_dir_path();
    let json = json!({
        "schema": 1,
        "root_dir": found.env.path,
        "work_dir": work_dir,
        "key": found.env.key(),
        "workspace_id": meta.workspace_id,
        "task_id": own.task_id,
        "provider": own.provider,
        "agent_name": own.agent_name,
        "platform": own.platform,
        "kind": meta.kind,
        "status": status,
        "live": live,
        "local_directory": meta.local_directory,
        "prepared_at": own.prepared_at,
        "completed_at": meta.completed_at,
        "lease_until": own.lease_until,
        "env": own.env,
        "private_env": private_files(&found.env.tree)?,
        "session": own.session,
        "run": own.run,
        "last_result": own.last_result,
        "sidecars": {"files": manifest.files, "dirs": manifest.dirs, "complete": manifest.is_complete()},
        "paths": {
            "output": found.env.path.join(names::OUTPUT),
            "logs": found.env.path.join(names::LOGS),
        },
    });
    let mut lines = Vec::new();
    lines.push(format!("{:<15} {}", "env root", escape(&found.env.path.display().to_string())));
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
        ("completed", "completed_at"),
        ("leased until", "lease_until"),
    ] {
        lines.push(format!("{label:<15} {}", plain(&json[key])));
    }
    if own.status == EnvStatus::Cleaned {
        lines.push(format!("{:<15} removed by cleanup", "private files"));
    }
    if let Some(session) = &own.session {
        lines.push(format!("{:<15} {}", "session", escape(&session.id)));
    }
    if let Some(result) = &own.last_result {
        let reason =
            result.failure_reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        lines.push(format!(
            "{:<15} {}{}, status {}",
            "last result",
            escape(&result.status),
            escape(&reason),
            result.exit_code
        ));
    }
    let unfinished = if manifest.is_complete() { "" } else { ", unfinished" };
    lines.push(format!(
        "{:<15} {} files, {} folders{unfinished}",
        "sidecars",
        manifest.files.len(),
        manifest.dirs.len()
    ));
    lines.extend(manifest.files.iter().map(|path| format!("  {}", escape(&path.display().to_string()))));
    Ok(Answer::new(lines.join("\n"), json))
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) if text.is_empty() => "-".into(),
        Value::String(text) => escape(text),
        other => other.to_string(),
    }
}
