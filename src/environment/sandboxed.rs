//! What an agent in a sandbox writes is marked in the user's list, so that no commands of a repository run on it outside of that
//! sandbox, wherever it gets to.
//!
//! A folder of the user's is marked before the agent starts. Of a worktree it is noted then what its branches lead to; what is new
//! there counts as marked until the end of the run is recorded, and the commits are marked then. So no kill loses the mark. What
//! execenv itself commits there is marked by `sandbox_notes.rs`.

use std::sync::Arc;

use anyhow::Result;

use super::lookup::FoundEnv;
use super::sandbox_notes::SandboxNotes;
use super::setup::{OpenRun, written_by};
use super::trust::Trust;
use crate::git::Git;
use crate::sys::silent;

impl FoundEnv {
    /// Marks what leaves the environment.
    ///
    /// # Errors
    /// Where the process can open no more files.
    pub(crate) fn sandbox_notes(&self, trust: Trust<'_>) -> Result<Arc<SandboxNotes>> {
        SandboxNotes::of(&self.env.tree, &trust.hooks.trusted)
    }

    /// Marks what an agent is going to write, before it starts. `is_in_sandbox`: else it goes on with what one in a sandbox has left.
    /// Returns whether [`end_sandboxed`](FoundEnv::end_sandboxed) has anything to do at the end.
    ///
    /// # Errors
    /// Where that cannot be marked: no agent may start then.
    pub(crate) fn begin_sandboxed(&self, is_in_sandbox: bool, git: &Git, trust: Trust<'_>) -> Result<bool> {
        let trusted = &trust.hooks.trusted;
        if !trusted.has_place() {
            return Ok(false);
        }
        if self.work_dir.is_user_folder() {
            let folder = self.work_dir_path();
            // A mark stays until the user has looked at the folder.
            if is_in_sandbox {
                trusted.mark_folder(&silent::resolve(&folder).unwrap_or(folder))?;
            }
            return Ok(false);
        }
        let Some(registered) = self.registered_work_dir(trust.keys) else { return Ok(false) };
        // What the sandbox lets it write there.
        let branch = self.own_branch(&registered, git);
        let above = branch.as_ref().and_then(|branch| branch.rsplit_once('/'));
        let refs = above.map(|(above, _)| format!("refs/heads/{above}/")).unwrap_or_default();
        let known = registered.repository(git).tips(&refs, &registered.name)?;
        let (env, repository) = (self.env.path.clone(), registered.common().to_owned());
        let worktree = registered.name.clone();
        trusted.begin_run(OpenRun { env, repository, worktree, refs, known, ..OpenRun::default() })?;
        Ok(true)
    }

    /// Marks what the agents of such runs have committed, when none of them works any more.
    ///
    /// # Errors
    /// Where git cannot say, or the list cannot be changed: the run counts as one whose end is not recorded.
    pub(crate) fn end_sandboxed(&self, git: &Git, trust: Trust<'_>) -> Result<()> {
        let own = self.meta.as_ref().and_then(|meta| meta.own.as_ref());
        let registered = own.and_then(|own| own.repository.as_ref()).map(|made| made.worktree.as_str());
        let trusted = &trust.hooks.trusted;
        for run in trusted.marks()?.runs {
            // The env root may have been moved since.
            if run.env == self.env.path || registered.is_some_and(|name| name == run.worktree) {
                trusted.end_run(&run, &written_by(&run, git)?)?;
            }
        }
        Ok(())
    }
}
