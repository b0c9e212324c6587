//! `execenv resume`.

use anyhow::Result;
use clap::Args;

use super::pause::PauseDocument;
use super::{Given, RunningEnvArgs, give, no_answer, no_run};
use crate::invocation::Context;
use crate::output::{Answer, Version};
use crate::supervise::{Order, Reply};

/// Let the paused agent of a run go on
///
/// A run that is not paused goes on as it does. To go on with the session of a run that has ended, use `run --resume`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv resume \"$env\"")]
pub struct ResumeArgs {
    /// The environment.
    #[command(flatten)]
    pub env: RunningEnvArgs,
}

pub(crate) fn run(args: &ResumeArgs, context: &Context) -> Result<Answer> {
    let found = context.find(&args.env.env)?;
    let reply = match give(&found, Order::Resume, context)? {
        Given::Replied(reply) => reply,
        Given::NoRun => return Err(no_run(&found).into()),
        Given::Silent(_) => return Err(no_answer(&found).into()),
    };
    let changed = reply == Reply::Done;
    let text = if changed { "resumed" } else { "was not paused" };
    Ok(Answer::new(
        text,
        PauseDocument { schema: Version, root_dir: &found.env.path, paused: false, changed },
    ))
}
