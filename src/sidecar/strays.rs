//! What somebody else has put among our sidecars: kept in the env root before our folders go.
//!
//! A stray is moved, so that links, modes and empty folders stay what they are; only onto another file system it is
//! copied. Whatever cannot be kept, or even be looked at, keeps the folder that it lies in.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::manifest::{Entry, Manifest, State};
use super::plan::{digest, temporary_name};
use super::rollback::{MAX_KEPT, TakenBack, inside, written_files};
use crate::layout::names;
use crate::sys::tree::{Kind, Tree};

/// The most copies of one name that are kept.
const MAX_COPIES: u32 = 1_000;

/// Empties and removes the skill folders that a manifest recorded directly below one of `parents`, whatever else
/// has been put into them, so that the next round finds the natural names free. Strays go to the kept sidecars.
///
/// A round that was cut short has placed nobody knows which of them: there the next step, taking back, decides.
pub fn reclaim_skill_dirs(
    env: &Tree,
    work_tree: &Tree,
    work_dir: &Path,
    manifest: &Manifest,
    parents: &[&str],
) -> TakenBack {
    let mut report = TakenBack::default();
    if manifest.record.as_ref().is_some_and(|record| record.state == State::Applying) {
        return report;
    }
    let ours = Ours::new(manifest, work_dir);
    for absolute in &manifest.dirs {
        let Some(relative) = inside(work_dir, absolute) else { continue };
        if !relative.parent().and_then(Path::to_str).is_some_and(|parent| parents.contains(&parent)) {
            continue;
        }
        match work_tree.kind(&relative) {
            Ok(Some(Kind::Dir)) => {}
            Ok(_) => continue,
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => continue,
            Err(error) => {
                report.failed("look at", absolute, &error);
                continue;
            }
        }
        let errors = report.errors.len();
        keep_strays(env, work_tree, relative.clone(), &ours, &mut report);
        if report.errors.len() > errors {
            continue; // what could not be kept is not removed
        }
        match work_tree.remove_all(&relative) {
            Ok(()) => report.removed.push(absolute.clone()),
            Err(error) => report.failed("remove", absolute, &error),
        }
    }
    report
}

/// What is no stray in a skill folder of ours.
struct Ours<'a> {
    /// Every file that a manifest lists.
    files: HashSet<PathBuf>,
    /// Every folder that it lists, or that a listed file lies in.
    dirs: HashSet<PathBuf>,
    written: HashMap<&'a Path, &'a Entry>,
    temporary: String,
}

impl<'a> Ours<'a> {
    fn new(manifest: &'a Manifest, work_dir: &Path) -> Ours<'a> {
        let below = |paths: &[PathBuf]| -> HashSet<PathBuf> {
            paths.iter().filter_map(|path| inside(work_dir, path)).collect()
        };
        let (files, mut dirs) = (below(&manifest.files), below(&manifest.dirs));
        for file in &files {
            for folder in file.ancestors().skip(1) {
                if !dirs.insert(folder.to_owned()) {
                    break;
                }
            }
        }
        let entries = manifest.record.as_ref().map(|record| &record.entries[..]).unwrap_or_default();
        let temporary = manifest.record.as_ref().map(|record| temporary_name(&record.token));
        Ours { files, dirs, written: written_files(entries), temporary: temporary.unwrap_or_default() }
    }

    /// A file of ours, and as we wrote it as far as anybody knows.
    fn is_unedited(&self, work_tree: &Tree, path: &Path) -> bool {
        let recorded = self.written.get(path).and_then(|entry| entry.sha256.as_deref());
        self.files.contains(path)
            && recorded.is_none_or(|recorded| {
                matches!(work_tree.read(path, MAX_KEPT), Ok(Some(bytes)) if digest(&bytes) == recorded)
            })
    }
}

fn keep_strays(env: &Tree, work_tree: &Tree, folder: PathBuf, ours: &Ours<'_>, report: &mut TakenBack) {
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        let names = match work_tree.names(&folder) {
            Ok(names) => names,
            Err(error) => {
                report.failed("list", &work_tree.path().join(folder), &error);
                continue;
            }
        };
        for name in names.into_iter().filter(|name| *name != *ours.temporary) {
            let path = folder.join(name);
            let kept = match work_tree.kind(&path) {
                Ok(None) => Ok(()),
                Ok(Some(Kind::Dir)) if ours.dirs.contains(&path) => {
                    folders.push(path);
                    continue;
                }
                Ok(Some(Kind::File { .. })) if ours.is_unedited(work_tree, &path) => Ok(()),
                Ok(Some(kind)) => keep_stray(env, work_tree, &path, kind, report),
                Err(error) => Err(error),
            };
            if let Err(error) = kept {
                report.failed("keep", &work_tree.path().join(path), &error);
            }
        }
    }
}

