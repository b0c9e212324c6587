//! Recovering an environment whose last step was interrupted.

use std::path::Path;

use anyhow::{Context, Result};

use super::lock::path_lock;
use super::lookup::FoundEnv;
use super::record;
use crate::failure::{Code, Failure};
use crate::provider;
use crate::sidecar::{Manifest, Record, State, TakenBack, sweep_state_temporaries, take_back};
use crate::sys::tree::Tree;

/// Recovers an environment whose last step was interrupted, so that it matches its record: removes sidecars that were
/// announced but not completed. The caller holds the lock.
///
/// # Errors
/// If the manifest is damaged or a sidecar could not be removed.
pub fn recover(found: &FoundEnv) -> Result<Option<TakenBack>> {
    recover_under_lock(found, None)
}

/// As [`recover`], for a caller that has already locked the user's folder with the identity `locked` (device and inode).
pub(super) fn recover_under_lock(found: &FoundEnv, locked: Option<(u64, u64)>) -> Result<Option<TakenBack>> {
    let tree = &found.env.tree;
    let swept = sweep_state_temporaries(tree).map_err(anyhow::Error::from);
    if let Err(error) = swept.and_then(|()| record::sweep_temporary(tree)) {
        log::debug!("{}: {error}", found.env.path.display()); // the next writer replaces them anyway
    }
    let Some(mut manifest) = Manifest::load(&found.env.tree)? else { return Ok(None) };
    let is_user_folder = found.work_dir.is_user_folder();
    let needs = match &manifest.record {
        Some(Record { state: State::Applying | State::TakingBack, .. }) => true,
        // The sidecars in a user's folder are removed before the environment is replaced.
        Some(Record { state: State::Applied, .. }) => is_user_folder,
        _ => is_user_folder && !(manifest.files.is_empty() && manifest.dirs.is_empty()),
    };
    if !needs {
        return Ok(None);
    }
    found.proven_user_folder(&manifest)?;
    let work_dir = found.work_dir_path();
    let work_tree = match Tree::open(&work_dir) {
        Ok(tree) => tree,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_user_folder => return Ok(None),
        // If the folder was moved, the sidecars are still in it: keep the manifest, which lists them.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Failure::new(
                Code::WorkDirGone,
                format!("{} is gone, so execenv cannot remove its files from it", work_dir.display()),
            )
            .hint(format!(
                "move the folder back to its path; if it was deleted: `execenv cleanup --all --force {}`",
                found.env.path.display()
            ))
            .into());
        }
        Err(error) => return Err(error).with_context(|| format!("open {}", work_dir.display())),
    };
    found.work_dir.check_identity(&work_tree)?;
    let looking = || format!("look at {}", work_dir.display());
    let _path_lock = if is_user_folder && locked != Some(work_tree.identity().with_context(looking)?) {
        let above = found.env.path.parent().and_then(Path::parent).unwrap_or(&found.env.path);
        let root = Tree::open(above).with_context(|| format!("open {}", above.display()))?;
        Some(path_lock(&root, &work_dir.canonicalize().with_context(looking)?)?)
    } else {
        None
    };
    let report =
        take_back(&found.env.tree, &work_tree, &work_dir, &mut manifest, &provider::every_brief_file())?;
    if let Some(error) = report.errors.first() {
        return Err(Failure::new(
            Code::Incomplete,
            format!("{}: execenv's files could not be removed: {error}", work_dir.display()),
        )
        .hint(format!("fix the cause, then `execenv cleanup {}`", found.env.path.display()))
        .into());
    }
    Ok(Some(report))
}
