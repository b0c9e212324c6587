//! Which artifacts hold files that git tracks: those are part of somebody's work, whatever their folder is called.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use super::Patterns;
use crate::git::Git;
use crate::sys::tree::{Kind, Tree};

/// What the repositories of one environment track below folders of the patterns' names. Each is asked once, and
/// only if an artifact lies in it.
pub(super) struct Tracked<'a> {
    env: &'a Tree,
    git: &'a Git,
    patterns: &'a Patterns,
    /// By the repository's folder, relative to the env root. An error keeps all that lies in it.
    known: BTreeMap<PathBuf, Result<BTreeSet<PathBuf>, String>>,
}

impl<'a> Tracked<'a> {
    pub(super) fn new(env: &'a Tree, git: &'a Git, patterns: &'a Patterns) -> Tracked<'a> {
        Tracked { env, git, patterns, known: BTreeMap::new() }
    }

    /// Why the artifact at `path`, relative to the env root, has to stay.
    pub(super) fn keeps(&mut self, path: &Path) -> Option<String> {
        // Every folder above it: a repository may have been made inside what another one tracks.
        path.ancestors().skip(1).find_map(|folder| {
            let below = path.strip_prefix(folder).ok()?;
            let (env, git, patterns) = (self.env, self.git, self.patterns);
            let known =
                self.known.entry(folder.to_owned()).or_insert_with(|| ask(env, git, patterns, folder));
            match known {
                Ok(tracked) => {
                    let next = tracked.range::<Path, _>((Bound::Included(below), Bound::Unbounded)).next()?;
                    next.starts_with(below).then(|| "holds files that git tracks".to_owned())
                }
                Err(why) => Some(format!("may hold files that git tracks: {why}")),
            }
        })
    }
}

fn ask(env: &Tree, git: &Git, patterns: &Patterns, folder: &Path) -> Result<BTreeSet<PathBuf>, String> {
    match has_index(env, folder) {
        Ok(false) => Ok(BTreeSet::new()),
        Ok(true) => git
            .tracked_below(&env.path().join(folder), patterns.names())
            .map_err(|error| format!("{error:#}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether a folder is a repository's that may track anything. A `.git` that is no folder names one elsewhere.
fn has_index(env: &Tree, folder: &Path) -> std::io::Result<bool> {
    let git = folder.join(".git");
    match env.kind(&git)? {
        None => Ok(false),
        Some(Kind::Dir) => Ok(env.kind(&git.join("index"))?.is_some()),
        Some(_) => Ok(true),
    }
}
