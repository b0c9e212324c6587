//! Which artifacts hold files that git tracks: those are someone's work, whatever their folder is called.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use super::patterns::Patterns;
use crate::git::Git;
use crate::sys::tree::{Kind, Tree};

/// What a repository tracks below folders of the patterns' names, or why git does not say: then all of it is kept.
type Files = Result<BTreeSet<PathBuf>, String>;

/// The repositories above artifacts. Each is asked once, and only when an artifact lies in it.
pub(super) struct Tracked<'a> {
    env: &'a Tree,
    git: &'a Git,
    patterns: &'a Patterns,
    /// By folder, relative to the env root; `None`: no repository.
    repositories: HashMap<PathBuf, Option<Files>>,
}

impl<'a> Tracked<'a> {
    pub(super) fn new(env: &'a Tree, git: &'a Git, patterns: &'a Patterns) -> Tracked<'a> {
        Tracked { env, git, patterns, repositories: HashMap::new() }
    }

    /// Why the artifact at `path`, relative to the env root, has to stay.
    pub(super) fn keeps(&mut self, path: &Path) -> Option<String> {
        // All repositories above it: one may have been made inside what another one tracks.
        let above: Vec<&Path> = path.ancestors().skip(1).collect();
        above.into_iter().rev().find_map(|folder| {
            let below = path.strip_prefix(folder).ok()?;
            match self.files_of(folder)? {
                Ok(tracked) => {
                    let next = tracked.range::<Path, _>((Bound::Included(below), Bound::Unbounded)).next()?;
                    next.starts_with(below).then(|| "holds files that git tracks".to_owned())
                }
                Err(why) => Some(format!("may hold files that git tracks: {why}")),
            }
        })
    }

    fn files_of(&mut self, folder: &Path) -> Option<&Files> {
        let Tracked { env, git, patterns, .. } = *self;
        let files = self.repositories.entry(folder.to_owned()).or_insert_with(|| {
            match env.kind(&folder.join(".git")) {
                Ok(None) => None,
                // Without an index nothing is tracked.
                Ok(Some(Kind::Dir)) if matches!(env.kind(&folder.join(".git/index")), Ok(None)) => {
                    Some(Ok(BTreeSet::new()))
                }
                _ => {
                    let files = git.at(&env.path().join(folder)).tracked_below(patterns.names());
                    Some(files.map_err(|error| format!("{error:#}")))
                }
            }
        });
        files.as_ref()
    }
}
