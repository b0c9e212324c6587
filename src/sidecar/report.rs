//! The result of rolling back sidecars.

use std::io;
use std::path::{Path, PathBuf};

/// The result of rolling back sidecars.
#[derive(Clone, Debug, Default)]
pub struct TakenBack {
    /// What was removed or restored, as absolute paths.
    pub removed: Vec<PathBuf>,
    /// What was kept and why, by absolute path.
    pub kept: Vec<(PathBuf, String)>,
    /// Copies of edited sidecars, relative to the env root.
    pub copies: Vec<PathBuf>,
    /// Errors, in the order they occurred; empty: the work dir is as it was.
    pub errors: Vec<String>,
}

impl TakenBack {
    /// Something that the manifest lists stays. `is_missed`: so the work dir may not be as it was.
    pub(super) fn not_ours(&mut self, path: &Path, is_missed: bool, why: &str) {
        self.kept.push((path.to_owned(), why.to_owned()));
        if is_missed {
            self.errors.push(format!("{} stays: {why}", path.display()));
        }
    }

    pub(super) fn failed(&mut self, doing: &str, path: &Path, error: &io::Error) {
        self.errors.push(format!("{doing} {}: {error}", path.display()));
        self.kept.push((path.to_owned(), error.to_string()));
    }
}
