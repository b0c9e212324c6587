//! What of the working files of a repository is execenv's own, so that no commit, diff or patch has it.
//!
//! The sidecar manifest lists it. An agent can write to a manifest, and would hide its work by a line there: so only places
//! count at which a provider's plan puts something.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::place::Place;
use crate::environment::{FoundEnv, every_place};
use crate::git::Ours;
use crate::sidecar::marker::{Excised, excise};
use crate::sidecar::{EntryKind, Manifest};

/// The longest brief file that is read, in bytes. A longer one stays as it is.
const MOST_OF_BRIEF: u64 = 16 << 20;

/// The sidecars among the working files.
///
/// # Errors
/// When the manifest or a brief file cannot be read.
pub(super) fn ours(found: &FoundEnv, place: &Place) -> Result<Ours> {
    let manifest = Manifest::load(&found.env.tree)?.unwrap_or_default();
    let places = every_place();
    let work_dir = place.work_dir();
    let in_work_dir = |path: &PathBuf| path.strip_prefix(work_dir.path()).ok().map(Path::to_owned);
    let mut files: Vec<PathBuf> = manifest.files.iter().filter_map(in_work_dir).collect();
    let mut briefs = Vec::new();
    for entry in manifest.record.as_ref().map(|record| record.touched()).unwrap_or_default() {
        match entry.kind {
            EntryKind::File => files.push(entry.path),
            EntryKind::Brief => briefs.push(entry.path),
            EntryKind::Dir => {}
        }
    }
    let inside = |path: &Path| {
        let relative = path.strip_prefix(place.below()).ok()?;
        (!relative.as_os_str().is_empty()).then(|| relative.to_owned())
    };
    let mut ours = Ours::default();
    ours.absent.extend(files.iter().filter(|path| places.has_file(path)).filter_map(|path| inside(path)));
    // A brief file may be a link to the file with the block in it.
    let is_target = |path: &Path| {
        places.briefs.iter().any(|brief| work_dir.resolve(Path::new(brief)).is_ok_and(|file| file == path))
    };
    for brief in briefs.iter().filter(|path| places.has_brief(path) || is_target(path)) {
        let Some(relative) = inside(brief) else { continue };
        let reading = || format!("read {}", work_dir.path().join(brief).display());
        let Ok(Some(bytes)) = work_dir.read(brief, MOST_OF_BRIEF).with_context(reading) else { continue };
        match excise(&bytes) {
            Excised::NoBlock => {}
            Excised::Delete => _ = ours.absent.insert(relative),
            Excised::Rewrite(rest) => _ = ours.instead.insert(relative, rest),
        }
    }
    Ok(ours)
}
