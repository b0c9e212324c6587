//! Refs: which there are, which hold a commit, and changes that fail where a ref has moved.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::repository::Repository;
use super::shape::refs_lead_elsewhere;

/// Begins the name of every ref of ours.
pub const OWN_REFS: &str = "refs/execenv/";
/// Ends the name of the ref that holds the newest checkpoint.
pub const NEWEST: &str = "wip";
/// Begins the last part of the name of the ref that holds one checkpoint; its number follows.
pub const CHECKPOINT: &str = "checkpoint-";

/// Refs whose commits are held by nothing for good: checkpoints may go with their environment, a stash with the next
/// `git stash pop`.
pub(super) const NO_HOLDERS: [&str; 3] =
    ["--exclude=refs/execenv/*/wip", "--exclude=refs/execenv/*/checkpoint-*", "--exclude=refs/stash"];
/// The stash, which all worktrees of a repository share.
pub(super) const STASH: &str = "refs/stash";

/// Whether a ref may go with its environment although nothing else holds its commit.
pub fn is_passing(name: &str) -> bool {
    let last = name.strip_prefix(OWN_REFS).and_then(|rest| rest.split_once('/')).map(|(_, last)| last);
    last.is_some_and(|last| last == NEWEST || last.starts_with(CHECKPOINT))
}

/// How many names are tried for a new ref.
const TRIES: u32 = 100;

/// A branch and the commit it points to.
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

/// Whether a text is a commit's id in full.
pub fn is_commit_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Repository<'_> {
    /// The branches whose full names begin with `prefix`. Left out are the one that the repository's own HEAD names,
    /// and names that are not UTF-8.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn branches(&self, prefix: &str) -> Result<Vec<Branch>> {
        let text = self.look(["for-each-ref", "--format=%(HEAD)%(objectname) %(refname)", prefix]).text()?;
        let branches = text.lines().filter_map(|line| line.strip_prefix(' ')?.split_once(' '));
        let branches = branches.filter(|(_, name)| !name.contains(char::REPLACEMENT_CHARACTER));
        Ok(branches.map(|(tip, name)| Branch { name: name.to_owned(), tip: tip.to_owned() }).collect())
    }

    /// The refs that hold the commit `tip`. A symbolic ref only names another one and does not count; nor do checkpoints and
    /// stashes, which hold nothing for good.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn holders(&self, tip: &str) -> Result<Vec<String>> {
        let contains = format!("--contains={tip}");
        let text = self.look(["for-each-ref", &contains, "--format=%(symref) %(refname)"]).text()?;
        let names = text.lines().filter_map(|line| line.strip_prefix(' '));
        Ok(names.filter(|name| !is_passing(name) && *name != STASH).map(str::to_owned).collect())
    }

    /// Whether any ref holds a commit that is on no branch of a remote.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn has_unpushed(&self) -> Result<bool> {
        let commits = self.look(["rev-list", "--max-count=1", "--all", "--not", "--remotes"]).text()?;
        Ok(!commits.is_empty())
    }

    /// The id of the commit that a name leads to; `None`: there is none. A name that git could take for an option has none.
    ///
    /// # Errors
    /// As [`answer`](super::command::GitCommand::answer).
    pub fn commit_of(&self, name: &str) -> Result<Option<String>> {
        if name.starts_with('-') {
            return Ok(None);
        }
        let found =
            self.look(["rev-parse", "--quiet", "--verify", &format!("{name}^{{commit}}")]).answer()?;
        Ok(found.map(|id| String::from_utf8_lossy(&id).trim_end().to_owned()))
    }

    /// Whether HEAD names a commit. In a repository without any commit it does not.
    ///
    /// # Errors
    /// As [`succeeds`](super::command::GitCommand::succeeds).
    pub fn has_head(&self) -> Result<bool> {
        self.has_ref("HEAD")
    }

    /// Whether there is a ref of this name.
    ///
    /// # Errors
    /// As [`succeeds`](super::command::GitCommand::succeeds).
    pub fn has_ref(&self, name: &str) -> Result<bool> {
        self.look(["rev-parse", "--quiet", "--verify", name]).succeeds()
    }

    /// Creates a ref at `commit`.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output), also when there is a ref of this name.
    pub fn create_ref(&self, name: &str, commit: &str) -> Result<()> {
        // The empty old value: git fails if the ref is there.
        self.work(["update-ref", name, commit, ""]).output().map(drop)
    }

    /// Makes a ref another name for one that exists.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn point(&self, name: &str, target: &str) -> Result<()> {
        self.work(["symbolic-ref", name, target]).output().map(drop)
    }

    /// A branch, by its name without `refs/heads/`, and the worktree that has it checked out. `None`: there is none.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn branch(&self, short: &str) -> Result<Option<(Branch, Option<PathBuf>)>> {
        let name = format!("refs/heads/{short}");
        let found = self.look(["for-each-ref", "--format=%(objectname) %(worktreepath)", &name]).text()?;
        let Some(line) = found.lines().next() else { return Ok(None) };
        let (tip, worktree) = line.split_once(' ').unwrap_or((line, ""));
        let worktree = Some(PathBuf::from(worktree)).filter(|path| !path.as_os_str().is_empty());
        Ok(Some((Branch { name, tip: tip.to_owned() }, worktree)))
    }

    /// How many commits of a branch no other ref holds. The HEADs of linked worktrees do not count: one of them is the branch's own.
    /// Nor do checkpoints and stashes, which hold nothing for good.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn only_on(&self, branch: &Branch) -> Result<u64> {
        let but_it = format!("--exclude={}", branch.name);
        let count = ["rev-list", "--count", "--single-worktree", &branch.tip, "--not", &but_it];
        Ok(self.as_stored().look(count).args(NO_HOLDERS).args(["--all"]).text()?.parse()?)
    }

    /// Keeps a commit by a new ref `refs/execenv/<name>`, with a number where that exists, and returns the ref.
    ///
    /// # Errors
    /// As [`Repository::create_ref`].
    pub fn keep_commit(&self, name: &str, commit: &str) -> Result<String> {
        let mut number = 0;
        loop {
            let full = match number {
                0 => format!("{OWN_REFS}{name}"),
                number => format!("{OWN_REFS}{name}-{number}"),
            };
            match self.create_ref(&full, commit) {
                Ok(()) => return Ok(full),
                Err(error) if number >= TRIES => return Err(error),
                Err(_) => number += 1,
            }
        }
    }

    /// Who can write to a repository can put links into it, and git would delete the refs of another one.
    pub(super) fn refuse_refs_elsewhere(&self) -> Result<()> {
        match refs_lead_elsewhere(self.dir())? {
            None => Ok(()),
            Some((path, why)) => {
                bail!("nothing is deleted in {}: {} {why}", self.dir().display(), path.display())
            }
        }
    }

    /// Deletes a branch with its configuration, if it still points to the same commit. The repository is that of a git folder.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output), also when the branch has moved; where refs lead to another repository.
    pub fn delete_branch(&self, branch: &Branch) -> Result<()> {
        self.refuse_refs_elsewhere()?;
        self.work(["update-ref", "--no-deref", "-d", &branch.name, &branch.tip]).output()?;
        // Most branches have no configuration, and one that is left only matters to a branch of the same name.
        let section = format!("branch.{}", branch.short());
        let _ = self.work(["config", "--local", "--remove-section", &section]).succeeds();
        Ok(())
    }
}
