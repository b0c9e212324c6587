//! The work dir of an environment that was looked up: its path and the open folder.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::lookup::FoundEnv;
use super::trust::Trust;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::sidecar::Manifest;
use crate::sys::tree::Tree;

impl FoundEnv {
    /// The path of the work dir.
    pub fn work_dir_path(&self) -> PathBuf {
        self.work_dir.path(&self.env.path)
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
                .hint("prepare the task again: `execenv prepare`, or `execenv reuse --or-prepare`")
                .into()
        })
    }
}
