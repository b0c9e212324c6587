//! `execenv reuse`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use super::announce::announce;
use super::dead_run::recover_first;
use super::identity::IdentityArgs;
use super::read_task::Task;
use super::setup_args::SetupArgs;
use super::task_input::TaskInput;
use super::worktree::WorktreeArgs;
use crate::brief::Platform;
use crate::environment::{Existing, Own, Prepared, RenewedLogins, Request, prepare, reuse};
use crate::failure::{Code, Failure};
use crate::invocation::{Context, WaitArgs, describe_setting, env_completer};

/// Refresh an existing environment for a new task document
///
/// Removes the files that execenv wrote for the previous task, then writes context files, skills and the brief for the
/// new one. The work that the agent left stays. Setup commands of the repository run again only if its `.execenv.json` has changed
/// since, or they have not all run; those of `--setup` run each time.
#[derive(Debug, Args)]
#[command(
    mut_args(describe_setting),
    mut_arg("workspace_id", |arg| arg.help("Workspace of the task; it must be that of the environment [default: that of the environment]")),
    mut_arg("task_id", |arg| arg.help("Id of the task [default: that of the task document, else that of the environment]")),
    mut_arg("provider", |arg| arg.help("Agent CLI the environment is for [default: that of the task document, else that of the environment]")),
    mut_arg("platform_cli", |arg| arg.help("Command the agent uses to talk to your issue tracker, as named in its instructions; `none` leaves that part out [default: by the task document, else that of the environment]")),
)]
#[command(after_help = "Examples:
  execenv reuse \"$env\" --task next.json
  execenv reuse 3f9c --task next.json --or-prepare
  execenv reuse --work-dir \"$EXECENV_WORKDIR\" -o json")]
pub struct ReuseArgs {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer(), required_unless_present = "work_dir", conflicts_with = "work_dir")]
    pub env: Option<String>,
    /// Find the environment by its work dir
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub work_dir: Option<PathBuf>,
    /// Prepare a new environment if this one, or its work dir, no longer exists
    #[arg(long)]
    pub or_prepare: bool,
    /// You say that the environment works in this folder of yours, where nothing else proves it
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub local_dir: Option<PathBuf>,
    /// If the agent of an earlier run renewed a login of yours in its home, and that run could not write it into your own
    /// file, do so now; see `execenv run --keep-login`
    #[arg(long)]
    pub keep_login: bool,
    /// Setup and ports.
    #[command(flatten)]
    pub setup: SetupArgs,
    /// The name in commits.
    #[command(flatten)]
    pub identity: IdentityArgs,
    /// The wait.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// The task.
    #[command(flatten)]
    pub task: TaskInput,
}

impl ReuseArgs {
    /// An environment keeps its task: another id on the command line is a mistake. (A document names the task that the
    /// agent works on next.)
    fn refuse_other_task(&self, own: &str) -> Result<()> {
        match &self.task.task_id {
            Some(id) if id != own && !own.is_empty() => {
                let message = format!(
                    "`--task-id {id}`: the environment is that of task {own}, and `reuse` does not change that"
                );
                Err(Failure::new(Code::Usage, message)
                    .hint(format!("omit `--task-id`, or use `execenv prepare --task-id {id}`"))
                    .into())
            }
            _ => Ok(()),
        }
    }
}

pub(crate) fn run(args: &ReuseArgs, context: &Context) -> Result<u8> {
    let mut task = args.task.read(context)?.by(args.identity.read(context)?);
    context.defer_signals()?;
    let name = match (&args.env, &args.work_dir) {
        (Some(env), _) => env.clone(),
        (None, Some(dir)) => context.absolute(dir)?.display().to_string(),
        (None, None) => String::new(),
    };
    let prepared =
        args.wait.begin().while_busy(context, || reuse_or_prepare(args, &name, &mut task, context))?;
    announce(&task, &prepared, context)
}

/// Takes from the environment what the task leaves open. `names_platform`: an option decides the platform.
pub(super) fn complete(task: &mut Task, own: &Own, names_platform: bool) {
    if task.provider_mut().is_empty() {
        task.provider_mut().clone_from(&own.provider);
    }
    if !names_platform && task.is_plain() && !own.platform.is_empty() {
        *task.platform_mut() = Platform::named(&own.platform).unwrap_or(Platform::None);
    }
}

fn reuse_or_prepare(args: &ReuseArgs, name: &str, task: &mut Task, context: &Context) -> Result<Prepared> {
    let word = args.local_dir.as_ref().map(|dir| context.absolute(dir)).transpose()?;
    let mut local_dir = word.clone();
    let attempt = context.find(name).and_then(|found| recover_first(found, context)).and_then(|found| {
        let meta = found.require_meta()?;
        let own = meta.own_or_rebuilt(&found.env.tree);
        let names_task = args.task.task_id.is_some() || args.task.task.is_some();
        let names_workspace = args.task.workspace_id.is_some();
        args.refuse_other_task(&own.task_id)?;
        task.adopt(names_task, &own.task_id, names_workspace, &found.workspace_id())?;
        complete(task, &own, args.task.platform_cli.is_some());
        if meta.local_directory {
            // Only if nothing is at its path, which then was proved.
            local_dir = local_dir.take().or_else(|| found.work_dir.claimed().map(Path::to_owned));
        }
        task.tell_start("refreshing the environment");
        let renewed_logins = RenewedLogins::of(args.keep_login);
        let setup = args.setup.request();
        let request = task.request(context, word, Existing::Replace);
        reuse(&Request { renewed_logins, setup, ..request }, found)
    });
    match attempt {
        Err(error)
            if args.or_prepare && matches!(Failure::code_of(&error), Code::NoEnv | Code::WorkDirGone) =>
        {
            log::info!("{error}; preparing a new environment instead");
            let request = task.request(context, local_dir, Existing::Replace);
            let request = Request { setup: args.setup.request(), ..request };
            prepare(&WorktreeArgs::default().apply(request, context)?)
        }
        other => other,
    }
}
