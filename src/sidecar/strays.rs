//! Files that the agent or another program put among the sidecars: moved into the env root before execenv's folders are
//! removed.
//!
//! A stray is moved, so that links, modes and empty folders are unchanged; it is copied only to another file system. A
//! stray that cannot be kept or examined stays, and so does the folder that contains it.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::before::digest;
use super::kept::{MAX_KEPT, keep_stray};
use super::manifest::{Manifest, ManifestEntry, State, inside, written_files};
use super::plan::temporary_name;
use super::report::TakenBack;
use super::site::{Grounds, Site};
use crate::sys::tree::{FileKind, Tree};

/// Empties and removes the skill folders that a manifest recorded directly below one of `parents`, whatever else
/// has been put into them, so that the next round finds the natural names free. Strays go to the kept sidecars.
///
/// After an interrupted round it is unknown which of them exist: then the next step, roll-back, decides.
pub fn reclaim_skill_dirs(site: &Site<'_>, manifest: &Manifest, parents: &[&str]) -> TakenBack {
    let Site { env, work_tree, work_dir, .. } = *site;
    let mut report = TakenBack::default();
    let is_unknown = manifest.record.as_ref().is_some_and(|record| record.state == State::Applying);
    // Nor does a claim make a folder of the user's one of ours.
    if is_unknown || matches!(site.grounds, Grounds::Word(_)) {
        return report;
    }
    let ours = Ours::new(manifest, work_dir);
    for absolute in &manifest.dirs {
        let Some(relative) = inside(work_dir, absolute) else { continue };
        if !relative.parent().and_then(Path::to_str).is_some_and(|parent| parents.contains(&parent)) {
            continue;
        }
        match work_tree.kind(&relative) {
            Ok(Some(FileKind::Dir)) => {}
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

/// What is not a stray in a skill folder that execenv created.
struct Ours<'a> {
    /// Every file that a manifest lists.
    files: HashSet<PathBuf>,
    /// Every folder that it lists, or that contains a listed file.
    dirs: HashSet<PathBuf>,
    written: HashMap<&'a Path, &'a ManifestEntry>,
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

    fn is_temporary(&self, name: &OsStr) -> bool {
        let prefix = self.temporary.as_bytes();
        !prefix.is_empty() && name.as_encoded_bytes().starts_with(prefix)
    }

    /// Whether execenv wrote the file and, as far as is known, its bytes are unchanged.
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
        for name in names.into_iter().filter(|name| !ours.is_temporary(name)) {
            let path = folder.join(name);
            let kept = match work_tree.kind(&path) {
                Ok(None) => Ok(()),
                Ok(Some(FileKind::Dir)) if ours.dirs.contains(&path) => {
                    folders.push(path);
                    continue;
                }
                Ok(Some(FileKind::File { .. })) if ours.is_unedited(work_tree, &path) => Ok(()),
                Ok(Some(kind)) => keep_stray(env, work_tree, &path, kind, report),
                Err(error) => Err(error),
            };
            if let Err(error) = kept {
                report.failed("keep", &work_tree.path().join(path), &error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sidecar::kept::copy_stray;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
    fn a_copy_to_another_file_system_keeps_links_modes_and_empty_folders() {
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
        assert_eq!(env.kind(Path::new("kept/empty")).unwrap(), Some(FileKind::Dir));
        assert_eq!(env.kind(Path::new("kept/run.sh")).unwrap(), Some(FileKind::File { len: 1, mode: 0o750 }));
        assert_eq!(env.read_link(Path::new("kept/link")).unwrap(), Path::new("nowhere"));
    }
}
