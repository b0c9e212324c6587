//! Keeping what was done by hand at a conflict before files are written over.

use std::path::PathBuf;

use anyhow::Result;

use super::desk::Desk;
use crate::environment::{CurrentMerge, ref_key};
use crate::git::Working;

impl Desk<'_> {
    /// Keeps these files by a ref in the repository, if any of them is neither as the merge wrote it nor as HEAD has it.
    pub(super) fn keep_edits(
        &self,
        working: &Working<'_>,
        current: &CurrentMerge,
        files: &[PathBuf],
    ) -> Result<Option<String>> {
        let message =
            format!("execenv: files at a merge of {}, before they were written over\n", current.branch);
        let parents = [current.orig_head.as_str(), &current.source];
        let commit = working.edited(files, &current.tree, &parents, &message, &self.committer())?;
        let Some(commit) = commit else { return Ok(None) };
        let name = format!("{}/merge-{}", ref_key(&self.key()), self.now.timestamp());
        let name = self.checkout.keep_commit(&name, &commit)?;
        log::warn!("kept the edited files of the merge as {name} in the repository");
        Ok(Some(name))
    }
}
