//! Refs of execenv's own, `refs/execenv/<key>/…`: which there are for one environment, and which commits only they hold.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use super::refs::{Branch, OWN_REFS};
use super::repository::Repository;

/// How many commits of branches and tags are looked through for the files of a ref.
const LOOKED_THROUGH: usize = 2_000;

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

    /// The names of those refs whose files one of the newest commits on a branch, a tag or a branch of a remote has just so.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn with_a_tree_of_a_branch(&self, refs: &[&Branch]) -> Result<HashSet<String>> {
        if refs.is_empty() {
            return Ok(HashSet::new());
        }
        let trees = |words: &[&str]| -> Result<Vec<String>> {
            let list = ["rev-list", "--no-commit-header", "--format=%T"];
            Ok(self.as_stored().look(list).args(words).text()?.lines().map(str::to_owned).collect())
        };
        let held = trees(&[&format!("--max-count={LOOKED_THROUGH}"), "--branches", "--tags", "--remotes"])?;
        let held: HashSet<String> = held.into_iter().collect();
        let mut same = HashSet::new();
        for one in refs {
            if trees(&["--max-count=1", &one.tip])?.first().is_some_and(|tree| held.contains(tree)) {
                same.insert(one.name.clone());
            }
        }
        Ok(same)
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
