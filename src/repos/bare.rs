//! A bare repository of the cache, whose worktrees are the environments': what its upkeep asks and changes.
//!
//! An agent that works in one of its worktrees can write to it. So nothing that it configures is run, every call ends in
//! time, and a call that writes can write nowhere but in the open folder that it is given.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Result;

use crate::git::{Branch, Git, NoWork, Registered, Repository, Worktree};
use crate::sys::tree::Tree;

/// Where the branches of agents are. The slash matters: a branch called `agent` is none of them.
const AGENT_BRANCHES: &str = "refs/heads/agent/";
/// How old reflog entries and unreferenced objects have to be before upkeep drops them.
const KEPT: &str = "30.days";

/// A bare repository, and how long a call to it may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct BareRepo<'a> {
    git: &'a Git,
    repository: Repository<'a>,
    stop: &'a AtomicBool,
}

impl<'a> BareRepo<'a> {
    /// The repository at `path`. Each call takes at most `limit`, and ends when `stop` is set.
    pub(super) fn new(git: &'a Git, path: &'a Path, limit: Duration, stop: &'a AtomicBool) -> BareRepo<'a> {
        BareRepo { git, repository: git.at(path).within(limit, stop).as_stored(), stop }
    }

    /// The user's git, for questions about a registration.
    pub(super) fn users_git(&self) -> &'a Git {
        self.git
    }

    pub(super) fn worktrees(&self) -> Result<Vec<Worktree>> {
        self.repository.worktrees()
    }

    /// The branches of agents.
    pub(super) fn agent_branches(&self) -> Result<Vec<Branch>> {
        self.repository.branches(AGENT_BRANCHES)
    }

    pub(super) fn holders(&self, commit: &str) -> Result<Vec<String>> {
        self.repository.holders(commit)
    }

    /// What would be lost with the registration of a worktree whose folder is gone: what an operation in progress holds, and the
    /// repositories of submodules.
    pub(super) fn lost_with(&self, registration: &str) -> Result<Option<String>> {
        let Some(registered) = Registered::new(self.repository.dir(), registration) else { return Ok(None) };
        let Some(registered) = registered.open() else {
            return Ok(Some("what is in it cannot be read".to_owned()));
        };
        if let Some(commit) = self.repository.only_in(&registered)?.first() {
            return Ok(Some(format!("its commit {commit} is on no branch")));
        }
        let unsaved = self.git.unsaved_in_worktree(
            &registered,
            None,
            self.repository.dir(),
            NoWork { files: &[], key: "" },
        );
        Ok(unsaved.first().map(|unsaved| format!("{}: {}", unsaved.path.display(), unsaved.what)))
    }

    pub(super) fn has_unpushed(&self) -> Result<bool> {
        self.repository.has_unpushed()
    }

    pub(super) fn delete(&self, bare: &Tree, branch: &Branch) -> Result<()> {
        self.repository.confined_to(bare).delete_branch(branch)
    }

    /// Creates a branch again that was deleted, unless there is one of its name.
    pub(super) fn restore(&self, bare: &Tree, branch: &Branch) -> Result<()> {
        self.repository.confined_to(bare).create_ref(&branch.name, &branch.tip)
    }

    /// Drops old entries of the reflogs.
    pub(super) fn expire_reflogs(&self, bare: &Tree) -> Result<()> {
        let expire = ["reflog", "expire", &format!("--expire={KEPT}"), "--all"];
        self.repository.confined_to(bare).work(expire).output().map(drop)
    }

    /// Packs the repository and drops objects that have been unreferenced for long. `limit` is for this call, which
    /// takes minutes.
    ///
    /// # Errors
    /// As git reports them.
    pub(super) fn collect_garbage(&self, bare: &Tree, limit: Duration) -> Result<()> {
        self.repository.within(limit, self.stop).confined_to(bare).collect_garbage(KEPT)
    }
}
