//! A checkout as a worktree of the shared repository.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::super::base::Base;
use super::super::coauthor;
use super::super::git_locks::without_new_locks;
use super::super::layout::LOCK_REASON;
use super::super::registration::WORKTREES;
use super::super::shared::SharedRepo;
use super::{Building, TRIES, Wanted, create_branch, sparse};
use crate::git::{Branch, Empty};

impl SharedRepo<'_> {
    /// Builds a worktree and moves it into its place; returns its branch.
    pub(super) fn link(
        &self,
        wanted: &Wanted<'_>,
        building: &Building<'_>,
        target: &Path,
        place: &Path,
        base: &Base,
    ) -> Result<String> {
        let branch =
            without_new_locks(&self.bare, || create_branch(self.git(), wanted.branch, &base.commit))?;
        let registered = self.register(wanted, target, &branch);
        let made = registered.and_then(|registration| {
            let made = self.fill_linked(wanted, building, &registration, base).and_then(|()| {
                if let Err(error) = coauthor::set(&self.bare, wanted.coauthor) {
                    log::warn!("{error:#}");
                }
                building.place(wanted.work_dir, place)
            });
            if made.is_err() {
                self.unregister(&registration);
            }
            made
        });
        if let Err(error) = made {
            let made = Branch { name: format!("refs/heads/{branch}"), tip: base.commit.clone() };
            if let Err(trouble) = without_new_locks(&self.bare, || self.git().delete_branch(&made)) {
                log::warn!("{trouble:#}");
            }
            return Err(error);
        }
        Ok(branch)
    }

    /// Registers a worktree, as gitrepository-layout(5) says: `git worktree add` would read every registration, and runs a
    /// hook and filters. Returns the registration's folder.
    fn register(&self, wanted: &Wanted<'_>, target: &Path, branch: &str) -> Result<PathBuf> {
        let registering = || format!("register a worktree in {}", self.path().display());
        self.bare.ensure_dir(Path::new(WORKTREES), 0o755).with_context(registering)?;
        let name: String =
            wanted.key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let mut number = 1;
        let folder = loop {
            let name =
                if number == 1 { format!("execenv-{name}") } else { format!("execenv-{name}-{number}") };
            let folder = Path::new(WORKTREES).join(name);
            match self.bare.make_dir(&folder, 0o755) {
                Ok(()) => break folder,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < TRIES => number += 1,
                Err(error) => return Err(error).with_context(registering),
            }
        };
        let place = [target.join(".git").as_os_str().as_bytes(), b"\n"].concat();
        let reason = format!("{LOCK_REASON}: checkout {}\n", target.display().to_string().escape_debug());
        let files: [(&str, Vec<u8>); 4] = [
            ("locked", reason.into_bytes()), // first: no command prunes it from here on
            ("commondir", b"../..\n".to_vec()),
            ("HEAD", format!("ref: refs/heads/{branch}\n").into_bytes()),
            ("gitdir", place),
        ];
        for (name, bytes) in files {
            if let Err(error) = self.bare.create_unseen(&folder.join(name), &bytes, 0o644) {
                self.unregister(&folder);
                return Err(error).with_context(registering);
            }
        }
        Ok(folder)
    }

    fn unregister(&self, folder: &Path) {
        if let Err(error) = self.bare.remove_all(folder) {
            log::warn!("cannot remove {}: {error}", self.path().join(folder).display());
        }
        let _ = self.bare.remove_dir(Path::new(WORKTREES)); // removed only when empty, as git does it
    }

    fn fill_linked(
        &self,
        wanted: &Wanted<'_>,
        building: &Building<'_>,
        registration: &Path,
        base: &Base,
    ) -> Result<()> {
        let own = self.path().join(registration);
        let link = [b"gitdir: ", own.as_os_str().as_bytes(), b"\n"].concat();
        let linking = || format!("link {} to its repository", building.folder.path().display());
        building.folder.create_unseen(Path::new(".git"), &link, 0o644).with_context(linking)?;
        if !wanted.sparse.is_empty() {
            without_new_locks(&self.bare, || sparse::allow_settings_of_worktrees(self.git(), &self.bare))?;
            sparse::write(&self.bare, registration, wanted.sparse)?;
            sparse::write_settings(&self.bare, registration)?;
        }
        let remote = self.is_partial.then(|| self.remote());
        let empty = Empty { folder: &building.folder, own: &own, common: &self.bare, remote };
        without_new_locks(&self.bare, || self.sharing.git.fill(empty, &base.commit))
    }
}
