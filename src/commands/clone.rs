//! `execenv clone`.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::repository::RepositoryArgs;
use crate::invocation::{Context, env_completer};
use crate::output::{Answer, Deed, Version, answer, escape};
use crate::work::{clone, look_at_target};

/// Copy the work in an environment into a repository of its own
///
/// The copy stands alone: it shares no object with the environment's repository and is no worktree of it. It has the branch that is
/// checked out, the branches of the remotes and the tags, and the working files, changed and new ones included, without what is
/// ignored and what execenv put there. It appears whole, by one rename. What a killed `clone` leaves beside DIR goes with the next
/// one there, or with `execenv doctor --fix`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv clone \"$env\" ~/review
  execenv clone \"$env\" ~/review --dry-run -o json")]
pub struct CloneArgs {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
    /// Folder that is empty or does not exist
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub dir: PathBuf,
    /// Only say whether the folder is there and empty
    #[arg(long)]
    pub dry_run: bool,
    /// The repository.
    #[command(flatten)]
    pub repository: RepositoryArgs,
}

pub(crate) fn run(args: &CloneArgs, context: &Context) -> Result<u8> {
    let found = context.find(&args.env)?;
    let dir = context.absolute(&args.dir)?;
    if args.dry_run {
        let target = look_at_target(&found, &dir)?;
        let text = match (target.exists, target.is_empty) {
            (false, _) => "does not exist",
            (true, true) => "empty",
            (true, false) => "not empty",
        };
        let json = CloneTarget { schema: Version, exists: target.exists, empty: target.is_empty };
        return answer(&Answer::new(text, json), Deed::Nothing, context.settings.output);
    }
    context.defer_signals()?;
    let place = args.repository.find(&found, context)?;
    let git = context.git().until(Arc::clone(&context.stop));
    let made = clone(&found, &place, &dir, &git)?;
    for link in &made.links {
        let link = escape(&link.display().to_string());
        log::warn!("{link} is a repository of its own: which commit it is at is copied, its files are not");
    }
    let shown = escape(&made.path.display().to_string());
    let links = made.links.iter().map(|link| link.to_string_lossy()).collect();
    let built =
        Answer::new(shown.clone(), Cloned { schema: Version, path: made.path.to_string_lossy(), links });
    let undo = || match made.take_back() {
        Ok(()) => format!("{shown} was removed"),
        Err(error) => format!("{shown} stays: {error:#}"),
    };
    answer(&built, Deed::TakenBack(Box::new(undo)), context.settings.output)
}

/// A clone of the work in an environment.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Cloned<'a> {
    schema: Version,
    /// The folder of the clone.
    path: Cow<'a, str>,
    /// Submodules and other repositories, of which only the commit was copied.
    links: Vec<Cow<'a, str>>,
}

/// The folder that a clone would be made in.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct CloneTarget {
    schema: Version,
    /// Whether the folder exists.
    exists: bool,
    /// Whether it may be used: it is missing or empty.
    empty: bool,
}
