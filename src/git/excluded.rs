//! Files that git does not show: excluded ones, and tracked ones that the index hides.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::checkout::Checkout;
use super::program::Git;
use super::sparse::{OF_WORKTREE, names_settings_of_worktrees};
use crate::sys::tree::Tree;

impl Git {
    /// The user's file of patterns that git ignores everywhere (gitignore(5)). It need not be there. No repository is asked:
    /// an agent could name any file of the user's in its configuration.
    ///
    /// # Errors
    /// As [`answer`](super::command::GitCommand::answer).
    pub fn excludes_file(&self) -> Result<Option<PathBuf>> {
        let nowhere = self.at(Path::new("/"));
        let asked = nowhere.look(["config", "--type=path", "--get", "core.excludesFile"]);
        if let Some(path) = asked.variable("GIT_DIR", "/dev/null").answer()? {
            let path = PathBuf::from(OsStr::from_bytes(path.strip_suffix(b"\n").unwrap_or(&path)));
            return Ok(Some(path).filter(|path| path.is_absolute()));
        }
        let variable =
            |name: &str| nowhere.variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = || variable("HOME").map(|home| home.join(".config"));
        Ok(variable("XDG_CONFIG_HOME").or_else(home).map(|folder| folder.join("git/ignore")))
    }
}

impl Checkout {
    /// Lets git find a file of patterns to ignore by the configuration of this worktree alone, if there is one: that of a repository
    /// in the folder itself, or the one that a repository allows each of its worktrees.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn name_excludes(&self, patterns: &Path) -> Result<()> {
        let file = if self.is_linked() {
            if !Tree::open(self.git_dir()).is_ok_and(|common| names_settings_of_worktrees(&common)) {
                return Ok(());
            }
            self.folders().own.join(OF_WORKTREE)
        } else {
            self.git_dir().join("config")
        };
        let name = ["config".as_ref(), "--file".as_ref(), file.as_os_str(), "core.excludesFile".as_ref()];
        self.repository().work(name).args([patterns]).output().map(drop)
    }

    /// Marks tracked files as skip-worktree, or no longer: git does not look at their changes then.
    ///
    /// # Errors
    /// As [`output`](super::command::GitCommand::output).
    pub fn hide(&self, files: &[PathBuf], hide: bool) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let repository = self.repository();
        // What is not tracked any more needs no mark.
        let listed = repository.look(["ls-files", "-z", "--"]).args(files).output()?;
        if listed.is_empty() {
            return Ok(());
        }
        let mark = if hide { "--skip-worktree" } else { "--no-skip-worktree" };
        let view = repository.view_of_files(self.folders())?;
        // A split index would put a part of itself into the view.
        let call = repository.work(["-c", "core.splitIndex=false", "update-index", mark, "-z", "--stdin"]);
        call.through(&view).and_to(view.tree()).input(listed).output().map(drop)
    }
}
