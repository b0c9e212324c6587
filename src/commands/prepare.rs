//! `execenv prepare`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::task_input::TaskInput;
use crate::cli::Context;
use crate::environment::{Existing, prepare};
use crate::output::Answer;

/// Make an environment and print the path of its env root
///
/// Without a task document it makes a plain environment in the workspace `default`. An environment of the same task
/// is made anew, and the old one goes to the trash. A failure leaves nothing behind.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  env=$(execenv prepare --task task.json)
  env=$(execenv prepare --provider claude --skills ./skills --instructions rules.md)
  eval \"$(execenv prepare -o shell --local-dir .)\"; cd \"$EXECENV_WORKDIR\"
  curl -s \"$URL\" | execenv prepare --task -")]
pub struct PrepareArgs {
    /// The task.
    #[command(flatten)]
    pub task: TaskInput,
    /// Work in this folder of yours; `cleanup` brings it back as it was
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub local_dir: Option<PathBuf>,
    /// Make an environment of the same task anew (this is the default)
    #[arg(long, conflicts_with = "keep_existing")]
    pub replace: bool,
    /// Hand an environment of the same task back as it is
    #[arg(long)]
    pub keep_existing: bool,
}

pub(super) fn run(args: &PrepareArgs, context: &Context) -> Result<Answer> {
    let task = args.task.read(context)?;
    let existing = if args.keep_existing { Existing::Keep } else { Existing::Replace };
    let local_dir = args.local_dir.as_ref().map(|dir| context.absolute(dir));
    let prepared = prepare(&task.request(context, local_dir, existing))?;
    task.answer(&prepared)
}
