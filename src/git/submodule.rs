//! A submodule in a linked worktree: its repository lies in the worktree's registration and goes with it. By force its work is
//! copied into the repository of the worktree, which stays.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use super::identity::GitIdentity;
use super::program::Git;
use super::refs::{OWN_REFS, STASH};
use super::registration::Registration;
use super::repository::{Repository, patience};
use super::unsaved::registration_of;
use super::view::GitFolders;
use crate::sys::tree::Tree;

/// How many names are tried for its refs.
const TRIES: u32 = 100;

impl Git {
    /// Copies what the submodule at `path`, its working files or its git folder, holds into the repository of its worktree, below
    /// new refs `refs/execenv/<name>-submodule/…` (with a number where there are some), and returns the one for its working files. `None`: it is
    /// no submodule in a worktree of ours, which lies in `goes`. The rest is as with [`Git::snapshot`].
    ///
    /// # Errors
    /// As git reports them.
    pub fn save_submodule(
        &self,
        (path, goes): (&Path, &Path),
        name: &str,
        index: &Path,
        ours: &[PathBuf],
        by: &GitIdentity,
    ) -> Result<Option<String>> {
        let deadline = Instant::now() + patience();
        let module = self.at(path).before(deadline);
        let has_files = path.join(".git").symlink_metadata().is_ok();
        let folders = match has_files {
            true => module.git_folders()?,
            false => GitFolders { own: path.to_owned(), common: path.to_owned() },
        };
        let registration = registration_of(&folders.common).and_then(|registered| registered.open());
        let Some(registration) = registration.filter(|it| it.is_in(goes)) else { return Ok(None) };
        // It may lead elsewhere by links.
        let opened = |path: &Path| Tree::open(path).with_context(|| format!("open {}", path.display()));
        let writable = [opened(&folders.common)?, opened(index.parent().unwrap_or(path))?];
        let module = if has_files { module.around(&writable) } else { module.by(path) };
        let head = match has_files {
            true => Some(module.snapshot_commit(&folders, index, ours, by)?),
            false => module.commit_of("HEAD")?,
        };
        let home = registration.repository(self).before(deadline);
        let base = home.free_place(&format!("{OWN_REFS}{name}-submodule"))?;
        let mut refs = vec![format!("+refs/heads/*:{base}/heads/*"), format!("+refs/tags/*:{base}/tags/*")];
        if module.has_ref(STASH)? {
            refs.push(format!("+{STASH}:{base}/stash"));
        }
        if let Some(head) = &head {
            refs.push(format!("+{head}:{base}/head"));
        }
        let refs: Vec<&str> = refs.iter().map(String::as_str).collect();
        home.copy_from(self.at(&folders.common).before(deadline), &refs)?;
        Ok(Some(format!("{base}/head")))
    }
}

impl Registration {
    /// Whether the worktree lies in a folder, or did.
    fn is_in(&self, folder: &Path) -> bool {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        self.place().is_some_and(|place| place.starts_with(folder) || real(&place).starts_with(real(folder)))
    }
}

impl Repository<'_> {
    /// A name below which there is no ref.
    fn free_place(&self, wanted: &str) -> Result<String> {
        let mut number = 1;
        loop {
            let place = if number == 1 { wanted.to_owned() } else { format!("{wanted}-{number}") };
            if number >= TRIES || self.look(["for-each-ref", "--count=1", &place]).text()?.is_empty() {
                return Ok(place);
            }
            number += 1;
        }
    }
}
