//! Repositories that keep refs in tables (`git init --ref-format=reftable`). No ref has a file there: HEAD is a stub, and what an
//! operation in progress names by a ref (`CHERRY_PICK_HEAD`) is in the tables of its worktree. So git is asked.

use std::path::Path;

use anyhow::Result;

use super::repository::Repository;
use crate::sys::tree::{FileKind, Tree};

/// The folder of tables, in the git folder of a repository and in that of each of its linked worktrees.
pub(super) const TABLES: &str = "reftable";

/// Whether a git folder has its refs in tables.
pub(super) fn has_tables(git_folder: &Tree) -> bool {
    matches!(git_folder.kind(Path::new(TABLES)), Ok(Some(FileKind::Dir)))
}

impl Repository<'_> {
    /// The refs at the top of a worktree's own git folder (`HEAD`, `CHERRY_PICK_HEAD`), each with its object. One without a commit is
    /// none.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub(super) fn top_refs(&self, own: &Path) -> Result<Vec<(String, String)>> {
        let list = ["for-each-ref", "--include-root-refs", "--format=%(objectname) %(refname)"];
        let text = self.by(own).look(list).text()?;
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        let at_top = pairs.filter(|(_, name)| !name.starts_with("refs/"));
        Ok(at_top.map(|(id, name)| (name.to_owned(), id.to_owned())).collect())
    }
}
