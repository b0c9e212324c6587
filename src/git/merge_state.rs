//! What git keeps while a merge is in progress: `MERGE_HEAD` and its companions, in the git folder of the worktree. They are
//! written so that plain `git status`, `git commit` and `git merge --abort` understand a merge that execenv began.

use std::path::Path;

use anyhow::{Context, Result};

use super::checkout::Checkout;
use super::refs::is_commit_id;
use super::reftable::has_tables;
use crate::layout::names;
use crate::sys::tree::Tree;

/// The commits that are merged, one a line. Its presence says that a merge is in progress.
const HEADS: &str = "MERGE_HEAD";
/// The message of the commit to come.
const MESSAGE: &str = "MERGE_MSG";
/// `no-ff`: the commit has two parents in any case.
const MODE: &str = "MERGE_MODE";
/// What git keeps besides, and removes with the others.
const COMPANIONS: [&str; 4] = [MODE, MESSAGE, AUTO, "MERGE_RR"];
/// The tree with the conflicts, as git's own merge leaves it: a ref.
const AUTO: &str = "AUTO_MERGE";
/// The longest of these files that is read, in bytes.
const MOST: u64 = 64 << 10;
/// The mode of files in a git folder; git leaves it to the umask.
const FILE: u32 = 0o644;

/// A merge that git knows to be in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InProgress {
    /// The commits that are merged.
    pub heads: Vec<String>,
    /// The message as it was proposed, without comments.
    pub message: String,
}

/// What HEAD is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtHead {
    /// Its commit.
    pub commit: String,
    /// The branch that is checked out, without `refs/heads/`; `None`: none is.
    pub branch: Option<String>,
}

impl Checkout {
    /// What HEAD is; `None`: there is no commit yet.
    ///
    /// # Errors
    /// As [`Checkout::head`].
    pub fn at_head(&self) -> Result<Option<AtHead>> {
        let head = self.head()?;
        Ok(head.commit.map(|commit| AtHead { commit, branch: head.branch }))
    }

    /// The merge that is in progress.
    ///
    /// # Errors
    /// When the git folder cannot be read.
    pub fn merge_in_progress(&self) -> Result<Option<InProgress>> {
        let tree = self.own_folder()?;
        let read = |name: &str| {
            let text = tree.read(Path::new(name), MOST);
            text.with_context(|| format!("read {}", tree.path().join(name).display()))
        };
        let Some(heads) = read(HEADS)? else { return Ok(None) };
        let heads = String::from_utf8_lossy(&heads).into_owned();
        let heads = heads.lines().filter(|line| is_commit_id(line)).map(str::to_owned).collect();
        let message = read(MESSAGE)?.unwrap_or_default();
        let message = String::from_utf8_lossy(&message);
        let lines: Vec<&str> = message.lines().filter(|line| !line.starts_with('#')).collect();
        Ok(Some(InProgress { heads, message: lines.join("\n").trim().to_owned() }))
    }

    /// Other operations in progress: a rebase, a cherry-pick.
    ///
    /// # Errors
    /// As git reports them.
    pub fn other_operations(&self) -> Result<Vec<&'static str>> {
        let mut operations = self.repository().in_progress(&self.folders().own)?;
        operations.retain(|operation| *operation != "a merge");
        Ok(operations)
    }

    /// Tells git that `theirs` is being merged. `MERGE_HEAD` last: once it is there, all is.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn begin_merge(&self, theirs: &str, message: &str) -> Result<()> {
        let tree = self.own_folder()?;
        let writing = |name: &str| format!("write {}", tree.path().join(name).display());
        for (name, text) in [(MODE, "no-ff"), (MESSAGE, message)] {
            tree.replace_unsynced(Path::new(name), text.as_bytes(), FILE, names::TEMPORARY)
                .with_context(|| writing(name))?;
        }
        tree.replace(Path::new(HEADS), format!("{theirs}\n").as_bytes(), FILE, names::TEMPORARY)
            .with_context(|| writing(HEADS))
    }

    /// Tells git that no merge is in progress any more. `MERGE_HEAD` first: without it the others mean nothing.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn end_merge(&self) -> Result<()> {
        let tree = self.own_folder()?;
        for name in [HEADS].into_iter().chain(COMPANIONS) {
            let path = Path::new(name);
            let removing = || format!("remove {}", tree.path().join(name).display());
            if tree.kind(path).with_context(removing)?.is_some() {
                tree.remove_file(path).with_context(removing)?;
            }
        }
        let repository = self.repository();
        let is_auto = |(name, _): &(String, String)| name == AUTO;
        if has_tables(&tree) && repository.top_refs(tree.path())?.iter().any(is_auto) {
            repository.by(tree.path()).work(["update-ref", "-d", AUTO]).output()?;
        }
        Ok(())
    }

    fn own_folder(&self) -> Result<Tree> {
        let own = &self.folders().own;
        Tree::open(own).with_context(|| format!("open {}", own.display()))
    }
}
