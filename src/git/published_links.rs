//! Submodules of work that is handed on: a commit names which commit each is at, and whoever gets it has to get that one, too.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::checkout::Checkout;
use super::refs::is_commit_id;
use super::traps;

/// Begins a line of `ls-tree` on a submodule.
const LINK: &[u8] = b"160000 commit ";

impl Checkout {
    /// The submodules of a commit, and other repositories in it, that are checked out here and whose commit is on no branch of a remote
    /// of theirs, as far as that can be told.
    ///
    /// # Errors
    /// As git reports it.
    pub fn links_on_no_remote(&self, commit: &str) -> Result<Vec<PathBuf>> {
        let mut listed = Vec::new();
        self.repository().look(["ls-tree", "-r", "-z", commit]).pass_on(&mut |block| {
            listed.extend_from_slice(block);
            Ok(())
        })?;
        let links = listed.split(|byte| *byte == 0).filter_map(link);
        Ok(links
            .filter(|(id, path)| self.is_on_no_remote(id, path))
            .map(|(_, path)| path.to_owned())
            .collect())
    }

    fn is_on_no_remote(&self, id: &str, path: &Path) -> bool {
        let Ok(folder) = self.tree().unlinked_subtree(path) else { return false };
        if !matches!(folder.kind(Path::new(".git")), Ok(Some(_))) {
            return false; // no one has worked there
        }
        if traps::in_repository(&folder).is_some() {
            return true;
        }
        let unheld = ["rev-list", "--max-count=1", id, "--not", "--remotes"];
        let asked = self.repository().beside(folder.path()).look(unheld).text();
        asked.map_or_else(
            |error| {
                log::debug!("{error:#}");
                true
            },
            |commits| !commits.is_empty(),
        )
    }
}

/// The commit and the path of a submodule, from a line of `ls-tree`: `MODE TYPE ID<tab>PATH`.
fn link(line: &[u8]) -> Option<(&str, &Path)> {
    let rest = line.strip_prefix(LINK)?;
    let tab = rest.iter().position(|byte| *byte == b'\t')?;
    let id = std::str::from_utf8(&rest[..tab]).ok().filter(|id| is_commit_id(id))?;
    Some((id, Path::new(OsStr::from_bytes(&rest[tab + 1..]))))
}
