//! Staging folders that a killed prepare left.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use crate::environment::{
    Deletion, WorkspacesRoot, is_whole_staging, may_be_built_elsewhere, put_aside_as, release_staged,
    staging_lock_alone, trash,
};
use crate::layout::names;
use crate::sys::tree::Tree;

/// One left-over staging folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Where it was found.
    pub path: PathBuf,
    /// Whether it is a complete environment, which is moved to the trash instead of being deleted.
    pub whole: bool,
}

/// Finds left-over staging folders and, with a way to, removes them: a complete environment is moved to the trash, an
/// incomplete one deleted. Does nothing while a prepare is at work in this root, whose folder looks the same.
///
/// # Errors
/// As the system reports them.
pub fn sweep_staging(
    root: &WorkspacesRoot,
    tree: &Tree,
    fix: Option<&Deletion<'_>>,
    now: DateTime<Utc>,
) -> Result<Vec<Leftover>> {
    let Some(_alone) = staging_lock_alone(tree)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    if fix.is_some() {
        trash::sweep_temporaries(tree);
    }
    for workspace in root.workspaces(tree)? {
        let folder = Path::new(&workspace);
        for name in
            tree.names(folder).with_context(|| format!("list {}", root.path().join(folder).display()))?
        {
            let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(names::STAGING)) else {
                continue;
            };
            let relative = folder.join(&name);
            if tree.subtree(&relative).is_ok_and(|staging| may_be_built_elsewhere(&staging)) {
                continue;
            }
            let whole = tree.subtree(&relative).is_ok_and(|staging| is_whole_staging(&staging));
            found.push(Leftover { path: root.path().join(&relative), whole });
            let Some(deletion) = fix else { continue };
            let key = rest.rsplit_once('-').map_or(rest, |(key, _)| key);
            if whole {
                put_aside_as(tree, &relative, &workspace, key, false, now)?;
            } else {
                release_staged(tree, &relative, &root.path().join(folder).join(key), key, deletion)?;
                tree.remove_all(&relative).with_context(|| format!("remove {}", relative.display()))?;
            }
        }
    }
    Ok(found)
}
