//! Recognising a folder by what execenv wrote into it.

use std::io;
use std::path::Path;

use super::before::digest;
use super::manifest::{EntryKind, Manifest, Record, inside};
use super::marker;
use crate::sys::tree::Tree;

/// The largest file of ours that is read to recognise a folder, in bytes.
const MAX_RECOGNISED: u64 = 4 << 20;

impl Record {
    /// Whether a folder holds what this round wrote: at least one file of ours, and no other bytes in the place of one.
    ///
    /// It speaks for a folder whose inode does not: one that was restored from a backup, or that a container's or a
    /// network's file system shows with other numbers.
    pub fn is_recognised_in(&self, work_tree: &Tree) -> bool {
        let mut found = false;
        let written = self.entries.iter().filter(|entry| entry.kind != EntryKind::Dir);
        for (path, sha256) in written.filter_map(|entry| Some((&entry.path, entry.sha256.as_ref()?))) {
            match read(work_tree, path) {
                Ok(None) => {}
                Ok(Some(bytes)) if digest(&bytes) == *sha256 => found = true,
                Ok(Some(_)) | Err(_) => return false,
            }
        }
        found
    }
}

/// The bytes at a path, through a link if that stays inside; `None`: nothing is there.
fn read(work_tree: &Tree, path: &Path) -> io::Result<Option<Vec<u8>>> {
    match work_tree.resolve(path) {
        Ok(target) => work_tree.read(&target, MAX_RECOGNISED),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl Manifest {
    /// Whether anything that the manifest lists is in a folder, whatever its bytes.
    pub fn is_any_in(&self, work_tree: &Tree) -> bool {
        let work_dir = self.record.as_ref().map_or(work_tree.path(), |record| &record.work_dir);
        let is_there = |path: &Path| matches!(work_tree.kind(path), Ok(Some(_)));
        let has_block = |path: &Path| matches!(read(work_tree, path), Ok(Some(bytes)) if marker::locate(&bytes).is_some());
        let entries = self.record.iter().flat_map(|record| &record.entries);
        self.files.iter().filter_map(|file| inside(work_dir, file)).any(|file| is_there(&file))
            || entries.filter(|entry| entry.kind == EntryKind::Brief).any(|entry| has_block(&entry.path))
    }
}
