//! `output/kept-sidecars/`: copies of edited sidecars, and files that other programs put among execenv's.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::report::TakenBack;
use crate::layout::names;
use crate::sys::tree::{FileKind, Tree};

/// The largest edited sidecar of which a copy is kept, in bytes.
pub(super) const MAX_KEPT: u64 = 256 << 20;

/// The most copies of one name that are kept.
const MAX_COPIES: u32 = 1_000;

/// Moves one entry to the kept sidecars.
pub(super) fn keep_stray(
    env: &Tree,
    work_tree: &Tree,
    path: &Path,
    kind: FileKind,
    report: &mut TakenBack,
) -> io::Result<()> {
    let folder = kept_folder(env, path)?;
    for candidate in candidates(&folder, path) {
        match env.kind(&candidate)? {
            None => {}
            Some(there) if there == kind && is_same_file(env, &candidate, work_tree, path) => return Ok(()),
            Some(_) => continue,
        }
        match work_tree.move_to(path, env, &candidate) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                copy_stray(env, work_tree, path, &candidate)?;
            }
            other => other?,
        }
        // Before the original's folder is removed.
        env.sync_all_of(&candidate)?;
        report.copies.push(candidate);
        return Ok(());
    }
    Err(io::Error::other("a thousand copies exist already"))
}

fn is_same_file(env: &Tree, kept: &Path, work_tree: &Tree, path: &Path) -> bool {
    let kept = env.read(kept, MAX_KEPT).ok().flatten();
    kept.is_some() && kept == work_tree.read(path, MAX_KEPT).ok().flatten()
}

/// Copies a stray to a free path. The original stays; the caller removes it with its folder.
pub(super) fn copy_stray(env: &Tree, work_tree: &Tree, path: &Path, target: &Path) -> io::Result<()> {
    let mut todo = vec![(path.to_owned(), target.to_owned())];
    while let Some((from, to)) = todo.pop() {
        match work_tree.kind(&from)? {
            None => {}
            Some(FileKind::Dir) => {
                env.make_dir(&to, 0o755)?;
                todo.extend(work_tree.names(&from)?.iter().map(|name| (from.join(name), to.join(name))));
            }
            Some(FileKind::File { mode, .. }) => {
                let bytes = work_tree.read(&from, MAX_KEPT)?.unwrap_or_default();
                env.replace(&to, &bytes, mode, names::TEMPORARY)?;
            }
            Some(FileKind::Link) => env.make_link(&to, &work_tree.read_link(&from)?)?,
            Some(FileKind::Other) => {
                return Err(io::Error::other(
                    "a socket, FIFO or device cannot be copied to another file system",
                ));
            }
        }
    }
    Ok(())
}

/// Copies an edited sidecar to `output/kept-sidecars/` before it is removed (decision D17).
pub(super) fn keep_copy(
    env: &Tree,
    work_tree: &Tree,
    relative: &Path,
    report: &mut TakenBack,
) -> io::Result<()> {
    let Some(bytes) = work_tree.read(relative, MAX_KEPT)? else { return Ok(()) };
    let folder = kept_folder(env, relative)?;
    for candidate in candidates(&folder, relative) {
        match env.read(&candidate, MAX_KEPT) {
            Ok(Some(kept)) if kept == bytes => return Ok(()),
            Ok(None) => {
                env.replace(&candidate, &bytes, 0o600, names::TEMPORARY)?;
                // Before the original is removed, perhaps from another disk.
                env.sync_all_of(&candidate)?;
                report.copies.push(candidate);
                return Ok(());
            }
            _ => {}
        }
    }
    Err(io::Error::other("a thousand copies exist already"))
}

/// The folder in which an entry of the work dir is kept, created if missing. If a kept file has the name of a folder
/// above it, the folder gets a numbered name.
fn kept_folder(env: &Tree, relative: &Path) -> io::Result<PathBuf> {
    let mut folder = PathBuf::from(names::OUTPUT);
    env.ensure_dir(&folder, 0o755)?;
    folder.push(names::KEPT);
    env.ensure_dir(&folder, 0o755)?;
    for part in relative.parent().into_iter().flat_map(Path::components) {
        let mut made = Err(io::Error::other("a thousand copies exist already"));
        for candidate in candidates(&folder, Path::new(part.as_os_str())) {
            if matches!(env.kind(&candidate)?, None | Some(FileKind::Dir)) {
                made = env.ensure_dir(&candidate, 0o755).map(|()| candidate);
                break;
            }
        }
        folder = made?;
    }
    Ok(folder)
}

/// `name`, `name.1`, `name.2` … in a folder.
fn candidates(folder: &Path, path: &Path) -> impl Iterator<Item = PathBuf> {
    let first = folder.join(path.file_name().unwrap_or(OsStr::new("sidecar")));
    (0..MAX_COPIES).map(move |n| {
        let mut candidate = first.clone();
        if n > 0 {
            candidate.as_mut_os_string().push(format!(".{n}"));
        }
        candidate
    })
}
