//! `execenv prepare`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::addressed::prepare_on;
use super::announce::announce;
use super::copies::CopyArgs;
use super::identity::IdentityArgs;
use super::setup_args::SetupArgs;
use super::task_input::TaskInput;
use super::worktree::WorktreeArgs;
use crate::environment::{Existing, Request};
use crate::invocation::{Context, WaitArgs, describe_setting};

/// Create an environment and print the path of its env root
///
/// Without a task document, `prepare` creates a plain environment in the workspace `default`. If the task already has an
/// environment, it is replaced and the old one goes to the trash; a reserved one (see --lease) that holds work is replaced
/// only with --replace. If `prepare` fails, it leaves nothing behind.
#[derive(Debug, Args)]
#[command(mut_args(describe_setting))]
#[command(after_help = "Examples:
  env=$(execenv prepare --task task.json)
  env=$(execenv prepare --provider claude --skills ./skills --instructions rules.md)
  env=$(execenv prepare --repo ~/project --base main --agent-name ada)
  execenv prepare --local-dir . --worktree --agent-name ada
  execenv prepare --repo https://github.com/octocat/Hello-World --agent-name ada
  execenv prepare --continue-from 3f9c --agent-name ada
  execenv prepare --repo . --setup 'npm ci' --port web
  eval \"$(execenv prepare -o shell --local-dir .)\"; cd \"$EXECENV_WORKDIR\"
  curl -s \"$URL\" | execenv prepare --task -")]
pub struct PrepareArgs {
    /// The task.
    #[command(flatten)]
    pub task: TaskInput,
    /// Let the agent work in this folder of yours; `cleanup` restores it
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub local_dir: Option<PathBuf>,
    /// The repository.
    #[command(flatten)]
    pub repository: WorktreeArgs,
    /// Files of other environments.
    #[command(flatten)]
    pub copies: CopyArgs,
    /// With --local-dir: record everything in the folder, so that `verify` compares all of it
    ///
    /// Records the kind, mode, length, times and SHA-256 of every file (the digest of files up to 64 MiB), and the targets of
    /// links, without following one or crossing a mount.
    #[arg(long, requires = "local_dir")]
    pub inventory: bool,
    /// Replace an existing environment of the task even if it is reserved and holds work; the old one goes to the trash
    #[arg(long, conflicts_with = "keep_existing")]
    pub replace: bool,
    /// If the task already has an environment, return it unchanged
    #[arg(long)]
    pub keep_existing: bool,
    /// Setup and ports.
    #[command(flatten)]
    pub setup: SetupArgs,
    /// The name in commits.
    #[command(flatten)]
    pub identity: IdentityArgs,
    /// The wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

pub(crate) fn run(args: &PrepareArgs, context: &Context) -> Result<u8> {
    let task = args.task.read(context)?.by(args.identity.read(context)?);
    let existing = match (args.keep_existing, args.replace) {
        (true, _) => Existing::Keep,
        (_, true) => Existing::ReplaceAny,
        _ => Existing::Replace,
    };
    let local_dir = args.local_dir.as_ref().map(|dir| context.absolute(dir)).transpose()?;
    context.defer_signals()?;
    task.tell_start("preparing");
    let request = Request {
        inventory: args.inventory,
        setup: args.setup.request(),
        ..task.request(context, local_dir, existing)
    };
    let request = args.repository.apply(request, context)?;
    let sources = args.copies.open(context)?;
    let repository = request.repository.clone().or_else(|| sources.repository.clone());
    let request = Request { repository, copied: &sources.copied, ..request };
    let addressed = args.repository.addressed(context)?;
    let prepare = || prepare_on(addressed.as_ref(), &request, context);
    let (prepared, _) = args.wait.begin().while_busy(context, prepare)?;
    announce(&task, &prepared, context)
}
