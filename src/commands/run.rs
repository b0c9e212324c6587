//! `execenv run`.

use std::cell::Cell;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use chrono::Duration;
use clap::Args;

use super::dead_run::recover_first;
use super::identity::IdentityArgs;
use super::on_success::OnSuccessArgs;
use super::own_env::{OwnEnvArgs, left};
use super::slots::SlotArgs;
use super::task_input::on_or_off;
use super::variables::VariableArgs;
use crate::brief::Role;
use crate::environment::{EnvRoot, FailedStart, FoundEnv, LockedEnv, Meta, Own, RenewedLogins, Trust};
use crate::failure::{BeforeAgent, Code, Failure};
use crate::invocation::{
    Context, UserInput, WaitArgs, describe_setting, env_completer, one_of, parse_duration, parse_size,
};
use crate::output::{Printer, is_broken_pipe};
use crate::protocol::Permission;
use crate::run::{
    CleanupAfter, HeartbeatMode, Heartbeats, Keep, MOST_ITERATIONS, Once, Resume, RunOptions, RunningEnv,
    SandboxKind, SandboxRequest, Slots, Surroundings, execute, repeat,
};
use crate::supervise::LEAST_LOG;
use crate::supervise::redact::redact;

/// Run the agent, or any program, in an environment and wait for it
///
/// Exit status: the agent's own; 124 for a limit of time; 128+N for death by signal N; 126 or 127 for a program that cannot
/// be started or found; 125 for a failure of execenv itself. The agent's output is kept in logs/agent.ndjson and
/// logs/agent.stderr.log, the result in output/result.json. When the run ends, all processes of the agent are ended.
///
/// With --new or --task, `run` prepares the environment itself and takes the options of `prepare`. If the agent cannot be
/// started, its exit status is that of `prepare`, and with --new nothing is left behind.
///
/// With --on-success the work is published when the agent has completed. Where that fails, the run fails with status 1 and the reason
/// publish_failed; the work stays, and `execenv publish` repeats it.
///
/// A run that reaches --max-cost, --max-tokens or --max-turns fails with the reason cost_limit, token_limit or
/// iteration_limit. A bound on something that the agent does not say is refused (status 2).
///
/// With --autonomous the first prompt explains a block, `<COMPLETION_GATE>`, by which the agent says at the end of each turn whether it is
/// done. Until it is, it is asked to go on. Three turns in a row that change nothing, five that name the same obstacle, or
/// --max-iterations end the run with status 1 (reasons circuit_breaker, iteration_limit); the session is kept, and `--resume
/// --autonomous` goes on counting. --timeout, --max-cost and --max-tokens are those of all turns together, --idle-timeout and
/// --max-turns of each.
///
/// With --once, a task whose last run completed is not run again: engines such as Slurm or Kubernetes may start a job twice. The result of that
/// run is printed as at its end, and --cleanup-after does what it would have done. The id of the task counts, not the text of its document. The task
/// runs again when its environment is gone (`gc`, `cleanup --all`) or was refreshed (`reuse`).
///
/// With --sandbox the agent reads what you can read, but no other environment, no key, token or login of yours, no socket by which a
/// program leaves a sandbox, and nothing of the environment's record. It writes in its work dir, its homes, its folder for temporary
/// files, the folders of its CLI's conversations, and, in a worktree, what `git commit` needs; in a folder of yours not in `.git`. Variables
/// whose names sound like secrets stay outside, unless --env, --env-file or the task gives them, or they are the login of the agent's
/// CLI. All its processes end with the run. What cannot be built ends the run with status 125 before anything is started; `execenv
/// doctor` says what works here. `bwrap` needs bubblewrap and user namespaces. `landlock` needs Linux 6.12 and no program; with it, folders
/// that lead to something hidden cannot be listed, there are no Unix sockets with a path, no terminals and no /tmp but TMPDIR, a folder of
/// yours with a `.git` in it is refused, and --sandbox-net off needs a user namespace. The sandbox of Codex works in `bwrap` if you are not
/// root; else prepare with --codex-sandbox danger-full-access. Gemini needs --mcp-config in `landlock`.
///
/// A task document's `auth_token` is never kept or passed on: give it to the agent's platform CLI as a variable, such as
/// MULTICA_TOKEN, with --env-file.
#[derive(Debug, Args)]
#[command(mut_args(describe_setting))]
#[command(after_help = "Examples:
  execenv run \"$env\" --prompt 'fix the failing test'
  execenv run \"$env\" --resume --prompt 'and now the docs'
  execenv run \"$env\" --heartbeat 5m --prompt 'port the parser'
  execenv run \"$env\" --autonomous --max-cost 5 --prompt 'make all tests pass'
  execenv run \"$env\" --on-success merge --into main --prompt 'fix the failing test'
  execenv run \"$env\" --timeout 30m -o json | jq -r 'select(.type==\"result\").text'
  execenv run \"$env\" -- make test
  execenv run --new --provider codex --local-dir . --prompt 'fix the failing test'
  execenv run --task task.json
  execenv run --task tasks.jsonl --line 7 --once --wait 3m --resume --cleanup-after=completed")]
