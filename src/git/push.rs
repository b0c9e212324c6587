//! Bringing a commit into another repository. Who can write to a repository can write its configuration, on either side: so both
//! are used through views, no hook of either runs, and a push goes to an address that the caller has checked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::checkout::Checkout;
use super::operation::{Pending, pending};
use super::program::Git;
use super::refs::Branch;
use super::remote::{Remote, parse_head};
use super::repository::Repository;
use crate::sys::tree::Tree;

/// The longest that a push may take.
pub const PUSHING: Duration = Duration::from_secs(30 * 60);
/// Settings of the user's that would push more than was asked for, or run a program.
const PUSH: [&str; 6] =
    ["push", "--quiet", "--no-verify", "--no-signed", "--no-follow-tags", "--recurse-submodules=no"];

/// A branch of a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteBranch {
    /// Its commit; `None`: there is no such branch.
    pub tip: Option<String>,
    /// The default branch of the remote, as far as it says.
    pub default: Option<String>,
}

/// A commit, and where it goes.
#[derive(Clone, Copy, Debug)]
pub struct Push<'a> {
    /// The commit.
    pub commit: &'a str,
    /// The ref there, by its full name.
    pub name: &'a str,
    /// The ref may have this commit, which need not lead to the new one; empty: it may not be there. `None`: what it has leads to it.
    pub over: Option<&'a str>,
    /// The longest that it may take.
    pub limit: Duration,
}

/// The git folder of a repository that is changed without its working files. Calls that write can write only there, where the
/// system can confine them.
#[derive(Debug)]
pub struct GitFolder {
    git: Git,
    tree: [Tree; 1],
}

impl GitFolder {
    /// Opens it.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn open(git: &Git, path: &Path) -> Result<GitFolder> {
        let tree = Tree::open(path).and_then(|tree| tree.lockable());
        let tree = tree.with_context(|| format!("open {}", path.display()))?;
        Ok(GitFolder { git: git.clone(), tree: [tree] })
    }

    /// The open folder.
    pub fn tree(&self) -> &Tree {
        &self.tree[0]
    }

    /// For calls to git.
    pub fn repository(&self) -> Repository<'_> {
        self.git.at(self.tree().path()).around(&self.tree)
    }

    /// A branch, by its name without `refs/heads/`, and the working files that have it checked out. `None`: there is none.
    ///
    /// # Errors
    /// As [`Repository::branch`].
    pub fn branch(&self, short: &str) -> Result<Option<(Branch, Option<PathBuf>)>> {
        let found = self.repository().branch(short)?;
        // Of a bare repository git says that it has the branch of its HEAD checked out in itself.
        let is_elsewhere = |path: &PathBuf| path != self.tree().path();
        Ok(found.map(|(branch, worktree)| (branch, worktree.filter(is_elsewhere))))
    }

    /// An operation in one of its worktrees that moves a branch, without `refs/heads/`, when it ends.
    pub fn pending(&self, branch: &str) -> Option<Pending> {
        pending(self.tree(), branch, None)
    }

    /// The address of the remote `origin`, as the configuration has it.
    ///
    /// # Errors
    /// As [`answer`](super::command::GitCommand::answer).
    pub fn origin(&self) -> Result<Option<String>> {
        self.repository().origin()
    }

    /// Copies a commit, with all that it needs, from the repository of a checkout. No ref holds it here then.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn take(&self, from: &Checkout, commit: &str) -> Result<()> {
        let repository = self.repository();
        if repository.commit_of(commit)?.is_some() {
            return Ok(());
        }
        repository.within(PUSHING, self.git.stop()).copy_from(self.git.at(from.git_dir()), &[commit])
    }
}

impl Repository<'_> {
    fn origin(&self) -> Result<Option<String>> {
        let found = self.look(["config", "--get", "remote.origin.url"]).answer()?;
        let found = found.map(|address| String::from_utf8_lossy(&address).trim_end().to_owned());
        Ok(found.filter(|address| !address.is_empty()))
    }
}

impl Checkout {
    /// The address of the remote `origin`, as the repository's configuration has it: a text of the agent's.
    ///
    /// # Errors
    /// As [`answer`](super::command::GitCommand::answer).
    pub fn origin(&self) -> Result<Option<String>> {
        self.repository().origin()
    }

    /// A branch of a remote.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn remote_branch(&self, remote: &Remote, branch: &str) -> Result<RemoteBranch> {
        let repository = self.repository();
        let view = repository.view_of_files(self.folders())?;
        let full = format!("refs/heads/{branch}");
        let list = ["ls-remote", "--symref", "origin", "HEAD", &full];
        let said = repository.remote_call(list, remote, &view)?.text()?;
        let tip = said.lines().find_map(|line| line.strip_suffix(&full)?.strip_suffix('\t'));
        Ok(RemoteBranch { tip: tip.map(str::to_owned), default: parse_head(&said).branch })
    }

    /// Pushes a commit.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output), also where the ref has other commits.
    pub fn push(&self, remote: &Remote, push: Push<'_>) -> Result<()> {
        let Push { commit, name, over, limit } = push;
        let repository = self.repository();
        let repository = repository.within(limit, repository.stop());
        let view = repository.view_of_files(self.folders())?;
        let lease = over.map(|over| format!("--force-with-lease={name}:{over}"));
        let refspec = format!("{commit}:{name}");
        let words = PUSH.into_iter().chain(lease.as_deref()).chain(["origin", &refspec]);
        repository.remote_call(words, remote, &view)?.output().map(drop)
    }

    /// Where a branch of the remote `origin` was when it was last fetched or pushed. `None`: it never was.
    ///
    /// # Errors
    /// As [`answer`](super::command::GitCommand::answer).
    pub fn noted(&self, branch: &str) -> Result<Option<String>> {
        self.repository().commit_of(&tracking(branch))
    }

    /// Notes where a branch of the remote `origin` is now, as `git push` does: so its commits count as pushed.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn note_pushed(&self, branch: &str, commit: &str) -> Result<()> {
        let noted = tracking(branch);
        self.repository().work(["update-ref", "-m", "execenv publish", &noted, commit]).output().map(drop)
    }
}

fn tracking(branch: &str) -> String {
    format!("refs/remotes/origin/{branch}")
}
