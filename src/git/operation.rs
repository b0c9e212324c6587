//! Operations of git that have begun and not ended: a rebase at a conflict, a merge, a bisect. While one is in progress,
//! the only copy of work may lie in the git folder, where `git status` does not show it (a rebase's autostash).

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::checkout::Checkout;
use super::reftable::has_tables;
use super::repository::Repository;
use super::view::WORKTREES;
use crate::sys::tree::Tree;

/// What git leaves in its folder while an operation is in progress, and the operation's name.
///
/// From git's `wt-status.c` and `builtin/notes.c`, 2.47.
const SIGNS: [(&str, &str); 9] = [
    ("rebase-merge", "a rebase"),
    ("rebase-apply", "a rebase or `git am`"),
    ("MERGE_HEAD", "a merge"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
    ("sequencer", "a series of cherry-picks or reverts"),
    ("BISECT_LOG", "a bisect"),
    ("MERGE_AUTOSTASH", "a merge with an autostash"),
    ("NOTES_MERGE_PARTIAL", "a merge of notes"),
];

/// Files of an operation that name commits, each on a line of its own.
pub(super) const COMMITS: [&str; 9] = [
    "rebase-merge/autostash",
    "rebase-merge/orig-head",
    "rebase-apply/autostash",
    "rebase-apply/orig-head",
    "MERGE_AUTOSTASH",
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "NOTES_MERGE_PARTIAL",
];
/// The longest such file that is read, in bytes; a merge of many branches names one commit a line.
const MAX_FILE: u64 = 64 << 10;

/// Files that name the branch, in full, that a rebase moves when it ends.
const REBASED: [&str; 2] = ["rebase-merge/head-name", "rebase-apply/head-name"];
/// The same for the other branches that it moves: three lines for each, of which the first is the name.
const REBASED_TOO: &str = "rebase-merge/update-refs";
/// The file that names the branch, without `refs/heads/`, to which a bisect goes back.
const BISECTED: &str = "BISECT_START";

/// An operation that moves a branch when it ends, or goes back to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The git folder of the worktree.
    pub git_dir: PathBuf,
    /// Its name.
    pub operation: &'static str,
}

/// An operation in one of the worktrees of a repository that a branch, without `refs/heads/`, belongs to. While it lasts the branch is
/// not checked out: git only refuses to move it by these files.
pub(super) fn pending(common: &Tree, branch: &str, but: Option<&str>) -> Option<Pending> {
    let full = format!("refs/heads/{branch}");
    let in_one = |folder: &Tree| {
        let lines = |file: &str| {
            let text = folder.read(Path::new(file), MAX_FILE).ok().flatten().unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            text.lines().map(str::to_owned).collect::<Vec<String>>()
        };
        let is_rebased = REBASED.iter().any(|file| lines(file).first() == Some(&full))
            || lines(REBASED_TOO).contains(&full);
        let operation = match is_rebased {
            true => "a rebase",
            false if lines(BISECTED).first().is_some_and(|line| line == branch) => "a bisect",
            false => return None,
        };
        Some(Pending { git_dir: folder.path().to_owned(), operation })
    };
    let others = common.plain_subtree(Path::new(WORKTREES)).ok();
    let names = others.as_ref().and_then(|all| all.names(Path::new("")).ok()).unwrap_or_default();
    let mut linked = names.iter().filter(|name| but.is_none_or(|but| *name != but)).filter_map(|name| {
        let folder = others.as_ref()?.plain_subtree(Path::new(name)).ok()?;
        in_one(&folder)
    });
    in_one(common).or_else(|| linked.next())
}

impl Checkout {
    /// Names the operations in progress.
    ///
    /// # Errors
    /// As git reports it.
    pub fn operations(&self) -> Result<Vec<&'static str>> {
        self.repository().in_progress(&self.folders().own)
    }
}

impl Repository<'_> {
    /// Names the operations in progress in a worktree, by its own git folder.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output); no git is asked where refs are in files.
    pub(super) fn in_progress(&self, git_dir: &Path) -> Result<Vec<&'static str>> {
        let tables = Tree::open(git_dir).is_ok_and(|tree| has_tables(&tree));
        let refs = if tables { self.top_refs(git_dir)? } else { Vec::new() };
        // By the name alone: an agent may have put a link there.
        let is_there = |(sign, _): &(&str, _)| {
            git_dir.join(sign).symlink_metadata().is_ok() || refs.iter().any(|(name, _)| name == sign)
        };
        Ok(SIGNS.into_iter().filter(is_there).map(|(_, operation)| operation).collect())
    }

    /// The commits that an operation in progress holds and no ref may.
    ///
    /// # Errors
    /// When the git folder cannot be asked for, or one of its files cannot be read.
    pub(super) fn held_by_operation(&self, git_dir: &Path) -> Result<Vec<String>> {
        let tree = Tree::open(git_dir)?;
        let mut commits = Vec::new();
        let refs = if has_tables(&tree) { self.top_refs(git_dir)? } else { Vec::new() };
        for file in COMMITS {
            let written = tree.read(Path::new(file), MAX_FILE)?;
            let written = written.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let in_table = refs.iter().find(|(name, _)| name == file).map(|(_, id)| id.clone());
            let Some(text) = written.or(in_table) else { continue };
            for line in text.lines() {
                let is_id = line.len() >= 40 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
                if is_id && self.has_ref(&format!("{line}^{{commit}}"))? {
                    commits.push(line.to_owned());
                }
            }
        }
        Ok(commits)
    }
}
