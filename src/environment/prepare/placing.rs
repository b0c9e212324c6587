//! What placing an environment needs to know, and what is to be placed.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::environment::checkout::Checkout;
use crate::environment::contents::Contents;
use crate::environment::found_work_dir::agent_dir;
use crate::environment::local::LocalDir;
use crate::environment::lock::EnvLock;
use crate::environment::record::{Meta, RepositoryRecord};
use crate::environment::request::Request;
use crate::environment::setup::Setup;
use crate::git::Git;
use crate::sidecar::SidecarPlan;
use crate::sys::tree::Tree;

/// An environment that is prepared.
pub(super) struct Placing<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) root: &'a Tree,
    pub(super) contents: &'a Contents<'a>,
    pub(super) local: Option<&'a LocalDir>,
    pub(super) checkout: Option<&'a Checkout<'a>>,
    pub(super) git: &'a Git,
}

/// An env root that is complete but not in its place.
pub(super) struct Staged {
    pub(super) tree: Tree,
    pub(super) name: PathBuf,
    pub(super) plan: SidecarPlan,
    pub(super) meta: Meta,
    pub(super) private_env: BTreeMap<String, PathBuf>,
    pub(super) key: String,
    pub(super) token: String,
    /// The digest of the inventory, if there is one.
    pub(super) inventory: Option<String>,
    pub(super) setup: Setup,
    /// Handles that undoing it needs, also when the process may open no more.
    pub(super) spare: Vec<OwnedFd>,
    pub(super) lock: EnvLock,
}

impl Staged {
    pub(super) fn work_dir(&self) -> PathBuf {
        self.meta.own.as_ref().map(|own| own.work_dir.clone()).unwrap_or_default()
    }

    /// The folder in which the agent runs.
    pub(super) fn agent_dir(&self) -> PathBuf {
        let repository = self.meta.own.as_ref().and_then(|own| own.repository.as_ref());
        agent_dir(self.work_dir(), repository.map_or(Path::new(""), RepositoryRecord::folder))
    }
}
