//! The teardown of an environment: it ends what the setup has started outside, before the work dir goes.
//!
//! It runs only what the user has trusted: the bytes that lie in the work dir at that time. Whatever it comes to, the
//! environment goes all the same; what did not run is named.

use std::fs::File;
use std::path::Path;

use anyhow::{Result, bail};
use serde::Serialize;

use super::commands::{End, Place};
use super::marked::{At, Ground, mark_on};
use super::project_file::{Command, NAME, ProjectFile};
use super::proof;
use crate::environment::lock::EnvLock;
use crate::environment::locked::LockedEnv;
use crate::environment::lookup::FoundEnv;
use crate::environment::record::{Durability, Meta, SetupState};
use crate::environment::root::EnvRoot;
use crate::environment::trust::Trust;
use crate::formats::shortened;
use crate::sys::silent;
use crate::sys::tree::Tree;

/// What became of a teardown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TeardownOutcome {
    /// There was nothing to run.
    #[default]
    None,
    /// Every command ended well.
    Ran,
    /// A dry run: its commands would run.
    WouldRun,
    /// A command failed; those after it did not run.
    Failed,
    /// The limit of time was reached.
    TimedOut,
    /// A signal ended it.
    Stopped,
    /// The file is not the one that the user has trusted.
    SkippedUntrusted,
    /// Nothing proves that commands of a repository were accepted for this environment.
    SkippedUnproved,
    /// An agent in a sandbox has worked in the work dir: the commands would run what it wrote outside of that.
    SkippedSandboxed,
    /// The file, or the work dir, cannot be read.
    SkippedUnreadable,
}

/// The teardown of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Teardown {
    /// What became of it.
    pub outcome: TeardownOutcome,
    /// How many commands it has, as far as that is known.
    pub commands: usize,
    /// Why it did not run, or how it failed.
    pub why: Option<String>,
}

impl Teardown {
    fn skipped(outcome: TeardownOutcome, why: impl Into<String>) -> Teardown {
        Teardown { outcome, commands: 0, why: Some(why.into()) }
    }

    /// Whether there is nothing to tell.
    pub fn is_none(&self) -> bool {
        self.outcome == TeardownOutcome::None
    }

    /// Whether what the setup started may be left because a command failed.
    pub fn has_failed(&self) -> bool {
        matches!(self.outcome, TeardownOutcome::Failed | TeardownOutcome::TimedOut)
    }

    /// Whether a signal ended it.
    pub fn is_stopped(&self) -> bool {
        self.outcome == TeardownOutcome::Stopped
    }

    /// What to tell a person about it, where it did not simply run.
    pub fn notice(&self) -> Option<String> {
        Some(format!("teardown: {}", self.why.as_ref()?))
    }
}

/// The teardown that an environment has.
enum Plan {
    /// None, or one that does not run.
    Not(Teardown),
    /// These commands.
    Run(ProjectFile),
}

impl FoundEnv {
    /// What a teardown would come to; nothing runs.
    pub(crate) fn foresee_teardown(&self, trust: Trust<'_>) -> Teardown {
        match self.plan_teardown(trust) {
            Plan::Not(teardown) => teardown,
            Plan::Run(file) => {
                Teardown { outcome: TeardownOutcome::WouldRun, commands: file.teardown.len(), why: None }
            }
        }
    }

