//! The trash in a cycle: what is older than its time goes for good, and what a bound asks for.

use anyhow::Result;

use super::cycle::Cycle;
use crate::environment::{TrashEntry, trash, unsaved_in_trash};

impl Cycle<'_> {
    /// Deletes what is older than the trash keeps things.
    pub(super) fn sweep_trash(&mut self) -> Result<()> {
        let ttl = self.request.trash_ttl;
        for entry in self.trash_entries()? {
            if self.stopped() {
                return Ok(());
            }
            let age = self.request.now.timestamp() - entry.parsed.at;
            if ttl.is_zero() || age > ttl.num_seconds() {
                self.sweep(&entry);
            }
        }
        Ok(())
    }

    /// What is in the trash, oldest first; in a dry run without what would have been deleted by now.
    pub(super) fn trash_entries(&self) -> Result<Vec<TrashEntry>> {
        let mut entries = trash::entries(self.request.root, self.tree)?;
        entries.retain(|entry| !self.would_be_swept.contains(&entry.name));
        Ok(entries)
    }

    /// Deletes an entry for good, unless it holds work that is nowhere else: a prepare in the place of an older
    /// environment puts that one aside as it is. Gives back what it took, in bytes; `None`: it stays. A dry run
    /// answers the same.
    pub(super) fn sweep(&mut self, entry: &TrashEntry) -> Option<u64> {
        let request = self.request;
        if let Some(first) = unsaved_in_trash(request.root, self.tree, entry, request.git).first() {
            log::warn!(
                "kept {} in the trash: {}: {}; `execenv trash restore` gives it back, `execenv trash empty` lets it go",
                entry.name,
                first.path.display(),
                first.what
            );
            return None;
        }
        let bytes = trash::size_of(request.root, entry);
        if request.dry_run {
            self.would_be_swept.insert(entry.name.clone());
        } else if let Err(error) = trash::delete(self.tree, &entry.name) {
            log::error!("{error:#}");
            self.summary.failed += 1;
            return None;
        }
        self.summary.trash_swept += 1;
        self.summary.bytes_freed += bytes;
        Some(bytes)
    }

    /// Counts what the trash holds in the end.
    pub(super) fn count_trash(&mut self) -> Result<()> {
        for entry in self.trash_entries()? {
            self.summary.trash_entries += 1;
            self.summary.trash_bytes += trash::size_of(self.request.root, &entry);
        }
        Ok(())
    }
}
