//! What a new worktree lacks because git leaves it to the user: submodules, and the contents of files in Git LFS.

use std::path::Path;

use crate::git::Git;
use crate::sys::tree::{FileKind, Tree};

/// How many files are looked at.
const MOST_FILES: usize = 100;
/// The largest file of attributes that is read, in bytes.
const MOST_OF_A_FILE: u64 = 1 << 20;
/// Begins a file whose contents are in Git LFS.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
/// What a repository with such files has in its attributes.
const FILTER: &[u8] = b"filter=lfs";

/// What the user should know of a worktree that was just made. Where git cannot say it, nothing.
pub(super) fn lacking(git: &Git, worktree: &Tree) -> Vec<String> {
    let modules = matches!(worktree.kind(Path::new(".gitmodules")), Ok(Some(FileKind::File { .. })));
    let modules = modules.then(|| {
        "the repository has submodules, which are empty in the worktree: `git submodule update --init` there fetches them".to_owned()
    });
    modules.into_iter().chain(pointers(git, worktree)).collect()
}

fn pointers(git: &Git, worktree: &Tree) -> Option<String> {
    let attributes = worktree.read(Path::new(".gitattributes"), MOST_OF_A_FILE).ok()??;
    if !attributes.windows(FILTER.len()).any(|part| part == FILTER) {
        return None;
    }
    let files = git.at(worktree.path()).tracked_with("filter=lfs").ok()?;
    let is_pointer = |path: &&std::path::PathBuf| {
        let start = worktree.read_start(path, POINTER.len() as u64);
        start.is_ok_and(|start| start.as_deref() == Some(POINTER))
    };
    let first = files.iter().take(MOST_FILES).find(is_pointer)?;
    Some(format!(
        "files of Git LFS are pointers in the worktree ({}): `git lfs pull` there fetches their contents",
        first.display()
    ))
}
