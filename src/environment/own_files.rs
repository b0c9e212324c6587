//! What of the files in a work dir is execenv's own.
//!
//! The sidecar manifest lists it. An agent can write to a manifest, and would hide its work by a line there: so only places
//! count at which a provider's plan puts something.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::lookup::FoundEnv;
use super::places::every_place;
use crate::git::Ours;
use crate::sidecar::marker::{Excised, excise};
use crate::sidecar::{EntryKind, Manifest};
use crate::sys::tree::Tree;

/// The longest brief file that is read, in bytes. A longer one stays as it is.
const MOST_OF_BRIEF: u64 = 16 << 20;

/// The sidecars among the files of a work dir; paths are relative to it.
#[derive(Clone, Debug, Default)]
pub struct OwnFiles {
    /// The files.
    pub files: Ours,
    /// Folders that were made for them.
    pub folders: Vec<PathBuf>,
}

/// The sidecars of an environment.
///
/// # Errors
/// When the manifest or a brief file cannot be read.
pub fn own_files(found: &FoundEnv, work_dir: &Tree) -> Result<OwnFiles> {
    let manifest = Manifest::load(&found.env.tree)?.unwrap_or_default();
    let places = every_place();
    let in_work_dir = |path: &PathBuf| path.strip_prefix(work_dir.path()).ok().map(Path::to_owned);
    let mut files: Vec<PathBuf> = manifest.files.iter().filter_map(in_work_dir).collect();
    let mut briefs = Vec::new();
    let mut own = OwnFiles::default();
    for entry in manifest.record.as_ref().map(|record| record.touched()).unwrap_or_default() {
        match entry.kind {
            EntryKind::File => files.push(entry.path),
            EntryKind::Brief => briefs.push(entry.path),
            EntryKind::Dir => own.folders.push(entry.path),
        }
    }
    own.files.absent.extend(files.into_iter().filter(|path| places.has_file(path)));
    // A brief file may be a link to the file with the block in it.
    let is_target = |path: &Path| {
        places.briefs.iter().any(|brief| work_dir.resolve(Path::new(brief)).is_ok_and(|file| file == path))
    };
    for brief in briefs.into_iter().filter(|path| places.has_brief(path) || is_target(path)) {
        let reading = || format!("read {}", work_dir.path().join(&brief).display());
        let Ok(Some(bytes)) = work_dir.read(&brief, MOST_OF_BRIEF).with_context(reading) else { continue };
        match excise(&bytes) {
            Excised::NoBlock => {}
            Excised::Delete => _ = own.files.absent.insert(brief),
            Excised::Rewrite(rest) => _ = own.files.instead.insert(brief, rest),
        }
    }
    Ok(own)
}
