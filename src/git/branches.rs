//! Branches of a checkout: which there are, what HEAD has of them, when one began.

use std::path::Path;

use anyhow::Result;

use super::checkout::Checkout;
use super::reftable::has_tables;
use crate::sys::tree::Tree;

/// How much of a log is read: its first line.
const LINE: u64 = 4 << 10;

/// A branch, with its last commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedBranch {
    /// The name, without `refs/heads/`.
    pub name: String,
    /// The commit.
    pub commit: String,
    /// When it was made, in seconds since 1970.
    pub committed: i64,
    /// The first line of its message.
    pub subject: String,
}

impl Checkout {
    /// The branches that match the patterns, by the age of their commits, the oldest first. Names that are not UTF-8 are left out.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn list_branches(&self, patterns: &[&str]) -> Result<Vec<ListedBranch>> {
        let format = "--format=%(objectname) %(committerdate:unix) %(refname) %(contents:subject)";
        let list = ["for-each-ref", "--sort=committerdate", format, "--"];
        let text = self.repository().look(list).args(patterns).text()?;
        let parsed = text.lines().filter_map(|line| {
            let mut words = line.splitn(4, ' ');
            let (commit, committed) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
            let name = words.next()?.strip_prefix("refs/heads/")?.to_owned();
            let subject = words.next().unwrap_or_default().to_owned();
            Some(ListedBranch { name, commit, committed, subject })
        });
        Ok(parsed.filter(|branch| !branch.name.contains(char::REPLACEMENT_CHARACTER)).collect())
    }

    /// The names, without `refs/heads/`, of those whose commits HEAD has.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn merged_branches(&self, patterns: &[&str]) -> Result<Vec<String>> {
        let list = ["for-each-ref", "--merged=HEAD", "--format=%(refname)", "--"];
        let text = self.repository().look(list).args(patterns).text()?;
        Ok(text.lines().filter_map(|name| name.strip_prefix("refs/heads/")).map(str::to_owned).collect())
    }

    /// A local branch that points to `commit`.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn branch_at(&self, commit: &str) -> Result<Option<String>> {
        let points = format!("--points-at={commit}");
        let list = ["for-each-ref", "--count=1", &points, "--format=%(refname:lstrip=2)", "refs/heads/"];
        let name = self.repository().look(list).text()?;
        Ok(Some(name).filter(|name| !name.is_empty()))
    }

    /// The commit of a ref, by its full name; `None`: there is none.
    ///
    /// # Errors
    /// As [`Repository::commit_of`](super::repository::Repository::commit_of).
    pub fn commit_at(&self, full: &str) -> Result<Option<String>> {
        let repository = self.repository();
        // What is more than a name (`x~1`, `x@{1}`) is none.
        if !repository.look(["check-ref-format", full]).succeeds()? {
            return Ok(None);
        }
        repository.commit_of(full)
    }

    /// When a branch began, as far as its log goes back to that, in seconds since 1970.
    pub fn branch_begun(&self, name: &str) -> Option<i64> {
        let common = Tree::open(&self.folders().common).ok()?;
        if has_tables(&common) {
            return self.first_logged(name);
        }
        let line = common.read_start(&Path::new("logs/refs/heads").join(name), LINE).ok()??;
        let line = line.split(|byte| *byte == b'\n').next()?;
        let line = String::from_utf8_lossy(line);
        let (before, _message) = line.split_once('\t').unwrap_or((&line, ""));
        let is_first = before.split(' ').next().is_some_and(|old| old.bytes().all(|byte| byte == b'0'));
        let time = before.rsplit(' ').nth(1)?.parse().ok()?;
        is_first.then_some(time)
    }

    /// The time of the oldest entry in a branch's log: `refs/heads/NAME@{TIME}`.
    fn first_logged(&self, name: &str) -> Option<i64> {
        let full = format!("refs/heads/{name}");
        let log =
            ["-c", "log.showSignature=false", "reflog", "show", "--date=unix", "--format=%gd", &full, "--"];
        let text = self.repository().look(log).text().ok()?;
        text.lines().last()?.strip_suffix('}')?.rsplit('{').next()?.parse().ok()
    }

    /// The tree of a commit, or a tree itself.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output), also where there is none.
    pub fn tree_of(&self, object: &str) -> Result<String> {
        let tree = format!("{object}^{{tree}}");
        self.repository().look(["rev-parse", "--quiet", "--verify", "--end-of-options", &tree]).text()
    }

    /// Keeps a commit by a new ref `refs/execenv/<name>`, with a number where that exists, and returns the ref.
    ///
    /// # Errors
    /// As [`Repository::keep_commit`](super::repository::Repository::keep_commit).
    pub fn keep_commit(&self, name: &str, commit: &str) -> Result<String> {
        self.repository().keep_commit(name, commit)
    }
}
