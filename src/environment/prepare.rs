//! Making an environment.
//!
//! Order, and why: the whole env root is built under a hidden name, then moved to its place by one rename. A managed work dir is complete at that moment. A user's folder is changed only after that, by the
//! journal that already lies in the env root. So a crash leaves nothing, or a nameless folder (taken away by
//! `doctor --fix` or `gc`), or an announced round of sidecars (taken back by the next command that sees it).

mod existing;
mod in_place;
mod placing;
mod setting_up;
mod slot;
mod staging;
mod undo;

use std::path::Path;

use anyhow::{Context, Result};

use self::existing::return_existing;
use self::placing::Placing;
use self::slot::{Slot, find_slot};
use super::checkout::Checkout;
use super::contents::Contents;
use super::local::LocalDir;
use super::lock::{EnvLock, path_lock, staging_lock};
use super::lookup::FoundEnv;
use super::record::Meta;
use super::request::{Existing, Prepared, Request, platform_mark, provider_of};
use super::staged::release_left;
use crate::failure::{Code, Failure};
use crate::provider::Provider;

/// Prepares an environment. Any failure leaves nothing behind.
///
/// # Errors
/// Status 2 for bad input, 4 when it or the folder is in use, 5 when a place is taken.
pub fn prepare(request: &Request<'_>) -> Result<Prepared> {
    prepare_and_hold(request).map(|(prepared, _)| prepared)
}

/// The same; the environment stays locked. Its lock is taken before it gets its name, so that no other process ever has it.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_and_hold(request: &Request<'_>) -> Result<(Prepared, EnvLock)> {
    let (provider, mut warnings) = provider_of(request.task);
    if let Some(Provider { name, dialects: [], .. }) = provider
        && *name != crate::provider::COMMAND.name
    {
        warnings.push(format!(
            "`run` does not start {name} by itself in this version: `execenv run ENV -- PROGRAM`"
        ));
    }
    let contents = Contents::new(request.task, provider, request.platform, request.sidecars)?;
    let local = match &request.local_dir {
        Some(dir) => Some(LocalDir::check(dir, request.home.as_deref(), request.root)?),
        None => None,
    };
    let git = request.git();
    let checkout = match &request.repository {
        Some(asked) => {
            Checkout::find(&git, asked, request)?.inspect_err(|why| warnings.push(why.clone())).ok()
        }
        None => None,
    };
    let root = request.root.open_or_create()?;
    warnings.extend(platform_mark(request, &root));
    if checkout.is_some() {
        release_left(request, &root);
    }
    let _staging = staging_lock(&root)?;
    let workspace = Path::new(request.workspace_id.as_str());
    root.ensure_dir(workspace, 0o755)
        .with_context(|| format!("make the workspace {}", request.root.path().join(workspace).display()))?;
    let _path_lock = match &local {
        Some(local) => Some(path_lock(&root, &local.canonical)?),
        None => None,
    };
    // Another process may take the key between looking and placing: look again then.
    for _ in 0..16 {
        let slot = find_slot(request, &root)?;
        let (local, checkout) = (local.as_ref(), checkout.as_ref());
        let placing = Placing { request, root: &root, contents: &contents, local, checkout, git: &git };
        let done = match slot {
            Slot::Free(place) => placing.fresh(&place)?,
            Slot::Own(place, _) if request.existing == Existing::Keep => {
                return return_existing(&place.path(request.root), request, local);
            }
            Slot::Own(place, env) => placing.replace(&place, env)?,
        };
        if let Some((mut prepared, lock)) = done {
            warnings.append(&mut prepared.warnings);
            prepared.warnings = warnings;
            return Ok((prepared, lock));
        }
    }
    // Some other process got it each time: it is in use.
    Err(Failure::new(
        Code::EnvBusy,
        format!("others keep making the environment of task {}", request.task_id),
    )
    .hint("wait for them to end, then try again")
    .into())
}

/// The environment of the request's task, where there is one.
///
/// # Errors
/// When the workspaces root or the record cannot be read.
pub fn find_of_task(request: &Request<'_>) -> Result<Option<FoundEnv>> {
    let root = request.root.open_or_create()?;
    match find_slot(request, &root)? {
        Slot::Free(_) => Ok(None),
        Slot::Own(_, env) => {
            let meta = Meta::load(&env.tree)?;
            Ok(Some(FoundEnv::new(env, meta)))
        }
    }
}
