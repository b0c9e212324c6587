//! Operations of git that have begun and not ended: a rebase at a conflict, a merge, a bisect. While one is in progress,
//! the only copy of work may lie in the git folder, where `git status` does not show it (a rebase's autostash).

use std::path::Path;

use anyhow::Result;

use super::command::Repository;
use super::reftable::has_tables;
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
