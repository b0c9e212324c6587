//! Making a commit of a tree, and moving a ref to it: neither needs working files.

use anyhow::Result;

use super::checkout::Checkout;
use super::identity::GitIdentity;
use super::repository::Repository;

/// A commit that is to be made of a tree.
#[derive(Clone, Copy, Debug)]
pub struct NewCommit<'a> {
    /// The tree.
    pub tree: &'a str,
    /// The parents.
    pub parents: &'a [&'a str],
    /// The message.
    pub message: &'a str,
    /// Who makes it.
    pub by: &'a GitIdentity,
}

/// A ref that is to be moved, if it is still where it was.
#[derive(Clone, Copy, Debug)]
pub struct Move<'a> {
    /// The ref in full, or `HEAD` for the branch that is checked out.
    pub name: &'a str,
    /// Where it is.
    pub from: &'a str,
    /// Where it goes.
    pub to: &'a str,
    /// For its log.
    pub why: &'a str,
}

impl Repository<'_> {
    /// Makes a commit and returns its id.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn make_commit(&self, new: NewCommit<'_>) -> Result<String> {
        let parents = new.parents.iter().flat_map(|parent| ["-p", parent]);
        let commit = self.work(["commit-tree", new.tree, "-F", "-"]).args(parents).by(new.by);
        self.git().note(commit.input(new.message.as_bytes().to_vec()).text()?)
    }

    /// Moves a ref.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output), also when the ref has moved meanwhile.
    pub fn move_ref(&self, moved: Move<'_>) -> Result<()> {
        let Move { name, from, to, why } = moved;
        self.work(["update-ref", "-m", why, name, to, from]).output().map(drop)
    }

    /// Whether `commit` is one of those that lead to `later`, or `later` itself.
    ///
    /// # Errors
    /// As [`answer`](super::command::GitCommand::answer), also where one of them is not there.
    pub fn is_ancestor(&self, commit: &str, later: &str) -> Result<bool> {
        Ok(self.look(["merge-base", "--is-ancestor", commit, later]).answer()?.is_some())
    }

    /// Whether two commits have one in common.
    ///
    /// # Errors
    /// As [`answer`](super::command::GitCommand::answer).
    pub fn are_related(&self, one: &str, other: &str) -> Result<bool> {
        Ok(self.look(["merge-base", one, other]).answer()?.is_some())
    }
}

impl Repository<'_> {
    /// The tree of a commit.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn tree_of(&self, commit: &str) -> Result<String> {
        self.look(["rev-parse", "--quiet", "--verify", &format!("{commit}^{{tree}}")]).text()
    }

    /// The branch that the repository's own HEAD names, without `refs/heads/`.
    ///
    /// # Errors
    /// As [`answer`](super::command::GitCommand::answer).
    pub fn head_branch(&self) -> Result<Option<String>> {
        let name = self.look(["symbolic-ref", "--quiet", "HEAD"]).answer()?;
        let name = name.map(|name| String::from_utf8_lossy(&name).trim_end().to_owned());
        Ok(name.and_then(|name| name.strip_prefix("refs/heads/").map(str::to_owned)))
    }
}

impl Checkout {
    /// As [`Repository::make_commit`].
    ///
    /// # Errors
    /// As [`Repository::make_commit`].
    pub fn make_commit(&self, new: NewCommit<'_>) -> Result<String> {
        self.repository().make_commit(new)
    }

    /// As [`Repository::move_ref`].
    ///
    /// # Errors
    /// As [`Repository::move_ref`].
    pub fn move_ref(&self, moved: Move<'_>) -> Result<()> {
        self.repository().move_ref(moved)
    }

    /// Whether `commit` leads to `later`; a commit that is not there does not.
    ///
    /// # Errors
    /// As [`Repository::is_ancestor`].
    pub fn leads_to(&self, commit: &str, later: &str) -> Result<bool> {
        let repository = self.repository();
        let both = repository.commit_of(commit)?.is_some() && repository.commit_of(later)?.is_some();
        Ok(both && repository.is_ancestor(commit, later)?)
    }
}
