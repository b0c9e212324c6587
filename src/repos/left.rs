//! What killed commands have left of checkouts and of shared repositories, for a command that looks for it.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result};

use super::bare::BareRepo;
use super::checkout::{HalfBuilt, half_built};
use super::evict;
use super::layout::{has_temporary, open_bare, plain_folders, remove_temporary};
use super::lock::{hold_repo, repo_lock};
use super::policy::{Limits, RepoReport};
use super::shape::stands_alone;
use crate::environment::WorkspacesRoot;
use crate::git::Git;
use crate::layout::names;
use crate::sys::silent::resolve;
use crate::sys::tree::Tree;

/// What was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftKind {
    /// A half-built checkout in an env root.
    Checkout,
    /// A half-made shared repository.
    Clone,
    /// A shared repository whose removal was begun.
    Removal,
}

/// Something that a killed command has left.
#[derive(Debug)]
pub struct Left {
    /// Its path.
    pub path: PathBuf,
    /// What it is.
    pub kind: LeftKind,
    /// What became of it; `None`: it was only looked for.
    pub removed: Option<Result<()>>,
}

/// Finds what killed commands have left of checkouts and shared repositories, and with a git removes it. What a process works on
/// is none of it.
///
/// # Errors
/// When the root cannot be listed.
pub fn left_of_killed(
    root: &WorkspacesRoot,
    tree: &Tree,
    fix: Option<&Git>,
    stop: &AtomicBool,
) -> Result<Vec<Left>> {
    let mut found = Vec::new();
    for workspace in root.workspaces(tree)? {
        for key in root.keys(tree, &workspace).unwrap_or_default() {
            let Ok(env) = tree.plain_subtree(&Path::new(&workspace).join(key)) else { continue };
            found.extend(half_built(&env).iter().map(|half| Left {
                path: half.path().to_owned(),
                kind: LeftKind::Checkout,
                removed: fix.map(|git| remove(half, tree, git, stop)),
            }));
        }
    }
    for workspace in plain_folders(tree, Path::new(names::REPOS), &mut RepoReport::default()) {
        let folder = Path::new(names::REPOS).join(workspace);
        let Ok(opened) = tree.plain_subtree(&folder) else { continue };
        for left in evict::left(tree, &folder, &opened) {
            let path = opened.path().join(&left.name);
            let kind = if left.is_clone() { LeftKind::Clone } else { LeftKind::Removal };
            let removing = || format!("remove {}", path.display());
            let removed = fix.map(|_| opened.remove_all(&left.name).with_context(removing));
            found.push(Left { path, kind, removed });
        }
        if fix.is_some() {
            for name in plain_folders(tree, &folder, &mut RepoReport::default()) {
                let relative = folder.join(name);
                let Some(left) = open_bare(tree, &relative).filter(has_temporary) else { continue };
                if let Ok(Some(_lock)) = repo_lock(tree, &relative, Duration::ZERO, stop) {
                    remove_temporary(&left);
                }
            }
            let _ = tree.remove_dir(&folder); // one that is not empty stays
        }
    }
    Ok(found)
}

/// Removes a half-built checkout, under the lock of the shared repository that it names.
fn remove(half: &HalfBuilt<'_>, tree: &Tree, git: &Git, stop: &AtomicBool) -> Result<()> {
    let removing = || format!("remove {}", half.path().display());
    let shared = half.registered().and_then(|registered| shared_repository(tree, &registered.common));
    let Some(relative) = shared else { return half.remove(None).with_context(removing) };
    let limits = Limits::default();
    let _lock = hold_repo(tree, &relative, limits.lock.min(Duration::from_secs(1)), stop)?;
    let Some(bare) = open_bare(tree, &relative) else { return half.remove(None).with_context(removing) };
    stands_alone(&bare)?;
    let path = bare.path().to_owned();
    half.remove(Some((&bare, BareRepo::new(git, &path, limits.call, stop)))).with_context(removing)
}

/// The path below the root, if a folder is one of its shared repositories.
fn shared_repository(tree: &Tree, common: &Path) -> Option<PathBuf> {
    let relative = resolve(common)?.strip_prefix(resolve(tree.path())?).ok()?.to_owned();
    (relative.starts_with(names::REPOS) && relative.components().count() == 3).then_some(relative)
}
