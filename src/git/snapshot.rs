//! The working files of a worktree as a commit in its repository, before the worktree goes by force.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Git;
use super::search::search;

impl Git {
    /// Writes the worktree at `path` as a commit on its HEAD into its repository, as a new ref that begins with
    /// `name`, and gives back the ref. The worktree's own index stays as it is: `index` is a file that may be made.
    ///
    /// # Errors
    /// As git reports them; there is no ref then.
    pub fn snapshot(&self, path: &Path, name: &str, index: &Path, ours: &[PathBuf]) -> Result<String> {
        let mut git = self.filters_off(path)?;
        git.set("GIT_INDEX_FILE", index);
        for who in ["AUTHOR", "COMMITTER"] {
            git.set(format!("GIT_{who}_NAME"), "execenv");
            git.set(format!("GIT_{who}_EMAIL"), "execenv@localhost");
        }
        let has_head = git.run(path, &["rev-parse", "--quiet", "--verify", "HEAD"])?.status.success();
        if has_head {
            git.output(path, &["read-tree", "HEAD"])?;
        }
        // In a sparse checkout most files are not there, and have not been deleted.
        let sparse = git.run(path, &["config", "--type=bool", "--get", "core.sparseCheckout"])?;
        let all = if sparse.stdout.starts_with(b"true") { "--ignore-removal" } else { "--all" };
        let mut add: Vec<OsString> =
            ["-c", "core.safecrlf=false", "add", "--sparse", all, "--", "."].map(OsString::from).into();
        // Repositories below are asked about, and saved, on their own; git would start a git in each.
        let below = search(path).repositories;
        for other in below.iter().chain(ours).filter_map(|other| other.strip_prefix(path).ok()) {
            if !other.as_os_str().is_empty() {
                let mut word = OsString::from(":(top,exclude,literal)");
                word.push(other);
                add.push(word);
            }
        }
        git.output(path, &add)?;
        let tree = git.text(path, &["write-tree"])?;
        let mut commit = vec!["commit-tree", "-m", "execenv: a worktree that went by force", &tree];
        if has_head {
            commit.extend(["-p", "HEAD"]);
        }
        let commit = git.text(path, &commit)?;
        // The empty old value: only a ref that is not there yet.
        let mut number = 0;
        loop {
            let suffix = if number == 0 { String::new() } else { format!("-{number}") };
            let name = format!("refs/execenv/{name}{suffix}");
            match git.output(path, &["update-ref", &name, &commit, ""]) {
                Ok(_) => return Ok(name),
                Err(error) if number >= 100 => return Err(error),
                Err(_) => number += 1,
            }
        }
    }
}
