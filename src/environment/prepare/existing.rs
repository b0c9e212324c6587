//! The environment that is there already, handed back.

use std::path::Path;

use anyhow::Result;

use crate::environment::homes;
use crate::environment::local::LocalDir;
use crate::environment::lock::EnvLock;
use crate::environment::locked::LockedRoot;
use crate::environment::lookup::FoundEnv;
use crate::environment::record::{Durability, EnvStatus, Meta, Own, SetupRecord};
use crate::environment::request::{Prepared, Request};
use crate::environment::root::EnvRoot;
use crate::environment::user_folder::By;
use crate::failure::{Code, Failure};
use crate::sidecar::Manifest;
use crate::sys::silent::{self, is_one_path};

pub(super) fn return_existing(
    path: &Path,
    request: &Request<'_>,
    local: Option<&LocalDir>,
) -> Result<(Prepared, EnvLock)> {
    let found = LockedRoot::acquire(EnvRoot::open(path)?)?.read()?;
    let meta = found.require_meta()?;
    let own = meta.own_or_rebuilt(&found.env.tree);
    let manifest = Manifest::load(&found.env.tree)?.unwrap_or_default();
    let work_dir = found.work_dir_path();
    let is_whole = manifest.is_in_place()
        && !homes::is_unfinished(&found.env.tree)
        && !own.setup.as_ref().is_some_and(SetupRecord::is_unfinished);
    if own.status == EnvStatus::Cleaned || !is_whole || silent::is_dir(&work_dir) != Some(true) {
        return Err(Failure::new(Code::WorkDirGone, format!("{} is not ready for a run", path.display()))
            .hint("prepare it without `--keep-existing`, or `execenv reuse` it")
            .into());
    }
    refuse_other_kind(&found, request, local, &own)?;
    let exports = homes::Exports::of(&own);
    homes::check_exports(&found.env.tree, &exports.variables)?;
    homes::check_needs(&found.env.tree, &own.needs)?;
    homes::renew_store_links(&found.env.tree)?;
    // A folder of which only its path speaks must hold what was prepared.
    if let Some(folder) = found.user_folder(Some(&manifest), request.trust())?
        && folder.by == By::Word
        && !manifest.record.as_ref().is_some_and(|record| record.is_recognised_in(&folder.tree))
    {
        let message = format!("{} is not the folder that was prepared", folder.path.display());
        return Err(Failure::new(Code::Occupied, message)
            .hint("prepare it without `--keep-existing`, or move the prepared folder back to its place")
            .into());
    }
    let until = request.now + request.lease;
    let warnings = exports.warnings.into_iter().chain(found.without_record()).collect();
    let meta = match found.meta {
        Some(_) => {
            Meta::change_own(&found.env.tree, Durability::Synced, |_, own| own.lease_until = Some(until))?
        }
        None => {
            let meta = Meta { own: Some(Own { lease_until: Some(until), ..own.clone() }), ..meta };
            meta.restore(&found.env.tree)?;
            meta
        }
    };
    let (found, lock) = found.into_parts();
    let prepared = Prepared {
        root_dir: path.to_owned(),
        work_dir: found.agent_dir(),
        meta,
        files: manifest.files,
        dirs: manifest.dirs,
        private_env: homes::private_files(&found.env.tree, &own.provider)?,
        warnings,
        reused: true,
        replaced: None,
        pending: None,
    };
    Ok((prepared, lock))
}

/// Refuses to return an environment that is for another folder or another agent CLI than was asked for.
fn refuse_other_kind(
    found: &FoundEnv,
    request: &Request<'_>,
    local: Option<&LocalDir>,
    own: &Own,
) -> Result<()> {
    let path = &found.env.path;
    let is_same_folder = match local {
        None => !found.work_dir.is_user_folder(),
        Some(local) => found.work_dir.claimed().is_some_and(|claimed| is_one_path(claimed, &local.canonical)),
    };
    let asked = &request.task.provider;
    let what = if !is_same_folder {
        match found.work_dir.is_user_folder() {
            true => format!("works in {}", found.work_dir_path().display()),
            false => "works in a managed work dir".to_owned(),
        }
    } else if let Some(asked) = &request.repository
        && own.repository.as_ref().is_none_or(|recorded| recorded.is_worktree() == asked.is_new())
    {
        let what = if asked.is_new() { "has no new repository" } else { "is no worktree of a repository" };
        what.to_owned()
    } else if !asked.is_empty() && *asked != own.provider {
        let provider = if own.provider.is_empty() { "no provider" } else { &own.provider };
        format!("is for {}", provider.escape_debug())
    } else {
        return Ok(());
    };
    Err(Failure::new(Code::Occupied, format!("{} {what}", path.display()))
        .hint("ask for the same, or prepare it anew: without `--keep-existing`")
        .into())
}
