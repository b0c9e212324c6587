//! Refs of execenv's own, `refs/execenv/<key>/…`: which there are for one environment, and which commits only they hold.

use std::collections::HashMap;

use anyhow::Result;

use super::command::Repository;
use super::refs::{Branch, OWN_REFS};

/// A commit that no branch and no tag has, with its parents.
pub type Unheld = HashMap<String, Vec<String>>;

impl Repository<'_> {
    /// The refs of one environment that name commits, by the part of their names that is its own. Execenv makes no others.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn own_refs(&self, key: &str) -> Result<Vec<Branch>> {
        // With the slash at its end it is no other one's, whose key only begins in the same way.
        let below = format!("{OWN_REFS}{key}/");
        let list = ["for-each-ref", "--format=%(symref) %(objecttype) %(objectname) %(refname)", &below];
        let listed = self.look(list).text()?;
        let parsed = listed.lines().filter_map(|line| line.strip_prefix(" commit ")?.split_once(' '));
        let found = parsed.filter(|(_, name)| !name.contains(char::REPLACEMENT_CHARACTER));
        Ok(found.map(|(tip, name)| Branch { name: name.to_owned(), tip: tip.to_owned() }).collect())
    }

    /// The commits that these refs lead to and that no branch, no tag and no branch of a remote holds.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn held_by_none_but(&self, refs: &[Branch]) -> Result<Unheld> {
        let tips = refs.iter().map(|one| one.tip.as_str());
        let others = ["--not", "--branches", "--tags", "--remotes"];
        let list = self.as_stored().look(["rev-list", "--parents", "--single-worktree"]);
        let listed = list.args(tips.chain(others)).text()?;
        let parsed = listed.lines().filter_map(|line| {
            let mut ids = line.split(' ').map(str::to_owned);
            Some((ids.next()?, ids.collect()))
        });
        Ok(parsed.collect())
    }

    /// Deletes refs, if each still points where it did; else none of them. The repository is that of a git folder.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output); where refs lead to another repository.
    pub fn delete_refs(&self, refs: &[&Branch]) -> Result<()> {
        self.refuse_refs_elsewhere()?;
        let lines: String = refs.iter().map(|one| format!("delete {} {}\n", one.name, one.tip)).collect();
        let delete = ["update-ref", "--no-deref", "--stdin"];
        self.work(delete).input(lines.into_bytes()).output().map(drop)
    }
}
