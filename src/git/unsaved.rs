//! Work in a folder that would be lost for good with it (`beyond.md` F1): asked of git, never guessed.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Git;

/// How deep repositories are looked for below a work dir.
const MAX_DEPTH: usize = 5;
/// How many folders are looked into at most; what lies beyond is not claimed to be safe.
const MAX_FOLDERS: usize = 20_000;

/// What kind of work is at stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsavedKind {
    /// Uncommitted changes in a worktree of a repository that lies elsewhere.
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
}

impl Git {
    /// Work below `work_dir` that would go with it for good. `ours` are files of our own, which do not count as
    /// changes.
    pub fn unsaved_work(&self, work_dir: &Path, ours: &[PathBuf]) -> Vec<Unsaved> {
        let mut found = Vec::new();
        let (repositories, complete) = repositories(work_dir);
        for path in &repositories {
            match self.unsaved_in(path, work_dir, ours) {
                Ok(unsaved) => found.extend(unsaved),
                Err(error) => found.push(Unsaved {
                    path: path.clone(),
                    kind: UnsavedKind::Unknown,
                    what: format!("cannot tell whether its work is saved: {error:#}"),
                }),
            }
        }
        if !complete {
            let what = format!("more than {MAX_FOLDERS} folders: not all were searched for repositories");
            log::debug!("{}: {what}", work_dir.display());
        }
        found
    }

    fn unsaved_in(&self, path: &Path, work_dir: &Path, ours: &[PathBuf]) -> Result<Option<Unsaved>> {
        let git_dir = self.output(path, &["rev-parse", "--path-format=absolute", "--git-common-dir"])?;
        let git_dir = PathBuf::from(String::from_utf8_lossy(&git_dir).trim_end());
        let inside = |path: &Path| {
            let work_dir = work_dir.canonicalize().unwrap_or_else(|_| work_dir.to_owned());
            path.canonicalize().is_ok_and(|path| path.starts_with(work_dir))
        };
        let unsaved = |kind, what: String| Some(Unsaved { path: path.to_owned(), kind, what });
        if inside(&git_dir) {
            // The repository itself goes: every commit that no remote has goes with it, stashes too.
            let commits = self.count(path, &["--branches", "--tags", "HEAD", "--not", "--remotes"])?;
            let stashed =
                self.run(path, &["rev-parse", "--quiet", "--verify", "refs/stash"])?.status.success();
            return Ok(match (commits, stashed) {
                (0, false) => None,
                (0, true) => unsaved(UnsavedKind::Unpushed, "a stash that is nowhere else".into()),
                (n, _) => unsaved(UnsavedKind::Unpushed, format!("{n} commits that are on no remote")),
            });
        }
        // A worktree of somebody's repository: branches survive, the working files and a detached HEAD do not.
        let status = self.output(path, &["status", "--porcelain=v1", "-z", "--untracked-files=all"])?;
        let changed = changed_paths(&status).filter(|changed| !ours.contains(&path.join(changed))).count();
        if changed > 0 {
            return Ok(unsaved(UnsavedKind::Dirty, format!("{changed} uncommitted changes in a worktree")));
        }
        match self.count(path, &["HEAD", "--not", "--branches", "--tags", "--remotes"])? {
            0 => Ok(None),
            n => Ok(unsaved(UnsavedKind::Unpushed, format!("{n} commits that are on no branch"))),
        }
    }

    /// How many commits a `rev-list` gives; 0 for a repository without any.
    fn count(&self, path: &Path, revisions: &[&str]) -> Result<u64> {
        let has_head = self.run(path, &["rev-parse", "--quiet", "--verify", "HEAD"])?.status.success();
        let revisions: Vec<&str> =
            revisions.iter().filter(|word| has_head || **word != "HEAD").copied().collect();
        let mut args = vec!["rev-list", "--count"];
        args.extend(revisions);
        let text = self.output(path, &args)?;
        Ok(String::from_utf8_lossy(&text).trim().parse()?)
    }
}

/// The paths of `git status --porcelain=v1 -z`. The second path of a rename is of no matter here.
fn changed_paths(status: &[u8]) -> impl Iterator<Item = PathBuf> + '_ {
    use std::os::unix::ffi::OsStrExt;
    status
        .split(|byte| *byte == 0)
        .filter(|entry| entry.len() > 3 && entry[2] == b' ')
        .map(|entry| PathBuf::from(std::ffi::OsStr::from_bytes(&entry[3..])))
}

/// Folders with a `.git`, through no link. `false`: there were too many folders to look into all.
fn repositories(work_dir: &Path) -> (Vec<PathBuf>, bool) {
    let mut found = Vec::new();
    let mut looked_into = 0;
    let mut waiting = vec![(work_dir.to_owned(), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        looked_into += 1;
        if looked_into > MAX_FOLDERS {
            return (found, false);
        }
        if folder.join(".git").symlink_metadata().is_ok() {
            found.push(folder.clone());
        }
        if depth == MAX_DEPTH {
            continue;
        }
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_dir && !matches!(entry.file_name().to_str(), Some(".git" | "node_modules")) {
                waiting.push((entry.path(), depth + 1));
            }
        }
    }
    (found, true)
}
