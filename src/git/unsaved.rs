//! Work in a folder that would be lost for good with it (`beyond.md` F1): asked of git, never guessed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::command::{Git, Repository};
use super::search::search;

/// What kind of work is at stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsavedKind {
    /// Uncommitted changes.
    Dirty,
    /// Commits that are reachable from nowhere else.
    Unpushed,
    /// Nobody can tell.
    Unknown,
}

/// Work that would be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsaved {
    /// The repository's folder.
    pub path: PathBuf,
    /// What kind of work.
    pub kind: UnsavedKind,
    /// In words.
    pub what: String,
    /// The repository lies elsewhere and stays: a snapshot can go into it.
    pub foreign: bool,
}

impl Git {
    /// Work below `folder` that would be lost for good with all that is in `goes`, the folder itself or one above it.
    /// `ours` are files of our own, which do not count as changes. What was not searched is not claimed to be safe.
    pub fn unsaved_work(&self, folder: &Path, goes: &Path, ours: &[PathBuf]) -> Vec<Unsaved> {
        let mut found = Vec::new();
        let searched = search(folder);
        for path in &searched.repositories {
            match self.at(path).unsaved_work(goes, ours) {
                Ok(unsaved) => found.extend(unsaved),
                Err(error) => found.push(Unsaved {
                    path: path.clone(),
                    kind: UnsavedKind::Unknown,
                    what: format!("cannot tell whether its work is saved: {error:#}"),
                    foreign: false,
                }),
            }
        }
        found.extend(searched.gap.map(|(path, why)| Unsaved {
            path,
            kind: UnsavedKind::Unknown,
            what: format!("not searched for repositories: {why}"),
            foreign: false,
        }));
        found
    }
}

impl Repository<'_> {
    fn unsaved_work(&self, goes: &Path, ours: &[PathBuf]) -> Result<Option<Unsaved>> {
        let git_dir = self.look(["rev-parse", "--path-format=absolute", "--git-common-dir"]).output()?;
        let git_dir = Path::new(OsStr::from_bytes(git_dir.strip_suffix(b"\n").unwrap_or(&git_dir)));
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let foreign = !real(git_dir).starts_with(real(goes));
        let unsaved = |kind, what: String| Some(Unsaved { path: self.dir().to_owned(), kind, what, foreign });
        let is_bare = self.look(["rev-parse", "--is-bare-repository"]).text()? == "true";
        let changed = if is_bare { 0 } else { self.changed_files(ours)? };
        let dirty = |place: &str| {
            unsaved(
                UnsavedKind::Dirty,
                format!("{changed} uncommitted change{}{place}", plural(changed as u64)),
            )
        };
        if !foreign {
            // The repository itself goes: every commit that no remote has goes with it, stashes too.
            let commits = self.count(&["--branches", "--tags", "HEAD", "--not", "--remotes"])?;
            let stashed = self.has_ref("refs/stash")?;
            return Ok(match (commits, stashed) {
                (0, false) if changed > 0 => dirty(""),
                (0, false) => None,
                (0, true) => unsaved(UnsavedKind::Unpushed, "a stash that is nowhere else".into()),
                (n, _) => unsaved(UnsavedKind::Unpushed, format!("{} on no remote", commits_that_are(n))),
            });
        }
        // A worktree of somebody's repository: branches survive, the working files and a detached HEAD do not.
        if changed > 0 {
            return Ok(dirty(" in a worktree"));
        }
        match self.count(&["HEAD", "--not", "--branches", "--tags", "--remotes"])? {
            0 => Ok(None),
            n => Ok(unsaved(UnsavedKind::Unpushed, format!("{} on no branch", commits_that_are(n)))),
        }
    }

    /// How many working files of a worktree differ from what is committed.
    fn changed_files(&self, ours: &[PathBuf]) -> Result<usize> {
        let filters = self.filters_off()?;
        let top = self.look(["rev-parse", "--show-toplevel"]).output()?;
        let top = Path::new(OsStr::from_bytes(top.strip_suffix(b"\n").unwrap_or(&top)));
        // `core.worktree` may name any folder; the one that would go is the one to ask about.
        anyhow::ensure!(
            top.canonicalize()? == self.dir().canonicalize()?,
            "its repository calls {} its worktree",
            top.display()
        );
        // A submodule's own changes are asked about where it lies: `status` would start a git in it that runs the
        // filters of its configuration.
        let status = ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignore-submodules=dirty"];
        let status = self.look(status).without_filters(&filters).output()?;
        let is_ours = |changed: &Path| ours.contains(&self.dir().join(changed));
        let changed = changed_paths(&status).filter(|changed| !is_ours(changed)).count();
        Ok(changed + self.hidden_changes()?.iter().filter(|changed| !is_ours(changed)).count())
    }

    /// How many commits a `rev-list` gives; 0 for a repository without any.
    fn count(&self, revisions: &[&str]) -> Result<u64> {
        let has_head = self.has_head()?;
        let revisions = revisions.iter().filter(|word| has_head || **word != "HEAD");
        Ok(self.look(["rev-list", "--count"]).args(revisions).text()?.parse()?)
    }
}

/// The paths of `git status --porcelain=v1 -z`. The second path of a rename is of no matter here.
fn changed_paths(status: &[u8]) -> impl Iterator<Item = PathBuf> + '_ {
    status
        .split(|byte| *byte == 0)
        .filter(|entry| entry.len() > 3 && entry[2] == b' ')
        .map(|entry| PathBuf::from(OsStr::from_bytes(&entry[3..])))
}
fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn commits_that_are(count: u64) -> String {
    format!("{count} commit{} that {}", plural(count), if count == 1 { "is" } else { "are" })
}
