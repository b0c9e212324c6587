//! A new branch in working files: made, and checked out.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Result, ensure};

use super::changing::InTheWay;
use super::checkout::Checkout;
use super::refs::Branch;
use super::repository::Repository;

/// Stands first in the log of a branch that is made for an environment: how a call that was cut short knows its own, and what a
/// clean-up goes by.
fn message(key: &str) -> String {
    format!("execenv branch of {key}")
}

/// A branch that was made and is checked out now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBranch {
    /// The commit it points to; `None`: the repository has no commit yet.
    pub commit: Option<String>,
    /// What was checked out before: a branch, in full, else a commit.
    pub before: String,
}

/// Why a branch was not made. Nothing was changed.
#[derive(Debug, PartialEq, Eq)]
pub enum NotMade {
    /// Git allows no branch of this name.
    BadName,
    /// There is a branch of this name.
    Exists,
    /// There is no commit of this name.
    NoCommit,
    /// Uncommitted changes are in the way of what the commit holds; git's own words.
    InTheWay(String),
    /// Files that git ignores are.
    Ignored(Vec<PathBuf>),
}

impl fmt::Display for NotMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotMade::BadName => "git allows no branch of this name",
            NotMade::Exists => "there is a branch of this name",
            NotMade::NoCommit => "there is no such commit",
            NotMade::InTheWay(words) => words,
            NotMade::Ignored(_) => "files that git does not know are in the way",
        })
    }
}

impl Checkout {
    /// Makes the branch `name` at `from`, or at HEAD, and checks it out. Uncommitted changes stay, as with `git switch -c`.
    /// No hook and no filter of the repository runs. What a call that was cut short has begun is completed. The branch's log says
    /// that it is of the environment `key`.
    ///
    /// # Errors
    /// As git reports them.
    pub fn start_branch(
        &self,
        name: &str,
        from: Option<&str>,
        key: &str,
    ) -> Result<std::result::Result<NewBranch, NotMade>> {
        self.repair()?;
        let repository = self.repository();
        let (full, message) = (format!("refs/heads/{name}"), message(key));
        // `check-ref-format` takes a name with a dash at its beginning, and HEAD.
        let is_good = !name.starts_with('-')
            && name != "HEAD"
            && repository.look(["check-ref-format", &full]).succeeds()?;
        if !is_good {
            return Ok(Err(NotMade::BadName));
        }
        let head = repository.commit_of("HEAD")?;
        let symbolic = repository.look(["symbolic-ref", "--quiet", "HEAD"]).answer()?;
        let symbolic = symbolic.map(|name| String::from_utf8_lossy(&name).trim_end().to_owned());
        let before = symbolic.or_else(|| head.clone()).unwrap_or_default();
        let target = match from {
            Some(from) => repository.commit_of(from)?,
            None => head.clone(),
        };
        if target.is_none() && (from.is_some() || head.is_some()) {
            return Ok(Err(NotMade::NoCommit));
        }
        let made = repository.commit_of(&full)?;
        if let Some(tip) = &made {
            let is_ours = made == target && before != full && repository.logged(&full)? == [message.as_str()];
            if !is_ours {
                log::debug!("{full} is at {tip}");
                return Ok(Err(NotMade::Exists));
            }
        }
        if let Some(target) = target.as_ref().filter(|target| head.as_ref() != Some(target)) {
            let ignored = self.in_the_way(target)?;
            if !ignored.is_empty() {
                return Ok(Err(NotMade::Ignored(ignored)));
            }
        }
        if let Some(target) = &target {
            if made.is_none() {
                let create = ["update-ref", "--create-reflog", "-m", &message, &full, target, ""];
                repository.work(create).output()?;
            }
            if let Some(head) = head.as_ref().filter(|head| *head != target) {
                let undo = || repository.delete_branch(&Branch { name: full.clone(), tip: target.clone() });
                let mut moved = match self.switch(head, target, Some(target)) {
                    Ok(Ok(moved)) => moved,
                    Ok(Err(InTheWay(words))) => {
                        undo()?;
                        return Ok(Err(NotMade::InTheWay(words)));
                    }
                    Err(error) => {
                        undo()?;
                        return Err(error);
                    }
                };
                moved.install()?;
                self.put_head_on(&full, &message)?;
                moved.finish()?;
                return Ok(Ok(NewBranch { commit: Some(target.clone()), before }));
            }
        }
        self.put_head_on(&full, &message)?;
        Ok(Ok(NewBranch { commit: target, before }))
    }

    fn put_head_on(&self, branch: &str, message: &str) -> Result<()> {
        self.repository().work(["symbolic-ref", "-m", message, "HEAD", branch]).output().map(drop)
    }
}

impl Checkout {
    /// Takes a branch back that [`start_branch`](Self::start_branch) has just made: what was checked out before is so again.
    ///
    /// # Errors
    /// As git reports them, and where the branch has moved or is not checked out any more.
    pub fn end_branch(&self, name: &str, new: &NewBranch) -> Result<()> {
        let repository = self.repository();
        let full = format!("refs/heads/{name}");
        let symbolic = repository.look(["symbolic-ref", "--quiet", "HEAD"]).answer()?;
        let is_out = symbolic.is_some_and(|name| String::from_utf8_lossy(&name).trim_end() == full);
        ensure!(is_out && repository.commit_of(&full)? == new.commit, "{name} was used meanwhile");
        let back = repository.commit_of(&new.before)?;
        if let (Some(commit), Some(back)) = (&new.commit, &back)
            && commit != back
        {
            let view = repository.view(self.folders(), false)?;
            let moving = ["read-tree", "-m", "-u", commit, back];
            repository.work(moving).through(&view).and_to(view.tree()).output()?;
        }
        let message = "execenv: the branch before";
        if new.before.starts_with("refs/") {
            repository.work(["symbolic-ref", "-m", message, "HEAD", &new.before]).output()?;
        } else {
            repository.work(["update-ref", "--no-deref", "-m", message, "HEAD", &new.before]).output()?;
        }
        match &new.commit {
            Some(commit) => repository.delete_branch(&Branch { name: full, tip: commit.clone() }),
            None => Ok(()),
        }
    }
}

impl Repository<'_> {
    /// Whether a branch, by its name without `refs/heads/`, was begun for the environment `key`, as its log says.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn is_begun_for(&self, name: &str, key: &str) -> Result<bool> {
        let full = format!("refs/heads/{name}");
        // What is a pattern, or names a commit in another way, is no branch.
        let is_name = !name.starts_with('-') && self.look(["check-ref-format", &full]).succeeds()?;
        Ok(is_name && self.has_ref(&full)? && self.logged(&full)?.last() == Some(&message(key)))
    }

    /// The messages in the log of a ref, the newest first. The repository may ask for signatures to be checked, by a program that it
    /// names.
    fn logged(&self, full: &str) -> Result<Vec<String>> {
        let log = ["-c", "log.showSignature=false", "reflog", "show", "--format=%gs", full, "--"];
        Ok(self.look(log).text()?.lines().map(str::to_owned).collect())
    }
}
