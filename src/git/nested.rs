//! Whether a folder lies among the working files of a repository, and git would tell of it.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::program::Git;
use super::source::Source;

impl Git {
    /// The checkout of this repository, its own or a linked worktree's, that has `folder` among its files. `None`: none has, or it
    /// ignores the folder. The folder need not exist; links on its way are resolved.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn checkout_around(&self, source: &Source, folder: &Path) -> Result<Option<PathBuf>> {
        let folder = &real(folder);
        let is_top = |top: &&Path| top.join(".git").symlink_metadata().is_ok();
        let Some(top) = folder.ancestors().find(is_top) else { return Ok(None) };
        // A folder whose `.git` git cannot read is none of this repository's.
        let around = self.source(top).unwrap_or_default();
        if around.is_none_or(|around| around.common != source.common) {
            return Ok(None);
        }
        // As a folder, for patterns that only match one.
        let ignore = ["check-ignore", "--quiet", "--no-index", "--"];
        let is_ignored =
            folder != top && self.at(top).look(ignore).args([folder.join("")]).answer()?.is_some();
        Ok((!is_ignored).then(|| top.to_owned()))
    }
}

/// The path with the links resolved of what exists of it.
fn real(path: &Path) -> PathBuf {
    path.ancestors()
        .find_map(|above| Some(above.canonicalize().ok()?.join(path.strip_prefix(above).ok()?)))
        .unwrap_or_else(|| path.to_owned())
}
