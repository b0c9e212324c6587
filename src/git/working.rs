//! The index and the working files of a checkout, looked at: through a view, so that no filter and no hook of the repository runs,
//! and with a copy of the index.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result};

use super::checkout::Checkout;
use super::command::GitCommand;
use super::commit::NewCommit;
use super::conflict::Conflict;
use super::identity::GitIdentity;
use super::index_file::{INDEX, copy_index};
use super::profile::{Look, Work};
use super::repository::Repository;
use super::view::View;
use crate::sys::tree::{FileKind, Tree};

/// The longest that files may take to be written.
const WRITING: Duration = Duration::from_secs(30 * 60);
/// Files are never left half written because a signal has arrived.
static NEVER: AtomicBool = AtomicBool::new(false);
/// A split index would put a part of itself into the view, which is gone with the call.
const WHOLE_INDEX: [&str; 2] = ["-c", "core.splitIndex=false"];

/// The index and the working files of a checkout.
#[derive(Debug)]
pub struct Working<'a> {
    repository: Repository<'a>,
    tree: &'a Tree,
    view: View,
}

impl Checkout {
    /// The index as it is now, and the working files.
    ///
    /// # Errors
    /// As [`Repository::view`].
    pub fn working(&self) -> Result<Working<'_>> {
        self.working_by(self.repository().view(self.folders(), false)?)
    }

    /// The same for calls that name commits and trees by their ids.
    pub(super) fn working_files(&self) -> Result<Working<'_>> {
        self.working_by(self.repository().view_of_files(self.folders())?)
    }

    fn working_by(&self, view: View) -> Result<Working<'_>> {
        let own = &self.folders().own;
        let own = Tree::open(own).with_context(|| format!("open {}", own.display()))?;
        copy_index(&own, view.tree())?;
        Ok(Working { repository: self.repository(), tree: self.tree(), view })
    }

    /// The paths at which a merge stopped, and that are not resolved yet.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn conflicts(&self) -> Result<Vec<Conflict>> {
        let listed = self.repository().look(["ls-files", "--unmerged", "-z", "--full-name"]).output()?;
        Ok(Conflict::parse(&listed).0)
    }

    /// The paths that differ between two trees or commits, without regard to renames.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn changed_between(&self, one: &str, other: &str) -> Result<Vec<PathBuf>> {
        let diff = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", one, other];
        Ok(paths(&self.repository().look(diff).output()?))
    }

    /// The paths whose entries in the index differ from HEAD's commit, those in conflict included.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn staged(&self) -> Result<Vec<PathBuf>> {
        let diff = ["diff-index", "--cached", "-z", "--name-only", "--no-renames", "--no-ext-diff", "HEAD"];
        let found: BTreeSet<PathBuf> = paths(&self.repository().look(diff).output()?).into_iter().collect();
        Ok(found.into_iter().collect())
    }
}

