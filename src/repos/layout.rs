//! What a checkout and the collector have to agree on about `<root>/.repos/<workspace>/<repository>`.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, Utc};

use super::policy::RepoReport;
use crate::layout::names;
use crate::order;
use crate::sys::tree::{FileKind, Tree};

/// The start of the reason with which a checkout locks its worktree (`git worktree lock`). Such a lock does not outlive
/// the environment; any other lock does.
pub const LOCK_REASON: &str = "execenv";
/// Begins the name of a repository that is being cloned. No checkout uses it.
pub(super) const CLONING: &str = ".cloning-";
/// The file that says when a checkout last began, in multica's format.
pub(super) const LAST_USE: &str = ".multica_last_used";
/// The largest stamp that is read, in bytes.
const MOST_OF_A_STAMP: u64 = 256;

/// When a checkout last began in an open repository. `None`: unknown.
pub fn last_use(bare: &Tree) -> Option<DateTime<Utc>> {
    let text = bare.read(Path::new(LAST_USE), MOST_OF_A_STAMP).ok()??;
    let text = std::str::from_utf8(&text).ok()?;
    Some(DateTime::parse_from_rfc3339(text.trim()).ok()?.to_utc())
}

/// Notes that a repository is in use now. The caller holds its lock.
///
/// # Errors
/// As the system reports them.
pub fn stamp_use(bare: &Tree, now: DateTime<Utc>) -> Result<()> {
    let text = now.to_rfc3339_opts(SecondsFormat::Nanos, true);
    bare.replace_unsynced(Path::new(LAST_USE), text.as_bytes(), 0o644, names::TEMPORARY)
        .with_context(|| format!("note the use of {}", bare.path().display()))
}

/// Removes the temporary file of a killed command. The caller holds the lock of the repository, under which alone files are
/// replaced there.
pub(super) fn remove_temporary(bare: &Tree) {
    let left = Path::new(names::TEMPORARY);
    if has_temporary(bare)
        && let Err(error) = bare.remove_file(left)
    {
        log::debug!("remove {}: {error}", bare.path().join(left).display());
    }
}

/// Whether one is there.
pub(super) fn has_temporary(bare: &Tree) -> bool {
    matches!(bare.kind(Path::new(names::TEMPORARY)), Ok(Some(FileKind::File { .. })))
}

/// Folders in a folder, sorted; no links, nothing whose name begins with a dot.
pub(super) fn plain_folders(tree: &Tree, folder: &Path, report: &mut RepoReport) -> Vec<OsString> {
    let listed = tree.plain_subtree(folder).and_then(|opened| Ok((opened.names(Path::new(""))?, opened)));
    let (mut names, opened) = match listed {
        Ok(listed) => listed,
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                report.notes.push(format!("left alone {}: {error}", tree.path().join(folder).display()));
            }
            return Vec::new();
        }
    };
    names.retain(|name| {
        let is_hidden = name.as_encoded_bytes().starts_with(b".");
        !is_hidden && matches!(opened.kind(Path::new(name)), Ok(Some(FileKind::Dir)))
    });
    order::sort(&mut names);
    names
}

/// Opens a folder that looks like a bare repository of its own.
pub(super) fn open_bare(tree: &Tree, relative: &Path) -> Option<Tree> {
    let bare = tree.plain_subtree(relative).ok()?;
    let kind = |name: &str| bare.kind(Path::new(name)).ok().flatten();
    let is_bare =
        matches!(kind("HEAD"), Some(FileKind::File { .. })) && kind("objects") == Some(FileKind::Dir);
    // With a `commondir` git would work on another repository.
    let stands_alone = matches!(bare.kind(Path::new("commondir")), Ok(None));
    (is_bare && stands_alone).then_some(bare)
}