    fn plan_teardown(&self, trust: Trust<'_>) -> Plan {
        let own = self.meta.as_ref().and_then(|meta| meta.own.as_ref());
        let claims = own.and_then(|own| own.setup.as_ref());
        let claims =
            claims.is_some_and(|record| !matches!(record.state, SetupState::TornDown | SetupState::Skipped));
        if !claims && !proof::is_there(&self.env.tree) {
            return Plan::Not(Teardown::default());
        }
        if own.is_some_and(|own| own.setup.as_ref().is_some_and(|setup| setup.digest.is_empty())) {
            return Plan::Not(Teardown::default()); // only commands of the command line have run
        }
        if !proof::is_proved(&self.env.tree, &self.env.key(), trust.keys) {
            let why = format!(
                "nothing proves that the commands of a {NAME} were accepted for this environment, so none was run"
            );
            return Plan::Not(Teardown::skipped(TeardownOutcome::SkippedUnproved, why));
        }
        let unreadable = |error: anyhow::Error| {
            let why = format!("no command was run: {error:#}");
            Plan::Not(Teardown::skipped(TeardownOutcome::SkippedUnreadable, why))
        };
        let folder = match self.open_work_dir(trust) {
            Ok(folder) => folder,
            Err(error) => return unreadable(error),
        };
        let file = match ProjectFile::read(&folder, &self.work_dir_path().join(NAME).display().to_string()) {
            Ok(Some(file)) => file,
            Ok(None) => {
                let why = format!("{NAME} is gone from the work dir, so no command was run");
                return Plan::Not(Teardown::skipped(TeardownOutcome::SkippedUntrusted, why));
            }
            Err(error) => return unreadable(error),
        };
        let named = |outcome, why: String| {
            Plan::Not(Teardown { outcome, commands: file.teardown.len(), why: Some(why) })
        };
        let sandboxed = |why: &str, way: &str| {
            let commands = listed(&file.teardown);
            let why = format!(
                "no command was run, because {why} and they could run what it wrote: {commands}{way}"
            );
            named(TeardownOutcome::SkippedSandboxed, why)
        };
        let stored = trust.hooks.trusted.stored();
        match stored.as_ref().map(|stored| (stored.trusts(&file.digest), &stored.sandboxed)) {
            Ok((true, _)) if file.teardown.is_empty() => Plan::Not(Teardown::default()),
            Ok((true, _)) if self.was_sandboxed() => sandboxed("an agent in a sandbox has worked here", ""),
            Ok((true, marks)) if marks.is_empty() => Plan::Run(file),
            Ok((true, marks)) => match mark_on(&self.ground(&folder), marks, &trust.hooks.git()) {
                Ok(None) => Plan::Run(file),
                Ok(Some(mark)) => sandboxed(&mark.to_string(), &format!("; {}", mark.way_on())),
                Err(error) => unreadable(error),
            },
            Ok((false, _)) => named(
                TeardownOutcome::SkippedUntrusted,
                format!(
                    "{NAME} is not as you have trusted it, so no command was run; what it names now an agent may have written: {}",
                    listed(&file.teardown)
                ),
            ),
            Err(error) => unreadable(anyhow::anyhow!("{error:#}")),
        }
    }

    /// Where the commands would run, in the open work dir.
    pub(in crate::environment) fn ground<'a>(&self, folder: &'a Tree) -> Ground<'a> {
        let path = folder.path();
        match self.work_dir.is_user_folder() {
            true => Ground {
                folders: vec![silent::resolve(path).unwrap_or_else(|| path.to_owned())],
                at: vec![At::Users(path)],
                ..Ground::default()
            },
            false => Ground { at: vec![At::WorkDir(folder)], ..Ground::default() },
        }
    }
}

