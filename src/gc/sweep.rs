//! The trash in a cycle: what is older than its time is deleted for good, and what a bound asks for.

use anyhow::Result;

use super::effects::TrashItem;
use super::state::Cycle;
use crate::environment::unsaved_in_trash;
use crate::sys::remove::Stopped;

impl Cycle<'_> {
    /// Deletes what is older than the trash keeps things.
    pub(super) fn sweep_trash(&mut self) -> Result<()> {
        let ttl = self.request.trash_ttl;
        for item in self.effects.trash()? {
            if self.stopped() {
                return Ok(());
            }
            // What this cycle has put there is young.
            let TrashItem::Entry(entry) = &item else { continue };
            let age = self.request.now.timestamp() - entry.parsed.at;
            if ttl.is_zero() || age > ttl.num_seconds() {
                self.sweep(&item);
            }
        }
        Ok(())
    }

    /// Deletes something from the trash for good, unless it holds unsaved work: a prepare in the place of an older
    /// environment puts that one aside as it is. Returns how much it took, in bytes; `None`: it stays.
    pub(super) fn sweep(&mut self, item: &TrashItem) -> Option<u64> {
        let request = self.request;
        if let TrashItem::Entry(entry) = item
            && let Some(first) = unsaved_in_trash(request.root, self.tree, entry, request.git).first()
        {
            log::warn!(
                "kept {} in the trash: {}: {}; restore it (`execenv trash restore`) or delete it for good \
                 (`execenv trash empty`)",
                entry.name,
                first.path.display(),
                first.what
            );
            return None;
        }
        let bytes = item.bytes(request.root);
        if let Err(error) = self.effects.delete(item, bytes) {
            if Stopped::find(&error).is_none() {
                self.fail(&error);
            }
            return None;
        }
        self.summary.trash_swept += 1;
        self.summary.bytes_freed += bytes;
        Some(bytes)
    }

    /// Counts what the trash holds in the end.
    pub(super) fn count_trash(&mut self) -> Result<()> {
        for item in self.effects.trash()? {
            self.summary.trash_entries += 1;
            self.summary.trash_bytes += item.bytes(self.request.root);
        }
        Ok(())
    }
}
