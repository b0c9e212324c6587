//! A repository that `--repo` names by its address: its shared clone is fetched first, and held while the environment is made.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::announce::undo;
use crate::environment::{
    EnvLock, Prepared, RepositoryFrom, RepositoryRequest, Request, SetupRequest, finish_setup,
    prepare_and_hold,
};
use crate::invocation::Context;
use crate::repos::{RepoUrl, SharedRepo, Sharing};

/// How long to wait for another process that uses a shared repository.
pub(super) const WAIT_FOR_SHARED: Duration = Duration::from_secs(300);
/// The platform whose agent is named as a co-author.
pub(super) const MULTICA: &str = "multica";

/// The address of a repository, and what of it is wanted.
#[derive(Debug)]
pub(super) struct Addressed {
    url: RepoUrl,
    base: Option<String>,
    sparse: Vec<String>,
    partial: bool,
    /// This command has fetched it: the next attempt need not.
    is_fetched: Cell<bool>,
}

impl Addressed {
    /// What an address names. `None`: the text is a path.
    ///
    /// # Errors
    /// A usage failure for an address from which nothing is fetched.
    pub fn read(repo: &Path, context: &Context) -> Result<Option<Addressed>> {
        let Some(text) = repo.to_str().filter(|text| RepoUrl::is_address(text)) else { return Ok(None) };
        if context.absolute(repo)?.exists() {
            return Ok(None);
        }
        let url = RepoUrl::parse(text, |path| context.absolute(path))?;
        let (base, sparse) = (None, Vec::new());
        Ok(Some(Addressed { url, base, sparse, partial: false, is_fetched: Cell::new(false) }))
    }

    /// The same from a base, with some folders only, and partially cloned.
    pub fn with(self, base: Option<&str>, sparse: &[String], partial: bool) -> Addressed {
        Addressed { base: base.map(str::to_owned), sparse: sparse.to_owned(), partial, ..self }
    }

    /// Prepares an environment whose work dir is a worktree of the shared clone.
    fn prepare(&self, request: &Request<'_>, context: &Context) -> Result<(Prepared, EnvLock)> {
        let root = context.root.open_or_create()?;
        let git = context.git().until(Arc::clone(&context.stop));
        let sharing = Sharing {
            root: &root,
            workspace: request.workspace_id.as_str(),
            git: &git,
            wait: WAIT_FOR_SHARED,
            partial: self.partial,
            fetch: !self.is_fetched.get(),
            now: context.now,
            stop: &context.stop,
        };
        let shared = SharedRepo::open(sharing, &self.url)?;
        self.is_fetched.set(true);
        let base = shared.base(self.base.as_deref())?;
        let prepared = shared.hold(|source| {
            let address = PathBuf::from(self.url.address());
            let from = RepositoryFrom::Shared { address, source, base, sparse: self.sparse.clone() };
            let repository = Some(RepositoryRequest { from, include: None });
            let setup = SetupRequest { is_deferred: true, ..request.setup.clone() };
            prepare_and_hold(&Request { repository, setup, ..request.clone() })
        })?;
        shared.name_coauthor(request.platform.cli() == Some(MULTICA));
        // Others need the repository, and setup commands may take long.
        drop(shared);
        let (mut prepared, lock) = prepared;
        match finish_setup(request, &mut prepared, &lock) {
            Ok(()) => Ok((prepared, lock)),
            Err(error) => {
                drop(lock);
                // Not within the macro: that computes nothing unless this level is shown.
                let undone = undo(&prepared, context);
                log::info!("{undone}");
                Err(error)
            }
        }
    }
}

/// Prepares an environment, if need be on the shared clone of an address.
///
/// # Errors
/// As [`prepare_and_hold`] and [`SharedRepo::open`]; nothing is left of the environment then.
pub(super) fn prepare_on(
    addressed: Option<&Addressed>,
    request: &Request<'_>,
    context: &Context,
) -> Result<(Prepared, EnvLock)> {
    match addressed {
        Some(addressed) => addressed.prepare(request, context),
        None => prepare_and_hold(request),
    }
}
