//! The branch of the work in its target.

use anyhow::Result;

use super::merge::refuse_pending;
use super::order::{Job, Published};
use super::target::{Target, default_branch, folder_of, hold};
use crate::failure::{Code, Failure};
use crate::git::{GitFolder, Move, PUSHING, Push};
use crate::repos::RepoUrl;
use crate::task::is_branch_of;

impl Job<'_> {
    pub(super) fn to_branch(&self, published: &mut Published) -> Result<()> {
        match self.target()? {
            Target::Remote(url) => self.push(&url, published),
            Target::Same(common) => self.put_branch(&GitFolder::open(&self.git, &common)?, published),
            Target::Folder(common) => {
                published.is_elsewhere = true;
                self.put_branch(&GitFolder::open(&self.git, &common)?, published)
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
        refuse_pending(target, branch)?;
        if let Some(worktree) = worktree {
            let message = format!("the branch {branch} is checked out in {}", worktree.display());
            return Err(Failure::new(Code::Occupied, message).hint("`--branch` takes another name").into());
        }
        if !repository.is_ancestor(&found.tip, commit)? {
            let is_related = repository.are_related(&found.tip, commit)?;
            self.refuse_to_replace(published, &found.tip, is_related, None)?;
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
            let over = there.tip.as_deref().filter(|_| is_over);
            if let Some(tip) = over {
                let is_related = self.checkout.fork_point(commit, tip)?.is_some();
                let noted = if self.order.target.is_none() { self.checkout.noted(branch)? } else { None };
                self.refuse_to_replace(published, tip, is_related, noted.as_deref())?;
            }
            let push = Push { commit, name: &format!("refs/heads/{branch}"), over, limit: PUSHING };
            self.checkout.push(&url.remote(false), push)?;
        }
        // Without `--target` it is the remote of this repository.
        if self.order.target.is_none() {
            self.checkout.note_pushed(branch, commit)?;
        }
        published.base = self.order.base.map(str::to_owned).or(there.default);
        Ok(())
    }

    /// Refuses to replace what a branch has there, its commit `tip`, unless that was asked for and this environment has put it there: the
    /// record says so, or where the branch was when it was last pushed or fetched. An agent can write both, and choose the
    /// branch and its remote: so the branch is the task's or is named, and unrelated work always stays.
    fn refuse_to_replace(
        &self,
        published: &Published,
        tip: &str,
        is_related: bool,
        noted: Option<&str>,
    ) -> Result<()> {
        let Published { branch, target, .. } = published;
        if !self.order.force {
            return Err(has_others(branch).into());
        }
        if self.order.branch.is_none() && !is_branch_of(branch, &self.env.env.key()) {
            let message = format!("the branch {branch} was not made for this environment");
            return Err(Failure::new(Code::Usage, message)
                .hint(format!("`--branch {branch}` says that it is the one to replace"))
                .into());
        }
        let own = self.env.meta.as_ref().and_then(|meta| meta.own.as_ref());
        let mut all = own.iter().flat_map(|own| own.published.iter().rev());
        let last = all.find(|one| one.branch == *branch && one.target == *target);
        let is_known = noted == Some(tip) || last.is_some_and(|last| last.commit == tip);
        if is_known && is_related {
            return Ok(());
        }
        let message =
            format!("the branch {branch} has commits there that this environment has not published");
        Err(Failure::new(Code::Occupied, message)
            .hint("look at them first; `--branch` takes another name, `git push --force` replaces them")
            .into())
    }
}

fn has_others(branch: &str) -> Failure {
    let message = format!("the branch {branch} has commits there that this work does not have");
    Failure::new(Code::Occupied, message)
        .hint("`--branch` takes another name; `--force-with-lease` replaces what this environment has published there last")
}
