//! An env root gets its place, and everything that names it.

use std::path::Path;

use anyhow::{Context, Result};

use super::placing::{Placing, Staged};
use super::slot::Place;
use crate::environment::busy::{Held, busy};
use crate::environment::exposed::exposed_sidecars;
use crate::environment::held_work::refuse_reserved_work;
use crate::environment::lock::EnvLock;
use crate::environment::locked::LockedRoot;
use crate::environment::request::{Existing, Prepared};
use crate::environment::root::EnvRoot;
use crate::environment::{setup, trash};
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::sidecar::{Earlier, Manifest, Site};
use crate::sys::silent::is_one_path;

impl Placing<'_> {
    /// Makes the environment where nothing stands. `None`: another process was faster.
    pub(super) fn fresh(&self, at: &Place) -> Result<Option<(Prepared, EnvLock)>> {
        let mut warnings = Vec::new();
        if let Some(local) = self.local {
            local.refuse_second_user(self.request.root, self.root, None)?;
            warnings = local.take_over(self.request, None)?;
            warnings.extend(local.unknown_task()?);
        }
        let mut staged = self.stage(at)?;
        staged.plan.warnings.extend(warnings);
        let place = at.relative();
        match self.root.move_to(&staged.name, self.root, &place) {
            Ok(()) => {}
            Err(error) => {
                staged.spare.clear();
                let Staged { name, lock, .. } = staged;
                drop(lock); // SMB keeps a folder in which a file is open
                self.discard(&name, at);
                if error.raw_os_error() == Some(rustix::io::Errno::ACCESS.raw_os_error()) {
                    return Err(self.cannot_place(&place, error));
                }
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::DirectoryNotEmpty
                ) {
                    return Ok(None);
                }
                return Err(error)
                    .with_context(|| format!("make {}", self.request.root.path().join(place).display()));
            }
        }
        let placed = self.refuse_another(&staged, &place).and_then(|()| self.sync_places(at));
        let filled = placed.and_then(|()| self.fill_local(&staged));
        match filled.and_then(|manifest| self.set_up(&mut staged, at).map(|()| manifest)) {
            Ok(manifest) => Ok(Some(self.prepared(at, staged, manifest))),
            Err(error) => {
                self.tear_down(&staged, at);
                self.undo_local(&mut staged);
                if self.may_go(&staged) {
                    self.discard(&place, at);
                }
                Err(error)
            }
        }
    }

    /// Makes the environment where one of the same task stands. `None`: it has gone meanwhile.
    pub(super) fn replace(&self, at: &Place, old: EnvRoot) -> Result<Option<(Prepared, EnvLock)>> {
        let old_path = old.path.clone();
        let old = match LockedRoot::try_hold(old, true) {
            Ok(locked) => locked,
            Err(Held::Moved) => return Ok(None),
            Err(held) => return Err(busy(&old_path, &held)),
        };
        if let Some(local) = self.local {
            local.refuse_second_user(self.request.root, self.root, Some(&old_path))?;
        }
        let old = old.read()?;
        if self.request.existing == Existing::ReplaceUndone && old.has_completed() {
            let message = format!("another process has just completed the task of {}", old_path.display());
            return Err(Failure::new(Code::EnvBusy, message).hint("repeat the command").into());
        }
        refuse_reserved_work(&old, self.request)?;
        let mut warnings = match self.local {
            Some(local) => local.take_over(self.request, Some(&old_path))?,
            None => Vec::new(),
        };
        // Who names the folder that the old record names says that it may be cleaned up.
        let is_named =
            |claimed: &Path| self.local.is_some_and(|local| is_one_path(claimed, &local.canonical));
        let locked = self.local.map(|local| local.identity);
        match old.recover_with(locked, self.request.proof_only()) {
            Err(error) if Failure::code_of(&error) == Code::Unproved => {
                if !old.work_dir.claimed().is_some_and(is_named) {
                    return Err(error);
                }
                old.recover_with(locked, self.request.trust())?;
            }
            done => drop(done?),
        }
        if let Some(local) = self.local {
            warnings.extend(local.unknown_task()?);
        }
        let teardown = old.tear_down(self.request.proof_only());
        setup::tell_teardown(&old_path, &teardown);
        let mut staged = self.stage(at)?;
        staged.plan.warnings.extend(warnings);
        let place = at.relative();
        let swapped = match self.swap(&staged.name, at) {
            Ok(entry) => entry,
            Err(error) => {
                staged.spare.clear();
                self.discard(&staged.name, at);
                return Err(error);
            }
        };
        // The old environment now lies at the nameless place (or in the trash already).
        let done = self
            .refuse_another(&staged, &place)
            .and_then(|()| self.sync_places(at))
            .and_then(|()| self.fill_local(&staged))
            .and_then(|manifest| self.set_up(&mut staged, at).map(|()| manifest))
            .and_then(|manifest| self.set_aside(&staged.name, at).map(|entry| (manifest, entry)));
        match done {
            Ok((manifest, entry)) => {
                drop(old);
                let (prepared, lock) = self.prepared(at, staged, manifest);
                Ok(Some((Prepared { replaced: entry.or(swapped), ..prepared }, lock)))
            }
            Err(error) => {
                self.tear_down(&staged, at);
                self.undo_local(&mut staged);
                if self.may_go(&staged) && self.root.exchange(&staged.name, &place).unwrap_or(false) {
                    self.discard(&staged.name, at);
                }
                Err(error)
            }
        }
    }

    /// Refuses what stands in the place unless it is what was built: the rename went by a name.
    fn refuse_another(&self, staged: &Staged, place: &Path) -> Result<()> {
        let path = self.root.path().join(place);
        let there = self.root.unlinked_subtree(place).and_then(|tree| tree.identity());
        let there = there.with_context(|| format!("open {}", path.display()))?;
        if there == staged.tree.identity()? {
            return Ok(());
        }
        let message = format!("{} was moved or replaced while it was prepared", path.display());
        Err(Failure::new(Code::Failed, message).hint("prepare it again").into())
    }

    /// The failure for a file system that does not rename a folder in which a file, here the lock, is open.
    fn cannot_place(&self, place: &Path, error: std::io::Error) -> anyhow::Error {
        let path = self.request.root.path().join(place);
        let message = format!("{} cannot be put in its place: {error}", path.display());
        let failure = Failure::new(Code::Failed, message).hint(
            "a workspaces root on SMB is not supported, because SMB renames no folder in which a file is open: \
             name another with `--workspaces-root`. Elsewhere: check the permissions of the root",
        );
        anyhow::Error::new(error).context(failure)
    }

    /// Puts the new env root into the place of the old one, by one step where the file system can; else the old one is
    /// in the trash then, as the returned entry.
    fn swap(&self, staged: &Path, at: &Place) -> Result<Option<String>> {
        let place = at.relative();
        let doing = || format!("replace {}", at.path(self.request.root).display());
        if self.root.exchange(staged, &place).with_context(doing)? {
            return Ok(None);
        }
        let entry = self.set_aside(&place, at)?;
        self.root.move_to(staged, self.root, &place).with_context(doing)?;
        Ok(entry)
    }

    /// Moves what stands there to the trash, and returns the entry's name.
    fn set_aside(&self, from: &Path, at: &Place) -> Result<Option<String>> {
        if self.root.kind(from).with_context(|| format!("look at {}", from.display()))?.is_none() {
            return Ok(None);
        }
        let entry = trash::put_aside_as(self.root, from, &at.workspace, &at.key, false, self.request.now)?;
        // Otherwise a power cut leaves it under its nameless place, from where `gc` moves it to the trash.
        if let Err(error) = self.root.sync_entries(&[names::TRASH, &at.workspace]) {
            log::warn!("sync {}: {error}", self.root.path().join(names::TRASH).display());
        }
        Ok(Some(entry))
    }

    /// Makes the rename that put an env root into its place durable, before anything relies on it: the list of what is put
    /// into a user folder lies there.
    fn sync_places(&self, at: &Place) -> Result<()> {
        self.root.sync_entries(&[at.workspace.as_str(), ""]).context("sync the workspace")
    }

    /// The user's folder gets its sidecars; a managed work dir has them already.
    fn fill_local(&self, staged: &Staged) -> Result<Manifest> {
        let Some(local) = self.local else {
            return Ok(staged.plan.announce(&staged.work_dir(), None, &staged.token));
        };
        let work_tree = local.open()?;
        let seal = self.request.keys.seal(&staged.key);
        let site = Site::user_folder(&staged.tree, &work_tree, &local.path, seal.as_ref());
        let earlier = Earlier::first(staged.inventory.clone());
        let manifest = staged.plan.apply(&site, &staged.token, &earlier)?;
        staged.meta.show_lease(&staged.tree);
        Ok(manifest)
    }

    fn prepared(&self, at: &Place, mut staged: Staged, manifest: Manifest) -> (Prepared, EnvLock) {
        if let Some(work_tree) = self.local.and_then(|local| local.open().ok()) {
            staged.plan.warnings.extend(exposed_sidecars(&work_tree, &staged.plan));
        }
        let prepared = Prepared {
            root_dir: at.path(self.request.root),
            work_dir: staged.agent_dir(),
            files: manifest.files,
            dirs: manifest.dirs,
            private_env: staged.private_env,
            warnings: staged.plan.warnings,
            meta: staged.meta,
            reused: false,
            replaced: None,
            pending: self.request.setup.is_deferred.then_some(staged.setup),
        };
        (prepared, staged.lock)
    }
}
