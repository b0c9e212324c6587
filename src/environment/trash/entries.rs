//! What lies in the trash.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::name::TrashName;
use crate::environment::record::{Meta, sweep_temporary};
use crate::environment::root::WorkspacesRoot;
use crate::layout::names;
use crate::order;
use crate::sys::tree::{FileKind, Tree};
use crate::sys::walk::measure;

/// An entry of the trash.
#[derive(Clone, Debug)]
pub struct TrashEntry {
    /// The entry's own name, the argument of `trash restore`.
    pub name: String,
    /// The parsed name.
    pub parsed: TrashName,
    /// The path to which it would be restored.
    pub origin: PathBuf,
    /// Its size on disk, in bytes.
    pub bytes: u64,
}

/// Everything in the trash that can be restored, oldest first, without sizes.
///
/// # Errors
/// When the trash cannot be listed.
pub(crate) fn entries(root: &WorkspacesRoot, tree: &Tree) -> Result<Vec<TrashEntry>> {
    let trash = Path::new(names::TRASH);
    if tree.kind(trash).ok().flatten() != Some(FileKind::Dir) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for name in tree.names(trash).context("list the trash")? {
        let Some(name) = name.to_str() else { continue };
        let Some(parsed) = TrashName::parse(name).filter(|_| !name.ends_with(names::REMOVING)) else {
            continue;
        };
        let mut origin = root.path().join(&parsed.workspace).join(&parsed.key);
        if parsed.work_dir_only {
            origin.push(names::WORK_DIR);
        }
        found.push(TrashEntry { name: name.to_owned(), parsed, origin, bytes: 0 });
    }
    order::sort_by(&mut found, |a, b| (a.parsed.at, &a.name).cmp(&(b.parsed.at, &b.name)));
    Ok(found)
}

/// The size of an entry on disk, in bytes.
pub(crate) fn size_of(root: &WorkspacesRoot, entry: &TrashEntry) -> u64 {
    measure(&root.path().join(names::TRASH).join(&entry.name)).bytes
}

/// Removes the temporary file that an interrupted restore left beside the record of an entry.
pub(crate) fn sweep_temporaries(tree: &Tree) {
    let trash = Path::new(names::TRASH);
    for name in tree.names(trash).unwrap_or_default() {
        let entry = trash.join(name);
        if matches!(tree.kind(&entry), Ok(Some(FileKind::Dir)))
            && let Err(error) =
                tree.subtree(&entry).map_err(anyhow::Error::from).and_then(|env| sweep_temporary(&env))
        {
            log::debug!("{}: {error:#}", entry.display()); // the next restore replaces it anyway
        }
    }
}

/// The id of the task that an entry's environment was made for, from its record.
pub(crate) fn task_of(tree: &Tree, entry: &TrashEntry) -> Option<String> {
    let place = match entry.parsed.work_dir_only {
        true => Path::new(&entry.parsed.workspace).join(&entry.parsed.key),
        false => Path::new(names::TRASH).join(&entry.name),
    };
    let meta = Meta::load(&tree.subtree(&place).ok()?).ok().flatten()?;
    Some(meta.own.map_or(meta.task_id, |own| own.task_id)).filter(|id| !id.is_empty())
}

/// Whether the trash may hold an environment: an entry that names it, or one that does not say what it was.
pub(in crate::environment) fn has_entry_of(root: &Tree, workspace: &str, key: &str) -> bool {
    match root.names(Path::new(names::TRASH)) {
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        Ok(listed) => listed.iter().any(|name| match name.to_str().and_then(TrashName::parse) {
            Some(name) => !name.has_origin() || (name.workspace == workspace && name.key == key),
            None => !name.to_str().is_some_and(|name| name.ends_with(names::REMOVING)),
        }),
    }
}
