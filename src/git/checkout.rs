//! The working files of one repository, or of one linked worktree, on which a command works.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::program::Git;
use super::repository::Repository;
use super::traps;
use super::view::GitFolders;
use crate::failure::{Code, Failure};
use crate::sys::tree::{FileKind, Tree};

/// A folder that is the top of a repository's working files.
///
/// Who can write its `.git` can name any repository in it. So the git folder lies in the folder itself, or its repository
/// has the folder registered as a linked worktree; nothing else is worked on. Calls that write can write only there, where
/// the system can confine them.
#[derive(Debug)]
pub struct Checkout {
    git: Git,
    dir: PathBuf,
    folders: GitFolders,
    /// The folder, and the git folder where it lies elsewhere.
    writable: Vec<Tree>,
}

impl Checkout {
    /// The repository whose working files are in `top`.
    ///
    /// # Errors
    /// A [`Code::Failed`] failure where `top` holds no repository of its own; as git reports it.
    pub fn open(git: &Git, top: &Tree) -> Result<Checkout> {
        Checkout::open_if(git, top, GitFolders::know_worktree)
    }

    /// The one that execenv has just made in `top`, which has not got its place yet: no other program has written its `.git`.
    ///
    /// # Errors
    /// As [`Checkout::open`].
    pub fn just_made(git: &Git, top: &Tree) -> Result<Checkout> {
        Checkout::open_if(git, top, |_, _| true)
    }

    fn open_if(git: &Git, top: &Tree, is_known: fn(&GitFolders, &Path) -> bool) -> Result<Checkout> {
        let dir = top.path().to_owned();
        if let Some(trap) = traps::in_repository(top) {
            return Err(traps::failure(&trap).into());
        }
        let folders = git.at(&dir).git_folders()?;
        let real = |path: &Path| path.canonicalize().with_context(|| format!("look at {}", path.display()));
        let inside = real(&dir)?;
        let is_own = real(&folders.common)?.starts_with(&inside) && real(&folders.own)?.starts_with(&inside);
        if !is_own && !is_known(&folders, &dir) {
            let (dir, common) = (dir.display(), folders.common.display());
            return Err(Failure::new(
                Code::Failed,
                format!("{dir} names the repository {common}, which does not know it as a worktree"),
            )
            .hint("if it was moved: `git worktree repair` in that repository, with the path")
            .into());
        }
        let mut writable = vec![top.try_clone().with_context(|| format!("open {}", dir.display()))?];
        if !is_own {
            let common = &folders.common;
            writable.push(Tree::open(common).with_context(|| format!("open {}", common.display()))?);
        }
        anyhow::ensure!(top.is_at_its_path(), "{} was moved or replaced meanwhile", dir.display());
        Ok(Checkout { git: git.clone(), dir, folders, writable })
    }

    /// The git folder that all worktrees of the repository share.
    pub fn git_dir(&self) -> &Path {
        &self.folders.common
    }

    /// The folder.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether only some of the files are checked out, or were.
    pub fn is_sparse(&self) -> bool {
        let own = Tree::open(&self.folders.own);
        !own.is_ok_and(|own| matches!(own.kind(Path::new("info/sparse-checkout")), Ok(None)))
    }

    /// The open folder.
    pub(super) fn tree(&self) -> &Tree {
        &self.writable[0]
    }

    /// Whether it is a linked worktree of a repository elsewhere.
    pub fn is_linked(&self) -> bool {
        self.folders.own != self.folders.common
    }

    /// Whether git allows a branch of this name.
    ///
    /// # Errors
    /// As [`succeeds`](super::command::GitCommand::succeeds).
    pub fn is_branch_name(&self, name: &str) -> Result<bool> {
        let full = format!("refs/heads/{name}");
        Ok(!name.starts_with('-')
            && name != "HEAD"
            && self.repository().look(["check-ref-format", &full]).succeeds()?)
    }

    /// Whether a log that a commit on this branch would be added to is something else than a file: an agent can make a link.
    pub fn has_odd_logs(&self, branch: &str) -> bool {
        let is_odd = |folder: &Path, file: &Path| {
            let kind = Tree::open(folder).and_then(|folder| folder.kind(file));
            !matches!(kind, Ok(None | Some(FileKind::File { .. })))
        };
        let GitFolders { own, common, .. } = self.folders();
        is_odd(own, Path::new("logs/HEAD")) || is_odd(common, &Path::new("logs/refs/heads").join(branch))
    }

    /// Its git folders.
    pub(super) fn folders(&self) -> &GitFolders {
        &self.folders
    }

    /// The repository without its working files.
    pub fn shared(&self) -> Repository<'_> {
        self.git.at(&self.folders.common).around(&self.writable)
    }

    /// For calls to git.
    pub(super) fn repository(&self) -> Repository<'_> {
        self.git.at(&self.dir).around(&self.writable)
    }
}
