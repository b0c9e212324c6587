//! A home as it is put together by several hands.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::provider::plan::{Home, HomeContent, HomeEntry};
use crate::sys::tree::{FileKind, Tree};

use super::shared::HOME_NAME;

/// The folder's mode: configuration and login are in it.
const PRIVATE: u32 = 0o700;

/// Entries so far. A path's order is its components': parents stand before children.
pub(super) struct Draft<'a> {
    /// The home as it stands, if there is one.
    pub(super) present: Option<&'a Tree>,
    entries: BTreeMap<PathBuf, HomeEntry>,
    dropped: BTreeSet<OsString>,
    pub(super) warnings: Vec<String>,
    pub(super) stores: Vec<PathBuf>,
    pub(super) store_files: Vec<(PathBuf, PathBuf)>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(present: Option<&'a Tree>) -> Draft<'a> {
        Draft {
            present,
            entries: BTreeMap::new(),
            dropped: BTreeSet::new(),
            warnings: Vec::new(),
            stores: Vec::new(),
            store_files: Vec::new(),
        }
    }

    /// Puts an entry at a path, with the folders above it.
    pub(super) fn put(&mut self, path: impl AsRef<Path>, entry: HomeEntry) {
        let path = path.as_ref();
        for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            self.entries.entry(parent.to_owned()).or_insert(HomeEntry::Dir { mode: 0o755 });
        }
        self.entries.insert(path.to_owned(), entry);
    }

    /// The bytes of a file that was put at a path.
    pub(super) fn bytes(&self, path: impl AsRef<Path>) -> Option<&[u8]> {
        match self.entries.get(path.as_ref())? {
            HomeEntry::File { bytes, .. } => Some(bytes),
            _ => None,
        }
    }

    /// Lets a name of an older home go unless something is put there.
    pub(super) fn drop_old(&mut self, name: impl AsRef<OsStr>) {
        self.dropped.insert(name.as_ref().to_owned());
    }

    /// What stands at a path of the home now.
    pub(super) fn kind(&self, path: impl AsRef<Path>) -> Option<FileKind> {
        self.present.and_then(|present| present.kind(path.as_ref()).ok().flatten())
    }

    /// The target of a link in the present home.
    pub(super) fn link(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        self.present.and_then(|present| present.read_link(path.as_ref()).ok())
    }

    /// The home.
    pub(super) fn finish(&mut self) -> Home {
        let entries = std::mem::take(&mut self.entries);
        let mut dropped = std::mem::take(&mut self.dropped);
        dropped.retain(|name| !entries.contains_key(Path::new(name)));
        let content = HomeContent::Folder {
            mode: PRIVATE,
            entries: entries.into_iter().collect(),
            dropped: dropped.into_iter().collect(),
        };
        Home { name: HOME_NAME, content }
    }
}
