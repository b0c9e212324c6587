//! Merging the work into a branch of its repository, in the objects: no working tree is needed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::order::{Job, Published, To};
use super::target::{Target, default_branch, folder_of};
use crate::environment::{FoundEnv, LockedEnv, LockedRoot, PublishedRecord, quoted};
use crate::failure::{Code, Failure};
use crate::git::{
    Branch, Checkout, Git, GitFolder, Merged, Move, Named, NewCommit, Pending, Repository, is_commit_id,
};
use crate::layout::names;
use crate::sys::tree::Tree;
use crate::work::place::shown;

/// What is merged into.
pub(super) struct MergeTarget {
    folder: GitFolder,
    is_elsewhere: bool,
    /// The branch.
    base: String,
}

/// The branch that is merged into, and where it is checked out.
struct Base {
    branch: Branch,
    worktree: Option<PathBuf>,
}

impl MergeTarget {
    /// Refuses a branch that is not there, or into which nothing could be merged as it is now: it is checked out, and there is work in its
    /// files.
    pub(super) fn refuse_unready(&self, git: &Git) -> Result<()> {
        let Base { branch, worktree } = find(&self.folder, &self.base)?;
        refuse_pending(&self.folder, &self.base)?;
        let Some(folder) = worktree else { return Ok(()) };
        let opened = Tree::open(&folder).with_context(|| format!("open {}", folder.display()))?;
        refuse_work_in(&Checkout::open(git, &opened)?, &folder, branch.short())
    }
}

impl Job<'_> {
    /// The repository and the branch to merge into. The user names both, but for the repository that the work dir is a worktree of:
    /// where `origin` leads, and what its default branch is, can be an agent's choice.
    pub(super) fn merge_target(&self) -> Result<MergeTarget> {
        let (common, is_elsewhere) = match self.target()? {
            Target::Same(common) => (common, false),
            Target::Folder(common) => (common, true),
            Target::Remote(url) => {
                let message = format!("{} is a remote: nothing can be merged there from here", url.address());
                return Err(Failure::new(Code::Usage, message)
                    .hint("`--to pr` opens a pull request; `--target DIR` names a repository of yours")
                    .into());
            }
        };
        let at = folder_of(&common);
        if is_elsewhere && self.order.target.is_none() {
            let message = format!("the remote `origin` is the folder {}", at.display());
            return Err(Failure::new(Code::Usage, message)
                .hint(format!("`--target {}` says that it is the one to merge into", quoted(at)))
                .into());
        }
        let folder = GitFolder::open(&self.git, &common)?;
        let Some(base) = self.order.base else {
            let default = default_branch(&folder.repository())?;
            let default = default.as_deref().unwrap_or("BRANCH");
            let message = "`--to merge` needs the name of the branch to merge into";
            return Err(Failure::new(Code::Usage, message).hint(format!("`--base {default}`")).into());
        };
        let base = base.strip_prefix("refs/heads/").unwrap_or(base).to_owned();
        Ok(MergeTarget { folder, is_elsewhere, base })
    }

    pub(super) fn to_merge(&self, into: &MergeTarget, published: &mut Published) -> Result<()> {
        let MergeTarget { folder: target, is_elsewhere, base: name } = into;
        published.is_elsewhere = *is_elsewhere;
        let repository = target.repository();
        // Before anything is put there.
        let base = find(target, name)?;
        refuse_pending(target, name)?;
        self.put_branch(target, published)?;
        published.base = Some(name.clone());
        match self.merge_into(&repository, &base, published) {
            Err(error) if Failure::find(&error).is_none() => {
                let now = find(target, name)?;
                if now.branch.tip == base.branch.tip {
                    return Err(error);
                }
                log::info!("{name} has moved, once more: {error:#}");
                self.merge_into(&repository, &now, published)
            }
            done => done,
        }
    }

    fn merge_into(&self, repository: &Repository<'_>, base: &Base, published: &mut Published) -> Result<()> {
        let (tip, commit) = (base.branch.tip.as_str(), published.commit.clone());
        if repository.is_ancestor(&commit, tip)? {
            published.merged = Some(tip.to_owned());
            return Ok(());
        }
        let since = self.squashed_before(repository, base, &commit)?;
        let ours = Named { id: since.as_deref().unwrap_or(tip), name: base.branch.short() };
        let theirs = Named { id: &commit, name: &published.branch };
        let Merged { tree, conflicts, .. } = repository.merge_in_objects(ours, theirs)?;
        if !conflicts.is_empty() {
            published.conflicts = conflicts;
            return Ok(());
        }
        let merged = match self.order.squash {
            true if tree == repository.tree_of(tip)? => tip.to_owned(), // squashed before
            false if repository.is_ancestor(tip, &commit)? => commit,
            is_squash => {
                let plain = format!("Merge branch '{}'", published.branch);
                let title = if is_squash { Some(self.title.as_str()) } else { self.order.title };
                let message = format!("{}\n", title.unwrap_or(&plain));
                let both = [tip, commit.as_str()];
                let parents = if is_squash { &both[..1] } else { &both };
                repository.make_commit(NewCommit { tree: &tree, parents, message: &message, by: &self.by })?
            }
        };
        if merged != tip {
            let moved = Move { name: &base.branch.name, from: tip, to: &merged, why: "execenv publish" };
            match &base.worktree {
                None => repository.move_ref(moved)?,
                Some(folder) => self.merge_checked_out(repository, folder, &tree, moved)?,
            }
        }
        published.merged = Some(merged);
        Ok(())
    }

    /// What the base is merged as where a part of the work was squashed into it before: its files, on the commit that was squashed. So
    /// only what came since is merged, and nothing conflicts with its own earlier self.
    ///
    /// The record names the two commits. An agent that forges it changes what becomes of its own work, as by a commit.
    fn squashed_before(
        &self,
        repository: &Repository<'_>,
        base: &Base,
        commit: &str,
    ) -> Result<Option<String>> {
        let own = self.env.meta.as_ref().and_then(|meta| meta.own.as_ref());
        let published = own.map(|own| own.published.as_slice()).unwrap_or_default();
        let is_same = |it: &&PublishedRecord| {
            it.to == To::Merge.word()
                && it.repository == self.place.below()
                && it.base.as_deref() == Some(base.branch.short())
        };
        let Some(earlier) = published.iter().rev().find(is_same).filter(|_| self.order.squash) else {
            return Ok(None);
        };
        let Some(merged) = earlier.merged.as_deref().filter(|id| is_commit_id(id)) else { return Ok(None) };
        let (tip, work) = (base.branch.tip.as_str(), earlier.commit.as_str());
        let leads = |from: &str, to: &str| repository.is_ancestor(from, to).unwrap_or(false);
        let holds = is_commit_id(work) && leads(merged, tip) && leads(work, commit) && !leads(work, tip);
        if !holds {
            return Ok(None);
        }
        let tree = repository.tree_of(tip)?;
        let message = "execenv: where the work was squashed\n";
        let commit = NewCommit { tree: &tree, parents: &[work], message, by: &self.by };
        repository.make_commit(commit).map(Some)
    }

    /// The branch is checked out: its files follow, unless there is work in them.
    fn merge_checked_out(
        &self,
        repository: &Repository<'_>,
        folder: &Path,
        tree: &str,
        moved: Move<'_>,
    ) -> Result<()> {
        let path = folder.display();
        let opened = Tree::open(folder).with_context(|| format!("open {path}"))?;
        let held = hold_environment(folder)?;
        let mut git = self.git.clone();
        if let Some(held) = &held {
            git = git.holding(held.lock_handle()?);
        }
        let checkout = Checkout::open(&git, &opened)?;
        let is_its_own = checkout.git_dir().canonicalize().is_ok_and(|common| common == repository.dir());
        anyhow::ensure!(is_its_own, "{path} is not a worktree of {} any more", repository.dir().display());
        checkout.repair()?;
        let branch = moved.name.trim_start_matches("refs/heads/");
        refuse_work_in(&checkout, folder, branch)?;
        let in_the_way = |files: &str| {
            let message = format!("files in {path} are in the way of the merge{files}");
            Failure::new(Code::Dirty, message).hint("move or remove them, then repeat the command")
        };
        let unknown = checkout.in_the_way(tree)?;
        if !unknown.is_empty() {
            return Err(in_the_way(&format!(": {}", shown(&unknown))).into());
        }
        match checkout.switch(moved.from, tree, Some(moved.to))? {
            Ok(mut changing) => {
                changing.install()?;
                checkout.move_ref(moved)?;
                changing.finish()
            }
            Err(words) => Err(anyhow::anyhow!(words.0).context(in_the_way(""))),
        }
    }
}

