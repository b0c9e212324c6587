//! An environment that this process has locked. What changes an environment is a method of it, so that a call without
//! the lock does not compile.

use std::fs::File;
use std::io;
use std::ops::Deref;

use anyhow::Result;

use super::busy::{Held, busy};
use super::lock::EnvLock;
use super::lookup::FoundEnv;
use super::record::{Meta, Own};
use super::root::EnvRoot;
use crate::failure::{Code, Failure};

/// An env root that is locked, and whose record has not been read since.
#[derive(Debug)]
pub struct LockedRoot {
    env: EnvRoot,
    lock: EnvLock,
}

/// An environment that is locked until this is dropped, with the record as it was read under the lock.
#[derive(Debug)]
pub struct LockedEnv {
    found: FoundEnv,
    lock: EnvLock,
}

impl LockedRoot {
    /// Tries to lock an env root for a change. With `create` off, no lock file is created: that would renew the age of
    /// the folder.
    ///
    /// # Errors
    /// [`Held`]: another process has it, or it is no longer at its place.
    pub fn try_hold(env: EnvRoot, create: bool) -> std::result::Result<LockedRoot, Held> {
        let lock = EnvLock::try_hold(&env.tree, create)?;
        Ok(LockedRoot { env, lock })
    }

    /// Locks an env root for a command that changes it.
    ///
    /// # Errors
    /// A [`Code::EnvBusy`] failure that says why it cannot be locked.
    pub fn acquire(env: EnvRoot) -> Result<LockedRoot> {
        let path = env.path.clone();
        LockedRoot::try_hold(env, true).map_err(|held| busy(&path, &held))
    }

    /// Takes over an env root whose lock this process has: there was no moment in which another one could.
    pub(crate) fn held(env: EnvRoot, lock: EnvLock) -> LockedRoot {
        LockedRoot { env, lock }
    }

    /// Reads the record, which another process could change until the lock was taken.
    ///
    /// # Errors
    /// When the record is damaged.
    pub fn read(self) -> Result<LockedEnv> {
        let meta = Meta::load(&self.env.tree)?;
        Ok(self.with_record(meta))
    }

    /// As [`LockedRoot::read`]; a damaged record counts as none.
    ///
    /// # Errors
    /// When the record cannot be read, so that it is not known whether it is damaged.
    pub fn read_even_damaged(self) -> Result<LockedEnv> {
        let meta = Meta::load_even_damaged(&self.env.tree)?.ok().flatten();
        Ok(self.with_record(meta))
    }

    /// Takes the record that was read under the lock.
    pub(crate) fn with_record(self, meta: Option<Meta>) -> LockedEnv {
        LockedEnv { found: FoundEnv::new(self.env, meta), lock: self.lock }
    }

    /// The env root.
    pub(crate) fn env(&self) -> &EnvRoot {
        &self.env
    }
}

impl LockedEnv {
    /// Locks an environment, and reads its record again.
    ///
    /// # Errors
    /// A [`Code::EnvBusy`] failure that says why it cannot be locked; a damaged record.
    pub fn acquire(found: FoundEnv) -> Result<LockedEnv> {
        LockedRoot::acquire(found.env)?.read()
    }

    /// Whether its task is done, as [`Own::has_completed`] says.
    pub fn has_completed(&self) -> bool {
        self.found.meta.as_ref().and_then(|meta| meta.own.as_ref()).is_some_and(Own::has_completed)
    }

    /// A second handle on the lock file: it keeps the lock for the guard of a run.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn lock_handle(&self) -> io::Result<File> {
        self.lock.file().try_clone()
    }

    /// Whether its path still leads to this folder.
    pub fn is_in_place(&self) -> bool {
        self.found.env.tree.is_at_its_path()
    }

    /// Refuses to go on by the path once it leads elsewhere: before a program is started there, or it is renamed.
    ///
    /// # Errors
    /// A failure that names the place.
    pub fn refuse_moved(&self) -> Result<()> {
        if self.is_in_place() {
            return Ok(());
        }
        let message = format!("{} was moved or replaced meanwhile", self.found.env.path.display());
        Err(Failure::new(Code::Failed, message).hint("see `execenv trash list`, and `execenv list`").into())
    }

    /// Keeps the lock apart from the environment, for whoever takes it over.
    pub(crate) fn into_parts(self) -> (FoundEnv, EnvLock) {
        (self.found, self.lock)
    }

    /// Releases the lock.
    pub fn unlock(self) -> FoundEnv {
        self.found
    }
}

impl Deref for LockedEnv {
    type Target = FoundEnv;

    fn deref(&self) -> &FoundEnv {
        &self.found
    }
}