/// The commands, for a message. An agent may have written the file.
fn listed(commands: &[Command]) -> String {
    /// The most that are named, and the longest that is shown.
    const MOST: usize = 5;
    const LONGEST: usize = 120;
    let short = |command: &Command| format!("`{}`", shortened(&command.to_string(), LONGEST));
    let shown: Vec<String> = commands.iter().take(MOST).map(short).collect();
    match commands.len().saturating_sub(MOST) {
        _ if commands.is_empty() => "it has none".to_owned(),
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

impl LockedEnv {
    /// Runs the teardown, if the environment has one that is trusted. It may have run before: a kill in between lets it begin
    /// again.
    pub(crate) fn tear_down(&self, trust: Trust<'_>) -> Teardown {
        // The branches go with the environment.
        if self.was_sandboxed()
            && let Err(error) = self.end_sandboxed(&trust.hooks.undisturbed().git(), trust)
        {
            log::warn!("what an agent in a sandbox has committed counts as if its run were on: {error:#}");
        }
        match self.lock_handle() {
            Ok(lock) => tear_down(self, &lock, trust),
            Err(error) => Teardown {
                outcome: TeardownOutcome::Failed,
                commands: 0,
                why: Some(format!("duplicate the handle of the lock: {error}")),
            },
        }
    }
}

/// The same for an environment whose lock the caller has.
///
/// # Errors
/// Where its record is damaged.
pub(in crate::environment) fn tear_down_held(
    env: EnvRoot,
    lock: &EnvLock,
    trust: Trust<'_>,
) -> Result<Teardown> {
    let meta = Meta::load(&env.tree)?;
    Ok(tear_down(&FoundEnv::new(env, meta), lock.file(), trust))
}

fn tear_down(found: &FoundEnv, lock: &File, trust: Trust<'_>) -> Teardown {
    let file = match found.plan_teardown(trust) {
        Plan::Not(teardown) => return teardown,
        Plan::Run(file) => file,
    };
    let commands = file.teardown.len();
    let (outcome, why) = match run(found, &file, lock, trust) {
        Ok(End::Done) => (TeardownOutcome::Ran, None),
        Ok(End::Broken(broken)) => (TeardownOutcome::Failed, Some(with_words(broken.what, &broken.words))),
        Ok(End::TimedOut(broken)) => {
            (TeardownOutcome::TimedOut, Some(with_words(broken.what, &broken.words)))
        }
        Ok(End::Stopped) => (TeardownOutcome::Stopped, Some("interrupted by a signal".to_owned())),
        Err(error) => (TeardownOutcome::Failed, Some(format!("{error:#}"))),
    };
    if outcome != TeardownOutcome::Stopped
        && let Err(error) = note_torn_down(found)
    {
        log::warn!("{}: the teardown will run again: {error:#}", found.env.path.display());
    }
    Teardown { outcome, commands, why }
}

fn run(found: &FoundEnv, file: &ProjectFile, lock: &File, trust: Trust<'_>) -> Result<End> {
    if !found.env.tree.is_at_its_path() {
        bail!("{} was moved or replaced meanwhile", found.env.path.display());
    }
    let own = found.meta.as_ref().map(|meta| meta.own_or_rebuilt(&found.env.tree)).unwrap_or_default();
    let variables = trust.hooks.variables(&own, &found.workspace_id(), &found.env.path, &found.agent_dir());
    let place = Place {
        env: &found.env.tree,
        lock,
        folder: &found.work_dir_path(),
        variables: &variables,
        limit: file.teardown_timeout,
        stop: &trust.hooks.stop,
        what: "teardown",
    };
    place.run(&file.teardown)
}

/// Records that what the setup started is gone. The proof goes last: until then the teardown runs again.
fn note_torn_down(found: &FoundEnv) -> Result<()> {
    Meta::change(&found.env.tree, Durability::Synced, |meta| {
        if let Some(own) = meta.own.as_mut() {
            if let Some(setup) = own.setup.as_mut() {
                setup.state = SetupState::TornDown;
            }
            own.ports.iter_mut().for_each(|port| port.is_set_up = false);
        }
    })?;
    proof::remove(&found.env.tree)
}

fn with_words(what: String, words: &[String]) -> String {
    match words.last() {
        None => what,
        Some(last) => format!("{what}; its last words: {last}"),
    }
}

/// What a failed `prepare` and a replaced environment leave to the log: their teardown is no reason to end.
pub(in crate::environment) fn tell(env_root: &Path, teardown: &Teardown) {
    if let Some(notice) = teardown.notice() {
        log::warn!("{}: {notice}", env_root.display());
    }
}
