//! A work dir that was a worktree, and is gone: the repository still has it registered, with its branch and its index.
//!
//! The record of an environment is a claim. So it is believed only where the registration that it names names this work dir in
//! turn; then the folder gets the file by which git knows it, and nothing else of the repository is touched.

use std::path::Path;

use anyhow::{Context, Result};

use crate::environment::{LockedEnv, RepositoryRecord, Trust, name_registration};
use crate::failure::{Code, Failure};
use crate::git::Registered;
use crate::layout::names;
use crate::sys::silent::is_one_path;
use crate::sys::tree::FileKind;

/// Makes the work dir a worktree again, if it was one and has lost the file that says so.
///
/// # Errors
/// [`Code::WorkDirGone`] where the repository does not have it registered any more; as the system reports it.
pub(super) fn reattach(env: &LockedEnv, record: Option<&RepositoryRecord>, trust: Trust<'_>) -> Result<()> {
    env.reattach(trust.keys)?;
    let (tree, folder) = (&env.env.tree, Path::new(names::WORK_DIR));
    let (Some(record), false) = (record, env.work_dir.is_user_folder()) else { return Ok(()) };
    let (place, git_file) = (env.env.path.join(folder), folder.join(".git"));
    let doing = || format!("make {} a worktree again", place.display());
    let is_there = match tree.kind(folder).with_context(doing)? {
        None => false,
        Some(FileKind::Dir) if tree.kind(&git_file).with_context(doing)?.is_none() => true,
        Some(_) => return Ok(()),
    };
    let recorded = Registered::new(&record.git_dir, &record.worktree);
    let registered = recorded.and_then(|registered| registered.open()).filter(|registered| {
        registered.place().is_some_and(|named| named == place || is_one_path(&named, &place))
    });
    let Some(registered) = registered else {
        let message = format!(
            "{} is gone, and {} does not know it as a worktree any more",
            place.display(),
            record.git_dir.display()
        );
        return Err(Failure::new(Code::WorkDirGone, message)
            .hint("`execenv prepare --repo` makes a new environment; `execenv restore --from FILE` takes the patch there")
            .into());
    };
    if !is_there {
        tree.make_dir(folder, 0o755).with_context(doing)?;
    }
    name_registration(&tree.subtree(folder).with_context(doing)?, &registered)
}
