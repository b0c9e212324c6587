//! What becomes of the work of a run that completed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};

use super::on_success::OnSuccess;
use super::surroundings::Surroundings;
use crate::environment::LockedEnv;
use crate::failure::{Code, Failure};
use crate::git::Git;
use crate::work::Place;
use crate::work::publish::{Forge, Order, Published, foresee, publish};

/// Publishes the work of one run.
pub(super) struct Publishing<'a> {
    pub(super) wanted: &'a OnSuccess,
    pub(super) surroundings: &'a Surroundings<'a>,
}

impl Publishing<'_> {
    /// Refuses what could not be published, whatever the agent does: it would be paid for nothing.
    pub(super) fn foresee(&self, env: &LockedEnv) -> Result<()> {
        let order = self.order((self.surroundings.now)());
        let seen = foresee(env, self.place(env), &order, &self.git(env)?, &self.forge());
        seen.map_err(|error| match Failure::code_of(&error) {
            code @ (Code::Usage | Code::Failed) => {
                let message = format!("`--on-success {}` cannot work", self.wanted.to.word());
                let again = self.wanted.command(&env.env.path);
                let hint = format!("correct `--into`; or publish after the run, by {again}");
                error.context(Failure::new(code, message).hint(hint))
            }
            _ => error,
        })
    }

    /// Publishes the work.
    ///
    /// # Errors
    /// As [`publish`]; a [`Code::Conflicts`] failure where it cannot be merged.
    pub(super) fn publish(&self, env: &LockedEnv) -> Result<Published> {
        let place = self.place(env)?;
        let order = self.order((self.surroundings.now)());
        let published = publish(env, &place, &order, &self.git(env)?, &self.forge())?;
        if let Some(conflict) = published.conflict() {
            bail!(Failure::new(Code::Conflicts, conflict));
        }
        Ok(published)
    }

    /// Whether a signal has stopped it.
    pub(super) fn is_stopped(&self) -> bool {
        self.wanted.stop.load(Ordering::Relaxed)
    }

    fn place(&self, env: &LockedEnv) -> Result<Place> {
        Place::find(env, None, self.surroundings.trust)
    }

    /// What it starts to write holds the lock to its own end.
    fn git(&self, env: &LockedEnv) -> Result<Git> {
        let git = self.surroundings.git.clone();
        Ok(git.until(Arc::clone(&self.wanted.stop)).holding(env.lock_handle()?))
    }

    fn forge(&self) -> Forge<'_> {
        let OnSuccess { gh, stop, .. } = self.wanted;
        Forge { program: gh.as_deref(), inherited: self.surroundings.inherited, stop }
    }

    fn order(&self, now: DateTime<Utc>) -> Order<'_> {
        Order {
            to: self.wanted.to,
            branch: None,
            base: self.wanted.into.as_deref(),
            target: None,
            squash: false,
            force: false,
            commit: true,
            title: None,
            body: None,
            now,
        }
    }
}
