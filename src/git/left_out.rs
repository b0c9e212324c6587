//! A tree without files that are execenv's own: an agent may have committed them in another environment.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::checkout::Checkout;
use super::working::{nul_lines, paths};

impl Checkout {
    /// The tree without those of the files that the commit `head` does not have, and how many it had. `None`: it has none of them.
    ///
    /// # Errors
    /// As git reports them.
    pub fn without(&self, tree: &str, files: &[PathBuf], head: &str) -> Result<Option<(String, usize)>> {
        let repository = self.repository();
        let among = |tree: &str| -> Result<Vec<PathBuf>> {
            let list = repository.look(["ls-tree", "-r", "-z", "--name-only", "--full-tree", tree, "--"]);
            Ok(paths(&list.args(files).output()?))
        };
        let mut left_out = if files.is_empty() { Vec::new() } else { among(tree)? };
        if left_out.is_empty() {
            return Ok(None);
        }
        let known = among(head)?;
        left_out.retain(|file| files.contains(file) && !known.contains(file));
        if left_out.is_empty() {
            return Ok(None);
        }
        let view = repository.view_of_files(self.folders())?;
        let index = view.tree().path().join("index");
        let call = |args: &[&str]| {
            let call = repository.work(args.iter().copied()).through(&view).and_to(view.tree());
            call.variable("GIT_INDEX_FILE", &index)
        };
        call(&["read-tree", tree]).output()?;
        let names = nul_lines(left_out.iter().map(|file| -> &Path { file }));
        call(&["update-index", "--force-remove", "-z", "--stdin"]).input(names).output()?;
        Ok(Some((call(&["write-tree"]).text()?, left_out.len())))
    }
}
