//! The branches of tasks in a repository, and what has become of each.

use std::collections::HashSet;

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::desk::Desk;
use crate::environment::{MergedBranch, SkippedBranch};
use crate::failure::{Code, Failure};
use crate::git::{ListedBranch, is_commit_id};

/// Branches of tasks: execenv's and makima's.
const PATTERNS: [&str; 2] = ["refs/heads/agent/*/*", "refs/heads/makima/*"];
/// The shortest part of a task's key that names its branch.
const SHORTEST: usize = 4;

/// A branch of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskBranch {
    /// The name without `refs/heads/`.
    pub name: String,
    /// The key of its task, as the name has it.
    pub key: String,
    /// Its commit.
    pub commit: String,
    /// When that was made.
    pub committed_at: Option<DateTime<Utc>>,
    /// The first line of its message.
    pub subject: String,
    /// What has become of it.
    pub standing: Standing,
    /// Whether `check` counts it.
    pub counted: Counted,
}

/// What has become of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is merged.
    Merged(By),
    /// It is not to be merged, for this reason.
    Skipped(String),
    /// It is to be merged.
    Unmerged,
}

/// What says that a branch is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Git: HEAD has its commits.
    Git,
    /// The record: it was squashed.
    Record,
    /// The records: its work is in that of a later task, which is merged.
    Chain,
}

/// Whether a branch counts among those that are to be merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It does.
    Yes,
    /// It was there before the environment.
    Older,
}

/// A branch that is to be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The name, without `refs/heads/`.
    pub branch: String,
    /// Its commit.
    pub commit: String,
}

/// The key of a task in the name of its branch.
fn key_of(branch: &str) -> &str {
    let last = branch.rsplit('/').next().unwrap_or(branch);
    match branch.strip_prefix("makima/") {
        Some(_) => last.rsplit('-').next().unwrap_or(last),
        None => last,
    }
}

/// Whether a branch is that of the task with a key. A number follows where the name was taken.
pub(super) fn is_of_task(branch: &str, key: &str) -> bool {
    let found = key_of(branch);
    found == key || found.strip_prefix(key).is_some_and(|rest| rest.starts_with('-'))
}

/// The branches that a text may mean: a name, or a task's key or its beginning. `key`: the environment that it names.
pub fn choose<'b>(
    names: impl Iterator<Item = &'b str> + Clone,
    text: &str,
    key: Option<&str>,
) -> Vec<&'b str> {
    let short = text.strip_prefix("refs/heads/").unwrap_or(text);
    let of = |is: &dyn Fn(&str) -> bool| names.clone().filter(|name| is(name)).collect::<Vec<_>>();
    let by_name = of(&|name| name == short);
    if !by_name.is_empty() {
        return by_name;
    }
    let wanted: Vec<&str> = key.into_iter().chain([text]).collect();
    let by_key = of(&|name| wanted.iter().any(|key| is_of_task(name, key)));
    if !by_key.is_empty() || text.len() < SHORTEST {
        return by_key;
    }
    of(&|name| key_of(name).starts_with(text))
}

