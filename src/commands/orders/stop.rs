//! `execenv stop`.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use rustix::process::Signal;
use serde::Serialize;

use super::{BETWEEN_LOCKS, Given, PATIENCE, give, is_held, silent};
use crate::environment::{FoundEnv, Meta};
use crate::failure::{Code, Failure};
use crate::invocation::{Context, env_completer, one_of, parse_duration};
use crate::output::{Answer, Version, document, escape};
use crate::supervise::Order;

/// How long the end of a run may take after its agent's.
const UNTIL_FREE: Duration = Duration::from_secs(30);

/// The signals that a run can be stopped with.
const SIGNALS: [(&str, Signal); 2] = [("term", Signal::TERM), ("int", Signal::INT)];

/// End the agent of a run, and wait for the end of the run
///
/// The agent gets the signal, also if it is paused, and SIGKILL after the run's --kill-grace. The run ends as it does after
/// Ctrl-C: its result is `interrupted`, or `killed`. Where no run holds the environment, there is nothing to do: status 0.
///
/// A run that does not answer, because nothing reads what it prints, is left to end by itself; its agent is ended.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv stop \"$env\"
  execenv stop \"$env\" --kill-grace 1s
  execenv stop --all --workspace nightly")]
pub struct StopArgs {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer(), required_unless_present = "all", conflicts_with = "all")]
    pub env: Option<String>,
    /// Stop all runs in the workspaces root
    #[arg(long)]
    pub all: bool,
    /// With --all: only those of this workspace
    #[arg(long, value_name = "ID", requires = "all")]
    pub workspace: Option<String>,
    /// Signal for the agent: term or int
    #[arg(long, value_name = "SIGNAL", default_value = "term", value_parser = one_of(&SIGNALS), hide_possible_values = true)]
    pub signal: Signal,
    /// Time until SIGKILL [default: that of the run]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub kill_grace: Option<chrono::Duration>,
    /// Do not wait for the end
    #[arg(long)]
    pub no_wait: bool,
}

/// How one run was stopped.
struct Stopped {
    outcome: Outcome,
    /// The status that its run recorded.
    status: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    NotRunning,
    Asked,
    /// It did not answer, so its agent was ended.
    Ended,
    Stopped,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Outcome::NotRunning => "not_running",
            Outcome::Asked | Outcome::Ended => "asked",
            Outcome::Stopped => "stopped",
        }
    }
}

pub(crate) fn run(args: &StopArgs, context: &Context) -> Result<Answer> {
    let Some(name) = &args.env else { return stop_all(args, context) };
    let found = context.find(name)?;
    let stopped = wait(&found, ask(&found, args, context)?, args, context)?;
    Ok(Answer::new(stopped.text(), stopped.json(&found)))
}

/// Asks every run first, then waits for all: together they take as long as the slowest.
fn stop_all(args: &StopArgs, context: &Context) -> Result<Answer> {
    let mut asked = Vec::new();
    let mut failed = false;
    let mut note = |found: &FoundEnv, error: anyhow::Error| {
        log::error!("{}: {error:#}", escape(&found.env.path.display().to_string()));
        failed = true;
    };
    for found in live(args, context)? {
        match ask(&found, args, context) {
            Ok(Outcome::NotRunning) => {}
            Ok(outcome) => asked.push((found, outcome)),
            Err(error) => note(&found, error),
        }
    }
    let (mut lines, mut all) = (Vec::new(), Vec::new());
    for (found, outcome) in asked {
        match wait(&found, outcome, args, context) {
            Ok(stopped) => {
                lines.push(format!("{}\t{}", escape(&found.env.path.display().to_string()), stopped.text()));
                all.push(document(stopped.json(&found)));
            }
            Err(error) => note(&found, error),
        }
    }
    let text = if lines.is_empty() { "no runs".to_owned() } else { lines.join("\n") };
    let code = failed.then_some(Code::Incomplete);
    Ok(Answer::new(text, all).with_status(code))
}

