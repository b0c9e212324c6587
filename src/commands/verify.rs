//! `execenv verify`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::environment::verify;
use crate::failure::Code;
use crate::invocation::{Context, env_completer};
use crate::output::{Answer, escape};

/// Check that a work dir is as it was before prepare, and list each difference
///
/// Compares the content, mode, owner, attributes and link target of every path that execenv touched with the state recorded
/// before, and says for each difference whether execenv caused it. Other files are not compared. Status 0: no difference; status 1: differences.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  env=$(execenv prepare --provider claude --local-dir .)
  execenv cleanup \"$env\" && execenv verify \"$env\"
  execenv verify \"$env\" -o json | jq '.differences[].path'")]
pub struct VerifyArgs {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
    /// You say that the environment works in this folder of yours, where nothing else proves it
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub local_dir: Option<PathBuf>,
}

pub(crate) fn run(args: &VerifyArgs, context: &Context) -> Result<Answer> {
    let local_dir = args.local_dir.as_ref().map(|dir| context.absolute(dir)).transpose()?;
    let verdict = verify(&context.find(&args.env)?, context.trust(local_dir.as_deref()))?;
    log::info!("compared {} places in {}", verdict.compared, verdict.work_dir.display());
    let as_it_was = verdict.differences.is_empty();
    let mut lines = Vec::new();
    for difference in &verdict.differences {
        let path = escape(&difference.path.display().to_string());
        lines.push(format!(
            "{path}: was {}, is {} (by {})",
            escape(&difference.expected),
            escape(&difference.found),
            difference.by
        ));
    }
    let places = verdict.compared;
    lines.push(if as_it_was {
        format!("as before: {places} places that execenv touched; other files were not compared")
    } else {
        let differ = verdict.differences.len();
        format!("{differ} of {places} places that execenv touched differ; other files were not compared")
    });
    let json = json!({
        "schema": 1,
        "verdict": if as_it_was { "as_it_was" } else { "differs" },
        "work_dir": verdict.work_dir,
        "compared": places,
        "scope": "touched",
        "differences": verdict.differences,
    });
    Ok(Answer::new(lines.join("\n"), json).with_status((!as_it_was).then_some(Code::Differs)))
}
