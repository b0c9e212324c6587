//! The setup of a new environment: decided while it has no name, carried out in its place, torn down after a failure.

use std::path::Path;

use anyhow::Result;

use super::placing::{Placing, Staged};
use super::slot::Place;
use crate::environment::checkout::Checkout;
use crate::environment::record::{RepositoryRecord, SetupState};
use crate::environment::repository_request::RepositoryFrom;
use crate::environment::root::EnvRoot;
use crate::environment::setup::{self, At, Before, Ground, Origin, PROJECT_FILE, Scene, Setup};
use crate::environment::trust::Trust;
use crate::sys::silent;
use crate::sys::tree::Tree;

impl Placing<'_> {
    /// What the setup in a work dir is, which is or will be at `shown`. `made`: what was checked out there.
    pub(super) fn decide_setup(
        &self,
        folder: &Tree,
        shown: &Path,
        made: Option<&RepositoryRecord>,
    ) -> Result<Setup> {
        let request = self.request;
        let ground = self.ground(folder);
        let was_sandboxed = request.copied.iter().any(|from| from.from_sandbox);
        let before = Before { record: None, was_sandboxed, ground: &ground };
        let asked = request.repository.as_ref().map(|asked| &asked.from);
        let top = self.checkout.and_then(Checkout::top);
        let origin = match (asked, made) {
            (Some(RepositoryFrom::Existing { .. } | RepositoryFrom::Folder { .. }), Some(made)) => {
                let commit: String = made.base_commit.chars().take(12).collect();
                let commit = format!("{} {commit}", made.base);
                match top {
                    Some(top) => Origin::checkout(folder, top, &commit),
                    None => Origin { name: format!("{PROJECT_FILE} in {commit}"), ..Origin::default() },
                }
            }
            (Some(RepositoryFrom::Shared { address, .. }), _) => {
                Origin { name: format!("{PROJECT_FILE} of {}", address.display()), ..Origin::default() }
            }
            (Some(RepositoryFrom::Continued { path, .. }), _) => Origin { way: None, ..Origin::folder(path) },
            _ => Origin::folder(shown),
        };
        setup::decide(&request.setup, request.hooks, folder, &origin, before)
    }

    /// Where the files of the work dir are from.
    fn ground<'g>(&'g self, folder: &'g Tree) -> Ground<'g> {
        let mut ground = self.ground_of_copies();
        let top = self.checkout.and_then(Checkout::top);
        ground.folders.extend(self.local.map(|local| local.canonical.clone()));
        ground.folders.extend(top.map(Path::to_owned));
        let source = self.checkout.and_then(Checkout::source);
        ground.repositories.extend(source.into_iter().chain(top).map(Path::to_owned));
        ground.at.push(self.local.map_or(At::New(folder), |local| At::Users(&local.canonical)));
        ground
    }

    /// The same of files that were copied.
    fn ground_of_copies(&self) -> Ground<'_> {
        let copied = || self.request.copied.iter().map(|from| &from.work_dir);
        let real = |tree: &Tree| silent::resolve(tree.path()).unwrap_or_else(|| tree.path().to_owned());
        Ground {
            folders: copied().map(real).collect(),
            at: copied().map(At::WorkDir).collect(),
            ..Ground::default()
        }
    }

    /// Whether files were copied that an agent in a sandbox wrote, or may have written: no later command asks where they are from.
    pub(super) fn is_from_sandbox(&self, setup: &Setup) -> bool {
        let copied = self.request.copied;
        // What was accepted is not marked, and without commands of a repository there is nothing to ask for.
        let is_left_out = setup.record.as_ref().is_some_and(|record| record.state == SetupState::Skipped);
        copied.iter().any(|from| from.from_sandbox)
            || is_left_out
                && !copied.is_empty()
                && setup::may_be_marked(&self.ground_of_copies(), self.request.hooks)
    }

    /// Runs the setup of an environment that is in its place.
    pub(super) fn set_up(&self, staged: &mut Staged, at: &Place) -> Result<()> {
        if self.request.setup.is_deferred {
            return Ok(());
        }
        let env_root = at.path(self.request.root);
        let scene = Scene {
            env: &staged.tree,
            env_root: &env_root,
            lock: staged.lock.file(),
            work_dir: &staged.work_dir(),
            agent_dir: &staged.agent_dir(),
            now: self.request.now,
        };
        if let Some(meta) = setup::carry_out(&staged.setup, self.request.hooks, &scene, &staged.meta)? {
            staged.meta = meta;
        }
        Ok(())
    }

    /// The teardown of an environment whose setup has failed: a part of it may have started something.
    pub(super) fn tear_down(&self, staged: &Staged, at: &Place) {
        if staged.setup.commands.is_empty() {
            return;
        }
        let path = at.path(self.request.root);
        let hooks = self.request.hooks.undisturbed();
        let trust = Trust { hooks: &hooks, ..self.request.trust() };
        let teardown = EnvRoot::open(&path).and_then(|env| setup::tear_down_held(env, &staged.lock, trust));
        match teardown {
            Ok(teardown) => setup::tell_teardown(&path, &teardown),
            Err(error) => log::warn!("{}: the teardown did not run: {error:#}", path.display()),
        }
        if self.local.is_some() {
            log::warn!("what the setup commands have written in {} stays there", staged.work_dir().display());
        }
    }
}
