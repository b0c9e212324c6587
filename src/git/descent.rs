//! Which commits a commit is built on, and which ones are new: asked of the commits as they are stored, without the caches that
//! an agent may have written beside them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::checkout::Checkout;
use super::command::GitCommand;
use super::profile::Look;
use super::program::Git;
use super::refs::is_commit_id;
use super::repository::Repository;

/// Git believes its file of commits (`objects/info/commit-graph`), and an agent that can commit can write there.
const WITHOUT_GRAPH: [&str; 2] = ["-c", "core.commitGraph=false"];

/// What names a commit that working files begin from.
const HEADS: [&str; 4] = ["HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD"];

impl Repository<'_> {
    /// Those of `commits` that lead to one of `later`, or are it. Ids of commits that the repository does not have lead nowhere.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn leading_to(&self, commits: &[String], later: &[String]) -> Result<Vec<String>> {
        let there = self.commits_among(commits)?;
        if there.is_empty() {
            return Ok(Vec::new());
        }
        let others = self.walk(["rev-list", "--stdin"]).input(revisions(&there, later)).text()?;
        let others: HashSet<&str> = others.lines().collect();
        Ok(there.into_iter().filter(|id| !others.contains(id.as_str())).collect())
    }

    /// The first ones of the commits that lead to `tips` and not to `known`: each of the others is built on one of them. One of
    /// `known` may be gone.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn first_since(&self, tips: &[String], known: &[String]) -> Result<Vec<String>> {
        let known = self.commits_among(known)?;
        let listed = self.walk(["rev-list", "--parents", "--stdin"]).input(revisions(tips, &known)).text()?;
        let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split(' ').collect()).collect();
        let new: HashSet<&str> = lines.iter().filter_map(|ids| ids.first().copied()).collect();
        let is_first = |ids: &&Vec<&str>| ids.iter().skip(1).all(|parent| !new.contains(parent));
        Ok(lines.iter().filter(is_first).filter_map(|ids| ids.first()).map(|id| (*id).to_owned()).collect())
    }

    /// The commits that the refs below `folder` (`refs/heads/…/`; empty: none) and the HEAD of the worktree that is registered
    /// by the name `worktree` lead to. What is not there leads nowhere.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn tips(&self, folder: &str, worktree: &str) -> Result<Vec<String>> {
        let head = format!("worktrees/{worktree}/HEAD^{{commit}}");
        let below = format!("--glob={folder}*");
        let look = self.look(["rev-parse", "--revs-only", &head]);
        let look = if folder.is_empty() { look } else { look.args([below]) };
        ids(look)
    }

    /// The commits that the working files begin from: HEAD's, and that of a merge or the like that is in progress.
    fn heads(&self) -> Result<Vec<String>> {
        ids(self.look(["rev-parse", "--revs-only"]).args(HEADS.map(|head| format!("{head}^{{commit}}"))))
    }

    /// Those of some ids that are commits here.
    fn commits_among(&self, ids: &[String]) -> Result<Vec<String>> {
        let lines = ids.iter().flat_map(|id| [id.as_str(), "\n"]).collect::<String>();
        let answer = self.walk(["cat-file", "--batch-check"]).input(lines.into_bytes()).text()?;
        let commits = answer.lines().filter_map(|line| line.split_once(" commit "));
        Ok(commits.map(|(id, _)| id.to_owned()).collect())
    }

    fn walk<const N: usize>(&self, args: [&str; N]) -> GitCommand<'_, Look> {
        self.as_stored().look(WITHOUT_GRAPH.into_iter().chain(args))
    }
}

impl Git {
    /// The repository that `path`, a folder of the user's, lies in, and the commits that its working files begin from. `None`: it
    /// lies in none.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn heads_around(&self, path: &Path) -> Result<Option<(PathBuf, Vec<String>)>> {
        let Some(source) = self.source(path)? else { return Ok(None) };
        Ok(Some((source.common, self.at(path).upwards().heads()?)))
    }
}

impl Checkout {
    /// The commits that the working files begin from: HEAD's, and that of a merge or the like that is in progress.
    ///
    /// # Errors
    /// As [`output`](GitCommand::output).
    pub fn heads(&self) -> Result<Vec<String>> {
        self.repository().heads()
    }
}

/// The ids of commits in an answer, each once.
fn ids(look: GitCommand<'_, Look>) -> Result<Vec<String>> {
    let listed = look.text()?;
    let mut ids: Vec<String> = listed.lines().filter(|line| is_commit_id(line)).map(str::to_owned).collect();
    crate::order::sort(&mut ids);
    ids.dedup();
    Ok(ids)
}

/// What `--stdin` reads: all that leads to `tips`, without what leads to `known`.
fn revisions(tips: &[String], known: &[String]) -> Vec<u8> {
    let known = known.iter().flat_map(|id| ["^", id, "\n"]);
    tips.iter().flat_map(|id| [id.as_str(), "\n"]).chain(known).collect::<String>().into_bytes()
}
