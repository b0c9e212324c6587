//! The branch of the work in its target.

use anyhow::Result;

use super::order::{Job, Published};
use super::target::{Target, default_branch, folder_of, hold};
use crate::failure::{Code, Failure};
use crate::git::{GitFolder, Move};
use crate::repos::RepoUrl;

impl Job<'_> {
    pub(super) fn to_branch(&self, published: &mut Published) -> Result<()> {
        match self.target()? {
            Target::Remote(url) => self.push(&url, published),
            Target::Same(common) => self.put_branch(&GitFolder::open(self.git, &common)?, published),
            Target::Folder(common) => {
                published.is_elsewhere = true;
                self.put_branch(&GitFolder::open(self.git, &common)?, published)
            }
        }
    }

    /// Puts the branch into a repository on this machine. From here on no other command of ours changes it.
    pub(super) fn put_branch(&self, target: &GitFolder, published: &mut Published) -> Result<()> {
        hold(target)?;
        published.target = folder_of(target.tree().path()).display().to_string();
        let Published { branch, commit, .. } = &*published;
        let (name, repository) = (format!("refs/heads/{branch}"), target.repository());
        if published.is_elsewhere {
            self.refuse_default(branch, default_branch(&repository)?.as_deref())?;
            target.take(&self.checkout, commit)?;
        }
        let Some((found, worktree)) = target.branch(branch)? else {
            return repository.create_ref(&name, commit);
        };
        if found.tip == *commit {
            return Ok(());
        }
        if let Some(worktree) = worktree {
            let message = format!("the branch {branch} is checked out in {}", worktree.display());
            return Err(Failure::new(Code::Occupied, message).hint("`--branch` takes another name").into());
        }
        if !self.order.force && !repository.is_ancestor(&found.tip, commit)? {
            return Err(has_others(branch).into());
        }
        repository.move_ref(Move { name: &name, from: &found.tip, to: commit, why: "execenv publish" })
    }

    /// Pushes the branch to a server.
    pub(super) fn push(&self, url: &RepoUrl, published: &mut Published) -> Result<()> {
        published.target = url.address().to_owned();
        published.is_elsewhere = true;
        let Published { branch, commit, .. } = &*published;
        let there = self.checkout.remote_branch(&url.remote(false), branch)?;
        self.refuse_default(branch, there.default.as_deref())?;
        if there.tip.as_ref() != Some(commit) {
            let is_over = match &there.tip {
                Some(tip) => !self.checkout.leads_to(tip, commit)?,
                None => false,
            };
            if is_over && !self.order.force {
                return Err(has_others(branch).into());
            }
            let over = there.tip.as_deref().filter(|_| is_over);
            self.checkout.push(&url.remote(false), commit, branch, over)?;
        }
        // Without `--target` it is the remote of this repository.
        if self.order.target.is_none() {
            self.checkout.note_pushed(branch, commit)?;
        }
        published.base = self.order.base.map(str::to_owned).or(there.default);
        Ok(())
    }
}

fn has_others(branch: &str) -> Failure {
    let message = format!("the branch {branch} has commits there that this work does not have");
    Failure::new(Code::Occupied, message)
        .hint("`--branch` takes another name; `--force-with-lease` replaces what is there now")
}