pub struct RunArgs {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer(), required_unless_present_any = ["new", "task"], conflicts_with = "task")]
    pub env: Option<String>,
    /// Run this program instead of the provider's agent: one in PATH, or a path, which is looked for in the work dir, where it runs. It
    /// reads the prompt, if there is one, from its standard input
    #[arg(last = true, value_name = "PROGRAM", num_args = 0..)]
    pub command: Vec<OsString>,
    /// The prompt [default: composed from the task document]
    #[arg(long, value_name = "TEXT", conflicts_with = "prompt_file")]
    pub prompt: Option<String>,
    /// Read the prompt from this file; `-` is standard input
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub prompt_file: Option<PathBuf>,
    /// Resume the environment's last session, or the named one
    #[arg(long, value_name = "SESSION", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub resume: Option<String>,
    /// With --resume: the record of the earlier conversation (any text), which the agent is given if its session cannot be resumed
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, requires = "resume")]
    pub history: Option<PathBuf>,
    /// Part of the agent in a larger task, which its system prompt explains: subtask, orchestrator or supervisor
    #[arg(long, value_name = "ROLE", value_parser = one_of(&Role::WORDS), hide_possible_values = true)]
    pub role: Option<Role>,
    /// How to talk to the agent, where its CLI has several ways: stream-json, acp, app-server, exec, …
    #[arg(long, value_name = "NAME")]
    pub dialect: Option<String>,
    /// What to answer an agent that asks for a permission: allow or deny
    #[arg(long, value_name = "ANSWER", default_value = "allow", value_parser = one_of(&Permission::WORDS), hide_possible_values = true)]
    pub permission: Permission,
    /// The model for the agent to use
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// End the run when the agent has cost this many US dollars
    #[arg(long, value_name = "USD", value_parser = parse_price)]
    pub max_cost: Option<f64>,
    /// End the run when the agent has used this many tokens, those from the cache included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_tokens: Option<u64>,
    /// End the run after this many turns of the model
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_turns: Option<u32>,
    /// Limit each log of the agent's output to this size, 64K or more: beyond it the beginning and the end stay
    #[arg(long, value_name = "SIZE", value_parser = parse_log_size)]
    pub max_log: Option<u64>,
    /// Limit the memory of each process of the agent to this size, 32M or more
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    pub max_memory: Option<u64>,
    /// Add the text of this file to the agent's system prompt
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub system_prompt_file: Option<PathBuf>,
    /// What shuts the agent in: none, bwrap or landlock. It then writes only in its work dir, its homes and its folder for temporary
    /// files, and sees no other environment, key or login of yours; status 125 if that cannot be done here
    #[arg(long, value_name = "none|bwrap|landlock", value_parser = one_of(&SandboxKind::WORDS), hide_possible_values = true)]
    pub sandbox: Option<SandboxKind>,
    /// Whether an agent in a sandbox has a network: on or off
    #[arg(long, value_name = "on|off", value_parser = on_or_off(), hide_possible_values = true)]
    pub sandbox_net: Option<bool>,
    /// Variables.
    #[command(flatten)]
    pub variables: VariableArgs,
    /// Use this executable as the agent; a relative path is looked for where you are
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::ExecutablePath)]
    pub agent_bin: Option<PathBuf>,
    /// Pass this argument to the agent's program; may be repeated
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub agent_arg: Vec<OsString>,
    /// End the run after this time; 0: no limit
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// End the run when the agent prints nothing for this long and no tool runs; 0: no limit, as for a PROGRAM
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub idle_timeout: Option<Duration>,
    /// Time between SIGTERM and SIGKILL
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub kill_grace: Option<Duration>,
    /// If the agent asks for a login, begin one by its CLI, print the address to open, and wait 10 minutes for `execenv send
    /// ENV --auth-code CODE`; then the agent is started again (Claude Code)
    #[arg(long)]
    pub auth_login: bool,
    /// Let the agent go on by itself, turn after turn in one session, until it says that it is done
    #[arg(long)]
    pub autonomous: bool,
    /// With --autonomous: the most turns, 50 or less
    #[arg(long, value_name = "N", default_value = "10", requires = "autonomous", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_ITERATIONS)))]
    pub max_iterations: u32,
    /// Save the work this often as a commit beside the branch, and once more when the agent has ended; 0: not at all
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub heartbeat: Option<Duration>,
    /// Push heartbeats to the remote `origin`, too, each run to a ref of its own, refs/execenv/KEY/wip-RUN
    #[arg(long, requires = "heartbeat")]
    pub checkpoint_push: bool,
    /// Where heartbeats go: ref (beside the branch), or branch (on it, but beside it during a merge or a rebase)
    #[arg(long, value_name = "MODE", default_value = "ref", value_parser = one_of(&HeartbeatMode::WORDS), hide_possible_values = true, requires = "heartbeat")]
    pub heartbeat_mode: HeartbeatMode,
    /// The work, when the agent has completed.
    #[command(flatten)]
    pub on_success: OnSuccessArgs,
    /// End the run when this file appears
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::FilePath)]
    pub cancel_file: Option<PathBuf>,
    /// Clean up the environment after the run: `always`, however it ends (the same without a value), or `completed`, only if it completed
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "always", value_parser = one_of(&Keep::CLEANUP_AFTER_WORDS), hide_possible_values = true)]
    pub cleanup_after: Option<Keep>,
    /// If the last run of the task completed, print its result and end with status 0, in place of running it again
    #[arg(long, conflicts_with = "new")]
    pub once: bool,
    /// If the agent renews a login of yours in its home, write the new login into your own file: only if it is newer and
    /// of the same form. An agent that you do not trust can write a login of its own there
    #[arg(long)]
    pub keep_login: bool,
    /// With --new or --task, let the agent work in this folder of yours; else you say that the environment works in it, where nothing else proves it
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub local_dir: Option<PathBuf>,
    /// How many runs may be on.
    #[command(flatten)]
    pub slots: SlotArgs,
    /// The name in commits.
    #[command(flatten)]
    pub identity: IdentityArgs,
    /// The wait.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// An environment that is made for the run.
    #[command(flatten)]
    pub own: OwnEnvArgs,
}

