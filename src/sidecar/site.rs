//! Where a round of sidecars works.

use std::path::Path;

use anyhow::{Context, Result};

use super::folder::Folder;
use super::places::Places;
use super::proof::Seal;
use crate::sys::tree::Tree;

/// The env root that keeps the manifest, and the work dir that gets the sidecars.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The env root.
    pub env: &'a Tree,
    /// The work dir.
    pub work_tree: &'a Tree,
    /// The path of the work dir, as the manifest names it.
    pub work_dir: &'a Path,
    /// Whether the work dir is a user folder.
    pub is_user_folder: bool,
    /// What the manifest is proved with; without it the manifest has no proof.
    pub seal: Option<&'a Seal<'a>>,
    /// On what grounds sidecars are taken back.
    pub grounds: Grounds<'a>,
}

/// On what grounds sidecars are taken back.
#[derive(Clone, Copy, Debug)]
pub enum Grounds<'a> {
    /// The record: it is proved, or names nothing outside of the env root.
    Record,
    /// The user's word for the folder (`--local-dir`). The record is a claim, so only what is at one of these places goes,
    /// and only with the recorded bytes.
    Word(&'a Places),
}

impl<'a> Site<'a> {
    /// A work dir in the env root: its manifest needs no proof, because all that it can name is the agent's own.
    pub fn managed(env: &'a Tree, work_tree: &'a Tree, work_dir: &'a Path) -> Site<'a> {
        Site { env, work_tree, work_dir, is_user_folder: false, seal: None, grounds: Grounds::Record }
    }

    /// A user folder.
    pub fn user_folder(
        env: &'a Tree,
        work_tree: &'a Tree,
        work_dir: &'a Path,
        seal: Option<&'a Seal<'a>>,
    ) -> Site<'a> {
        Site { env, work_tree, work_dir, is_user_folder: true, seal, grounds: Grounds::Record }
    }

    /// What identifies the work dir, if it is a user folder.
    pub(super) fn folder(&self) -> Result<Option<Folder>> {
        let folder = self.is_user_folder.then(|| Folder::of(self.work_tree)).transpose();
        folder.with_context(|| format!("look at {}", self.work_dir.display()))
    }
}