/// Moves one thing to the kept sidecars.
fn keep_stray(
    env: &Tree,
    work_tree: &Tree,
    path: &Path,
    kind: Kind,
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
        report.copies.push(candidate);
        return Ok(());
    }
    Err(io::Error::other("a thousand copies are there already"))
}

fn is_same_file(env: &Tree, kept: &Path, work_tree: &Tree, path: &Path) -> bool {
    let kept = env.read(kept, MAX_KEPT).ok().flatten();
    kept.is_some() && kept == work_tree.read(path, MAX_KEPT).ok().flatten()
}

/// Copies a stray to a place where nothing stands. The original stays; the caller removes it with its folder.
fn copy_stray(env: &Tree, work_tree: &Tree, path: &Path, target: &Path) -> io::Result<()> {
    let mut todo = vec![(path.to_owned(), target.to_owned())];
    while let Some((from, to)) = todo.pop() {
        match work_tree.kind(&from)? {
            None => {}
            Some(Kind::Dir) => {
                env.make_dir(&to, 0o755)?;
                todo.extend(work_tree.names(&from)?.iter().map(|name| (from.join(name), to.join(name))));
            }
            Some(Kind::File { mode, .. }) => {
                let bytes = work_tree.read(&from, MAX_KEPT)?.unwrap_or_default();
                env.replace(&to, &bytes, mode, names::TEMPORARY)?;
            }
            Some(Kind::Link) => env.make_link(&to, &work_tree.read_link(&from)?)?,
            Some(Kind::Other) => {
                return Err(io::Error::other("a socket, FIFO or device cannot go to another file system"));
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
                report.copies.push(candidate);
                return Ok(());
            }
            _ => {}
        }
    }
    Err(io::Error::other("a thousand copies are there already"))
}

/// The folder in which a path of the work dir is kept, made if need be. Where a kept file has the name of a folder
/// above, the folder gets another one.
fn kept_folder(env: &Tree, relative: &Path) -> io::Result<PathBuf> {
    let mut folder = PathBuf::from(names::OUTPUT);
    env.ensure_dir(&folder, 0o755)?;
    folder.push(names::KEPT);
    env.ensure_dir(&folder, 0o755)?;
    for part in relative.parent().into_iter().flat_map(Path::components) {
        let mut made = Err(io::Error::other("a thousand copies are there already"));
        for candidate in candidates(&folder, Path::new(part.as_os_str())) {
            if matches!(env.kind(&candidate)?, None | Some(Kind::Dir)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
    fn what_goes_to_another_file_system_keeps_links_modes_and_empty_folders() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let tmp = tempfile::tempdir().unwrap();
        let at = |name: &str| tmp.path().join(name);
        for folder in ["env", "work", "work/stray", "work/stray/empty"] {
            std::fs::create_dir(at(folder)).unwrap();
        }
        std::fs::write(at("work/stray/run.sh"), "x").unwrap();
        std::fs::set_permissions(at("work/stray/run.sh"), PermissionsExt::from_mode(0o750)).unwrap();
        symlink("nowhere", at("work/stray/link")).unwrap();
        let (env, work) = (Tree::open(&at("env")).unwrap(), Tree::open(&at("work")).unwrap());
        copy_stray(&env, &work, Path::new("stray"), Path::new("kept")).unwrap();
        assert_eq!(env.kind(Path::new("kept/empty")).unwrap(), Some(Kind::Dir));
        assert_eq!(env.kind(Path::new("kept/run.sh")).unwrap(), Some(Kind::File { len: 1, mode: 0o750 }));
        assert_eq!(env.read_link(Path::new("kept/link")).unwrap(), Path::new("nowhere"));
    }
}
