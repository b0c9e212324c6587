//! The work dir of an environment that was looked up: its path, the open folder, and the proof that a user folder is the
//! one that was prepared.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::lookup::FoundEnv;
use super::work_dir::WorkDir;
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
    /// A [`Code::WorkDirGone`] failure when it does not exist, or when another folder is in its place.
    pub(crate) fn open_work_dir(&self) -> Result<Tree> {
        let path = self.work_dir_path();
        let gone = || -> anyhow::Error {
            Failure::new(Code::WorkDirGone, format!("the work dir {} does not exist", path.display()))
                .hint("prepare the task again: `execenv prepare`, or `execenv reuse --or-prepare`")
                .into()
        };
        match &self.work_dir {
            WorkDir::UserFolder { .. } => match Tree::open(&path) {
                Ok(tree) => {
                    self.work_dir.check_identity(&tree)?;
                    Ok(tree)
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(gone()),
                Err(error) => Err(error).with_context(|| format!("open {}", path.display())),
            },
            // A managed work dir is a folder, never a link that a process has put in its place.
            WorkDir::Managed | WorkDir::LostUserFolder { .. } | WorkDir::Unknown => {
                self.env.tree.subtree(Path::new(names::WORK_DIR)).map_err(|_| gone())
            }
        }
    }

    /// The user folder out of which the sidecars of a manifest may be taken; `None`: the work dir is no user folder.
    ///
    /// The agent can write to the record and to the manifest, and what a manifest lists is removed. So both together
    /// must prove which folder was prepared; otherwise nothing is removed.
    ///
    /// # Errors
    /// A [`Code::UnreadableState`] failure.
    pub(crate) fn proven_user_folder(&self, manifest: &Manifest) -> Result<Option<&Path>> {
        let lists_any = manifest.record.is_some() || !manifest.files.is_empty() || !manifest.dirs.is_empty();
        let recorded = manifest.record.as_ref().map(|record| record.work_dir.as_path());
        let folder = match &self.work_dir {
            WorkDir::Managed | WorkDir::Unknown => return Ok(None),
            WorkDir::UserFolder { path, identity }
                if !lists_any || (identity.is_some() && recorded == Some(path)) =>
            {
                return Ok(Some(path));
            }
            WorkDir::LostUserFolder { path } if !lists_any => return Ok(path.as_deref()),
            WorkDir::UserFolder { path, .. } => Some(path),
            WorkDir::LostUserFolder { path } => path.as_ref(),
        };
        let env_root = self.env.path.display();
        let place = folder.map(|folder| format!(" from {}", folder.display())).unwrap_or_default();
        Err(Failure::new(
            Code::UnreadableState,
            format!("the files in {env_root} do not prove which user folder was prepared"),
        )
        .hint(format!(
            "remove what its sidecar manifest lists{place} by hand, then `execenv cleanup --all --force {env_root}`"
        ))
        .into())
    }
}
