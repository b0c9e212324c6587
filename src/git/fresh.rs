//! A new repository with one empty commit, so that work in it can be compared with something.

use std::path::Path;

use anyhow::Result;

use super::identity::GitIdentity;
use super::program::Git;

/// The message of the first commit.
const MESSAGE: &str = "execenv: an empty repository";
/// The branch where the user's configuration names none.
const BRANCH: &str = "main";

/// A repository that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// The branch that is checked out, without `refs/heads/`.
    pub branch: String,
    /// Its only commit.
    pub commit: String,
}

impl Git {
    /// Makes a repository of the empty folder `dir`, with one empty commit in the name of `by`. Its branch is called as
    /// `init.defaultBranch` of the user's configuration says.
    ///
    /// # Errors
    /// As git reports them; the caller removes what is there then.
    pub fn init(&self, dir: &Path, by: &GitIdentity) -> Result<Fresh> {
        let repository = self.at(dir);
        let named = self.at(Path::new("/")).look(["config", "--get", "init.defaultBranch"]);
        let named = named.variable("GIT_DIR", "/dev/null").answer()?.unwrap_or_default();
        let named = String::from_utf8_lossy(&named).trim_end().to_owned();
        let branch = if named.is_empty() { BRANCH.to_owned() } else { named };
        repository.work(["init", "--quiet", "--initial-branch", &branch]).output()?;
        let tree = repository.work(["mktree"]).input(Vec::new()).text()?;
        let commit = repository.work(["commit-tree", "-m", MESSAGE, &tree]).by(by).text()?;
        let log = format!("commit (initial): {MESSAGE}");
        repository.work(["update-ref", "-m", &log, "HEAD", &commit, ""]).output()?;
        Ok(Fresh { branch, commit })
    }
}

impl super::repository::Repository<'_> {
    /// Whether a commit is the first one of a repository that [`Git::init`] has made: there is nothing in it.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub(super) fn is_beginning(&self, commit: &str) -> Result<bool> {
        let format = "--format=%P%n%B";
        let asked =
            self.look(["rev-list", "--max-count=1", "--no-commit-header", format, commit]).output()?;
        let text = String::from_utf8_lossy(&asked);
        let is_ours = text.strip_prefix('\n').is_some_and(|message| message.trim_end() == MESSAGE);
        Ok(is_ours && self.look(["ls-tree", commit]).output()?.is_empty())
    }
}
