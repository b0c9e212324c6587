//! `execenv pause`.

use std::path::Path;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::{Given, RunningEnvArgs, give, no_run, silent, too_late};
use crate::invocation::Context;
use crate::output::{Answer, Version};
use crate::supervise::{Order, Reply};

/// Stop the agent of a run where it is, until `resume`
///
/// All processes of the agent's group are stopped, tools included. The limits of the run (`--timeout`, `--idle-timeout`) stand
/// still meanwhile. A run that is paused already stays so.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv pause \"$env\"
  execenv pause \"$env\" && cp -a \"$env/workdir\" /backup && execenv resume \"$env\"")]
pub struct PauseArgs {
    /// The environment.
    #[command(flatten)]
    pub env: RunningEnvArgs,
}

pub(crate) fn run(args: &PauseArgs, context: &Context) -> Result<Answer> {
    let found = context.find(&args.env.env)?;
    let reply = match give(&found, Order::Pause, context)? {
        Given::Replied(reply) => reply,
        Given::NoRun => return Err(no_run(&found).into()),
        Given::Silent(run) => silent::pause(&found, &run)?,
    };
    if reply == Reply::TooLate {
        return Err(too_late(&found).into());
    }
    let changed = reply == Reply::Done;
    let text = if changed { "paused" } else { "was paused already" };
    Ok(Answer::new(text, PauseDocument { schema: Version, root_dir: &found.env.path, paused: true, changed }))
}

/// Whether an agent is paused.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PauseDocument<'a> {
    pub(super) schema: Version,
    /// The env root.
    pub(super) root_dir: &'a Path,
    /// Whether the agent is paused now.
    pub(super) paused: bool,
    /// Whether this command has changed that.
    pub(super) changed: bool,
}
