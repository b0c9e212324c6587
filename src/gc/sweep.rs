//! The trash in a cycle: what is older than its time goes for good.

use anyhow::Result;

use super::cycle::GcRequest;
use super::summary::Summary;
use crate::environment::{TrashEntry, trash, unsaved_in_trash};
use crate::sys::tree::Tree;

pub(super) fn sweep_trash(request: &GcRequest<'_>, tree: &Tree, summary: &mut Summary) -> Result<()> {
    for entry in trash::entries(request.root, tree)? {
        let age = request.now.timestamp() - entry.parsed.at;
        let due = age > request.trash_ttl.num_seconds() || request.trash_ttl.is_zero();
        summary.interrupted |= request.is_stopped();
        if summary.interrupted {
            return Ok(());
        }
        if due && !request.dry_run {
            // What it took is only of interest where a bound counts it.
            let counts = request.bounds.any_bytes();
            let bytes = if counts { trash::size_of(request.root, &entry) } else { 0 };
            match sweep(request, tree, &entry) {
                Ok(true) => {
                    summary.trash_swept += 1;
                    summary.bytes_freed += bytes;
                }
                Ok(false) => {}
                Err(error) => {
                    log::warn!("{error:#}");
                    summary.failed += 1;
                }
            }
        }
    }
    Ok(())
}

/// What the trash holds in the end; in a dry run, what it would hold without the first `emptied` entries.
pub(super) fn count_trash(
    request: &GcRequest<'_>,
    tree: &Tree,
    summary: &mut Summary,
    emptied: u64,
) -> Result<()> {
    let skipped = usize::try_from(emptied).unwrap_or(usize::MAX);
    for entry in trash::entries(request.root, tree)?.iter().skip(skipped) {
        summary.trash_entries += 1;
        summary.trash_bytes += trash::size_of(request.root, entry);
    }
    Ok(())
}

/// Deletes an entry for good, unless it holds work that is nowhere else: a prepare in the place of an older
/// environment puts that one aside as it is. `false`: it stays.
pub(super) fn sweep(request: &GcRequest<'_>, tree: &Tree, entry: &TrashEntry) -> Result<bool> {
    if let Some(first) = unsaved_in_trash(request.root, tree, entry, request.git).first() {
        log::warn!(
            "kept {} in the trash: {}: {}; `execenv trash restore` gives it back, `execenv trash empty` lets it go",
            entry.name,
            first.path.display(),
            first.what
        );
        return Ok(false);
    }
    trash::delete(tree, &entry.name)?;
    Ok(true)
}
