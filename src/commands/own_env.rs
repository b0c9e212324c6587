//! The environment that `run` makes for itself: prepared for `--new`, refreshed or prepared for `--task`, and taken over
//! with its lock, so that no other process can have it in between.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use super::addressed::{Addressed, prepare_on};
use super::announce::undo;
use super::dead_run::recover_first;
use super::read_task::Task;
use super::reuse::complete;
use super::setup_args::SetupArgs;
use super::task_input::TaskInput;
use super::worktree::WorktreeArgs;
use crate::environment::{
    EnvLock, Existing, FoundEnv, LockedEnv, Prepared, RenewedLogins, Request, find_of_task, reuse_held,
};
use crate::failure::{Code, Failure};
use crate::git::GitIdentity;
use crate::invocation::{Context, WaitArgs, one_of};
use crate::run::{Keep, Once, RunningEnv};

/// The task of `run --new` and `run --task`
#[derive(Debug, Args)]
pub struct OwnEnvArgs {
    /// Prepare a new environment for this run, and clean it up when the agent has completed; output/ and logs/ stay
    #[arg(long, conflicts_with_all = ["env", "cleanup_after"])]
    pub new: bool,
    /// With --new, keep the environment: always, failed (only where the run did not complete) or never
    #[arg(long, value_name = "WHEN", value_parser = one_of(&Keep::WORDS), hide_possible_values = true, requires = "new")]
    pub keep: Option<Keep>,
    /// With --new, replace an environment of the task even if it is reserved and holds work; it goes to the trash
    #[arg(long, requires = "new")]
    pub replace: bool,
    /// With --new or --task, and --local-dir: record everything in the folder, so that `verify` compares all of it
    #[arg(long, requires = "local_dir", conflicts_with = "env")]
    pub inventory: bool,
    /// The repository.
    #[command(flatten)]
    pub repository: WorktreeArgs,
    /// Setup and ports.
    #[command(flatten)]
    pub setup: SetupArgs,
    /// The task.
    #[command(flatten, next_help_heading = "Task, with --new, or with --task in place of ENV")]
    pub task: TaskInput,
}

/// Where the task works: in a user folder, or on a repository that is named by its address.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    local_dir: Option<&'a Path>,
    addressed: Option<&'a Addressed>,
    /// Not if the task is done.
    once: bool,
}

/// An environment that is prepared and locked, or one whose task is done.
type Taken = Once<(Prepared, EnvLock), LockedEnv>;

/// An environment that is held for a run.
pub(super) struct OwnEnv {
    pub(super) env: RunningEnv,
    prepared: Prepared,
}

impl OwnEnvArgs {
    /// Whether `run` makes its environment itself.
    pub fn is_asked(&self) -> bool {
        self.new || self.task.task.is_some()
    }

