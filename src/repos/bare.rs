//! A bare repository of the cache, whose worktrees are the environments': what its upkeep asks and changes.
//!
//! An agent that works in one of its worktrees can write to it. So nothing that it configures is run, and every call
//! ends in time.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Result;

use crate::git::{Branch, Git, Repository, Worktree};

/// Where the branches of agents are. The slash matters: a branch called `agent` is none of them.
const AGENT_BRANCHES: &str = "refs/heads/agent/";
/// How old reflog entries and unreferenced objects have to be before upkeep drops them.
const KEPT: &str = "30.days";

/// A bare repository, and how long a call to it may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct BareRepo<'a> {
    repository: Repository<'a>,
    stop: &'a AtomicBool,
}

impl<'a> BareRepo<'a> {
    /// The repository at `path`. Each call takes at most `limit`, and ends when `stop` is set.
    pub(super) fn new(git: &'a Git, path: &'a Path, limit: Duration, stop: &'a AtomicBool) -> BareRepo<'a> {
        // The cache may belong to another user of the machine.
        BareRepo { repository: git.at(path).within(limit, stop).of_any_owner().as_stored(), stop }
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

    pub(super) fn has_unpushed(&self) -> Result<bool> {
        self.repository.has_unpushed()
    }

    pub(super) fn delete(&self, branch: &Branch) -> Result<()> {
        self.repository.delete_branch(branch)
    }

    /// Creates a branch again that was deleted, unless there is one of its name.
    pub(super) fn restore(&self, branch: &Branch) -> Result<()> {
        self.repository.create_ref(&branch.name, &branch.tip)
    }

    /// Drops old entries of the reflogs.
    pub(super) fn expire_reflogs(&self) -> Result<()> {
        self.repository.work(["reflog", "expire", &format!("--expire={KEPT}"), "--all"]).output().map(drop)
    }

    /// Packs the repository and drops objects that have been unreferenced for long. `limit` is for this call, which
    /// takes minutes.
    ///
    /// # Errors
    /// As git reports them; when the repository configures a program that `git gc` would run.
    pub(super) fn collect_garbage(&self, limit: Duration) -> Result<()> {
        const HOOK: &str = "gc.recentObjectsHook";
        // There is no switch that turns this hook off.
        let hooks =
            self.repository.look(["config", "--includes", "--show-scope", "--get-all", HOOK]).answer()?;
        let hooks = String::from_utf8_lossy(&hooks.unwrap_or_default()).into_owned();
        let own = hooks.lines().find(|line| !line.starts_with("system\t") && !line.starts_with("global\t"));
        let path = self.repository.dir().display();
        anyhow::ensure!(own.is_none(), "{path} sets {HOOK}, which `git gc` would run");
        // Registrations of worktrees are dropped one by one, by a rule of our own.
        let prune = format!("--prune={KEPT}");
        let collect = ["-c", "gc.worktreePruneExpire=never", "gc", "--quiet", &prune];
        self.repository.within(limit, self.stop).work(collect).output().map(drop)
    }
}
