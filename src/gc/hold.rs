//! An environment that a cycle has opened to remove something: what was read of it then is handed on.

use std::path::Path;

use anyhow::{Context, Result};

use super::facts::{GcFacts, LockState};
use super::look::{facts_of, folder_time, lock_of, read_record};
use crate::environment::{CleanupOutcome, EnvLock, EnvRoot, FoundEnv, Held};
use crate::layout::names;
use crate::sys::tree::Tree;

/// An environment, its lock, and what was read while the lock was held.
#[derive(Debug)]
pub(super) struct HeldEnv {
    /// The folder and its record.
    pub(super) found: FoundEnv,
    /// The facts, read once more.
    pub(super) facts: GcFacts,
    /// `None` in a dry run, which creates no lock file.
    _lock: Option<EnvLock>,
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
pub(super) fn open(root: &Tree, root_dir: &Path, first: Option<&GcFacts>) -> Result<Holding> {
    let Some(env) = open_root(root_dir)? else { return Ok(Err(NotHeld::Raced)) };
    if first.is_none() && matches!(lock_of(&env.tree), LockState::Held | LockState::Unknown) {
        return Ok(Err(NotHeld::Live));
    }
    Ok(read(root, env, None))
}

/// Takes the lock of the environment at `root_dir`, whose own time `first` saw, and reads it once more.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn lock(root: &Tree, root_dir: &Path, first: Option<&GcFacts>) -> Result<Holding> {
    let Some(env) = open_root(root_dir)? else { return Ok(Err(NotHeld::Raced)) };
    if first.is_some_and(|first| first.by_folder && folder_time(&env.path).flatten() != first.last_used) {
        return Ok(Err(NotHeld::Raced));
    }
    // The lock file is created where there is none: without it a prepare could move in while git is asked. That renews
    // the folder, by whose time execenv and other tools judge it.
    let lock_file = Path::new(names::LOCK);
    let folder_age = env.tree.modified().ok().filter(|_| matches!(env.tree.kind(lock_file), Ok(None)));
    let lock = match EnvLock::try_hold(&env.tree, true) {
        Ok(lock) => lock,
        Err(Held::Moved | Held::NoLockFile) => return Ok(Err(NotHeld::Raced)),
        Err(Held::ByOther | Held::Unknown(_)) => return Ok(Err(NotHeld::Live)),
    };
    if let Some(age) = folder_age {
        env.tree.set_modified(age).with_context(|| format!("put back the age of {}", env.path.display()))?;
    }
    Ok(read(root, env, Some(lock)))
}

/// Opens an env root. `None`: it is gone.
pub(super) fn open_root(root_dir: &Path) -> Result<Option<EnvRoot>> {
    match EnvRoot::open(root_dir) {
        Err(_) if !root_dir.exists() => Ok(None),
        env => env.map(Some),
    }
}

fn read(root: &Tree, env: EnvRoot, lock: Option<EnvLock>) -> Holding {
    let key = Path::new(env.path.file_name().unwrap_or_default()); // which need not be text
    let record = read_record(root, &env.workspace(), key);
    let mut facts = facts_of(root, &env.workspace(), key, &record).ok_or(NotHeld::Raced)?;
    facts.lock = LockState::Free; // it is ours, or was seen to be free
    Ok(HeldEnv { found: FoundEnv::new(env, record.ok().flatten()), facts, _lock: lock })
}
