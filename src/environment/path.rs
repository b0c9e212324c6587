//! Paths as text.

use std::path::{Component, Path, PathBuf};

/// An absolute path without `.`, `..` and doubled separators, by its text alone.
pub(crate) fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = cleaned.pop(),
            Component::CurDir => {}
            other => cleaned.push(other),
        }
    }
    cleaned
}
