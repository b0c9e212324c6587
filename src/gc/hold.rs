//! An environment that a cycle has opened to remove something: what was read of it then is handed on.

use std::path::Path;

use anyhow::{Context, Result, bail};

use super::facts::{GcFacts, LockState};
use super::look::{facts_of, folder_time, lock_of, read_record};
use super::request::GcRequest;
use crate::environment::{CleanupOutcome, EnvRoot, FoundEnv, Held, LockedEnv, LockedRoot, Meta};
use crate::layout::names;
use crate::sys::tree::Tree;

/// An environment, its lock, and what was read while the lock was held.
#[derive(Debug)]
pub(super) struct HeldEnv {
    env: Opened,
    /// The facts, read once more.
    pub(super) facts: GcFacts,
}

/// An environment that a cycle has opened.
#[derive(Debug)]
enum Opened {
    /// It is locked, so it can be changed.
    Locked(LockedEnv),
    /// A dry run looks at it without the lock.
    Looked(FoundEnv),
}

impl HeldEnv {
    /// The folder and its record.
    pub(super) fn found(&self) -> &FoundEnv {
        match &self.env {
            Opened::Locked(env) => env,
            Opened::Looked(found) => found,
        }
    }

    /// The environment with its lock, to be removed.
    ///
    /// # Errors
    /// As [`HeldEnv::locked`].
    pub(super) fn into_locked(self) -> Result<LockedEnv> {
        match self.env {
            Opened::Locked(env) => Ok(env),
            Opened::Looked(found) => bail!("{} is not locked", found.env.path.display()),
        }
    }

    /// The environment with its lock, for a change.
    ///
    /// # Errors
    /// When it was opened by a dry run, which changes nothing.
    pub(super) fn locked(&self) -> Result<&LockedEnv> {
        match &self.env {
            Opened::Locked(env) => Ok(env),
            Opened::Looked(found) => bail!("{} is not locked", found.env.path.display()),
        }
    }
}

/// Why an environment cannot be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotHeld {
    /// It has changed, or is gone, since it was looked at.
    Raced,
    /// A live process holds it.
    Live,
}

impl From<NotHeld> for CleanupOutcome {
    fn from(why: NotHeld) -> CleanupOutcome {
        match why {
            NotHeld::Raced => CleanupOutcome::Raced,
            NotHeld::Live => CleanupOutcome::RetainedLive,
        }
    }
}

/// A held environment, or why it is not.
pub(super) type Holding = std::result::Result<HeldEnv, NotHeld>;

/// Opens the environment at `root_dir` and reads it once more, without taking its lock. `first` is what was seen of it
/// before, its lock included.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn open(
    root: &Tree,
    root_dir: &Path,
    first: Option<&GcFacts>,
    request: &GcRequest<'_>,
) -> Result<Holding> {
    let Some(env) = open_root(root_dir)? else { return Ok(Err(NotHeld::Raced)) };
    if first.is_none() && matches!(lock_of(&env.tree), LockState::Held | LockState::Unknown) {
        return Ok(Err(NotHeld::Live));
    }
    let Some((meta, facts)) = read(root, &env, request) else { return Ok(Err(NotHeld::Raced)) };
    Ok(Ok(HeldEnv { env: Opened::Looked(FoundEnv::new(env, meta)), facts }))
}

/// Takes the lock of the environment at `root_dir`, whose own time `first` saw, and reads it once more.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn lock(
    root: &Tree,
    root_dir: &Path,
    first: Option<&GcFacts>,
    request: &GcRequest<'_>,
) -> Result<Holding> {
    let Some(env) = open_root(root_dir)? else { return Ok(Err(NotHeld::Raced)) };
    if first.is_some_and(|first| first.by_folder && folder_time(&env.path).flatten() != first.last_used) {
        return Ok(Err(NotHeld::Raced));
    }
    // The lock file is created where there is none: without it a prepare could move in while git is asked. That renews
    // the folder, by whose time execenv and other tools judge it.
    let lock_file = Path::new(names::LOCK);
    let folder_age = env.tree.modified().ok().filter(|_| matches!(env.tree.kind(lock_file), Ok(None)));
    let locked = match LockedRoot::try_hold(env, true) {
        Ok(locked) => locked,
        Err(Held::Moved | Held::NoLockFile) => return Ok(Err(NotHeld::Raced)),
        Err(Held::ByOther | Held::Unknown(_)) => return Ok(Err(NotHeld::Live)),
    };
    let env = locked.env();
    if let Some(age) = folder_age {
        env.tree.set_modified(age).with_context(|| format!("put back the age of {}", env.path.display()))?;
    }
    let Some((meta, facts)) = read(root, env, request) else { return Ok(Err(NotHeld::Raced)) };
    Ok(Ok(HeldEnv { env: Opened::Locked(locked.with_record(meta)), facts }))
}

/// Opens an env root. `None`: it is gone.
pub(super) fn open_root(root_dir: &Path) -> Result<Option<EnvRoot>> {
    match EnvRoot::open(root_dir) {
        Err(_) if !root_dir.exists() => Ok(None),
        env => env.map(Some),
    }
}

/// Reads the record and the facts. `None`: the folder is gone.
fn read(root: &Tree, env: &EnvRoot, request: &GcRequest<'_>) -> Option<(Option<Meta>, GcFacts)> {
    let key = Path::new(env.path.file_name().unwrap_or_default()); // which need not be text
    let record = read_record(root, &env.workspace(), key);
    let mut facts = facts_of(root, &env.workspace(), key, &record, request.now)?;
    facts.look_at_user_folder(request);
    facts.lock = LockState::Free; // it is ours, or was seen to be free
    Some((record.ok().flatten(), facts))
}