/// The environments in the workspaces root that something holds.
fn live(args: &StopArgs, context: &Context) -> Result<Vec<FoundEnv>> {
    let Some(tree) = context.root.open()? else { return Ok(Vec::new()) };
    if let Some(name) = &args.workspace {
        context.warn_if_no_workspace(Some(&tree), name)?;
    }
    let mut live = Vec::new();
    for workspace in context.root.workspaces(&tree)? {
        for key in context.root.keys(&tree, &workspace).unwrap_or_default() {
            let path = context.root.path().join(Path::new(&workspace).join(key));
            let Ok(found) = FoundEnv::open(&path) else { continue };
            let is_wanted = args.workspace.as_ref().is_none_or(|wanted| {
                *wanted == workspace || found.meta.as_ref().is_some_and(|meta| meta.workspace_id == *wanted)
            });
            if is_wanted && is_active(&found) && is_held(&found) {
                live.push(found);
            }
        }
    }
    Ok(live)
}

fn is_active(found: &FoundEnv) -> bool {
    found.meta.as_ref().is_some_and(|meta| meta.status().is_active())
}

fn ask(found: &FoundEnv, args: &StopArgs, context: &Context) -> Result<Outcome> {
    let grace = args.kill_grace.and_then(|grace| grace.to_std().ok());
    let grace_ms = grace.map(|grace| u64::try_from(grace.as_millis()).unwrap_or(u64::MAX));
    let order = Order::Stop { signal: args.signal.as_raw(), grace_ms };
    match give(found, order, context)? {
        Given::NoRun => Ok(Outcome::NotRunning),
        Given::Replied(_) => Ok(Outcome::Asked),
        Given::Silent(run) => {
            let grace = grace.or(context.settings.kill_grace.to_std().ok()).unwrap_or_default();
            silent::stop(found, &run, args.signal, grace)?;
            Ok(Outcome::Ended)
        }
    }
}

/// Waits until the run has let go of its environment.
fn wait(found: &FoundEnv, outcome: Outcome, args: &StopArgs, context: &Context) -> Result<Stopped> {
    if outcome == Outcome::NotRunning || args.no_wait {
        return Ok(Stopped { outcome, status: None });
    }
    let grace = args.kill_grace.unwrap_or(context.settings.kill_grace).to_std().unwrap_or_default();
    let (begun, most) = match outcome {
        Outcome::Ended => (Instant::now(), PATIENCE),
        _ => (Instant::now(), grace + UNTIL_FREE),
    };
    while is_held(found) {
        let path = found.env.path.display();
        if context.is_stopped() {
            let message = format!("interrupted by a signal while the run in {path} ends");
            return Err(Failure::new(Code::Interrupted, message).into());
        }
        if begun.elapsed() >= most {
            let message =
                format!("the agent of the run in {path} has ended, but the run still holds the environment");
            return Err(Failure::new(Code::EnvBusy, message)
                .hint("it waits for whoever reads what it prints: end that program")
                .into());
        }
        std::thread::sleep(BETWEEN_LOCKS);
    }
    let meta = Meta::load(&found.env.tree).ok().flatten();
    let status = meta.map(|meta| meta.status().word());
    Ok(Stopped { outcome: Outcome::Stopped, status })
}

impl Stopped {
    fn text(&self) -> String {
        match (self.outcome, self.status) {
            (Outcome::NotRunning, _) => "no run holds it".to_owned(),
            (Outcome::Asked | Outcome::Ended, _) => "asked to end".to_owned(),
            (Outcome::Stopped, status) => format!("stopped: {}", status.unwrap_or("its record is gone")),
        }
    }

    fn json<'a>(&self, found: &'a FoundEnv) -> StopDocument<'a> {
        StopDocument {
            schema: Version,
            root_dir: &found.env.path,
            outcome: self.outcome.word(),
            status: self.status,
        }
    }
}

/// How a run was stopped.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct StopDocument<'a> {
    schema: Version,
    /// The env root.
    root_dir: &'a Path,
    /// `stopped`; `asked`: it was not waited for; or `not_running`.
    outcome: &'static str,
    /// How the run has ended, as `execenv show` has it; null where it was not waited for.
    status: Option<&'static str>,
}
