//! `execenv verify`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::environment::{Difference, Verification, verify};
use crate::failure::Code;
use crate::invocation::{Context, env_completer};
use crate::output::{Answer, Version, escape};
use crate::sidecar::Unread;

/// Check that a work dir is as it was before prepare, and list each difference
///
/// Compares the content, mode, owner, attributes and link target of every path that execenv touched with the state recorded
/// before, and says for each difference whether execenv caused it. Other files are compared only after `prepare --inventory`: then
/// the whole folder is, apart from owners and extended attributes, and `other` means the agent, the user or another program. What could
/// not be read already then is named and is no difference. Status 0: no difference; status 1: differences.
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
    for Unread { path, why } in &verdict.not_compared {
        let place = verdict.work_dir.join(path);
        lines.push(format!("{}: not compared ({})", escape(&place.display().to_string()), escape(why)));
    }
    lines.push(sum_up(&verdict));
    let json = VerifyDocument {
        schema: Version,
        verdict: if as_it_was { Verdict::AsItWas } else { Verdict::Differs },
        work_dir: &verdict.work_dir,
        compared: verdict.compared,
        scope: if verdict.inventory.is_some() { Scope::Folder } else { Scope::Touched },
        inventory: verdict.inventory,
        not_compared: &verdict.not_compared,
        differences: &verdict.differences,
    };
    Ok(Answer::new(lines.join("\n"), json).with_status((!as_it_was).then_some(Code::Differs)))
}

/// The last line of the answer.
fn sum_up(verdict: &Verification) -> String {
    let (places, differ) = (verdict.compared, verdict.differences.len());
    let whole = match verdict.not_compared.is_empty() {
        true => "the whole folder",
        false => "the folder, apart from what was not compared",
    };
    match (verdict.inventory, differ) {
        (None, 0) => {
            format!("as before: {places} places that execenv touched; other files were not compared")
        }
        (None, _) => {
            format!("{differ} of {places} places that execenv touched differ; other files were not compared")
        }
        (Some(entries), 0) => {
            format!("as before: {whole} ({entries} entries), and {places} places that execenv touched")
        }
        (Some(entries), _) => {
            format!("{differ} places differ from the folder as it was before `prepare` ({entries} entries)")
        }
    }
}

/// Whether a work dir is as it was before `prepare`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct VerifyDocument<'a> {
    schema: Version,
    /// The verdict; the exit status is 1 if it is `differs`.
    verdict: Verdict,
    /// The folder that was compared.
    work_dir: &'a Path,
    /// How many places were compared: everything that execenv touched.
    compared: usize,
    /// What was compared.
    scope: Scope,
    /// How many entries the folder had before `prepare --inventory`; null without one.
    inventory: Option<usize>,
    /// Folders that could not be read, and mounts.
    not_compared: &'a [Unread],
    /// The differences.
    differences: &'a [Difference],
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// All that was compared is as it was.
    AsItWas,
    /// Something differs.
    Differs,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum Scope {
    /// Only the places that execenv touched.
    Touched,
    /// Everything in the folder.
    Folder,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_which_a_part_was_not_compared_is_not_called_whole() {
        let whole = Verification {
            work_dir: "/p".into(),
            compared: 2,
            inventory: Some(9),
            not_compared: Vec::new(),
            differences: Vec::new(),
        };
        assert!(sum_up(&whole).contains("the whole folder (9 entries)"));
        let unread = Unread { path: "data".into(), why: "a mount".into() };
        let part = Verification { not_compared: vec![unread], ..whole };
        assert!(sum_up(&part).contains("apart from what was not compared"));
    }
}
