//! What may be taken back out of a user folder whose manifest is lost: what its name alone shows to be a sidecar. The
//! user has named the folder, and copies are kept.

use std::path::Path;

use anyhow::{Context, Result};

use super::manifest::Manifest;
use crate::sys::tree::{FileKind, Tree};

/// A list as multica would have written it: the files of `known` that are there, and the folders above them.
///
/// # Errors
/// When the folder cannot be read.
pub fn infer(work_tree: &Tree, work_dir: &Path, known: &[&str]) -> Result<Manifest> {
    let mut manifest = Manifest::default();
    for file in known.iter().map(Path::new) {
        let kind = match work_tree.kind(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => None,
            kind => kind.with_context(|| format!("look at {}", work_dir.join(file).display()))?,
        };
        if !matches!(kind, Some(FileKind::File { .. })) {
            continue;
        }
        manifest.files.push(work_dir.join(file));
        let mut above: Vec<_> = file.ancestors().skip(1).filter(|it| !it.as_os_str().is_empty()).collect();
        above.reverse();
        for folder in above.into_iter().map(|folder| work_dir.join(folder)) {
            if !manifest.dirs.contains(&folder) {
                manifest.dirs.push(folder);
            }
        }
    }
    Ok(manifest)
}
