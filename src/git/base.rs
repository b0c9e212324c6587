//! The commit from which work is counted.

use std::path::Path;

use anyhow::Result;

use super::checkout::Checkout;

/// What is checked out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The commit; `None`: there is none yet.
    pub commit: Option<String>,
    /// Its tree.
    pub tree: Option<String>,
    /// The branch without `refs/heads/`; `None`: a commit is checked out without one.
    pub branch: Option<String>,
}

/// The tree without a file, in repositories whose ids are SHA-1.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
/// The same where they are SHA-256.
const EMPTY_TREE_SHA256: &str = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321";

/// The id of the tree without a file, in a repository with such an id.
pub fn empty_tree(id: &str) -> &'static str {
    if id.len() == EMPTY_TREE.len() { EMPTY_TREE } else { EMPTY_TREE_SHA256 }
}

impl Checkout {
    /// What is checked out.
    ///
    /// # Errors
    /// As git reports it.
    pub fn head(&self) -> Result<Head> {
        let repository = self.repository();
        let question =
            ["rev-parse", "--revs-only", "HEAD^{commit}", "HEAD^{tree}", "--symbolic-full-name", "HEAD"];
        let answer = repository.look(question).text()?;
        let mut lines = answer.lines().map(str::to_owned);
        let (commit, tree) = (lines.next(), lines.next());
        let branch = match (&commit, lines.next()) {
            (Some(_), name) => name,
            // It says nothing where there is no commit.
            (None, _) => {
                let name = repository.look(["symbolic-ref", "--quiet", "HEAD"]).answer()?;
                name.map(|name| String::from_utf8_lossy(&name).trim_end().to_owned())
            }
        };
        let branch = branch.and_then(|name| name.strip_prefix("refs/heads/").map(str::to_owned));
        Ok(Head { commit, tree, branch })
    }

    /// The newest commit below `head` that a branch of a remote holds: it can be fetched again. `None`: there is none.
    ///
    /// # Errors
    /// As git reports it.
    pub fn newest_on_a_remote(&self, head: &str) -> Result<Option<String>> {
        let repository = self.repository();
        let remotes = ["for-each-ref", "--count=1", "--format=%(objectname)", "refs/remotes"];
        if repository.look(remotes).text()?.is_empty() {
            return Ok(None);
        }
        let boundary = ["rev-list", "--boundary", head, "--not", "--remotes"];
        let listed = repository.as_stored().look(boundary).text()?;
        if listed.is_empty() {
            return Ok(Some(head.to_owned()));
        }
        let found: Vec<&str> = listed.lines().filter_map(|line| line.strip_prefix('-')).collect();
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some((*one).to_owned())),
            several => {
                let newest = ["rev-list", "--max-count=1", "--no-walk=sorted"];
                repository.look(newest).args(several).text().map(Some)
            }
        }
    }

    /// The last commit that `head` and `other` have in common. `None`: there is none, or `other` is no commit.
    ///
    /// # Errors
    /// As git reports it.
    pub fn fork_point(&self, head: &str, other: &str) -> Result<Option<String>> {
        let repository = self.repository();
        let Some(other) = repository.commit_of(other)? else { return Ok(None) };
        let base = repository.look(["merge-base", head, &other]).answer()?;
        Ok(base.map(|id| String::from_utf8_lossy(&id).trim_end().to_owned()))
    }

    /// Whether the repository lies outside of `folder`, so that its commits stay when the folder goes.
    pub fn outlives(&self, folder: &Path) -> bool {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        !real(&self.folders().common).starts_with(real(folder))
    }
}
