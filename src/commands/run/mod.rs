//! `execenv run`.

mod codex;
mod launch;
mod result;
mod run_log;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration as StdDuration;

use anyhow::{Context as _, Result};
use chrono::Duration;
use clap::Args;

use self::launch::Plan;
use self::run_log::RunLog;
use crate::environment::{
    CleanupOptions, Outcome, cleanup, forget_temporary, make_temporary, replaced_logins,
};
use crate::failure::{Code, Failure};
use crate::invocation::{Context, describe_setting, env_completer, parse_duration};
use crate::output::Printer;
use crate::run::RunningEnv;
use crate::supervise::{self, AgentCommand, Interrupts, RunOutcome};
use crate::sys::clock;

/// Run the provider's agent, or any program, in an environment and wait for it
///
/// Exits with the agent's result: its own status, 124 when it ran out of time, 128+N when it died of signal N, 126
/// or 127 when its program could not be started or found, 125 when execenv itself failed. What the agent printed is in
/// logs/ (agent.ndjson, agent.stderr.log), the result in output/result.json. No process of the agent outlives the run.
#[derive(Debug, Args)]
#[command(mut_args(describe_setting))]
#[command(after_help = "Examples:
  execenv run \"$env\" --prompt 'fix the failing test'
  execenv run \"$env\" --resume --prompt 'and now the docs'
  execenv run \"$env\" --timeout 30m -o json | jq -r 'select(.type==\"result\").text'
  execenv run \"$env\" -- make test")]
pub struct RunArgs {
    /// The environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
    /// Any program instead of the provider's agent, with its arguments; its standard input is the prompt, if one is given
    #[arg(last = true, value_name = "PROGRAM", num_args = 0..)]
    pub command: Vec<OsString>,
    /// What the agent is asked to do [default: composed from the task document]
    #[arg(long, value_name = "TEXT", conflicts_with = "prompt_file")]
    pub prompt: Option<String>,
    /// A file with the prompt; `-` reads standard input
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub prompt_file: Option<PathBuf>,
    /// Go on with the environment's last session, or with the one named
    #[arg(long, value_name = "SESSION", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub resume: Option<String>,
    /// The model
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// The most turns the agent may take
    #[arg(long, value_name = "N")]
    pub max_turns: Option<u32>,
    /// A file whose text is added to the agent's system prompt
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub system_prompt_file: Option<PathBuf>,
    /// A variable for the agent; may be given more than once
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub env_vars: Vec<String>,
    /// A file of NAME=VALUE lines for the agent
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub env_file: Option<PathBuf>,
    /// Pass on no variables but PATH, HOME, USER, SHELL, TERM, LANG and the like
    #[arg(long)]
    pub clear_env: bool,
    /// The agent's program
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::ExecutablePath)]
    pub agent_bin: Option<PathBuf>,
    /// One more argument for the agent's program
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
    /// End the run when this file appears
    #[arg(long, value_name = "PATH", value_hint = clap::ValueHint::FilePath)]
    pub cancel_file: Option<PathBuf>,
    /// Clean the environment up when the run has ended, however it ends
    #[arg(long)]
    pub cleanup_after: bool,
}

pub(crate) fn run(args: &RunArgs, context: &Context) -> Result<u8> {
    let mut env = RunningEnv::acquire(context.find(&args.env)?)?;
    let ended = begin(args, context, &mut env);
    let found = env.release();
    // What was mistyped is typed again: that was no run yet.
    let is_run = !matches!(&ended, Err(error) if Failure::code_of(error) == Code::Usage);
    let tidied = if args.cleanup_after && is_run { tidy(context, &found) } else { Ok(()) };
    match (ended, tidied) {
        (Ok(0), Err(error)) => Err(error),
        (ended, Err(error)) => {
            // The agent's own end says more than ours.
            log::error!("{error:#}");
            ended
        }
        (ended, Ok(())) => ended,
    }
}

fn begin(args: &RunArgs, context: &Context, env: &mut RunningEnv) -> Result<u8> {
    let plan = Plan::make(args, context, env)?;
    // Until here a signal ends us as it ends anybody; from the first change on our own code decides when to stop.
    let interrupts = Interrupts::install().context("set up the signals")?;
    let mut printer = Printer::new(context.settings.output);
    let mut run_log = RunLog::open(&env.found.env.tree)?;
    let mut notices = Vec::new();
    if let Some(run) = env.died.take() {
        let killed = supervise::end_leftovers(&run.id);
        forget_temporary(&env.found.env.tree, &run.id, run.temporary.as_deref());
        notices
            .push(format!("the last run here died; {killed} of its processes were still there and are gone"));
    }
    for notice in notices.iter().chain(&plan.notices) {
        printer.notice(notice)?;
        run_log.notice(notice, now(context));
    }
    watch(&plan, context, env, &interrupts, &mut printer, &mut run_log)
}

