//! What taking back did.

use std::io;
use std::path::{Path, PathBuf};

/// What came of taking back.
#[derive(Clone, Debug, Default)]
pub struct TakenBack {
    /// What was removed or restored, absolute.
    pub removed: Vec<PathBuf>,
    /// What was kept and why, absolute.
    pub kept: Vec<(PathBuf, String)>,
    /// Copies of edited sidecars, relative to the env root.
    pub copies: Vec<PathBuf>,
    /// What went wrong, in the order it happened; empty: all is as it was.
    pub errors: Vec<String>,
}

impl TakenBack {
    pub(super) fn failed(&mut self, doing: &str, path: &Path, error: &io::Error) {
        self.errors.push(format!("{doing} {}: {error}", path.display()));
        self.kept.push((path.to_owned(), error.to_string()));
    }
}
