//! A bare repository of the cache, whose worktrees are the environments': what its upkeep asks and changes.
//!
//! Whoever works in one of its worktrees can write to it. So nothing it configures is run, and every call ends in time.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Result;

use crate::git::{Git, said};
use crate::sys::child::Captured;

/// Where the branches of agents are. The slash matters: a branch called `agent` is none of them.
const AGENT_BRANCHES: &str = "refs/heads/agent/";
/// What upkeep leaves of reflogs and of objects that nothing refers to.
const KEPT: &str = "30.days";

/// A bare repository, and how long a call to it may take.
#[derive(Debug)]
pub struct BareRepo<'a> {
    git: Git,
    path: &'a Path,
    limit: Duration,
    stop: &'a AtomicBool,
}

/// A linked worktree, or the repository's own folder, which git lists first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Worktree {
    /// Where it is, or was.
    pub path: PathBuf,
    /// The commit that it stands at.
    pub head: String,
    /// The branch, in full; empty where it stands at a commit.
    pub branch: String,
    /// The repository itself, without a worktree.
    pub is_bare: bool,
}

/// A branch and the commit it stands at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Branch {
    /// The ref in full.
    pub name: String,
    /// The commit.
    pub tip: String,
}

impl Branch {
    /// The name without `refs/heads/`.
    pub fn short(&self) -> &str {
        self.name.strip_prefix("refs/heads/").unwrap_or(&self.name)
    }
}

/// Whether a call did not end by itself: its time was up, or it was asked to end. It may have left lock files.
pub(super) fn was_cut_off(error: &anyhow::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut};
    let cut = |error: &std::io::Error| matches!(error.kind(), Interrupted | TimedOut);
    error.chain().filter_map(|cause| cause.downcast_ref()).any(cut)
}

impl Git {
    /// The repository at `path`. Each call takes at most `limit`, and ends when `stop` is set.
    pub fn bare<'a>(&self, path: &'a Path, limit: Duration, stop: &'a AtomicBool) -> BareRepo<'a> {
        let mut git = self.clone();
        // The cache may belong to another user of the machine.
        git.add_setting("safe.directory", "*");
        // Whether a commit is elsewhere is asked of the commits as they are.
        git.set("GIT_NO_REPLACE_OBJECTS", "1");
        BareRepo { git, path, limit, stop }
    }

    /// Adds one setting to those that the variables hold.
    fn add_setting(&mut self, key: &str, value: &str) {
        let count = self.env.iter().find(|(name, _)| name == "GIT_CONFIG_COUNT");
        let count = count.and_then(|(_, text)| text.to_str()?.parse::<u32>().ok()).unwrap_or(0);
        self.set(format!("GIT_CONFIG_KEY_{count}"), key);
        self.set(format!("GIT_CONFIG_VALUE_{count}"), value);
        self.set("GIT_CONFIG_COUNT", count.saturating_add(1).to_string());
    }
}

