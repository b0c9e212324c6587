//! `execenv verify`.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::environment::verify;
use crate::failure::Code;
use crate::invocation::{Context, env_completer};
use crate::output::{Answer, escape};

/// Prove that a work dir is as it was before prepare, or name each difference
///
/// Compares every place that execenv has touched (bytes, modes, links) with what was recorded before it touched it,
/// and says of each difference whether execenv or somebody else made it. Status 0: as it was. Status 1: not.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  env=$(execenv prepare --provider claude --local-dir .)
  execenv cleanup \"$env\" && execenv verify \"$env\"
  execenv verify \"$env\" -o json | jq '.differences[].path'")]
pub struct VerifyArgs {
    /// The environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
}

pub(crate) fn run(args: &VerifyArgs, context: &Context) -> Result<Answer> {
    let verdict = verify(&context.find(&args.env)?)?;
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
        format!("as it was ({places} places compared)")
    } else {
        format!("{} of {places} places differ", verdict.differences.len())
    });
    let json = json!({
        "schema": 1,
        "verdict": if as_it_was { "as_it_was" } else { "differs" },
        "work_dir": verdict.work_dir,
        "compared": places,
        "differences": verdict.differences,
    });
    Ok(Answer::new(lines.join("\n"), json).with_status((!as_it_was).then_some(Code::Differs)))
}
