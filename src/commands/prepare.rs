//! `execenv prepare`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::task_input::TaskInput;
use crate::environment::{CleanupOptions, Existing, Found, Outcome, Prepared, cleanup, prepare};
use crate::failure::{Code, Failure};
use crate::invocation::Context;
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

/// Takes back what was prepared when somebody has asked for the end meanwhile: a caller that is told of an
/// interruption never learns the path.
fn undo(prepared: &Prepared, context: &Context) -> anyhow::Error {
    let options = CleanupOptions { all: true, ..CleanupOptions::default() };
    let undone = Found::open(&prepared.root_dir)
        .and_then(|found| cleanup(&context.root, &found, options, &context.git(), context.now));
    let left = match undone {
        Ok(report) if report.outcome == Outcome::Removed => "nothing is left of it".to_owned(),
        Ok(_) | Err(_) => format!("{} is left", prepared.root_dir.display()),
    };
    Failure::new(Code::Interrupted, format!("stopped on request; {left}")).into()
}

pub(crate) fn run(args: &PrepareArgs, context: &Context) -> Result<Answer> {
    let task = args.task.read(context)?;
    let existing = if args.keep_existing { Existing::Keep } else { Existing::Replace };
    let local_dir = args.local_dir.as_ref().map(|dir| context.absolute(dir));
    context.defer_signals()?;
    let prepared = prepare(&task.request(context, local_dir, existing))?;
    if context.is_stopped() && !prepared.reused {
        return Err(undo(&prepared, context));
    }
    task.answer(&prepared)
}
