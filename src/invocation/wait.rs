//! Waiting for an environment or a folder that another process uses.

use std::time::Instant;

use anyhow::Result;
use chrono::Duration;
use clap::Args;

use super::context::Context;
use super::duration::{parse_duration, show_duration};
use crate::failure::{Code, Failure};

/// How often a busy lock is tried.
const BETWEEN_TRIES: std::time::Duration = std::time::Duration::from_millis(100);

/// The option of the commands that need an environment for themselves
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct WaitArgs {
    /// If another process uses the environment or the folder, wait this long for it before the command ends with status 4
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub wait: Option<Duration>,
}

/// A wait that has begun with the command. Everything that the command waits for counts.
#[derive(Debug)]
pub(crate) struct Patience {
    begun: Instant,
    limit: Duration,
    is_reported: bool,
}

impl WaitArgs {
    /// Begins to count.
    pub(crate) fn begin(&self) -> Patience {
        let limit = self.wait.unwrap_or(Duration::zero());
        Patience { begun: Instant::now(), limit, is_reported: false }
    }
}

impl Patience {
    /// Tries until `busy` finds no reason in the outcome to wait, the time is up, or a signal has arrived. Reports once
    /// what it waits for.
    pub(crate) fn until_free<T>(
        &mut self,
        context: &Context,
        mut attempt: impl FnMut() -> T,
        busy: impl Fn(&T) -> Option<String>,
    ) -> T {
        loop {
            let outcome = attempt();
            let Some(why) = busy(&outcome) else { return outcome };
            let left = self.limit.to_std().unwrap_or_default().saturating_sub(self.begun.elapsed());
            if left.is_zero() || context.is_stopped() {
                return outcome;
            }
            if !std::mem::replace(&mut self.is_reported, true) {
                log::warn!("waiting for at most {}: {why}", show_duration(self.limit));
            }
            std::thread::sleep(left.min(BETWEEN_TRIES));
        }
    }

    /// The same for a command that fails when something is in use. A signal ends the wait.
    ///
    /// # Errors
    /// Those of the last attempt; [`Code::Interrupted`].
    pub(crate) fn while_busy<T>(
        &mut self,
        context: &Context,
        attempt: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let busy = |outcome: &Result<T>| {
            let failure = outcome.as_ref().err().and_then(Failure::find)?;
            (failure.code.status() == Code::EnvBusy.status()).then(|| failure.message.clone())
        };
        let outcome = self.until_free(context, attempt, busy);
        match busy(&outcome) {
            Some(why) if self.is_reported && context.is_stopped() => {
                Err(Failure::new(Code::Interrupted, format!("interrupted by a signal while waiting: {why}"))
                    .into())
            }
            _ => outcome,
        }
    }
}
