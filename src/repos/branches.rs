//! Branches of agents that no worktree needs.

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::Result;

use super::cache::{Cache, quoted};
use crate::git::{Branch, Worktree, was_cut_off};

/// The most branches that a note names.
const MOST_NAMED: usize = 20;

/// The decision on one branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// A worktree has it checked out, or will return to it.
    InUse,
    /// No ref that stays holds its commit.
    OnlyCopy,
    /// It may be deleted.
    Idle,
}

/// What worktrees have checked out.
struct InUse {
    worktrees: Vec<Worktree>,
    remembered: Vec<String>,
}

impl InUse {
    /// A worktree at the branch's commit without a branch may have come from this branch.
    fn has(&self, branch: &Branch) -> bool {
        let stands_on = |worktree: &Worktree| {
            worktree.branch == branch.name || worktree.branch.is_empty() && worktree.head == branch.tip
        };
        self.worktrees.iter().any(stands_on) || self.remembered.contains(&branch.name)
    }
}

/// Decides on a branch. `holders` are the refs that hold its commit, `candidates` all branches that no worktree needs:
/// none of them counts as a holder, so that what becomes of one does not depend on another.
fn judge(branch: &Branch, in_use: &InUse, holders: &[String], candidates: &HashSet<&str>) -> Verdict {
    if in_use.has(branch) {
        Verdict::InUse
    } else if holders.iter().all(|holder| candidates.contains(holder.as_str())) {
        Verdict::OnlyCopy
    } else {
        Verdict::Idle
    }
}

impl Cache<'_> {
    /// Deletes the branches that no worktree needs and that another ref holds.
    pub(super) fn delete_branches(&mut self, gone: &[PathBuf], worktrees: Vec<Worktree>) -> Result<()> {
        self.warn_if_not_bare(&worktrees);
        let in_use = InUse { worktrees, remembered: self.remembered_branches()? };
        let branches = self.git.agent_branches()?;
        let candidates = branches.iter().filter(|branch| !in_use.has(branch));
        let candidates: HashSet<&str> = candidates.map(|branch| branch.name.as_str()).collect();
        let (mut idle, mut only_copies) = (Vec::new(), Vec::new());
        for branch in branches.iter().filter(|branch| candidates.contains(branch.name.as_str())) {
            let holders = match self.git.holders(&branch.tip) {
                Ok(holders) => holders,
                // The next one would hang, too.
                Err(error) if was_cut_off(&error) => return Err(error),
                Err(error) => {
                    self.report.fail(&error.context(format!("kept {}", branch.short())));
                    continue;
                }
            };
            match judge(branch, &in_use, &holders, &candidates) {
                Verdict::InUse => {}
                Verdict::OnlyCopy => only_copies.push(branch.short()),
                Verdict::Idle => idle.push(branch),
            }
        }
        self.note_kept(&only_copies);
        if !idle.is_empty() && !self.can_write() {
            return Ok(());
        }
        let effects = self.effects;
        self.report.branches_deleted += effects.delete_branches(self, &idle, gone)?;
        Ok(())
    }

    /// Deletes these branches, and returns how many.
    pub(super) fn delete(&mut self, idle: &[&Branch], gone: &[PathBuf]) -> Result<u64> {
        if idle.is_empty() {
            return Ok(0);
        }
        // Asked again at the last moment: an agent can check a branch out without our lock.
        let before = InUse { worktrees: self.worktrees(gone)?, remembered: self.remembered_branches()? };
        let mut deleted = Vec::new();
        for branch in idle.iter().filter(|branch| !before.has(branch)) {
            match self.git.delete(&self.bare, branch) {
                Ok(()) => deleted.push(*branch),
                Err(error) if was_cut_off(&error) => return Err(error),
                Err(error) => self.report.fail(&error),
            }
        }
        // And once more: a branch that was checked out in between is restored.
        let now = self.worktrees(gone)?;
        let is_missed = |branch: &&Branch| now.iter().any(|worktree| worktree.branch == branch.name);
        let (missed, deleted): (Vec<&Branch>, Vec<&Branch>) = deleted.into_iter().partition(is_missed);
        for branch in missed {
            self.git.restore(&self.bare, branch)?;
        }
        Ok(deleted.len() as u64)
    }

    fn note_kept(&mut self, only_copies: &[&str]) {
        self.report.branches_kept += only_copies.len() as u64;
        let Some(first) = only_copies.first() else { return };
        let mut named = only_copies[..only_copies.len().min(MOST_NAMED)].join(", ");
        if only_copies.len() > MOST_NAMED {
            named.push_str(", …");
        }
        let path = self.path();
        self.note(format!(
            "kept in {path}, because their commits are nowhere else: {named}; push them, or delete one: \
             `git -C {} branch -D -- {}`",
            quoted(&path),
            quoted(first)
        ));
    }

    /// A call to git with a wrong `GIT_DIR` can turn a bare repository into one with a worktree.
    fn warn_if_not_bare(&mut self, worktrees: &[Worktree]) {
        if worktrees.first().is_some_and(|itself| !itself.is_bare) {
            let path = self.path();
            self.note(format!(
                "{path} is not configured as a bare repository any more; repair it: `git --git-dir={} config core.bare true`",
                quoted(&path)
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_goes_only_if_another_ref_that_stays_holds_its_commit() {
        use Verdict::{Idle, InUse as Used, OnlyCopy};
        let worktree = |head: &str, branch: &str| Worktree {
            head: head.into(),
            branch: branch.into(),
            ..Worktree::default()
        };
        let live = worktree("aa", "refs/heads/agent/a/live");
        let detached = worktree("bb", "");
        let elsewhere = worktree("cc", "refs/heads/main");
        let itself = Worktree { is_bare: true, ..Worktree::default() };
        let in_use = InUse {
            worktrees: vec![itself, live, detached, elsewhere],
            remembered: vec!["refs/heads/agent/a/rebased".into()],
        };
        let candidates = HashSet::from(["refs/heads/agent/a/x", "refs/heads/agent/a/y"]);
        let remote = "refs/remotes/origin/main";
        for (name, tip, holders, expected) in [
            ("live", "aa", vec![remote], Used),
            ("rebased", "dd", vec![remote], Used),
            ("x", "bb", vec![remote], Used), // a detached worktree stands at it
            ("x", "cc", vec![remote], Idle), // a worktree stands at the same commit by another name
            ("x", "dd", vec!["refs/tags/v1"], Idle),
            ("x", "dd", vec!["refs/heads/agent/a/live"], Idle),
            ("x", "dd", vec![], OnlyCopy),
            ("x", "dd", vec!["refs/heads/agent/a/x"], OnlyCopy), // itself
            ("x", "dd", vec!["refs/heads/agent/a/x", "refs/heads/agent/a/y"], OnlyCopy),
            ("x", "dd", vec!["refs/heads/agent/a/y", remote], Idle),
        ] {
            let branch = Branch { name: format!("refs/heads/agent/a/{name}"), tip: tip.into() };
            let holders: Vec<String> = holders.into_iter().map(str::to_owned).collect();
            assert_eq!(judge(&branch, &in_use, &holders, &candidates), expected, "{name} {tip} {holders:?}");
        }
    }
}
