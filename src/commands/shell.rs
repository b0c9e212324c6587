//! `execenv shell`.

use std::ffi::OsString;
use std::io::IsTerminal as _;

use anyhow::Result;
use clap::Args;

use super::variables::VariableArgs;
use crate::environment::{LockedEnv, RenewedLogins};
use crate::exit;
use crate::failure::{Code, Failure};
use crate::invocation::{Context, WaitArgs, env_completer};
use crate::protocol::Permission;
use crate::run::{RunOptions, RunningEnv, SandboxKind, SandboxRequest, ShellSurroundings, open_shell};
use crate::sys::clock;

/// Open a shell in the work dir of an environment, with the variables that a run would give
///
/// Starts your shell (SHELL, else /bin/sh), or COMMAND, such as an agent with a screen of its own, on your terminal. It has the
/// variables of a run (EXECENV_*, the homes of the agent, the settings for git) and EXECENV_SHELL=1; bash, zsh, fish and sh show
/// `(execenv KEY)` in front of the prompt. Without a terminal, the shell reads its commands from standard input.
///
/// As long as it is open, it holds the environment as a run does: no run, `reuse`, `cleanup` or `gc` works there. When it ends, all
/// processes that it has left are ended, also those in the background. It is no run: the last result stays, and nothing is logged.
///
/// Exit status: the shell's own; 128+N for death by signal N; 126 or 127 for a program that cannot be started or found; 125 for a
/// failure of execenv itself.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv shell 3f9c
  execenv shell 3f9c -- claude
  echo 'git status' | execenv shell 3f9c")]
pub struct ShellArgs {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
    /// Run this program instead of your shell: one in PATH, or a path, which is looked for in the work dir, where it runs
    #[arg(last = true, value_name = "COMMAND", num_args = 0..)]
    pub command: Vec<OsString>,
    /// Variables.
    #[command(flatten)]
    pub variables: VariableArgs,
    /// The wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

impl ShellArgs {
    fn options(&self, context: &Context) -> Result<RunOptions> {
        let settings = &context.settings;
        Ok(RunOptions {
            env: self.env.clone(),
            command: self.command.clone(),
            prompt: None,
            resume: None,
            history: None,
            role: None,
            dialect: None,
            permission: Permission::Allow,
            model: None,
            max_turns: None,
            max_cost: None,
            max_tokens: None,
            max_log: None,
            max_memory: None,
            system_prompt: None,
            variables: self.variables.read(context)?,
            clear_env: self.variables.clear_env,
            git_identity: None,
            agent_bin: None,
            agent_args: Vec::new(),
            timeout: None,
            idle_timeout: None,
            kill_grace: settings.kill_grace.to_std().unwrap_or_default(),
            renewed_logins: RenewedLogins::Dropped,
            auth_login: false,
            autonomous: None,
            heartbeats: None,
            on_success: None,
            cancel_file: None,
            sandbox: SandboxRequest {
                kind: SandboxKind::None,
                has_network: true,
                home: settings.home.clone(),
                other_roots: Vec::new(),
                key_file: settings.key_file.clone(),
                trusted_file: settings.trusted_file.clone(),
            },
            cleanup_after: None,
        })
    }
}

pub(crate) fn run(args: &ShellArgs, context: &Context) -> Result<u8> {
    let mut found = Some(context.find(&args.env)?);
    let options = args.options(context)?;
    let trust = context.trust(None);
    context.defer_signals()?;
    // After a wait the environment may be another one, or gone.
    let env = args.wait.begin().while_busy(context, || {
        let found = found.take().map_or_else(|| context.find(&args.env), Ok)?;
        RunningEnv::of(LockedEnv::acquire(found)?, &context.other_roots(), trust)
    })?;
    let fixed = context.settings.variable("EXECENV_TEST_NOW");
    let now = || clock::now(fixed);
    let begins = || match context.hand_over_signals() {
        true => {
            Err(Failure::new(Code::Interrupted, "interrupted by a signal before the shell started").into())
        }
        false => Ok(()),
    };
    let git = &context.git();
    let is_terminal = std::io::stdin().is_terminal();
    let inherited = &context.settings.inherited;
    let surroundings = ShellSurroundings { inherited, now: &now, trust, git, is_terminal, begins: &begins };
    open_shell(env, options, &surroundings).map(exit::of_program)
}
