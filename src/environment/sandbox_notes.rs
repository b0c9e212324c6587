//! Marks what leaves an environment in which an agent in a sandbox has worked: each commit that execenv makes there before a ref
//! leads to it, and each folder that gets its files.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::record::Meta;
use super::setup::TrustedFile;
use crate::git::CommitNotes;
use crate::sys::tree::Tree;

/// Marks what leaves an environment.
#[derive(Debug)]
pub struct SandboxNotes {
    env: Tree,
    trusted: TrustedFile,
}

impl SandboxNotes {
    /// For the env root `env`.
    ///
    /// # Errors
    /// Where the process can open no more files.
    pub(super) fn of(env: &Tree, trusted: &TrustedFile) -> Result<Arc<SandboxNotes>> {
        let env = env.try_clone().context("duplicate the handle of the env root")?;
        Ok(Arc::new(SandboxNotes { env, trusted: trusted.clone() }))
    }

    /// Marks a folder that is going to have files of the environment, if it has to be.
    ///
    /// # Errors
    /// As [`TrustedFile::mark_folder`].
    pub fn folder(&self, folder: &Path) -> Result<()> {
        if self.is_needed() { self.trusted.mark_folder(folder) } else { Ok(()) }
    }

    /// Asked when something is to be marked: the run that asks may have written the record. A damaged one does not say that no agent
    /// in a sandbox has worked there.
    fn is_needed(&self) -> bool {
        let meta = Meta::load(&self.env);
        meta.map_or(true, |meta| meta.and_then(|meta| meta.own).is_some_and(|own| own.was_sandboxed()))
    }
}

impl CommitNotes for SandboxNotes {
    fn made(&self, commit: &str) -> Result<()> {
        if !self.is_needed() {
            return Ok(());
        }
        let marked = self.trusted.mark_commits(&[commit.to_owned()]);
        marked.context("mark a commit as one with the work of an agent in a sandbox")
    }
}
