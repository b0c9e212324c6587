//! What a killed checkout has left: a half-built folder in the env root, its registration in the shared repository, and its branch.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::super::bare::BareRepo;
use super::super::git_locks::without_new_locks;
use super::super::layout::LOCK_REASON;
use crate::git::{Registered, Registration};
use crate::layout::names;
use crate::sys::confine::can_confine;
use crate::sys::silent::{is_missing, is_one_path};
use crate::sys::tree::{FileKind, Tree};

/// Begins the name of a checkout that is being built.
pub(super) const BUILDING: &str = ".execenv-checkout-";

/// A half-built checkout in an env root, which no process works on.
pub(in super::super) struct HalfBuilt<'a> {
    env: &'a Tree,
    name: PathBuf,
    folder: Tree,
}

/// The half-built checkouts in an env root that no process has locked.
pub(in super::super) fn half_built(env: &Tree) -> Vec<HalfBuilt<'_>> {
    let names = env.names(Path::new("")).unwrap_or_default().into_iter();
    let mut left = Vec::new();
    for name in names.filter(|name| name.as_encoded_bytes().starts_with(BUILDING.as_bytes())) {
        let name = PathBuf::from(name);
        if !matches!(env.kind(&name), Ok(Some(FileKind::Dir))) {
            continue;
        }
        let Ok(folder) = env.plain_subtree(&name) else { continue };
        if folder.try_hold().is_ok_and(|free| free) {
            left.push(HalfBuilt { env, name, folder });
        }
    }
    left
}

impl HalfBuilt<'_> {
    /// Its path.
    pub(in super::super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The registration that it names. An agent could have written that.
    pub(in super::super) fn registered(&self) -> Option<Registered> {
        Registered::named_in(&self.folder).ok().flatten()
    }

    /// Removes it, and before that its registration in the open shared repository, which the caller has locked.
    ///
    /// # Errors
    /// As git and the system report them, and where the registration holds what is nowhere else.
    pub(in super::super) fn remove(&self, shared: Option<(&Tree, BareRepo<'_>)>) -> Result<()> {
        if let (Some((bare, git)), Some(registered)) = (shared, self.registered())
            && let Some(open) = registered.open().filter(|open| is_one_path(open.common(), bare.path()))
            && self.is_its(&open)
        {
            unregister(&open, bare, git)?;
        }
        Ok(self.env.remove_all(&self.name)?)
    }

    /// Whether the registration is that of a checkout of this environment which never got its place.
    fn is_its(&self, open: &Registration) -> bool {
        let work_dir = self.env.path().join(names::WORK_DIR);
        match open.place() {
            Some(place) => {
                place.parent().is_some_and(|above| is_one_path(above, &work_dir)) && is_missing(&place)
            }
            None => {
                open.is_empty()
                    || open
                        .lock_reason()
                        .is_some_and(|reason| reason.starts_with(&lock_reason(&work_dir.join(""))))
            }
        }
    }
}

/// Removes a registration, and before that its branch, if another ref holds its commit: a kill in between leaves what names both.
fn unregister(open: &Registration, bare: &Tree, git: BareRepo<'_>) -> Result<()> {
    if !is_missing(&open.git_dir().join("HEAD"))
        && let Some(what) = git.lost_with(&open.name)?
    {
        bail!("its registration {} stays: {what}", open.name);
    }
    let users = git.users_git();
    let branch = open.branch(users).filter(|branch| can_confine() && !open.is_elsewhere(users, branch));
    if let Some(branch) = branch
        && let Some(branch) = git.agent_branches()?.into_iter().find(|known| known.short() == branch)
        && git.holders(&branch.tip)?.iter().any(|holder| *holder != branch.name)
    {
        without_new_locks(bare, || git.delete(bare, &branch))?;
    }
    open.remove()
}

/// Why the registration of a checkout is locked.
pub(super) fn lock_reason(target: &Path) -> String {
    format!("{LOCK_REASON}: checkout {}", target.display().to_string().escape_debug())
}
