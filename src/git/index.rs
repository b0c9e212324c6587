//! An index file of our own, beside the repository's: a tree is built from working files without touching the index
//! that the user or the agent works with.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::command::GitCommand;
use super::profile::Work;
use super::repository::Repository;
use super::view::{GitFolders, View};

/// An index file of our own for one worktree.
#[derive(Debug)]
pub struct PrivateIndex<'a> {
    worktree: Repository<'a>,
    view: View,
    file: &'a Path,
}

impl<'a> PrivateIndex<'a> {
    /// Uses `file` as the index of calls in `worktree`. The file need not be there; the caller removes it.
    ///
    /// # Errors
    /// As [`Repository::view`].
    pub(super) fn new(
        worktree: Repository<'a>,
        folders: &GitFolders,
        file: &'a Path,
    ) -> Result<PrivateIndex<'a>> {
        Ok(PrivateIndex { worktree, view: worktree.view(folders, false)?, file })
    }

    /// Fills the index with the tree of a commit.
    ///
    /// # Errors
    /// As [`GitCommand::output`].
    pub fn read_tree(&self, commit: &str) -> Result<()> {
        self.call(["read-tree", commit]).output().map(drop)
    }

    /// Adds all working files, but those at or below `excluded` (absolute paths) and ignored ones.
    ///
    /// # Errors
    /// As [`GitCommand::output`].
    pub fn add_all<'p>(&self, excluded: impl Iterator<Item = &'p PathBuf>) -> Result<()> {
        // In a sparse checkout most files are absent without having been deleted.
        let sparse =
            self.worktree.look(["config", "--type=bool", "--get", "core.sparseCheckout"]).answer()?;
        let is_sparse = sparse.is_some_and(|value| value.starts_with(b"true"));
        let all = if is_sparse { "--ignore-removal" } else { "--all" };
        let add = self.call(["-c", "core.safecrlf=false", "add", "--sparse", all, "--", "."]);
        let excluded = excluded.filter_map(|path| path.strip_prefix(self.worktree.dir()).ok());
        let excluded = excluded.filter(|path| !path.as_os_str().is_empty());
        add.args(excluded.flat_map(left_out)).output().map(drop)
    }

    /// Writes the index as a tree and returns its id.
    ///
    /// # Errors
    /// As [`GitCommand::output`].
    pub fn write_tree(&self) -> Result<String> {
        self.call(["write-tree"]).text()
    }

    fn call<'s, const N: usize>(&'s self, args: [&str; N]) -> GitCommand<'s, Work> {
        let worktree: Repository<'s> = self.worktree;
        let call = worktree.work(args).through(&self.view).and_to(self.view.tree());
        call.variable("GIT_INDEX_FILE", self.file)
    }
}

/// The words that leave a path and what is below it out of `git add`.
///
/// They are patterns although they have no wildcard: of a plain path that is ignored anyway git says that it cannot be added, and
/// ends with an error, although it was to be left out; also of one below an ignored folder. The escaped first byte makes all of it
/// a pattern.
fn left_out(path: &Path) -> [OsString; 2] {
    let mut word = b":(top,exclude)".to_vec();
    let bytes = path.as_os_str().as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(byte, b'*' | b'?' | b'[' | b'\\') || at == 0 {
            word.push(b'\\');
        }
        word.push(*byte);
    }
    let below = [&word[..], b"/*"].concat();
    [word, below].map(OsString::from_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_left_out_is_a_pattern_of_itself() {
        for (path, expected) in [
            ("CLAUDE.md", [r":(top,exclude)\CLAUDE.md", r":(top,exclude)\CLAUDE.md/*"]),
            ("a*/[b", [r":(top,exclude)\a\*/\[b", r":(top,exclude)\a\*/\[b/*"]),
            (r"\c\", [r":(top,exclude)\\c\\", r":(top,exclude)\\c\\/*"]),
            ("é", [":(top,exclude)\\é", ":(top,exclude)\\é/*"]),
        ] {
            assert_eq!(left_out(Path::new(path)), expected.map(OsString::from));
        }
    }
}