    /// What stands in place of ENV, for hints.
    pub(super) fn words(&self) -> &'static str {
        if self.new { "--new" } else { "--task FILE" }
    }

    /// Refuses options of a task for an environment that has one.
    pub(super) fn refuse_idle(&self) -> Result<()> {
        let is_idle = self.task == TaskInput::default()
            && self.repository == WorktreeArgs::default()
            && self.setup == SetupArgs::default();
        if self.is_asked() || is_idle {
            return Ok(());
        }
        Err(Failure::new(Code::Usage, "the task of an environment is not changed by `run`")
            .hint("give options such as `--provider` and `--skills` with `--new` or `--task FILE`, or to `execenv reuse`")
            .into())
    }

    /// Prepares or refreshes the environment, and holds it.
    ///
    /// # Errors
    /// Those of `prepare` and `reuse`. A failure leaves nothing new behind.
    pub(super) fn hold(
        &self,
        local_dir: Option<&Path>,
        renewed_logins: RenewedLogins,
        git_identity: Option<GitIdentity>,
        wait: WaitArgs,
        once: bool,
        context: &Context,
    ) -> Result<Once<OwnEnv, LockedEnv>> {
        let mut task = self.task.read(context)?.by(git_identity);
        if once && !task.is_named() {
            let failure = Failure::new(
                Code::Usage,
                "`--once` needs the id of the task: nothing else tells that it is done",
            );
            return Err(failure.hint("give the task document an `id`, or the command `--task-id ID`").into());
        }
        context.defer_signals()?;
        task.tell_start("preparing");
        let addressed = self.repository.addressed(context)?;
        let wanted = Wanted { local_dir, addressed: addressed.as_ref(), once };
        let taken = wait.begin().while_busy(context, || match self.new {
            true => self.prepare(&task, wanted, context),
            false => self.reuse_or_prepare(&mut task, wanted, renewed_logins, context),
        })?;
        let (prepared, lock) = match taken {
            Once::Todo(taken) => taken,
            Once::Done(env) => return Ok(Once::Done(env)),
        };
        task.tell(&prepared);
        if context.is_stopped() {
            drop(lock);
            let message = format!("interrupted by a signal; {}", left(&prepared, context));
            return Err(Failure::new(Code::Interrupted, message).into());
        }
        // The folder may only have been what a worktree is made from.
        let trust = context.trust(local_dir.filter(|_| prepared.meta.local_directory));
        match RunningEnv::take_over(&prepared, lock, &context.other_roots(), trust) {
            Ok(env) => Ok(Once::Todo(OwnEnv { env, prepared })),
            Err(error) => {
                left(&prepared, context);
                Err(error)
            }
        }
    }

    fn request<'a>(&self, task: &'a Task, wanted: Wanted<'_>, context: &'a Context) -> Result<Request<'a>> {
        let existing = match (self.replace, wanted.once) {
            (true, _) => Existing::ReplaceAny,
            (false, true) => Existing::ReplaceUndone,
            (false, false) => Existing::Replace,
        };
        let request = task.request(context, wanted.local_dir.map(Path::to_owned), existing);
        let setup = self.setup.request();
        self.repository.apply(Request { inventory: self.inventory, setup, ..request }, context)
    }

    fn prepare(&self, task: &Task, wanted: Wanted<'_>, context: &Context) -> Result<Taken> {
        prepare_on(wanted.addressed, &self.request(task, wanted, context)?, context).map(Once::Todo)
    }

    /// An environment of the task is refreshed; where there is none, or none that can be used again, one is prepared.
    fn reuse_or_prepare(
        &self,
        task: &mut Task,
        wanted: Wanted<'_>,
        renewed_logins: RenewedLogins,
        context: &Context,
    ) -> Result<Taken> {
        let asked = self.request(task, wanted, context)?;
        let is_worktree = asked.repository.is_some() || wanted.addressed.is_some();
        // Whoever names another folder than the environment's wants another environment, and so does who wants a worktree.
        let fits = |found: &FoundEnv| match &asked.local_dir {
            Some(dir) => found.works_in(dir),
            None => !is_worktree || !found.work_dir.is_user_folder(),
        };
        let found = match find_of_task(&asked)? {
            Some(found) if fits(&found) || wanted.once => LockedEnv::acquire(recover_first(found, context)?)?,
            _ => return self.prepare(task, wanted, context),
        };
        if wanted.once && found.has_completed() {
            return Ok(Once::Done(found));
        }
        if !fits(&found) {
            drop(found);
            return self.prepare(task, wanted, context);
        }
        let own = found.require_meta()?.own_or_rebuilt(&found.env.tree);
        complete(task, &own, self.task.platform_cli.is_some());
        let request = Request { renewed_logins, ..self.request(task, wanted, context)? };
        match reuse_held(&request, found) {
            Err(error) if matches!(Failure::code_of(&error), Code::NoEnv | Code::WorkDirGone) => {
                log::info!("{error}; preparing a new environment instead");
                self.prepare(task, wanted, context)
            }
            held => held.map(Once::Todo),
        }
    }
}

impl OwnEnv {
    /// Splits into what runs, and what takes it back where it could not.
    pub(super) fn into_parts(self) -> (RunningEnv, Prepared) {
        (self.env, self.prepared)
    }
}

/// Takes back what was prepared for an agent that did not start, as a failed `prepare` does. What was refreshed stays.
/// Returns what became of it, in words.
pub(super) fn left(prepared: &Prepared, context: &Context) -> String {
    match prepared.reused {
        true => format!("{} is ready for a run", prepared.root_dir.display()),
        false => undo(prepared, context),
    }
}
