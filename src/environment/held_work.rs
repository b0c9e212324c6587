//! What stands against replacing an environment without being asked to: work in its work dir while its lease runs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::lookup::FoundEnv;
use super::record::Meta;
use super::request::{Existing, Request};
use super::unsaved::unsaved_work;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::order;
use crate::sidecar::Manifest;
use crate::sys::tree::FileKind;

/// Refuses to replace an environment that is reserved and whose work dir holds work (decision D39). What a user folder
/// holds stays there anyway.
///
/// # Errors
/// A [`Code::EnvBusy`] failure that names the time, the work and the options that decide.
pub(super) fn refuse_reserved_work(found: &FoundEnv, request: &Request<'_>) -> Result<()> {
    let lease = found.meta.as_ref().and_then(|meta| meta.own.as_ref()?.lease_until);
    let Some(until) = lease.filter(|until| *until > request.now) else { return Ok(()) };
    if request.existing == Existing::ReplaceAny || found.work_dir.is_user_folder() {
        return Ok(());
    }
    // What a killed setup has left is no work to keep: no agent could start.
    if found.meta.as_ref().is_some_and(Meta::is_half_set_up) {
        return Ok(());
    }
    let Some(work) = work_in(found, request) else { return Ok(()) };
    let message = format!(
        "{} is reserved until {} and holds work: {work}",
        found.env.path.display(),
        until.format("%Y-%m-%d %H:%M UTC")
    );
    let hint = format!(
        "`execenv reuse {}` keeps the work; `--keep-existing` returns the environment as it is; `--replace` moves it to the trash",
        found.env.key()
    );
    Err(Failure::new(Code::EnvBusy, message).hint(hint).into())
}

/// The first work that is found: unsaved work of a repository, else something that lies in no repository and is not ours.
fn work_in(found: &FoundEnv, request: &Request<'_>) -> Option<String> {
    let unsaved = unsaved_work(found, false, &request.git());
    if let Some(unsaved) = unsaved.first() {
        return Some(format!("{}: {}", unsaved.path.display(), unsaved.what));
    }
    let tree = &found.env.tree;
    let work_dir = Path::new(names::WORK_DIR);
    let is_repository = |folder: &Path| {
        matches!(tree.kind(&folder.join(".git")), Ok(Some(FileKind::Dir | FileKind::File { .. })))
    };
    if !matches!(tree.kind(work_dir), Ok(Some(FileKind::Dir))) || is_repository(work_dir) {
        return None;
    }
    let manifest = Manifest::load(tree).ok().flatten().unwrap_or_default();
    let place = found.work_dir_path();
    // multica's lists have absolute paths, and lack the brief.
    let listed = manifest.files.iter().chain(&manifest.dirs).cloned();
    let touched = manifest.record.map(|record| record.touched()).unwrap_or_default();
    let ours: Vec<PathBuf> = touched.into_iter().map(|entry| place.join(entry.path)).chain(listed).collect();
    let is_ours = |name: &OsStr| {
        let entry = place.join(name);
        // A killed reuse leaves its temporary names.
        let is_temporary = name.as_encoded_bytes().starts_with(names::MOVING.as_bytes());
        is_temporary || ours.iter().any(|ours| ours.starts_with(&entry))
    };
    let foreign = |name: &OsStr| !is_ours(name) && !is_repository(&work_dir.join(name));
    let mut names: Vec<_> = tree.names(work_dir).ok()?.into_iter().filter(|name| foreign(name)).collect();
    order::sort(&mut names);
    names.first().map(|name| place.join(name).display().to_string())
}
