//! Which artifacts hold files that git tracks: those are someone's work, whatever their folder is called.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use super::patterns::Patterns;
use crate::git::Git;
use crate::sys::tree::{FileKind, Tree};

/// What a repository tracks below folders of the patterns' names, or why git does not say: then all of it is kept.
type Files = Result<BTreeSet<PathBuf>, String>;

/// The repositories above artifacts. Each is asked once, and only when an artifact lies in it.
pub(super) struct Tracked<'a> {
    env: &'a Tree,
    git: &'a Git,
    patterns: &'a Patterns,
    /// By folder, relative to the env root. Folders without a repository are not kept: there may be thousands.
    repositories: HashMap<PathBuf, Files>,
}

impl<'a> Tracked<'a> {
    pub(super) fn new(env: &'a Tree, git: &'a Git, patterns: &'a Patterns) -> Tracked<'a> {
        Tracked { env, git, patterns, repositories: HashMap::new() }
    }

    /// Why the artifact at `path`, relative to the env root, has to stay.
    pub(super) fn keeps(&mut self, path: &Path) -> Option<String> {
        // All repositories above it: one may have been made inside what another one tracks. Folder by folder, as the
        // whole path may be longer than the system takes.
        let mut folder = PathBuf::new();
        let mut opened: Option<Tree> = None;
        for name in path {
            if let Some(why) = self.keeps_below(opened.as_ref().unwrap_or(self.env), &folder, path) {
                return Some(why);
            }
            folder.push(name);
            if folder != path {
                match opened.as_ref().unwrap_or(self.env).subtree(Path::new(name)) {
                    Ok(next) => opened = Some(next),
                    Err(error) => return Some(format!("may hold files that git tracks: {error}")),
                }
            }
        }
        None
    }

    fn keeps_below(&mut self, tree: &Tree, folder: &Path, path: &Path) -> Option<String> {
        let below = path.strip_prefix(folder).ok()?;
        match self.files_of(tree, folder)? {
            Ok(tracked) => {
                let next = tracked.range::<Path, _>((Bound::Included(below), Bound::Unbounded)).next()?;
                next.starts_with(below).then(|| "holds files that git tracks".to_owned())
            }
            Err(why) => Some(format!("may hold files that git tracks: {why}")),
        }
    }

    fn files_of(&mut self, tree: &Tree, folder: &Path) -> Option<&Files> {
        let Tracked { env, git, patterns, .. } = *self;
        let found = tree.kind(Path::new(".git"));
        if matches!(found, Ok(None)) {
            return None;
        }
        let files = self.repositories.entry(folder.to_owned()).or_insert_with(|| match found {
            // Without an index nothing is tracked.
            Ok(Some(FileKind::Dir)) if matches!(tree.kind(Path::new(".git/index")), Ok(None)) => {
                Ok(BTreeSet::new())
            }
            _ => {
                let files = git.at(&env.path().join(folder)).tracked_below(patterns.names());
                files.map_err(|error| format!("{error:#}"))
            }
        });
        Some(files)
    }
}
