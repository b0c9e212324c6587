//! Unsaved work in a folder: what would be lost for good if the folder were deleted. Git is asked, nothing is guessed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;

use super::command::{Git, PATIENCE, Repository};
use super::operation::in_progress;
use super::search::{Patience, search};
use super::view::View;

/// What kind of work is at stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsavedKind {
    /// Uncommitted changes.
    Dirty,
    /// Commits that exist nowhere else.
    Unpushed,
    /// It is unknown whether there is any.
    Unknown,
}

/// Work that would be lost for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsaved {
    /// The repository's folder.
    pub path: PathBuf,
    /// What kind of work.
    pub kind: UnsavedKind,
    /// For a person.
    pub what: String,
    /// The repository lies elsewhere, is kept, and knows this worktree, so that a snapshot can be written to it.
    pub foreign: bool,
}

impl Git {
    /// Work below `folder` that would be lost for good with all that is in `goes`, the folder itself or one above it.
    /// `ours` are files of our own, which do not count as changes. What was not searched is not claimed to be safe, and
    /// all of it takes two minutes at most.
    pub fn unsaved_work(&self, folder: &Path, goes: &Path, ours: &[PathBuf]) -> Vec<Unsaved> {
        let deadline = Instant::now() + PATIENCE;
        let patience = Patience { deadline, stop: self.stop() };
        let unknown = |path, what| Unsaved { path, kind: UnsavedKind::Unknown, what, foreign: false };
        let mut found = Vec::new();
        let searched = search(folder, patience);
        for repository in searched.repositories {
            if let Some(why) = patience.is_over() {
                found.push(unknown(repository.path, format!("not asked whether its work is saved: {why}")));
                break;
            }
            match self.at(&repository.path).before(deadline).unsaved_work(repository.is_bare, goes, ours) {
                Ok(unsaved) => found.extend(unsaved),
                Err(error) => {
                    let what = format!("cannot tell whether its work is saved: {error:#}");
                    found.push(unknown(repository.path, what));
                }
            }
        }
        let gap = searched.gap;
        found.extend(gap.map(|(path, why)| unknown(path, format!("not searched for repositories: {why}"))));
        found
    }
}

/// How many commits and files a reason names.
const EXAMPLES: usize = 5;

/// Refs that belong to one worktree and are lost with it.
const PER_WORKTREE: [&str; 3] = ["refs/worktree/*", "refs/bisect/*", "refs/rewritten/*"];

