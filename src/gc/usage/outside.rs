//! What belongs to environments and lies outside of every root, where no other report shows it.

use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use serde::Serialize;

use crate::order;
use crate::sys::tree::Tree;
use crate::sys::walk::{Place, Size, Visitor, measure};

/// One place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Outside {
    /// The folder.
    pub path: String,
    /// What it contains: a stable word.
    pub what: &'static str,
    /// The size of that.
    pub size_bytes: u64,
    /// How many of it there are.
    pub count: u64,
}

/// Where to look.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Where multica makes the private folders of its tasks.
    pub task_temp_base: PathBuf,
    /// Where execenv makes those of its runs.
    pub run_temp_base: PathBuf,
    /// The Codex home that all tasks share.
    pub codex_home: Option<PathBuf>,
    /// Multica's own folder, with those of its profiles.
    pub multica_home: Option<PathBuf>,
}

/// Measures each place. One without any of these things is left out.
pub fn outside(places: &Places) -> Vec<Outside> {
    let mut found = Vec::new();
    found.extend(own_folders(&places.task_temp_base, "task_temp_dirs", |name| {
        name.starts_with("multica-task-")
    }));
    found.extend(own_folders(&places.run_temp_base, "run_temp_dirs", is_run_folder));
    if let Some(codex) = &places.codex_home {
        // `<namespace>/<agent>/<conversation>`, as multica lays it out.
        found.extend(store(&codex.join("multica-sessions"), "codex_sessions", 3));
    }
    for home in places.multica_home.iter().flat_map(|home| with_profiles(home)) {
        // `<agent>/<segment>`, and `<agent>/<segment>/<conversation>`.
        found.extend(store(&home.join("hermes-state"), "hermes_state", 2));
        found.extend(store(&home.join("hermes-sessions"), "hermes_sessions", 3));
    }
    found
}

/// The name of a run's private folder contains the start of the run's id.
fn is_run_folder(name: &str) -> bool {
    let Some(id) = name.strip_prefix("execenv-") else { return false };
    let is_hex = |part: &str, len| part.len() == len && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    id.split_once('-').is_some_and(|(start, rest)| is_hex(start, 8) && is_hex(rest, 4))
}

/// Folders of this user in a place that all users write to.
fn own_folders(base: &Path, what: &'static str, wanted: impl Fn(&str) -> bool) -> Option<Outside> {
    let user = rustix::process::getuid().as_raw();
    let mut found = Outside { path: base.to_string_lossy().into_owned(), what, size_bytes: 0, count: 0 };
    for entry in std::fs::read_dir(base).ok()?.flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(&wanted)
            && entry.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == user);
        if is_ours {
            found.count += 1;
            found.size_bytes += measure(&entry.path()).bytes;
        }
    }
    (found.count > 0).then_some(found)
}

fn with_profiles(home: &Path) -> Vec<PathBuf> {
    let profiles = std::fs::read_dir(home.join("profiles")).into_iter().flatten().flatten();
    let mut homes: Vec<PathBuf> = profiles.map(|entry| entry.path()).collect();
    order::sort(&mut homes);
    homes.insert(0, home.to_owned());
    homes
}

/// A store of folders that lie `depth` levels down.
fn store(path: &Path, what: &'static str, depth: usize) -> Option<Outside> {
    let mut counter = Counter { depth, count: 0, size: Size::default() };
    // The user may keep the store elsewhere and have a link here.
    Tree::open(path).ok()?.walk(&mut counter).ok()?;
    let Counter { count, size, .. } = counter;
    Some(Outside { path: path.to_string_lossy().into_owned(), what, size_bytes: size.bytes, count })
}

/// Adds up a store, and counts its folders of one depth.
struct Counter {
    depth: usize,
    count: u64,
    size: Size,
}

impl Visitor for Counter {
    fn enter(&mut self, place: Place<'_>, _: BorrowedFd<'_>) -> bool {
        self.count += u64::from(place.path.iter().take(self.depth + 1).count() == self.depth);
        true
    }

    fn leave(&mut self, _: Place<'_>) {}

    fn lost(&mut self, path: &Path) {
        self.size.lost(path);
    }

    fn entry(&mut self, name: &std::ffi::OsStr, len: Option<u64>) {
        self.size.entry(name, len);
    }

    fn closed(&mut self, path: &Path, error: Errno) {
        self.size.closed(path, error);
    }

    fn unreadable(&mut self) {
        self.size.unreadable();
    }

    fn wants_lengths(&self) -> bool {
        true
    }
}
