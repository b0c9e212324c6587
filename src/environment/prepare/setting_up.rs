//! The setup of a new environment: decided while it has no name, carried out in its place, torn down after a failure.

use std::path::Path;

use anyhow::Result;

use super::placing::{Placing, Staged};
use super::slot::Place;
use crate::environment::repository_request::RepositoryFrom;
use crate::environment::root::EnvRoot;
use crate::environment::setup::{self, Before, Scene, Setup};
use crate::environment::trust::Trust;
use crate::sys::tree::Tree;

impl Placing<'_> {
    /// What the setup in a work dir is, which is or will be at `shown`. `way`: the folder of the user's that it is.
    pub(super) fn decide_setup(&self, folder: &Tree, shown: &Path, way: Option<&Path>) -> Result<Setup> {
        let request = self.request;
        let before =
            Before { record: None, was_sandboxed: request.copied.iter().any(|from| from.from_sandbox) };
        let named = request.repository.as_ref().and_then(|asked| match &asked.from {
            RepositoryFrom::Existing { path, .. } | RepositoryFrom::Folder { path } => Some(path.as_path()),
            _ => None,
        });
        setup::decide(&request.setup, request.hooks, (folder, shown), way.or(named), before)
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