impl RunArgs {
    /// Reads every input that the options name.
    fn options(&self, context: &Context) -> Result<RunOptions> {
        let settings = &context.settings;
        let read = |input, path: &Option<PathBuf>| {
            path.as_ref().map(|path| context.read_text(input, path)).transpose()
        };
        let prompt = match &self.prompt {
            Some(text) => Some(text.clone()),
            None => read(UserInput::PROMPT, &self.prompt_file)?,
        };
        let idle_timeout = match self.idle_timeout {
            // A program that is no agent may be as silent as it likes.
            None if !self.command.is_empty() => None,
            given => limit(given.unwrap_or(settings.idle_timeout)),
        };
        let absolute = |path: &PathBuf| context.absolute(path);
        let agent_bin = self.agent_bin.as_ref().map(|path| match path.components().count() {
            0 | 1 => Ok(path.clone()), // a name, to be found in PATH
            _ => absolute(path),
        });
        let agent_bin = agent_bin.transpose()?;
        Ok(RunOptions {
            env: self.env.clone().unwrap_or_else(|| self.own.words().to_owned()),
            command: self.command.clone(),
            prompt,
            resume: self.resume.as_ref().map(|session| match session.as_str() {
                "" if self.own.task.task.is_some() => Resume::LastIfBegun,
                "" => Resume::Last,
                id => Resume::Named(id.to_owned()),
            }),
            history: read(UserInput::HISTORY, &self.history)?,
            role: self.role,
            dialect: self.dialect.clone(),
            permission: self.permission,
            model: self.model.clone(),
            max_turns: self.max_turns,
            max_cost: self.max_cost,
            max_tokens: self.max_tokens,
            max_log: self.max_log,
            max_memory: self.max_memory,
            system_prompt: read(UserInput::SYSTEM_PROMPT, &self.system_prompt_file)?,
            variables: self.variables.read(context)?,
            clear_env: self.variables.clear_env,
            git_identity: self.identity.read(context)?,
            agent_bin,
            agent_args: self.agent_arg.clone(),
            timeout: limit(self.timeout.unwrap_or(settings.timeout)),
            idle_timeout,
            kill_grace: self.kill_grace.unwrap_or(settings.kill_grace).to_std().unwrap_or_default(),
            renewed_logins: RenewedLogins::of(self.keep_login),
            auth_login: self.auth_login,
            autonomous: self.autonomous.then_some(self.max_iterations),
            heartbeats: limit(self.heartbeat.unwrap_or_default()).map(|every| Heartbeats {
                every,
                mode: self.heartbeat_mode,
                push: self.checkpoint_push,
            }),
            on_success: self.on_success.read(context)?,
            cancel_file: self.cancel_file.as_ref().map(absolute).transpose()?,
            sandbox: SandboxRequest {
                kind: self.sandbox.unwrap_or(settings.sandbox),
                has_network: self.sandbox_net.unwrap_or(settings.sandbox_net),
                home: settings.home.clone(),
                other_roots: context.other_roots(),
                key_file: settings.key_file.clone(),
                trusted_file: settings.trusted_file.clone(),
            },
            cleanup_after: self.keep().map(|keep| CleanupAfter {
                keep,
                root: context.root.clone(),
                git: context.git().until(Arc::clone(&context.stop)),
                stop: Arc::clone(&context.stop),
            }),
        })
    }

