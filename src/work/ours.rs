//! What of the working files of a repository is execenv's own, so that no commit, diff or patch has it.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::place::Place;
use crate::environment::{FoundEnv, own_files};
use crate::git::Ours;
use crate::order;

/// The sidecars among the working files.
///
/// # Errors
/// When the manifest or a brief file cannot be read.
pub(super) fn ours(found: &FoundEnv, place: &Place) -> Result<Ours> {
    let own = own_files(found, place.work_dir())?.files;
    let inside = |path: &Path| -> Option<PathBuf> {
        let relative = path.strip_prefix(place.below()).ok()?;
        (!relative.as_os_str().is_empty()).then(|| relative.to_owned())
    };
    Ok(Ours {
        absent: own.absent.iter().filter_map(|path| inside(path)).collect(),
        instead: order::map(
            own.instead.into_iter().filter_map(|(path, bytes)| Some((inside(&path)?, bytes))),
        ),
    })
}
