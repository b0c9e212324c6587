//! What a killed `prepare` has left of the same task: its branch would keep its name from the next one.

use std::path::Path;

use super::elsewhere::may_be_built_elsewhere;
use super::lock::staging_lock_alone;
use super::record::Meta;
use super::repository::{Deletion, release_staged};
use super::request::Request;
use crate::layout::names;
use crate::sys::tree::Tree;

/// Removes the half-made environments of the request's task, with their worktrees and branches. Does nothing while a `prepare` is at
/// work in this root, whose folder looks the same; a whole one is left to `doctor --fix` and `gc`, which move it to the trash.
pub(super) fn release_left(request: &Request<'_>, root: &Tree) {
    let workspace = Path::new(request.workspace_id.as_str());
    let Ok(all) = root.names(workspace) else { return };
    let key_of = |name: &std::ffi::OsStr| {
        let (key, _) = name.to_str()?.strip_prefix(names::STAGING)?.rsplit_once('-')?;
        request.task_id.keys().find(|ours| ours.as_str() == key)
    };
    let mut left = all.iter().filter_map(|name| Some((name, key_of(name)?))).peekable();
    if left.peek().is_none() {
        return;
    }
    let Ok(Some(_alone)) = staging_lock_alone(root) else { return };
    let git = request.git();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let deletion = Deletion::new(&git, request.keys, &request.hooks.trusted, &stop);
    for (name, key) in left {
        let relative = workspace.join(name);
        let is_half_made = root
            .subtree(&relative)
            .is_ok_and(|staging| !may_be_built_elsewhere(&staging) && !is_whole(&staging));
        if !is_half_made {
            continue;
        }
        let place = request.root.path().join(workspace).join(key.as_str());
        let released = release_staged(root, &relative, &place, key.as_str(), &deletion)
            .and_then(|()| Ok(root.remove_all(&relative)?));
        if let Err(error) = released {
            log::debug!("{}: {error:#}", root.path().join(&relative).display());
        }
    }
}

/// Whether an environment that was being made has its record, which is written last: one that was cut off is no record yet.
pub(crate) fn is_whole(staging: &Tree) -> bool {
    match Meta::load_even_damaged(staging) {
        Ok(record) => matches!(record, Ok(Some(_))),
        Err(_) => true, // it may have one
    }
}