    /// When the environment stays; `None`: nothing is cleaned up.
    fn keep(&self) -> Option<Keep> {
        if self.own.new { Some(self.own.keep.unwrap_or_default()) } else { self.cleanup_after }
    }
}

fn parse_price(text: &str) -> Result<f64, String> {
    let price = Some(text.strip_prefix('$').unwrap_or(text))
        .filter(|text| text.starts_with(|c: char| c.is_ascii_digit() || c == '.'));
    let price =
        price.and_then(|text| text.parse::<f64>().ok()).filter(|price| price.is_finite() && *price > 0.0);
    price.ok_or_else(|| format!("`{}` is not a price; write `2.50`", text.escape_debug()))
}

fn parse_log_size(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        size if size < LEAST_LOG => Err(format!("a log of less than {} KiB is of no use", LEAST_LOG >> 10)),
        size => Ok(size),
    }
}

fn parse_memory(text: &str) -> Result<u64, String> {
    const LEAST: u64 = 32 << 20;
    match parse_size(text)? {
        size if size < LEAST => Err(format!("no agent starts in less than {} MiB", LEAST >> 20)),
        size => Ok(size),
    }
}

pub(crate) fn run(args: &RunArgs, context: &Context) -> Result<u8> {
    args.own.refuse_idle()?;
    let found = args.env.as_deref().map(|env| context.find(env)).transpose()?;
    let before = found.as_ref().map(Before::of);
    let ended = attempt(args, found, context);
    if let (Err(error), Some(before)) = (&ended, before) {
        before.note(error, context);
    }
    ended
}

/// An environment before a run, to note there that the agent did not start.
struct Before {
    path: PathBuf,
    seq: u64,
}

impl Before {
    fn of(found: &FoundEnv) -> Before {
        let own = found.meta.as_ref().and_then(|meta| meta.own.as_ref());
        Before { path: found.env.path.clone(), seq: own.map_or(0, Own::last_seq) }
    }

    /// Leaves a trace of a failure before the start: nothing else in the environment tells of it. What says that another process is at
    /// work, that the environment is gone, or that a person has stopped it, is none; nor is a wrong option, which is corrected and typed
    /// again.
    fn note(&self, error: &anyhow::Error, context: &Context) {
        let code = Failure::code_of(error);
        if matches!(code.status(), 3 | 4 | 130) || code == Code::Usage || is_broken_pipe(error) {
            return;
        }
        let message =
            Failure::find(error).map_or_else(|| format!("{error:#}"), |failure| failure.message.clone());
        if let Ok(env) = EnvRoot::open(&self.path) {
            let start = FailedStart::new(context.time(), code.word(), &redact(&message));
            Meta::note_failed_start(&env.tree, start, self.seq);
        }
    }
}

