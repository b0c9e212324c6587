//! The lock files that git leaves in a repository when it is killed, and keeps every later call from working.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::layout::LAST_USE;
use crate::git::was_cut_off;
use crate::sys::tree::{FileKind, Tree};

/// Where they lie, all levels of them.
const FOLDERS: [&str; 4] = ["refs", "logs/refs", "objects/info", "objects/pack"];
/// Those that lie by themselves.
const FILES: [&str; 2] = ["gc.pid", "packed-refs.lock"];
/// Deeper than names of refs go.
const MAX_DEPTH: usize = 32;

/// Does work that calls git in an open repository. If execenv ends such a call, the lock files that it has left are removed:
/// those that were not there before, because another process made the others.
pub(super) fn without_new_locks<T>(bare: &Tree, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let before = lock_files(bare);
    let done = work();
    if done.as_ref().is_err_and(was_cut_off) {
        for file in lock_files(bare).difference(&before) {
            let _ = bare.remove_file(file);
        }
    }
    done
}

/// How old a lock on refs is when its git is certainly gone: git holds one for moments.
const DEAD: Duration = Duration::from_secs(3600);

/// Removes locks on refs that a git has left which was killed together with execenv, and says so. The repository has just been
/// stamped: the file system's own time is compared.
pub(super) fn remove_dead_locks(bare: &Tree) {
    let changed = |file: &Path| bare.written(file).ok();
    let Some(now) = changed(Path::new(LAST_USE)) else { return };
    let is_dead = |file: &&PathBuf| {
        (file.starts_with("refs") || file.as_path() == Path::new("packed-refs.lock"))
            && changed(file).and_then(|at| now.duration_since(at).ok()).is_some_and(|age| age > DEAD)
    };
    for file in lock_files(bare).iter().filter(is_dead) {
        match bare.remove_file(file) {
            Ok(()) => log::warn!("removed {}, which a killed git had left", bare.path().join(file).display()),
            Err(error) => log::warn!("cannot remove {}: {error}", bare.path().join(file).display()),
        }
    }
}

/// The lock files that lie in a repository now.
fn lock_files(bare: &Tree) -> BTreeSet<PathBuf> {
    let mut found: BTreeSet<PathBuf> = FILES
        .map(PathBuf::from)
        .into_iter()
        .filter(|file| matches!(bare.kind(file), Ok(Some(FileKind::File { .. }))))
        .collect();
    for folder in FOLDERS {
        find_locks(bare, Path::new(folder), MAX_DEPTH, &mut found);
    }
    found
}

fn find_locks(bare: &Tree, folder: &Path, depth: usize, found: &mut BTreeSet<PathBuf>) {
    if depth == 0 || !matches!(bare.kind(folder), Ok(Some(FileKind::Dir))) {
        return;
    }
    for name in bare.names(folder).unwrap_or_default() {
        let path = folder.join(&name);
        match bare.kind(&path) {
            Ok(Some(FileKind::Dir)) => find_locks(bare, &path, depth - 1, found),
            Ok(Some(FileKind::File { .. })) if name.as_encoded_bytes().ends_with(b".lock") => {
                found.insert(path);
            }
            _ => {}
        }
    }
}
