//! A shell, or a program with a screen of its own, in an environment: with the variables of a run and under its lock. It is no run: it
//! has no result, and the record of the last run stays.

mod prompt;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};

use super::options::{RunOptions, Variables};
use super::plan::RunPlan;
use super::record::RunningEnv;
use super::slots::Slots;
use crate::environment::Trust;
use crate::git::Git;
use crate::supervise::{self, AgentCommand, Exit, Guard, Interrupts};
use prompt::Prompt;

/// What a shell takes from its process.
pub struct ShellSurroundings<'a> {
    /// The variables that execenv was started with.
    pub inherited: &'a Variables,
    /// The clock.
    pub now: &'a dyn Fn() -> DateTime<Utc>,
    /// What a record can be proved with.
    pub trust: Trust<'a>,
    /// The user's git.
    pub git: &'a Git,
    /// A person sits at a terminal.
    pub is_terminal: bool,
    /// Called when the shell has taken the signals.
    ///
    /// An error means that one has arrived before.
    pub begins: &'a dyn Fn() -> Result<()>,
}

/// Says to every program of a shell that it is in one.
const SIGN: &str = "EXECENV_SHELL";

/// Runs the program of the options, or the user's shell where they name none, in an environment that is locked for it. Returns how
/// it ended.
///
/// # Errors
/// When it cannot be started.
pub fn open_shell(
    mut env: RunningEnv,
    mut options: RunOptions,
    surroundings: &ShellSurroundings<'_>,
) -> Result<Exit> {
    let guard = Guard::begin()?;
    if let Some(dead) = env.recover_dead_run(surroundings.git, surroundings.trust, (surroundings.now)())? {
        log::warn!("the last run here died; {}", dead.words());
    }
    let is_shell = options.command.is_empty();
    if is_shell {
        options.command = vec![users_shell(surroundings.inherited)];
    }
    let slots = Slots::default();
    let plan = RunPlan::new(&options, surroundings.inherited, &env, &slots, surroundings.trust)?;
    for notice in &plan.notices {
        log::warn!("{notice}");
    }
    let interrupts = Interrupts::install().context("set up the signals")?;
    (surroundings.begins)()?;
    let root = &env.found.env;
    plan.logins.store_news(&root.tree, surroundings.trust.keys.seal(&root.key()).as_ref())?;
    let key = root.key();
    env.used((surroundings.now)())?;
    let _folder = env.found.make_temporary(&plan.run_id, &plan.temporary)?;
    let ended = (|| {
        let mut args = plan.command_args().to_vec();
        let mut variables = plan.variables.clone();
        variables.push((SIGN.into(), "1".into()));
        if is_shell && surroundings.is_terminal {
            let prompt = Prompt::of(&plan.program, &key, &variables);
            prompt.write(&plan.temporary)?;
            args.extend(prompt.args(&plan.temporary));
            variables.extend(prompt.variables(&plan.temporary));
        }
        env.found.refuse_moved()?;
        let command = AgentCommand {
            provider: plan.provider.clone(),
            program: plan.program.clone(),
            args,
            work_dir: plan.work_dir.clone(),
            env: variables,
            jail: None,
            run_id: plan.run_id.clone(),
            resume: None,
            limits: plan.limits,
            lock: env.lock_handle()?,
            slots: Vec::new(),
            log: None,
            stderr_log: None,
            times: None,
        };
        supervise::attend(guard, command, &interrupts, surroundings.is_terminal)
    })();
    env.found.forget_temporary(&plan.run_id, Some(&plan.temporary));
    let settled = plan.logins.settle(&env.found.env.tree, options.renewed_logins);
    for notice in settled.notices.iter().chain(&settled.stuck) {
        log::warn!("{notice}");
    }
    if let Err(error) = env.used((surroundings.now)()) {
        log::warn!("the use of the environment could not be recorded: {error:#}");
    }
    let attended = ended?;
    match attended.survivors_killed {
        0 => {}
        1 => log::warn!("ended 1 process that was left"),
        many => log::warn!("ended {many} processes that were left"),
    }
    Ok(attended.exit)
}

/// The shell of the user.
fn users_shell(inherited: &Variables) -> OsString {
    let named = inherited.iter().find(|(name, value)| name == "SHELL" && !value.is_empty());
    let named =
        named.map(|(_, value)| PathBuf::from(value)).filter(|path| path.is_absolute() && path.is_file());
    named.unwrap_or_else(|| Path::new("/bin/sh").to_owned()).into_os_string()
}