fn attempt(args: &RunArgs, mut found: Option<FoundEnv>, context: &Context) -> Result<u8> {
    let options = args.options(context)?;
    let local_dir = args.local_dir.as_ref().map(|dir| context.absolute(dir)).transpose()?;
    let local_dir = local_dir.as_deref();
    let trust = context.trust(local_dir);
    let Some(name) = &args.env else {
        let held = args
            .own
            .hold(
                local_dir,
                RenewedLogins::of(args.keep_login),
                options.git_identity.clone(),
                args.wait,
                args.once,
                context,
            )
            .map_err(BeforeAgent::mark)?;
        let (env, prepared) = match held {
            Once::Todo(held) => held.into_parts(),
            Once::Done(env) => return repeated(env, &options, trust, context),
        };
        let trust = context.trust(local_dir.filter(|_| prepared.meta.local_directory));
        let before = Before::of(&env.found);
        let has_started = Cell::new(false);
        let ended = start(args, env, &options, &has_started, trust, context);
        return match ended {
            Err(error) if !has_started.get() => {
                before.note(&error, context);
                if args.own.new && args.own.keep != Some(Keep::Always) {
                    left(&prepared, context);
                }
                // A reader that has gone ended the run.
                Err(if is_broken_pipe(&error) { error } else { BeforeAgent::mark(error) })
            }
            ended => ended,
        };
    };
    // The first process of a container does not die of a signal that it does not handle.
    context.defer_signals()?;
    // After a wait the environment may be another one, or gone.
    let env = args.wait.begin().while_busy(context, || {
        let found = found.take().map_or_else(|| context.find(name), Ok)?;
        let found = if args.once { recover_first(found, context)? } else { found };
        let found = LockedEnv::acquire(found)?;
        if args.once && found.has_completed() {
            return Ok(Once::Done(found));
        }
        RunningEnv::of(found, &context.other_roots(), trust).map(Once::Todo)
    })?;
    match env {
        Once::Todo(env) => start(args, env, &options, &Cell::new(false), trust, context),
        Once::Done(env) => repeated(env, &options, trust, context),
    }
}

/// Runs the agent.
fn start(
    args: &RunArgs,
    env: RunningEnv,
    options: &RunOptions,
    has_started: &Cell<bool>,
    trust: Trust<'_>,
    context: &Context,
) -> Result<u8> {
    let slots = &args.slots.take(args.role, context)?;
    let whole = |surroundings: &Surroundings<'_>, printer: &mut Printer<'_>| {
        execute(env, options, surroundings, printer)
    };
    within(slots, has_started, trust, context, whole)
}

/// Gives the result of a task that is done.
fn repeated(env: LockedEnv, options: &RunOptions, trust: Trust<'_>, context: &Context) -> Result<u8> {
    let whole = |surroundings: &Surroundings<'_>, printer: &mut Printer<'_>| {
        repeat(env, options, surroundings, printer)
    };
    within(&Slots::default(), &Cell::new(false), trust, context, whole)
}

/// Calls `run` with what it takes from this process.
fn within(
    slots: &Slots,
    has_started: &Cell<bool>,
    trust: Trust<'_>,
    context: &Context,
    run: impl FnOnce(&Surroundings<'_>, &mut Printer<'_>) -> Result<u8>,
) -> Result<u8> {
    let now = || context.time();
    let begins = || match context.hand_over_signals() {
        true => {
            Err(Failure::new(Code::Interrupted, "interrupted by a signal before the agent started").into())
        }
        false => Ok(()),
    };
    let inherited = &context.settings.inherited;
    let ends = || context.take_signals_back();
    let git = &context.git();
    let (begins, ends, signal) = (&begins, &ends, &|| context.signal());
    let surroundings =
        Surroundings { inherited, now: &now, trust, git, slots, begins, ends, signal, has_started };
    run(&surroundings, &mut Printer::new(context.settings.output, &|| Some(now())))
}

/// A limit of time; zero is none.
fn limit(duration: Duration) -> Option<std::time::Duration> {
    duration.to_std().ok().filter(|limit| !limit.is_zero())
}