/// Refuses to change the files of a branch that is checked out in `folder`, if there is work in them.
fn refuse_work_in(checkout: &Checkout, folder: &Path, branch: &str) -> Result<()> {
    let path = folder.display();
    let is_merging = checkout.merge_in_progress()?.is_some();
    let operation = is_merging.then_some("a merge").or(checkout.other_operations()?.first().copied());
    if let Some(operation) = operation {
        let message = format!("{branch} is checked out in {path}, where {operation} is in progress");
        return Err(Failure::new(Code::Dirty, message)
            .hint("finish or abort it there (`git status` says how), then repeat the command")
            .into());
    }
    let changed = checkout.working()?.changed(&[])?;
    if !changed.is_empty() {
        let message =
            format!("{branch} is checked out in {path}, with uncommitted changes: {}", shown(&changed));
        return Err(Failure::new(Code::Dirty, message)
            .hint("commit or stash them there, then repeat the command")
            .into());
    }
    Ok(())
}

/// The branch to merge into.
fn find(target: &GitFolder, name: &str) -> Result<Base> {
    let found = target.branch(name)?.with_context(|| {
        let at = folder_of(target.tree().path()).display();
        let message = format!("{at} has no branch `{}`", name.escape_debug());
        Failure::new(Code::Usage, message).hint("`--base` names the branch to merge into")
    })?;
    Ok(Base { branch: found.0, worktree: found.1 })
}

/// Refuses to move a branch that git is going to move when an operation ends that has begun.
pub(super) fn refuse_pending(target: &GitFolder, branch: &str) -> Result<()> {
    let Some(Pending { git_dir, operation }) = target.pending(branch) else { return Ok(()) };
    let message =
        format!("the branch {branch} belongs to {operation} that is in progress in {}", git_dir.display());
    Err(Failure::new(Code::Dirty, message)
        .hint("finish or abort it: `git worktree list` names the folders; then repeat the command")
        .into())
}

/// Locks the environment whose work dir a folder is, so that no agent works in it while its files change.
fn hold_environment(folder: &Path) -> Result<Option<LockedEnv>> {
    let is_work_dir = folder.file_name().is_some_and(|name| name == names::WORK_DIR);
    let above = folder.parent().filter(|_| is_work_dir);
    match above.and_then(|above| FoundEnv::open(above).ok()).filter(|found| found.meta.is_some()) {
        Some(found) => LockedRoot::acquire(found.env)?.read().map(Some),
        None => Ok(None),
    }
}
