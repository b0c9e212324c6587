//! The folder in which an environment's agent runs: decided once, when the environment is opened.

use std::path::{Path, PathBuf};

use super::places::every_place;
use super::record::Meta;
use super::root::EnvRoot;
use crate::layout::names;
use crate::sidecar::Manifest;
use crate::sys::tree::FileKind;

/// Where the agent of an environment runs, and so whether execenv may remove that folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkDir {
    /// `workdir/` in the env root. It is removed with the environment.
    Managed,
    /// A user folder, as the record says. It is never removed. What proves which one it is says
    /// [`FoundEnv::user_folder`](super::lookup::FoundEnv::user_folder).
    UserFolder {
        /// Its path when the environment was prepared.
        path: PathBuf,
        /// Its device and inode then; `None` in a record that does not have them.
        identity: Option<(u64, u64)>,
    },
    /// A user folder, as the sidecar manifest says: it lists files outside of the env root. It is never removed.
    ListedUserFolder {
        /// The folder that contains them, if that can be told.
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
            None => WorkDir::ListedUserFolder { path: None },
        }
    }

    /// What record and sidecar manifest say together: if either names a user folder, it is one.
    pub(super) fn decide(env: &EnvRoot, meta: Option<&Meta>) -> WorkDir {
        let recorded = meta.map(WorkDir::recorded);
        let managed = meta.and_then(|meta| meta.own.as_ref()).map(|own| own.work_dir.as_path());
        match (Manifest::load(&env.tree), recorded) {
            (Ok(manifest), recorded) => match manifest.and_then(|manifest| listed(env, managed, &manifest)) {
                // The manifest's path is the one that can be proved.
                Some(Some(path)) if matches!(recorded, Some(WorkDir::UserFolder { .. })) => {
                    let identity = recorded.and_then(|recorded| recorded.identity());
                    WorkDir::UserFolder { path, identity }
                }
                Some(path) => WorkDir::ListedUserFolder { path },
                None => recorded.unwrap_or(WorkDir::Managed),
            },
            (Err(_), Some(recorded)) => recorded,
            // Only a managed work dir is in the env root.
            (Err(_), None) => match env.tree.kind(Path::new(names::WORK_DIR)) {
                Ok(Some(FileKind::Dir)) => WorkDir::Managed,
                _ => WorkDir::Unknown,
            },
        }
    }

    /// Whether it is a user folder, which execenv never removes.
    pub fn is_user_folder(&self) -> bool {
        matches!(self, WorkDir::UserFolder { .. } | WorkDir::ListedUserFolder { .. })
    }

    /// The path of the user folder that the state files claim to be the work dir.
    pub(crate) fn claimed(&self) -> Option<&Path> {
        match self {
            WorkDir::UserFolder { path, .. } => Some(path),
            WorkDir::ListedUserFolder { path } => path.as_deref(),
            WorkDir::Managed | WorkDir::Unknown => None,
        }
    }

    /// Its path, for the environment at `env_root`; that of a managed one if no other is known.
    pub fn path(&self, env_root: &Path) -> PathBuf {
        self.claimed().map_or_else(|| env_root.join(names::WORK_DIR), Path::to_owned)
    }

    /// The device and inode that a user folder had when it was prepared.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        match self {
            WorkDir::UserFolder { identity, .. } => *identity,
            WorkDir::Managed | WorkDir::ListedUserFolder { .. } | WorkDir::Unknown => None,
        }
    }
}

/// The user folder that a manifest lists files of, by its path if that can be told. `None`: all are in the env root.
/// `managed` is the managed work dir that the record names.
fn listed(env: &EnvRoot, managed: Option<&Path>, manifest: &Manifest) -> Option<Option<PathBuf>> {
    let canonical = env.path.canonicalize().unwrap_or_default();
    // Where the root was before it was moved.
    let place = Path::new(&env.workspace()).join(env.key());
    let was_there = |path: &Path| path.ancestors().any(|above| above.ends_with(&place));
    let recorded = manifest.record.as_ref().map(|record| record.work_dir.as_path());
    let was_managed =
        managed.filter(|managed| recorded == Some(managed) && managed.ends_with(names::WORK_DIR));
    let is_inside = |path: &Path| {
        path.starts_with(&env.path)
            || (!canonical.as_os_str().is_empty() && path.starts_with(&canonical))
            || was_managed.is_some_and(|managed| path.starts_with(managed))
            || was_there(path)
    };
    let is_outside = |path: &Path| path.is_absolute() && !is_inside(path);
    if let Some(record) = &manifest.record {
        let is_user_folder = record.folder.is_some() || is_outside(&record.work_dir);
        return is_user_folder.then(|| Some(record.work_dir.clone()));
    }
    let mut outside = manifest.files.iter().chain(&manifest.dirs).filter(|path| is_outside(path)).peekable();
    outside.peek()?;
    // multica writes no work dir into its list; its sidecars are at the same places as ours.
    let places = every_place();
    Some(outside.find_map(|path| places.work_dir_of(path)).map(Path::to_owned))
}
