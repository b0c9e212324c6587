//! `execenv config`.

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::invocation::{Context, Origin};
use crate::output::{Answer, Version, document, escape};

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
        settings.insert(
            setting.row.key.into(),
            document(SettingInForce { value: &setting.value, origin: &origin }),
        );
    }
    Ok(Answer::new(lines.join("\n"), ConfigDocument { schema: Version, file, settings }))
}

/// The settings in force.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ConfigDocument {
    schema: Version,
    /// The configuration file that was read, or null.
    file: Option<String>,
    /// Each setting by its name.
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, SettingInForce<'static>>"))]
    settings: Map<String, Value>,
}

/// A setting in force.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct SettingInForce<'a> {
    /// Its value, as an option or the configuration file has it.
    value: &'a str,
    /// Where the value comes from: `command line`, `variable NAME`, `file PATH` or `default`.
    origin: &'a str,
}
