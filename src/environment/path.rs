//! Paths as text.

use std::io;
use std::path::{Component, Path, PathBuf};

use crate::failure::{Code, Failure};

/// A path as a word for a shell.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@%,:=".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

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

/// The current folder. Only relative paths need it: a trap that was set before its folder was removed still cleans up.
#[derive(Clone, Debug)]
pub struct CurrentFolder(Result<PathBuf, io::ErrorKind>);

impl CurrentFolder {
    /// From what the system says.
    pub fn new(found: io::Result<PathBuf>) -> CurrentFolder {
        CurrentFolder(found.map_err(|error| error.kind()))
    }

    /// The path as it is if it is absolute, else below the current folder.
    ///
    /// # Errors
    /// A [`Code::Failed`] failure for a relative path when the current folder cannot be found.
    pub fn join(&self, path: &Path) -> Result<PathBuf, Failure> {
        match &self.0 {
            _ if path.is_absolute() => Ok(path.to_owned()),
            Ok(folder) => Ok(folder.join(path)),
            Err(kind) => {
                let why = match kind {
                    io::ErrorKind::NotFound => "it has been deleted".to_owned(),
                    other => other.to_string(),
                };
                let message =
                    format!("the path `{}` starts at the current folder: {why}", path.to_string_lossy());
                Err(Failure::new(Code::Failed, message)
                    .hint("`cd` to a folder that exists, or give the path from `/`"))
            }
        }
    }

    /// The same, cleaned.
    ///
    /// # Errors
    /// As [`CurrentFolder::join`].
    pub fn absolute(&self, path: &Path) -> Result<PathBuf, Failure> {
        self.join(path).map(|path| clean(&path))
    }

    /// The path for a message: absolute where that is known.
    pub fn shown(&self, path: &Path) -> String {
        self.absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_relative_paths_need_the_current_folder() {
        let (there, gone) =
            (CurrentFolder::new(Ok("/here".into())), CurrentFolder::new(Err(io::ErrorKind::NotFound.into())));
        assert_eq!(there.absolute(Path::new("a/../b")).unwrap(), Path::new("/here/b"));
        for folder in [&there, &gone] {
            assert_eq!(folder.absolute(Path::new("/a/./b")).unwrap(), Path::new("/a/b"));
        }
        let failure = gone.join(Path::new("a")).unwrap_err();
        assert_eq!(failure.message, "the path `a` starts at the current folder: it has been deleted");
        assert_eq!(gone.shown(Path::new("a")), "a");
    }
}
