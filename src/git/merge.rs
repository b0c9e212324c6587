//! A merge of two commits in the objects of a repository alone: no working file, no index and no ref is touched.

use anyhow::{Context, Result};

use super::checkout::Checkout;
use super::conflict::Conflict;
use super::refs::is_commit_id;
use super::repository::Repository;
use super::view::{GitFolders, View};

/// The result of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The tree. At a conflict it holds git's attempt, with markers in files.
    pub tree: String,
    /// The paths at which it stopped.
    pub conflicts: Vec<Conflict>,
    /// Git's words on each.
    pub messages: Vec<String>,
}

/// A commit that is merged, and what it is called in the markers of a conflict.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// The commit.
    pub id: &'a str,
    /// A name of it. Where it leads to another commit meanwhile, the id is written instead.
    pub name: &'a str,
}

impl Repository<'_> {
    /// Merges `theirs` into `ours`. Merge drivers and filters that the repository names do not run.
    ///
    /// # Errors
    /// As git reports them, also where the two have no commit in common.
    pub(super) fn merge_commits(&self, view: &View, ours: Named<'_>, theirs: Named<'_>) -> Result<Merged> {
        let merged = self.merge_named(view, [ours.name, theirs.name]);
        let is_same = |named: &Named<'_>| {
            named.id == named.name
                || self.commit_of(named.name).is_ok_and(|now| now.as_deref() == Some(named.id))
        };
        if [ours, theirs].iter().all(is_same) { merged } else { self.merge_named(view, [ours.id, theirs.id]) }
    }

    fn merge_named(&self, view: &View, names: [&str; 2]) -> Result<Merged> {
        let merge = self.work(["merge-tree", "--write-tree", "-z", "--messages"]).args(names);
        let (_, said) = merge.through(view).and_to(view.tree()).verdict()?;
        parse(&said).with_context(|| format!("`git merge-tree` in {} printed no tree", self.dir().display()))
    }

    /// Merges two commits of a repository of which nothing is checked out here.
    ///
    /// # Errors
    /// As [`Repository::merge_commits`].
    pub fn merge_in_objects(&self, ours: Named<'_>, theirs: Named<'_>) -> Result<Merged> {
        let common = self.git_folders()?.common;
        let view = self.view(&GitFolders { own: common.clone(), common }, true)?;
        self.merge_commits(&view, ours, theirs)
    }
}

impl Checkout {
    /// Merges a commit into HEAD's.
    ///
    /// # Errors
    /// As git reports them.
    pub fn merge(&self, head: &str, theirs: Named<'_>) -> Result<Merged> {
        let repository = self.repository();
        let view = repository.view(self.folders(), false)?;
        repository.merge_commits(&view, Named { id: head, name: "HEAD" }, theirs)
    }
}

/// Reads what `merge-tree -z --messages` prints: the tree; the conflicts; for each message how many paths it names, those,
/// its kind and its text.
fn parse(said: &[u8]) -> Option<Merged> {
    let end = said.iter().position(|byte| *byte == 0)?;
    let tree = std::str::from_utf8(&said[..end]).ok().filter(|tree| is_commit_id(tree))?.to_owned();
    let (conflicts, rest) = Conflict::parse(&said[end + 1..]);
    let mut words = rest.split(|byte| *byte == 0);
    let mut messages = Vec::new();
    while let Some(count) = words.next().and_then(|count| std::str::from_utf8(count).ok()?.parse().ok()) {
        let (Some(kind), Some(text)) = (words.by_ref().nth(count), words.next()) else { break };
        if kind.starts_with(b"CONFLICT") {
            messages.push(String::from_utf8_lossy(text).trim_end().to_owned());
        }
    }
    Some(Merged { tree, conflicts, messages })
}