impl Desk<'_> {
    /// The branches of tasks, but the one that is checked out, the oldest first.
    ///
    /// # Errors
    /// As git reports them.
    pub fn task_branches(&self) -> Result<Vec<TaskBranch>> {
        let Some(head) = self.checkout.at_head()? else { return Ok(Vec::new()) };
        let mut listed = self.checkout.list_branches(&PATTERNS)?;
        listed.retain(|branch| head.branch.as_deref() != Some(branch.name.as_str()));
        let merged: HashSet<String> = self.checkout.merged_branches(&PATTERNS)?.into_iter().collect();
        let prepared = self.env.meta.as_ref().and_then(|meta| meta.own.as_ref()?.prepared_at);
        let mut found = Vec::new();
        for branch in listed {
            let standing = match merged.contains(&branch.name) {
                true => Standing::Merged(By::Git),
                false => self.recorded(&branch, &head.commit)?,
            };
            let is_known = self.skipped(&branch.name).is_some() || self.merged(&branch.name).is_some();
            let counted = match prepared {
                Some(prepared) if !is_known && self.is_older(&branch, prepared) => Counted::Older,
                _ => Counted::Yes,
            };
            let ListedBranch { name, commit, committed, subject } = branch;
            let committed_at = DateTime::from_timestamp(committed, 0);
            let key = key_of(&name).to_owned();
            found.push(TaskBranch { name, key, commit, committed_at, subject, standing, counted });
        }
        self.follow_chains(&mut found);
        Ok(found)
    }

    /// What the record says of a branch, as far as the repository bears it out.
    fn recorded(&self, branch: &ListedBranch, head: &str) -> Result<Standing> {
        if let Some(merged) = self.merged(&branch.name) {
            let are_ids = is_commit_id(&merged.source) && is_commit_id(&merged.commit);
            // Nothing was committed to it since, and HEAD still has the result.
            if are_ids
                && self.checkout.leads_to(&branch.commit, &merged.source)?
                && self.checkout.leads_to(&merged.commit, head)?
            {
                return Ok(Standing::Merged(By::Record));
            }
        }
        Ok(match self.skipped(&branch.name) {
            Some(skipped) => Standing::Skipped(skipped.reason.clone()),
            None => Standing::Unmerged,
        })
    }

    fn merged(&self, branch: &str) -> Option<&MergedBranch> {
        let is_it = |it: &&MergedBranch| it.branch == branch && it.repository == self.place.below();
        self.record.merged.iter().find(is_it)
    }

    pub(super) fn skipped(&self, branch: &str) -> Option<&SkippedBranch> {
        let is_it = |it: &&SkippedBranch| it.branch == branch && it.repository == self.place.below();
        self.record.skipped.iter().find(is_it)
    }

    /// Whether a branch was there when the environment was made. Its log says when it began; else its last commit.
    fn is_older(&self, branch: &ListedBranch, prepared: DateTime<Utc>) -> bool {
        let begun = self.checkout.branch_begun(&branch.name).unwrap_or(branch.committed);
        begun < prepared.timestamp()
    }

    /// The branch that a text names: any local branch, a remote's, or that of a task. `key`: the environment that it names.
    ///
    /// # Errors
    /// [`Code::NoEnv`] where there is none, [`Code::AmbiguousEnv`] where there are several; as git reports them.
    pub fn chosen(&self, text: &str, key: Option<&str>) -> Result<Chosen> {
        let short = text.strip_prefix("refs/heads/").unwrap_or(text);
        for full in [format!("refs/heads/{short}"), format!("refs/remotes/{short}")] {
            if let Some(commit) = self.checkout.commit_at(&full)? {
                return Ok(Chosen { branch: short.to_owned(), commit });
            }
        }
        let listed = self.checkout.list_branches(&PATTERNS)?;
        let name = self.only(choose(listed.iter().map(|branch| branch.name.as_str()), text, key), text)?;
        let found = listed.iter().find(|branch| branch.name == name);
        let commit = found.map(|branch| branch.commit.clone()).unwrap_or_default();
        Ok(Chosen { branch: name.to_owned(), commit })
    }

    /// The one branch of a task that a text names.
    pub(super) fn only<'b>(&self, found: Vec<&'b str>, text: &str) -> Result<&'b str> {
        let text = text.escape_debug();
        match found.as_slice() {
            [one] => Ok(one),
            [] => {
                let message = format!("no branch or task `{text}` in {}", self.place.path().display());
                let hint = format!("`execenv merge list {}` shows the branches", self.key());
                Err(Failure::new(Code::NoEnv, message).hint(hint).into())
            }
            several => {
                let message = format!("`{text}` names {} branches: {}", several.len(), several.join(", "));
                Err(Failure::new(Code::AmbiguousEnv, message).hint("give the whole name of one").into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_named_by_itself_by_its_task_or_by_the_beginning_of_a_key() {
        let names = [
            "agent/coder/3f9c00000001",
            "agent/coder/3f9c00000002-2",
            "makima/fix-it-3f9caaaa",
            "agent/x/ab",
        ];
        for (text, key, expected) in [
            ("agent/coder/3f9c00000001", None, &names[..1]),
            ("refs/heads/makima/fix-it-3f9caaaa", None, &names[2..3]),
            ("3f9c00000002", None, &names[1..2]),
            ("/r/w/3f9c00000001", Some("3f9c00000001"), &names[..1]),
            ("3f9ca", None, &names[2..3]),
            ("3f9c", None, &names[..3]),
            ("3f9", None, &[]),
            ("ab", None, &names[3..]),
            ("coder", None, &[]),
        ] {
            assert_eq!(choose(names.into_iter(), text, key), expected, "{text}");
        }
    }
}
