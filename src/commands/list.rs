//! `execenv list`.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::Context;
use crate::environment::{Found, Status, looks_like_env_root};
use crate::gc::{Facts, look};
use crate::output::{Answer, escape, show_age, show_bytes};
use crate::sys::remove::measure;

/// List every environment under the workspaces root
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv list
  execenv list --sizes -o json | jq '.environments[] | select(.live)'")]
pub struct ListArgs {
    /// Add what each takes on the disk
    #[arg(long)]
    pub sizes: bool,
    /// Only this workspace
    #[arg(long, value_name = "ID")]
    pub workspace: Option<String>,
}

pub(super) fn run(args: &ListArgs, context: &Context) -> Result<Answer> {
    let mut environments = Vec::new();
    let mut lines = Vec::new();
    if let Some(tree) = context.root.open()? {
        for workspace in context.root.workspaces(&tree)? {
            if args.workspace.as_ref().is_some_and(|wanted| *wanted != workspace) {
                continue;
            }
            let mut keys = tree.names(Path::new(&workspace)).unwrap_or_default();
            keys.sort_unstable();
            for key in keys.iter().filter(|key| !key.as_encoded_bytes().starts_with(b".")) {
                let Some(facts) = look(&tree, &workspace, Path::new(key)) else { continue };
                let relative = Path::new(&workspace).join(key);
                if !facts.root_dir.is_dir() || !looks_like_env_root(&tree, &relative) {
                    continue;
                }
                let bytes = args.sizes.then(|| measure(&facts.root_dir).bytes);
                let (json, line) = row(&workspace, &key.to_string_lossy(), &facts, bytes, context);
                environments.push(json);
                lines.push(line);
            }
        }
    }
    let text = if lines.is_empty() { String::new() } else { table(&lines) };
    Ok(Answer::new(text, json!({"schema": 1, "environments": environments})))
}

/// The status as everyone else sees it: active without a holder means that the run died.
pub(super) fn seen_status(status: Status, is_live: bool) -> Status {
    if status.is_active() && !is_live { Status::Crashed } else { status }
}

fn row(
    workspace: &str,
    key: &str,
    facts: &Facts,
    bytes: Option<u64>,
    context: &Context,
) -> (Value, [String; 9]) {
    let own = Found::open(&facts.root_dir).ok().and_then(|found| found.meta).and_then(|meta| meta.own);
    let own = own.unwrap_or_default();
    let status = seen_status(facts.status, facts.is_held());
    let age = facts.last_used.map(|at| context.now - at);
    let mut json = json!({
        "root_dir": facts.root_dir.to_string_lossy(),
        "workspace_id": workspace,
        "key": key,
        "task_id": own.task_id,
        "provider": own.provider,
        "kind": facts.kind,
        "status": status,
        "live": facts.is_held(),
        "local_directory": facts.local_directory,
        "last_used": facts.last_used,
    });
    if let Some(bytes) = bytes {
        json["bytes"] = bytes.into();
    }
    let dash = |text: &str| if text.is_empty() { "-".to_owned() } else { escape(text) };
    let line = [
        escape(workspace),
        dash(key),
        dash(&own.task_id),
        dash(&own.provider),
        dash(&facts.kind),
        status.word().to_owned(),
        if facts.is_held() { "live" } else { "-" }.to_owned(),
        age.map_or_else(|| "-".to_owned(), show_age),
        bytes.map(show_bytes).unwrap_or_default(),
    ];
    (json, line)
}

fn table(rows: &[[String; 9]]) -> String {
    let header =
        ["WORKSPACE", "KEY", "TASK", "PROVIDER", "KIND", "STATUS", "LIVE", "AGE", "SIZE"].map(str::to_owned);
    let all: Vec<&[String; 9]> = std::iter::once(&header).chain(rows).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..9).map(width).collect();
    let has_sizes = rows.iter().any(|row| !row[8].is_empty());
    let has_several = rows.iter().any(|row| row[0] != rows[0][0]);
    let shown = usize::from(!has_several)..if has_sizes { 9 } else { 8 };
    let lines = all.iter().map(|row| {
        let cells: Vec<String> =
            shown.clone().map(|n| format!("{:<width$}", row[n], width = widths[n])).collect();
        cells.join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}
