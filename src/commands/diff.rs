//! `execenv diff`.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::repository::RepositoryArgs;
use crate::formats::write_part;
use crate::git::Change;
use crate::invocation::{Context, env_completer};
use crate::output::{Answer, Deed, Format, Version, answer, stream};
use crate::work::{Compared, DiffForm, diff};

/// Show what the work in an environment has changed
///
/// Compares the working files, also those that are new and not ignored, with the commit from which the work began: the base of
/// the environment's branch, else the newest commit that is on a remote, else the last commit. What execenv put there is left
/// out. Nothing is changed, and no program runs that the repository names. No difference: no output, and status 0.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv diff \"$env\"
  execenv diff \"$env\" --stat
  execenv diff \"$env\" --uncommitted | git apply -R --check
  execenv diff \"$env\" -o json | jq '.files[].path'")]
pub struct DiffArgs {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
    /// Compare with the commit from which the work began; this is the default
    #[arg(long, group = "compared")]
    pub since_base: bool,
    /// Compare with the last commit
    #[arg(long, group = "compared")]
    pub uncommitted: bool,
    /// Compare what is staged with the last commit
    #[arg(long, group = "compared")]
    pub staged: bool,
    /// Print only how many lines were added and removed in each file
    #[arg(long)]
    pub stat: bool,
    /// The repository.
    #[command(flatten)]
    pub repository: RepositoryArgs,
}

pub(crate) fn run(args: &DiffArgs, context: &Context) -> Result<u8> {
    let found = context.find(&args.env)?;
    let place = args.repository.find(&found, context)?;
    let git = context.git().until(Arc::clone(&context.stop));
    let checkout = place.checkout(&git)?;
    let compared = match (args.staged, args.uncommitted) {
        (true, _) => Compared::Staged,
        (_, true) => Compared::Uncommitted,
        _ => Compared::SinceBase,
    };
    let difference = diff(&found, &place, &checkout, compared)?;
    let form = if args.stat { DiffForm::Stat } else { DiffForm::Patch };
    if context.settings.output == Format::Json {
        let changes = difference.changes()?;
        let mut patch = Vec::new();
        if !args.stat {
            difference.pass_on(form, &mut |block| {
                patch.extend_from_slice(block);
                Ok(())
            })?;
        }
        let json = DiffDocument {
            schema: Version,
            repository: place.path().to_string_lossy(),
            base: difference.base.as_deref(),
            files: &changes.files,
            added: changes.added,
            removed: changes.removed,
            patch: (!args.stat).then(|| String::from_utf8_lossy(&patch)),
        };
        return answer(&Answer::new("", json), Deed::Nothing, Format::Json);
    }
    let mut out = stream();
    // What a file holds may be a command to a terminal.
    let mut shown = std::io::stdout().is_terminal().then(Vec::new);
    difference.pass_on(form, &mut |block| match &mut shown {
        None => out.write_all(block),
        Some(lines) => {
            lines.extend_from_slice(block);
            let whole = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let whole: Vec<u8> = lines.drain(..whole).collect();
            write_part(&mut out, &String::from_utf8_lossy(&whole))
        }
    })?;
    if let Some(rest) = shown {
        write_part(&mut out, &String::from_utf8_lossy(&rest))?;
    }
    out.flush()?;
    Ok(0)
}

/// What the work in an environment has changed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct DiffDocument<'a> {
    schema: Version,
    /// The folder of the repository.
    repository: Cow<'a, str>,
    /// The commit that was compared with; null: everything is new.
    base: Option<&'a str>,
    /// The files that differ.
    files: &'a [Change],
    /// How many lines were added; binary files have none.
    added: u64,
    /// How many lines were removed.
    removed: u64,
    /// The difference as text, with a sign in place of what is no UTF-8; null with `--stat`.
    patch: Option<Cow<'a, str>>,
}
