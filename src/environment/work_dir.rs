//! The folder in which an environment's agent runs: decided once, when the environment is opened.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::record::Meta;
use super::root::EnvRoot;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::sidecar::Manifest;
use crate::sys::tree::Tree;

/// Where the agent of an environment runs, and so whether execenv may remove that folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkDir {
    /// `workdir/` in the env root. It is removed with the environment.
    Managed,
    /// A user folder, as the record says. It is never removed.
    UserFolder {
        /// Its path when the environment was prepared.
        path: PathBuf,
        /// Its device and inode then; `None` in a record that does not have them.
        identity: Option<(u64, u64)>,
    },
    /// A user folder, but no record says which one.
    LostUserFolder {
        /// The folder that the sidecar manifest names, which alone proves nothing.
        path: Option<PathBuf>,
    },
    /// There is no record and the sidecar manifest cannot be read: sidecars may still be in a user folder.
    Unknown,
}

impl WorkDir {
    /// What the record alone says.
    ///
    /// The agent can write to the record, so the path in it counts only where the record also says that the work dir
    /// is a user folder.
    pub(super) fn recorded(meta: &Meta) -> WorkDir {
        match &meta.own {
            _ if !meta.local_directory => WorkDir::Managed,
            Some(own) => WorkDir::UserFolder { path: own.work_dir.clone(), identity: own.local_identity },
            None => WorkDir::LostUserFolder { path: None },
        }
    }

    /// What the record says or, where that is lost, the sidecar manifest.
    pub(super) fn decide(env: &EnvRoot, meta: Option<&Meta>) -> WorkDir {
        match meta.map(WorkDir::recorded) {
            Some(WorkDir::LostUserFolder { .. }) => {
                let manifest = Manifest::load(&env.tree).ok().flatten();
                WorkDir::LostUserFolder { path: manifest.and_then(|manifest| listed_folder(env, manifest)) }
            }
            Some(recorded) => recorded,
            None => match Manifest::load(&env.tree) {
                Ok(manifest) => match manifest.and_then(|manifest| listed_folder(env, manifest)) {
                    Some(path) => WorkDir::LostUserFolder { path: Some(path) },
                    None => WorkDir::Managed,
                },
                Err(_) => WorkDir::Unknown,
            },
        }
    }

    /// Whether it is a user folder, which execenv never removes.
    pub fn is_user_folder(&self) -> bool {
        matches!(self, WorkDir::UserFolder { .. } | WorkDir::LostUserFolder { .. })
    }

    /// Its path, for the environment at `env_root`. Where a user folder is lost, this is the place of a managed one.
    pub fn path(&self, env_root: &Path) -> PathBuf {
        match self {
            WorkDir::UserFolder { path, .. } => path.clone(),
            WorkDir::Managed | WorkDir::LostUserFolder { .. } | WorkDir::Unknown => {
                env_root.join(names::WORK_DIR)
            }
        }
    }

    /// The device and inode that a user folder had when it was prepared.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        match self {
            WorkDir::UserFolder { identity, .. } => *identity,
            WorkDir::Managed | WorkDir::LostUserFolder { .. } | WorkDir::Unknown => None,
        }
    }

    /// Refuses a folder that is not the user folder that was prepared: that one was moved and another is in its place.
    ///
    /// # Errors
    /// A [`Code::WorkDirGone`] failure.
    pub(super) fn check_identity(&self, tree: &Tree) -> Result<()> {
        let Some(prepared) = self.identity() else { return Ok(()) };
        let path = tree.path().display();
        if tree.identity().with_context(|| format!("read {path}"))? == prepared {
            return Ok(());
        }
        Err(Failure::new(Code::WorkDirGone, format!("{path} is not the folder that was prepared"))
            .hint("move the prepared folder back to its place; its sidecars are still in it")
            .into())
    }
}

/// The user folder that a manifest names. `None`: it names a managed work dir, or no folder.
fn listed_folder(env: &EnvRoot, manifest: Manifest) -> Option<PathBuf> {
    let work_dir = manifest.record?.work_dir;
    let root = env.path.parent().and_then(Path::parent);
    // A managed work dir is below the root, or where the root was before it was moved.
    let managed_place = Path::new(&env.workspace()).join(env.key()).join(names::WORK_DIR);
    let is_managed = root.is_some_and(|root| work_dir.starts_with(root)) || work_dir.ends_with(managed_place);
    (!is_managed && work_dir.is_absolute()).then_some(work_dir)
}
