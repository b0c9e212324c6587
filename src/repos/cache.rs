//! One repository of the cache, open for its upkeep.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use super::bare::BareRepo;
use super::effects::Effects;
use super::policy::{RepoPolicy, RepoReport};
use crate::environment::WorkspacesRoot;
use crate::sys::tree::Tree;

/// One repository of the cache.
pub(super) struct Cache<'a> {
    pub(super) root: &'a WorkspacesRoot,
    pub(super) tree: &'a Tree,
    /// Its place below the root.
    pub(super) relative: PathBuf,
    pub(super) bare: Tree,
    pub(super) git: BareRepo<'a>,
    pub(super) effects: &'a dyn Effects,
    pub(super) policy: &'a RepoPolicy,
    pub(super) stop: &'a AtomicBool,
    pub(super) report: &'a mut RepoReport,
}

impl Cache<'_> {
    pub(super) fn path(&self) -> String {
        self.bare.path().display().to_string()
    }

    pub(super) fn note(&mut self, note: String) {
        self.report.notes.push(note);
    }
}

/// A word as a shell takes it. An agent names its branches.
pub(super) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