fn watch(
    plan: &Plan,
    context: &Context,
    env: &mut RunningEnv,
    interrupts: &Interrupts,
    printer: &mut Printer,
    run_log: &mut RunLog,
) -> Result<u8> {
    env.starting(&plan.run_id, &plan.temporary, std::process::id(), now(context))?;
    let outcome = make_temporary(&env.found.env.tree, &plan.temporary)
        .and_then(|()| attempts(plan, context, env, interrupts, printer, run_log));
    forget_temporary(&env.found.env.tree, &plan.run_id, Some(&plan.temporary));
    for notice in replaced_logins(&env.found.env.tree, &plan.logins) {
        run_log.notice(&notice, now(context));
        let _ = printer.notice(&notice); // a reader that has gone is no reason to forget the end of the run
    }
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            let (record, document) = result::not_started(&error, now(context));
            let failed = crate::environment::Status::Failed;
            let bytes = document.to_string().into_bytes();
            if let Err(second) = env.ended(failed, record, None, &bytes, now(context)) {
                log::warn!("the end of the run could not be recorded: {second:#}");
            }
            run_log.ended(&document, now(context));
            let _ = printer.result(&document);
            return Err(error);
        }
    };
    let status = supervise::exit_status(&outcome);
    let (recorded, record, document) = result::of(&outcome, status, now(context));
    let stored =
        env.ended(recorded, record, outcome.poisoned.clone(), document.to_string().as_bytes(), now(context));
    run_log.ended(&document, now(context));
    // A reader that has gone has ended the run already; its status tells that.
    let printed = printer.end(&document, &outcome);
    stored?;
    match printed {
        Err(error) if !crate::output::is_broken_pipe(&error) => Err(error),
        _ => Ok(status),
    }
}

/// Starts the agent, and once more with a new session where it refuses the old one.
fn attempts(
    plan: &Plan,
    context: &Context,
    env: &mut RunningEnv,
    interrupts: &Interrupts,
    printer: &mut Printer,
    run_log: &mut RunLog,
) -> Result<RunOutcome> {
    let launch = plan.launch(env, plan.resume.as_deref())?;
    run_log.started(&launch, now(context));
    let outcome = attempt(launch, context, env, interrupts, printer)?;
    if plan.resume.is_none() || !outcome.resume_refused || outcome.tool_calls > 0 {
        return Ok(outcome);
    }
    let notice = "the agent cannot go on with its session; it starts a new one";
    printer.notice(notice)?;
    run_log.notice(notice, now(context));
    env.forget_session()?;
    let launch = plan.launch(env, None)?;
    run_log.started(&launch, now(context));
    attempt(launch, context, env, interrupts, printer)
}

/// One start of the agent.
fn attempt(
    launch: AgentCommand,
    context: &Context,
    env: &mut RunningEnv,
    interrupts: &Interrupts,
    printer: &mut Printer,
) -> Result<RunOutcome> {
    let cell = std::cell::RefCell::new(env);
    let mut last_session = String::new();
    supervise::run(
        launch,
        interrupts,
        &mut |event| {
            if let crate::protocol::Event::Session { session_id, .. } = &event
                && *session_id != last_session
            {
                (*session_id).clone_into(&mut last_session);
                let recorded = cell.borrow_mut().session(session_id, now(context));
                if let Err(error) = recorded {
                    log::warn!("the session could not be recorded: {error:#}");
                }
            }
            printer.event(&event)
        },
        &mut |started| cell.borrow_mut().running(started.pid.unsigned_abs()),
    )
}

/// The clock at this moment: a run is long.
fn now(context: &Context) -> chrono::DateTime<chrono::Utc> {
    clock::now(context.settings.variable("EXECENV_TEST_NOW"))
}

fn tidy(context: &Context, found: &crate::environment::Found) -> Result<()> {
    let report = cleanup(&context.root, found, CleanupOptions::default(), &context.git(), context.now)?;
    for kept in &report.kept {
        log::warn!("kept {}: {}", kept.path.display(), kept.why);
    }
    if matches!(report.outcome, Outcome::Removed | Outcome::Trashed) && report.errors.is_empty() {
        return Ok(());
    }
    let why = report.errors.first().or_else(|| Some(&report.kept.first()?.why));
    let why = why.map_or("it could not go", |why| why);
    Err(Failure::new(Code::RunFailed, format!("the clean-up after the run: {why}"))
        .hint(format!("mend the cause, then `execenv cleanup {}`", found.env.path.display()))
        .into())
}

/// The guard's entry: `execenv __guard RUN_ID GRACE_MS`, started by a run and typed by nobody.
pub(crate) fn guard(arguments: &[OsString]) -> Option<u8> {
    let [_, word, run_id, grace] = arguments else { return None };
    if word != launch::GUARD_WORD {
        return None;
    }
    supervise::guard::main(run_id.to_str()?, grace.to_str()?.parse().ok()?);
    Some(0)
}

/// A limit of time; zero is none.
fn limit(duration: Duration) -> Option<StdDuration> {
    duration.to_std().ok().filter(|limit| !limit.is_zero())
}
