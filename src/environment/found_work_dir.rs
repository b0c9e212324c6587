//! The work dir of an environment that was looked up: its path and the open folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::lookup::FoundEnv;
use super::path::quoted;
use super::trust::Trust;
use super::work_dir::WorkDir;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::sidecar::Manifest;
use crate::sys::tree::Tree;

/// The folder in which the agent runs, `folder` of the work dir.
pub(super) fn agent_dir(work_dir: PathBuf, folder: &Path) -> PathBuf {
    if folder.as_os_str().is_empty() { work_dir } else { work_dir.join(folder) }
}

/// Makes the agent's folder, if git has not: it tracks no empty ones. It is no sidecar.
///
/// # Errors
/// As the system reports them; a link on the way is an error.
pub(super) fn ensure_dirs(work_tree: &Tree, folder: &Path) -> Result<()> {
    let mut above: Vec<&Path> = folder.ancestors().filter(|path| !path.as_os_str().is_empty()).collect();
    above.reverse();
    above.iter().try_for_each(|path| {
        let making = || format!("make {}", work_tree.path().join(path).display());
        work_tree.ensure_dir(path, 0o755).with_context(making)
    })
}

impl FoundEnv {
    /// The path of the work dir.
    pub fn work_dir_path(&self) -> PathBuf {
        self.work_dir.path(&self.env.path)
    }

    /// The path of the folder in which the agent runs: the work dir, or a folder in it where a folder of a repository was
    /// named.
    pub fn agent_dir(&self) -> PathBuf {
        agent_dir(self.work_dir_path(), self.agent_folder())
    }

    /// That folder, relative to the work dir.
    pub(super) fn agent_folder(&self) -> &Path {
        let own = self.meta.as_ref().and_then(|meta| meta.own.as_ref());
        let repository = own.and_then(|own| own.repository.as_ref());
        repository
            .filter(|_| self.work_dir == WorkDir::Managed)
            .map_or(Path::new(""), |record| record.folder())
    }

    /// Opens the folder in which the agent runs.
    ///
    /// # Errors
    /// As [`FoundEnv::open_work_dir`].
    pub(crate) fn open_agent_dir(&self, trust: Trust<'_>) -> Result<Tree> {
        let work_dir = self.open_work_dir(trust)?;
        let folder = self.agent_folder();
        if folder.as_os_str().is_empty() {
            return Ok(work_dir);
        }
        work_dir.plain_subtree(folder).map_err(|_| {
            let path = work_dir.path().join(folder);
            Failure::new(Code::WorkDirGone, format!("the agent's folder {} does not exist", path.display()))
                .hint("make it again: the task is about this folder of the repository")
                .into()
        })
    }

    /// Opens the work dir.
    ///
    /// # Errors
    /// A [`Code::WorkDirGone`] failure when it does not exist, and those of [`FoundEnv::user_folder`].
    pub(crate) fn open_work_dir(&self, trust: Trust<'_>) -> Result<Tree> {
        let manifest = if self.work_dir.is_user_folder() { Manifest::load(&self.env.tree)? } else { None };
        if let Some(folder) = self.user_folder(manifest.as_ref(), trust)? {
            return Ok(folder.tree);
        }
        // A managed work dir is a folder, never a link that a process has put in its place.
        self.env.tree.subtree(Path::new(names::WORK_DIR)).map_err(|_| {
            let path = self.env.path.join(names::WORK_DIR);
            Failure::new(Code::WorkDirGone, format!("the work dir {} does not exist", path.display()))
                .hint(self.way_back())
                .into()
        })
    }

    /// What to do about a managed work dir that is gone.
    fn way_back(&self) -> String {
        let again = "prepare the task again: `execenv prepare`, or `execenv reuse --or-prepare`";
        let own = self.meta.as_ref().and_then(|meta| meta.own.as_ref());
        let is_saved = own.is_some_and(|own| own.repository.is_some() && !own.checkpoints.is_empty());
        if !is_saved {
            return again.to_owned();
        }
        let key = quoted(Path::new(&self.env.key()));
        format!("`execenv restore {key}` makes it again, as the last checkpoint has it; or {again}")
    }
}