impl BareRepo<'_> {
    /// The repository itself, first, and its linked worktrees, those whose folder is gone among them.
    ///
    /// # Errors
    /// As git reports them; when it does not end in time.
    pub fn worktrees(&self) -> Result<Vec<Worktree>> {
        let text = self.text(&["worktree", "list", "--porcelain", "-z"])?;
        let worktrees = parse_worktrees(&text);
        anyhow::ensure!(!worktrees.is_empty(), "`git worktree list` in {} says nothing", self.path.display());
        Ok(worktrees)
    }

    /// The branches of agents. Left out are the one that the repository's own HEAD names, and names that are no text.
    ///
    /// # Errors
    /// As [`BareRepo::worktrees`].
    pub fn agent_branches(&self) -> Result<Vec<Branch>> {
        let text =
            self.text(&["for-each-ref", "--format=%(HEAD)%(objectname) %(refname)", AGENT_BRANCHES])?;
        let branches = text.lines().filter_map(|line| line.strip_prefix(' ')?.split_once(' '));
        let branches = branches.filter(|(_, name)| !name.contains(char::REPLACEMENT_CHARACTER));
        Ok(branches.map(|(tip, name)| Branch { name: name.to_owned(), tip: tip.to_owned() }).collect())
    }

    /// The refs that hold the commit `tip`. A ref that only names another one is no holder.
    ///
    /// # Errors
    /// As [`BareRepo::worktrees`].
    pub fn holders(&self, tip: &str) -> Result<Vec<String>> {
        let contains = format!("--contains={tip}");
        let text = self.text(&["for-each-ref", &contains, "--format=%(symref) %(refname)"])?;
        Ok(text.lines().filter_map(|line| line.strip_prefix(' ')).map(str::to_owned).collect())
    }

    /// Whether anything that a ref holds is on no branch of a remote.
    ///
    /// # Errors
    /// As [`BareRepo::worktrees`].
    pub fn has_unpushed(&self) -> Result<bool> {
        let commits = self.text(&["rev-list", "--max-count=1", "--all", "--not", "--remotes"])?;
        Ok(!commits.trim().is_empty())
    }

    /// Deletes a branch if it still stands where it stood, with what is configured for it.
    ///
    /// # Errors
    /// As [`BareRepo::worktrees`]; when the branch has moved.
    pub fn delete(&self, branch: &Branch) -> Result<()> {
        self.text(&["update-ref", "--no-deref", "-d", &branch.name, &branch.tip])?;
        // Most have none, and one that is left matters to nobody but a branch of the same name.
        let section = format!("branch.{}", branch.short());
        let _ = self.run(&["config", "--local", "--remove-section", &section]);
        Ok(())
    }

    /// Makes a branch again that was deleted, unless there is one of its name.
    ///
    /// # Errors
    /// As [`BareRepo::worktrees`].
    pub fn restore(&self, branch: &Branch) -> Result<()> {
        // The empty old value: only a ref that is not there.
        self.text(&["update-ref", &branch.name, &branch.tip, ""]).map(drop)
    }

    /// Drops old entries of the reflogs.
    ///
    /// # Errors
    /// As [`BareRepo::worktrees`].
    pub fn expire_reflogs(&self) -> Result<()> {
        self.text(&["reflog", "expire", &format!("--expire={KEPT}"), "--all"]).map(drop)
    }

    /// Packs the repository and drops what nothing has referred to for a long time; within `limit`, because this
    /// takes minutes.
    ///
    /// # Errors
    /// As [`BareRepo::worktrees`]; when the repository configures a program to be run.
    pub fn collect_garbage(&self, limit: Duration) -> Result<()> {
        const HOOK: &str = "gc.recentObjectsHook";
        // `gc` would run it, and there is no switch that turns it off.
        let hooks = self.run(&["config", "--includes", "--show-scope", "--get-all", HOOK])?;
        let hooks = String::from_utf8_lossy(&hooks.stdout).into_owned();
        let own = hooks.lines().find(|line| !line.starts_with("system\t") && !line.starts_with("global\t"));
        anyhow::ensure!(own.is_none(), "{} sets {HOOK}, which `git gc` would run", self.path.display());
        // Registrations of worktrees are dropped one by one, by a rule of our own.
        let prune = format!("--prune={KEPT}");
        let args = ["-c", "gc.worktreePruneExpire=never", "gc", "--quiet", &prune];
        let captured = self.git.run_unless(self.path, &args, limit, self.stop)?;
        said(captured, self.path, &args[2..]).map(drop)
    }

    fn run(&self, args: &[&str]) -> Result<Captured> {
        self.git.run_unless(self.path, args, self.limit, self.stop)
    }

    /// The output of a call that succeeded. What is no text is marked by a replacement character.
    fn text(&self, args: &[&str]) -> Result<String> {
        let said = said(self.run(args)?, self.path, args)?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}

/// Reads `git worktree list --porcelain -z`: attributes that end in NUL, an empty one behind each worktree.
fn parse_worktrees(text: &str) -> Vec<Worktree> {
    let mut found: Vec<Worktree> = Vec::new();
    for attribute in text.split('\0') {
        let (word, value) = attribute.split_once(' ').unwrap_or((attribute, ""));
        if word == "worktree" {
            found.push(Worktree { path: value.into(), ..Worktree::default() });
        }
        let Some(worktree) = found.last_mut() else { continue };
        match word {
            "HEAD" => value.clone_into(&mut worktree.head),
            "branch" => value.clone_into(&mut worktree.branch),
            "bare" => worktree.is_bare = true,
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worktrees_are_read_whatever_their_paths_hold() {
        let text = "worktree /c/r.git\0bare\0\0worktree /a\nbranch x\0HEAD 12\0branch refs/heads/agent/a/1\0\0\
                    worktree /b\0HEAD 34\0detached\0locked why\never\0prunable gone\0\0";
        let worktree = |path: &str, head: &str, branch: &str, is_bare| Worktree {
            path: path.into(),
            head: head.into(),
            branch: branch.into(),
            is_bare,
        };
        let expected = [
            worktree("/c/r.git", "", "", true),
            worktree("/a\nbranch x", "12", "refs/heads/agent/a/1", false),
            worktree("/b", "34", "", false),
        ];
        assert_eq!(parse_worktrees(text), expected);
        assert_eq!(parse_worktrees(""), []);
    }

    #[test]
    fn a_setting_is_added_to_those_that_are_there() {
        for (before, at) in [(vec![], 0), (vec![("GIT_CONFIG_COUNT", "2"), ("GIT_CONFIG_KEY_1", "a")], 2)] {
            let mut git = Git::new(None, &[]);
            before.iter().for_each(|(name, value)| git.set(name, value));
            git.add_setting("safe.directory", "*");
            let has = |name: &str, value: &str| git.env.iter().any(|(n, v)| n == name && v == value);
            assert!(has("GIT_CONFIG_COUNT", &(at + 1).to_string()));
            assert!(has(&format!("GIT_CONFIG_KEY_{at}"), "safe.directory"));
            assert!(has(&format!("GIT_CONFIG_VALUE_{at}"), "*"));
            assert!(at == 0 || has("GIT_CONFIG_KEY_1", "a"));
        }
    }
}