impl Repository<'_> {
    /// The work of this repository or worktree that would be lost, with every reason.
    fn unsaved_work(&self, is_bare: bool, goes: &Path, ours: &[PathBuf]) -> Result<Option<Unsaved>> {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folders = self.git_folders()?;
        let common = &folders.common;
        let foreign = !real(common).starts_with(real(goes));
        let mut reasons = Vec::new();

        let changed =
            if is_bare { Vec::new() } else { self.changed_files(&self.view(&folders, false)?, ours)? };
        if !changed.is_empty() {
            let place = if foreign { " in a worktree" } else { "" };
            let count = counted(changed.len() as u64, "uncommitted change");
            let files = changed.iter().map(|path| path.display().to_string());
            reasons.push((UnsavedKind::Dirty, format!("{count}{place}{}", examples(files, changed.len()))));
        }
        let mut operations: Vec<&str> = in_progress(&folders.own).collect();
        if !foreign {
            // Linked worktrees elsewhere keep their state in this repository.
            let worktrees = std::fs::read_dir(common.join("worktrees")).into_iter().flatten().flatten();
            operations.extend(worktrees.flat_map(|entry| in_progress(&entry.path()).collect::<Vec<_>>()));
        }
        operations.sort_unstable();
        operations.dedup();
        if !operations.is_empty() {
            reasons.push((UnsavedKind::Dirty, format!("{} is in progress", operations.join(", "))));
        }

        let commits = if foreign {
            // Branches survive a worktree of another repository; its HEAD and its own refs do not.
            let own = PER_WORKTREE.map(|pattern| format!("--glob={pattern}"));
            let shared = PER_WORKTREE.map(|pattern| format!("--exclude={pattern}"));
            let head = self.has_head()?.then(|| "HEAD".to_owned());
            let lost = head.into_iter().chain(own).chain(["--not".into()]).chain(shared);
            self.as_stored().commits(lost.chain(["--glob=refs/*".into()]))?
        } else {
            // The repository itself goes, with the commits of all its refs and worktrees that no remote has.
            // The stash is named on its own.
            let all = ["--exclude=refs/stash", "--all", "--not", "--remotes"];
            self.as_stored().commits(all.map(str::to_owned))?
        };
        if commits.count > 0 {
            let place = if foreign { "that no ref would hold" } else { "on no remote" };
            let count = counted(commits.count, "commit");
            reasons.push((
                UnsavedKind::Unpushed,
                format!("{count} {place}{}", examples(commits.first, commits.count as usize)),
            ));
        }
        if !foreign && self.has_ref("refs/stash")? {
            reasons.push((UnsavedKind::Unpushed, "a stash".to_owned()));
        }
        let Some((kind, _)) = reasons.first() else { return Ok(None) };
        let what = reasons.iter().map(|(_, what)| what.as_str()).collect::<Vec<_>>().join("; ");
        // Nothing is ever written into a repository that does not know of the worktree.
        let foreign = foreign && folders.know_worktree(self.dir());
        Ok(Some(Unsaved { path: self.dir().to_owned(), kind: *kind, what, foreign }))
    }

    /// A folder that `git rev-parse` names: `--git-dir` (a worktree's own) or `--git-common-dir`.
    pub(super) fn git_folder(&self, which: &str) -> Result<PathBuf> {
        let folder = self.look(["rev-parse", "--path-format=absolute", which]).output()?;
        Ok(OsStr::from_bytes(folder.strip_suffix(b"\n").unwrap_or(&folder)).into())
    }

    /// The working files of a worktree that differ from what is committed.
    fn changed_files(&self, view: &View, ours: &[PathBuf]) -> Result<Vec<PathBuf>> {
        // A submodule's own changes are asked about where it lies: `status` would start a git in it that runs the
        // filters of its configuration.
        let status = ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignore-submodules=dirty"];
        let status = self.look(status).through(view).output()?;
        let is_ours = |changed: &Path| ours.contains(&self.dir().join(changed));
        let mut changed: Vec<PathBuf> = changed_paths(&status).collect();
        changed.extend(self.hidden_changes(view)?);
        changed.retain(|changed| !is_ours(changed));
        Ok(changed)
    }

    /// The commits that a `rev-list` gives: how many, and the first of them.
    fn commits(&self, revisions: impl IntoIterator<Item = String>) -> Result<Commits> {
        let revisions: Vec<String> = revisions.into_iter().collect();
        let count = self.look(["rev-list", "--count"]).args(&revisions).text()?.parse()?;
        if count == 0 {
            return Ok(Commits::default());
        }
        let limit = format!("--max-count={EXAMPLES}");
        let shown = ["rev-list", "--no-commit-header", "--format=%h %s", &limit];
        let first = self.look(shown).args(&revisions).text()?;
        Ok(Commits { count, first: first.lines().map(str::to_owned).collect() })
    }
}

/// Commits that would be lost.
#[derive(Debug, Default)]
struct Commits {
    count: u64,
    /// The first ones, each as its short id and its subject.
    first: Vec<String>,
}

/// The paths of `git status --porcelain=v1 -z`. The second path of a rename is of no matter here.
fn changed_paths(status: &[u8]) -> impl Iterator<Item = PathBuf> + '_ {
    status
        .split(|byte| *byte == 0)
        .filter(|entry| entry.len() > 3 && entry[2] == b' ')
        .map(|entry| PathBuf::from(OsStr::from_bytes(&entry[3..])))
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Some of `count` things, in parentheses. They come from an agent: control characters become visible.
fn examples(things: impl IntoIterator<Item = String>, count: usize) -> String {
    let shown = things.into_iter().take(EXAMPLES).map(|thing| thing.escape_debug().to_string());
    let rest = if count > EXAMPLES { ", …" } else { "" };
    format!(" ({}{rest})", shown.collect::<Vec<_>>().join(", "))
}
