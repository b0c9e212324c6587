//! Which artifacts hold files that git tracks: those are part of somebody's work, whatever their folder is called.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, statat};
use rustix::io::Errno;

use super::Patterns;
use crate::git::Git;
use crate::sys::tree::{Kind, Tree};

/// The repositories that a survey is in. Each is asked once, and only if an artifact lies in it.
pub(super) struct Tracked<'a> {
    env: &'a Tree,
    git: &'a Git,
    patterns: &'a Patterns,
    repositories: Vec<Repository>,
}

struct Repository {
    /// Relative to the env root.
    folder: PathBuf,
    /// Its depth; `None`: it is the env root.
    depth: Option<usize>,
    /// What it tracks below folders of the patterns' names, as soon as that is asked. An error keeps all in it.
    tracked: Option<Result<BTreeSet<PathBuf>, String>>,
}

impl<'a> Tracked<'a> {
    pub(super) fn new(env: &'a Tree, git: &'a Git, patterns: &'a Patterns) -> Tracked<'a> {
        let mut tracked = Tracked { env, git, patterns, repositories: Vec::new() };
        if !matches!(env.kind(Path::new(".git")), Ok(None)) {
            let is_empty = matches!(env.kind(Path::new(".git")), Ok(Some(Kind::Dir)))
                && matches!(env.kind(Path::new(".git/index")), Ok(None));
            tracked.push(PathBuf::new(), None, is_empty);
        }
        tracked
    }

    /// The survey goes into a folder at this depth.
    pub(super) fn enter(&mut self, folder: &Path, depth: usize, handle: BorrowedFd<'_>) {
        let stat = |path: &str| statat(handle, path, AtFlags::SYMLINK_NOFOLLOW);
        let is_empty = match stat(".git") {
            Err(Errno::NOENT) => return,
            Ok(git) if FileType::from_raw_mode(git.st_mode) == FileType::Directory => {
                matches!(stat(".git/index"), Err(Errno::NOENT))
            }
            // What is no folder names a repository elsewhere.
            _ => false,
        };
        self.push(folder.to_owned(), Some(depth), is_empty);
    }

    /// The survey leaves a folder at this depth.
    pub(super) fn leave(&mut self, depth: usize) {
        self.repositories.pop_if(|repository| repository.depth == Some(depth));
    }

    fn push(&mut self, folder: PathBuf, depth: Option<usize>, is_empty: bool) {
        let tracked = is_empty.then(|| Ok(BTreeSet::new())); // without an index nothing is tracked
        self.repositories.push(Repository { folder, depth, tracked });
    }

    /// Why the artifact at `path`, relative to the env root, has to stay.
    pub(super) fn keeps(&mut self, path: &Path) -> Option<String> {
        let (env, git, patterns) = (self.env, self.git, self.patterns);
        // All of them: one may have been made inside what another one tracks.
        self.repositories.iter_mut().find_map(|Repository { folder, tracked, .. }| {
            let below = path.strip_prefix(&*folder).ok()?;
            let tracked = tracked.get_or_insert_with(|| {
                let answer = git.at(&env.path().join(folder)).tracked_below(patterns.names());
                answer.map_err(|error| format!("{error:#}"))
            });
            match tracked {
                Ok(tracked) => {
                    let next = tracked.range::<Path, _>((Bound::Included(below), Bound::Unbounded)).next()?;
                    next.starts_with(below).then(|| "holds files that git tracks".to_owned())
                }
                Err(why) => Some(format!("may hold files that git tracks: {why}")),
            }
        })
    }
}