impl Working<'_> {
    /// Writes the index as a tree.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output), also at a conflict.
    pub fn index_tree(&self) -> Result<String> {
        self.work(["write-tree"]).text()
    }

    /// The tracked files that differ from HEAD's commit or from the index, but those in `ours` (absolute paths).
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn changed(&self, ours: &[PathBuf]) -> Result<Vec<PathBuf>> {
        self.repository.changed_files(&self.view, ours, false)
    }

    /// Makes a commit of HEAD's tree with these working files as they are, if any of them differs from both `attempt` and HEAD: what
    /// was done by hand since a merge wrote `attempt`. The index is not touched.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn edited(
        &self,
        files: &[PathBuf],
        attempt: &str,
        parents: &[&str],
        message: &str,
        by: &GitIdentity,
    ) -> Result<Option<String>> {
        let index = self.view.tree().path().join("edited");
        let call = |args: &[&str]| self.work(args.iter().copied()).variable("GIT_INDEX_FILE", &index);
        call(&["read-tree", attempt]).output()?;
        let absent = self.absent_by_choice()?;
        let is_file = |path: &&PathBuf| {
            let is_other = matches!(self.tree.kind(path), Ok(Some(FileKind::Dir | FileKind::Other)));
            !is_other && !absent.contains(*path)
        };
        let files = nul_lines(files.iter().filter(is_file).map(PathBuf::as_path));
        let add =
            ["-c", "core.safecrlf=false", "update-index", "--add", "--remove", "--replace", "-z", "--stdin"];
        call(&add).input(files).output()?;
        let tree = call(&["write-tree"]).text()?;
        let changed = |from: &str| {
            let diff = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-ext-diff", from, &tree];
            self.repository.look(diff).output().map(|said| paths(&said).into_iter().collect::<BTreeSet<_>>())
        };
        if tree == attempt || changed(attempt)?.is_disjoint(&changed("HEAD")?) {
            return Ok(None);
        }
        self.repository.make_commit(NewCommit { tree: &tree, parents, message, by }).map(Some)
    }

    /// Lets the index know the times of its files, so that the next `git status` need not read them.
    pub(super) fn refresh(&self) {
        // It exits with 1 where a file differs.
        let _ = self.work(["update-index", "-q", "--refresh"]).succeeds();
    }

    /// The files of the index that a sparse checkout leaves out.
    pub(super) fn absent_by_choice(&self) -> Result<BTreeSet<PathBuf>> {
        let listed = self.look(["ls-files", "-t", "-z", "--full-name"]).output()?;
        let entries = listed.split(|byte| *byte == 0);
        Ok(entries.filter_map(|entry| Some(path(entry.strip_prefix(b"S ")?))).collect())
    }

    /// Removes a working file and the folders that are empty then.
    pub(super) fn remove(&self, file: &Path) -> Result<()> {
        let removing = || format!("remove {}", self.tree.path().join(file).display());
        match self.tree.kind(file) {
            // A folder is not what the merge put there.
            Ok(None | Some(FileKind::Dir)) => return Ok(()),
            // Nor is it there where a file has the place of a folder above it.
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return Ok(()),
            Ok(Some(_)) => self.tree.remove_file(file).with_context(removing)?,
            Err(error) => return Err(error).with_context(removing),
        }
        for above in file.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
            if self.tree.remove_dir(above).is_err() {
                break; // it is not empty
            }
        }
        Ok(())
    }

    pub(super) fn put_lines(&self, lines: Vec<u8>) -> Result<()> {
        self.work(["update-index", "-z", "--index-info"]).input(lines).output().map(drop)
    }

    /// The folder with the copy of the index, in which other indexes can be made.
    pub(super) fn folder(&self) -> &Tree {
        self.view.tree()
    }

    /// The working files.
    pub(super) fn tree(&self) -> &Tree {
        self.tree
    }

    pub(super) fn look<'w, const N: usize>(&'w self, args: [&str; N]) -> GitCommand<'w, Look> {
        self.repository
            .look(args)
            .through(&self.view)
            .variable("GIT_INDEX_FILE", self.folder().path().join(INDEX))
    }

    pub(super) fn work<'w, 's>(&'w self, args: impl IntoIterator<Item = &'s str>) -> GitCommand<'w, Work> {
        let repository: Repository<'w> = self.repository;
        let call = repository.within(WRITING, &NEVER).work(WHOLE_INDEX);
        let call = call.args(args).through(&self.view).and_to(self.view.tree());
        call.variable("GIT_INDEX_FILE", self.folder().path().join(INDEX))
    }
}

fn path(bytes: &[u8]) -> PathBuf {
    OsStr::from_bytes(bytes).into()
}

pub(super) fn paths(listed: &[u8]) -> Vec<PathBuf> {
    listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).map(path).collect()
}

pub(super) fn nul_lines<'p>(files: impl Iterator<Item = &'p Path>) -> Vec<u8> {
    files.flat_map(|file| [file.as_os_str().as_bytes(), b"\0"].concat()).collect()
}
