//! Untracked files, as git lists them by its own rules.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::repository::Repository;

impl Repository<'_> {
    /// Files that are not tracked and that match the patterns in a file (gitignore(5)), relative to the repository. What lies
    /// in a repository of its own is not among them.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn untracked_that_match(&self, patterns: &Path) -> Result<Vec<PathBuf>> {
        let mut file = std::ffi::OsString::from("--exclude-from=");
        file.push(patterns);
        let list = self.look(["ls-files", "-z", "--others", "--ignored"]).args([file]);
        Ok(files(&list.output()?))
    }

    /// Files that are not tracked and not ignored, relative to the repository.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn untracked(&self) -> Result<Vec<PathBuf>> {
        Ok(files(&self.look(["ls-files", "-z", "--others", "--exclude-standard"]).output()?))
    }
}

/// The files of a list; a repository below ends in a slash.
fn files(listed: &[u8]) -> Vec<PathBuf> {
    let paths = listed.split(|byte| *byte == 0).filter(|path| !path.is_empty() && !path.ends_with(b"/"));
    paths.map(|path| PathBuf::from(OsStr::from_bytes(path))).collect()
}
