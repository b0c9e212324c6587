//! `execenv config`.

use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value, json};

use crate::invocation::{Context, Origin};
use crate::output::{Answer, escape};

/// Show every setting, its value and where the value comes from
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv config
  execenv config -o json | jq -r .settings.workspaces_root.value")]
pub struct ConfigArgs {}

pub(crate) fn run(_args: &ConfigArgs, context: &Context) -> Result<Answer> {
    let file = context.settings.file.as_ref().map(|path| path.display().to_string());
    let mut settings = Map::new();
    let mut lines = Vec::new();
    for setting in &context.settings.all {
        let origin = match &setting.origin {
            Origin::Flag => "command line".to_owned(),
            Origin::Variable(name) => format!("variable {name}"),
            Origin::File => format!("file {}", file.as_deref().unwrap_or_default()),
            Origin::Default => "default".to_owned(),
        };
        lines.push(format!("{:<16} {:<24} {}", setting.row.key, escape(&setting.value), escape(&origin)));
        settings.insert(setting.row.key.into(), json!({"value": setting.value, "origin": origin}));
    }
    Ok(Answer::new(lines.join("\n"), json!({"schema": 1, "file": file, "settings": Value::Object(settings)})))
}
