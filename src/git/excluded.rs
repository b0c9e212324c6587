//! Files that git does not show: excluded ones, and tracked ones that the index hides.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::Result;

use super::command::Repository;

impl Repository<'_> {
    /// The user's file of patterns that git ignores everywhere (gitignore(5)). It need not be there.
    ///
    /// # Errors
    /// As [`answer`](super::command::GitCommand::answer).
    pub fn excludes_file(&self) -> Result<Option<PathBuf>> {
        let named = self.look(["config", "--type=path", "--get", "core.excludesFile"]).answer()?;
        if let Some(path) = named {
            let path = PathBuf::from(OsStr::from_bytes(path.strip_suffix(b"\n").unwrap_or(&path)));
            return Ok(Some(path).filter(|path| path.is_absolute()));
        }
        let variable = |name: &str| self.variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = || variable("HOME").map(|home| home.join(".config"));
        Ok(variable("XDG_CONFIG_HOME").or_else(home).map(|folder| folder.join("git/ignore")))
    }

    /// Marks tracked files of a worktree as skip-worktree, or no longer: git does not look at their changes then.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn hide(&self, files: &[PathBuf], hide: bool) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        // What is not tracked any more needs no mark.
        let listed = self.look(["ls-files", "-z", "--"]).args(files).output()?;
        let tracked: Vec<&OsStr> =
            listed.split(|byte| *byte == 0).filter(|path| !path.is_empty()).map(OsStr::from_bytes).collect();
        if tracked.is_empty() {
            return Ok(());
        }
        let mark = if hide { "--skip-worktree" } else { "--no-skip-worktree" };
        self.work(["update-index", mark, "--"]).args(tracked).output().map(drop)
    }
}
