//! The setup of an environment that is in its place, and locked.

use std::fs::File;
use std::path::Path;

use anyhow::{Result, anyhow};
use chrono::{DateTime, Utc};

use super::commands::{Broken, End, Place};
use super::hooks::Hooks;
use super::plan::Setup;
use crate::environment::excluded::git_variables;
use crate::environment::homes::Exports;
use crate::environment::ports::note_those_of_setup;
use crate::environment::record::{Durability, Meta, SetupState};
use crate::failure::{Code, Failure};
use crate::sys::tree::Tree;

/// The environment that is set up.
pub(in crate::environment) struct Scene<'a> {
    /// The env root, and its path.
    pub(in crate::environment) env: &'a Tree,
    pub(in crate::environment) env_root: &'a Path,
    /// A handle on its lock.
    pub(in crate::environment) lock: &'a File,
    /// The work dir, in which the commands run.
    pub(in crate::environment) work_dir: &'a Path,
    /// The folder in which the agent will run.
    pub(in crate::environment) agent_dir: &'a Path,
    pub(in crate::environment) now: DateTime<Utc>,
}

/// Runs the commands and records how far that came. Returns the record as it is then; `None`: there was nothing to run.
///
/// # Errors
/// A [`Code::SetupFailed`] failure with the last words of the command; a [`Code::Interrupted`] one for a signal.
pub(in crate::environment) fn carry_out(
    setup: &Setup,
    hooks: &Hooks,
    scene: &Scene<'_>,
    meta: &Meta,
) -> Result<Option<Meta>> {
    if setup.commands.is_empty() {
        return Ok(None);
    }
    let own = meta.own_or_rebuilt(scene.env);
    let mut variables = hooks.variables(&own, &meta.workspace_id, scene.env_root, scene.agent_dir);
    variables
        .extend(Exports::of(&own).variables.into_iter().map(|(name, value)| (name.into(), value.into())));
    variables.extend(git_variables(scene.env, &own).into_iter().map(|(name, value)| (name.into(), value)));
    let place = Place {
        env: scene.env,
        lock: scene.lock,
        folder: scene.work_dir,
        variables: &variables,
        limit: setup.limit,
        stop: &hooks.stop,
        what: "setup",
    };
    let end = place.run(&setup.commands);
    let state = if matches!(end, Ok(End::Done)) { SetupState::Done } else { SetupState::Failed };
    let recorded = Meta::change_own(scene.env, Durability::Synced, |_, own| {
        if let Some(record) = own.setup.as_mut() {
            record.state = state;
            record.at = Some(scene.now);
        }
        note_those_of_setup(&mut own.ports);
    });
    match end? {
        End::Done => recorded.map(Some),
        End::Broken(broken) | End::TimedOut(broken) => {
            let is_own = setup.record.as_ref().is_some_and(|record| record.given == record.commands);
            Err(failure(broken, is_own))
        }
        End::Stopped => {
            Err(Failure::new(Code::Interrupted, "interrupted by a signal during the setup commands").into())
        }
    }
}

/// The error of a broken command (`is_own`: none is of the repository): its last words are the causes, as they were printed.
fn failure(broken: Broken, is_own: bool) -> anyhow::Error {
    let hint = match is_own {
        true => "correct the command of `--setup`",
        false => "correct the command, or go on without the commands of the repository: `--no-setup`",
    };
    let failure = Failure::new(Code::SetupFailed, broken.what).hint(hint);
    let mut words = broken.words.into_iter().rev();
    match words.next() {
        None => failure.into(),
        Some(last) => words.fold(anyhow!(last), |error, line| error.context(line)).context(failure),
    }
}
