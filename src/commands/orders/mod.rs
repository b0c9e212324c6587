//! What the commands share that ask something of a run in another process.

pub mod pause;
pub mod resume;
pub mod send;
mod silent;
pub mod stop;

#[cfg(test)]
pub(crate) use pause::PauseDocument;
#[cfg(test)]
pub(crate) use send::SendDocument;
#[cfg(test)]
pub(crate) use stop::StopDocument;

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;

use crate::environment::{EnvLock, FoundEnv, Held, Meta, Own, RunRecord};
use crate::failure::{Code, Failure};
use crate::invocation::{Context, env_completer};
use crate::run::Letter;
use crate::supervise::{Order, Reply};

/// How long a run may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
/// How often the lock of the environment is tried: whoever tries it holds it for a moment.
const BETWEEN_LOCKS: Duration = Duration::from_millis(100);

/// The environment whose run is meant
#[derive(Debug, Args)]
pub struct RunningEnvArgs {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
}

/// What came of an order.
#[derive(Debug)]
enum Given {
    /// The run has said what became of it.
    Replied(Reply),
    /// No run holds the environment.
    NoRun,
    /// The run has not looked at it, and it was withdrawn.
    Silent(Box<RunRecord>),
}

/// Gives an order to the run that holds an environment.
///
/// # Errors
/// 4 where another command holds it; as the system reports them.
fn give(found: &FoundEnv, order: Order, context: &Context) -> Result<Given> {
    let Some(run) = live_run(found, context)? else { return Ok(Given::NoRun) };
    let letter = match Letter::put(&found.env.tree, &run.id, order, context.now) {
        // The run may have removed the folder meanwhile, because it is over.
        Err(_) if !is_held(found) => return Ok(Given::NoRun),
        letter => letter?,
    };
    let (begun, mut locked) = (Instant::now(), Instant::now());
    loop {
        if let Some(reply) = letter.answer()? {
            return Ok(Given::Replied(reply));
        }
        if locked.elapsed() >= BETWEEN_LOCKS {
            locked = Instant::now();
            if !is_held(found) {
                let is_withdrawn = letter.withdraw()?;
                // What the run has taken it has answered before it let go of the lock.
                let reply = if is_withdrawn { None } else { letter.answer()? };
                return Ok(reply.map_or(Given::NoRun, Given::Replied));
            }
        }
        if context.is_stopped() && letter.withdraw()? {
            return Err(Failure::new(Code::Interrupted, "interrupted by a signal; nothing was asked").into());
        }
        if begun.elapsed() >= PATIENCE && letter.withdraw()? {
            return Ok(Given::Silent(Box::new(run)));
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// The run that holds an environment. One that has just begun gets a moment to record itself.
///
/// # Errors
/// 4 where what holds the environment is no run of execenv.
fn live_run(found: &FoundEnv, context: &Context) -> Result<Option<RunRecord>> {
    let begun = Instant::now();
    loop {
        if !is_held(found) {
            return Ok(None);
        }
        let own = Meta::load(&found.env.tree)?.and_then(|meta| meta.own);
        if let Some(Own { run: Some(run), .. }) = own.filter(|own| own.status.is_active()) {
            return Ok(Some(run));
        }
        if begun.elapsed() >= PATIENCE || context.is_stopped() {
            let message = format!("what holds {} is no `execenv run`", found.env.path.display());
            return Err(Failure::new(Code::EnvBusy, message)
                .hint("another command works there; wait for it to end")
                .into());
        }
        std::thread::sleep(BETWEEN_LOCKS);
    }
}

fn is_held(found: &FoundEnv) -> bool {
    matches!(EnvLock::try_acquire(&found.env.tree, false), Err(Held::ByOther | Held::Unknown(_)))
}

/// The failure for an order that needs a run.
fn no_run(found: &FoundEnv) -> Failure {
    let path = found.env.path.display();
    Failure::new(Code::NotRunning, format!("no run holds {path}"))
        .hint(format!("`execenv run {path} --resume --prompt TEXT` goes on with its last session"))
}

/// The failure for a run that is ending.
fn too_late(found: &FoundEnv) -> Failure {
    let path = found.env.path.display();
    Failure::new(Code::NotRunning, format!("the run in {path} is ending: its agent takes nothing more"))
        .hint(format!("`execenv run {path} --resume --prompt TEXT` goes on with its session"))
}

/// The failure for a run that does not answer.
fn no_answer(found: &FoundEnv) -> Failure {
    let message = format!("the run in {} does not answer; nothing was asked of it", found.env.path.display());
    Failure::new(Code::NoAnswer, message)
        .hint("something may not read what it prints; `execenv stop` ends its agent also then")
}
