//! A run that does not answer: it hangs, mostly because something does not read what it prints. Its agent can still be signalled,
//! if the record names it beyond doubt.

use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;

use super::no_answer;
use crate::environment::{FoundEnv, RunRecord};
use crate::failure::{Code, Failure};
use crate::supervise::{RecordedAgent, Reply};

/// The agent of a run, if this machine can tell its process from any other one.
///
/// # Errors
/// 1 where it cannot.
fn agent(found: &FoundEnv, run: &RunRecord) -> Result<Option<RecordedAgent>> {
    match run.agent_here() {
        Some(agent) => Ok(agent),
        None => {
            let message = format!(
                "the run in {} does not answer, and its agent's process cannot be told from others here",
                found.env.path.display()
            );
            Err(Failure::new(Code::Failed, message)
                .hint(format!(
                    "repeat the command on the machine of the run ({}), outside of containers",
                    run.host
                ))
                .into())
        }
    }
}

/// Stops the agent where it is.
///
/// # Errors
/// Where it is gone, or cannot be told from other processes.
pub(super) fn pause(found: &FoundEnv, run: &RunRecord) -> Result<Reply> {
    match agent(found, run)? {
        Some(agent) if agent.signal(Signal::STOP) => Ok(Reply::Done),
        _ => Err(no_answer(found).into()),
    }
}

/// Ends the agent: a signal, then SIGKILL after `grace`.
///
/// # Errors
/// Where it cannot be told from other processes.
pub(super) fn stop(found: &FoundEnv, run: &RunRecord, signal: Signal, grace: Duration) -> Result<()> {
    let Some(agent) = agent(found, run)? else { return Ok(()) };
    log::warn!("the run in {} does not answer; ending its agent", found.env.path.display());
    agent.end(signal, grace);
    Ok(())
}
