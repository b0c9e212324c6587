//! Finds repositories below a work dir.

use std::path::{Path, PathBuf};

/// How deep they are searched for: deeper than real trees are, and within the length of a path.
const MAX_DEPTH: usize = 40;
/// The most folders that are searched.
const MAX_FOLDERS: usize = 200_000;

/// The result of a search.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// Folders with a `.git`, and bare repositories.
    pub(super) repositories: Vec<PathBuf>,
    /// The first folder that was not searched, and why: a repository may lie in it.
    pub(super) gap: Option<(PathBuf, String)>,
}

/// Finds repositories in all folders below `work_dir`, without following links.
pub(super) fn search(work_dir: &Path) -> Search {
    let mut found = Search::default();
    let mut looked_into = 0;
    let mut waiting = vec![(work_dir.to_owned(), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        looked_into += 1;
        if looked_into > MAX_FOLDERS {
            found.gap(&folder, format!("more than {MAX_FOLDERS} folders"));
            break;
        }
        if depth > MAX_DEPTH {
            found.gap(&folder, format!("more than {MAX_DEPTH} levels deep"));
            continue;
        }
        if let Err(error) = look_into(&folder, depth, &mut found, &mut waiting) {
            found.gap(&folder, error.to_string());
        }
    }
    found.repositories.sort_unstable();
    found
}

fn look_into(
    folder: &Path,
    depth: usize,
    found: &mut Search,
    waiting: &mut Vec<(PathBuf, usize)>,
) -> std::io::Result<()> {
    let (mut has_git, mut bare) = (false, 0);
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        bare += usize::from(matches!(name.to_str(), Some("HEAD" | "objects" | "refs")));
        if name == ".git" {
            has_git = true;
        } else if entry.file_type()?.is_dir() {
            waiting.push((folder.join(name), depth + 1));
        }
    }
    if has_git || bare == 3 {
        let repository = if has_git { folder.join(".git") } else { folder.to_owned() };
        match trap(&repository) {
            // Git would wait there until its time limit.
            Some(path) => found.gap(&path, "it is neither a file nor a folder".into()),
            None => found.repositories.push(folder.to_owned()),
        }
    }
    Ok(())
}

/// A part of a repository in which git would wait for ever: a FIFO, a socket, a device. An agent can put one deeper, too;
/// then the time limit ends git.
fn trap(repository: &Path) -> Option<PathBuf> {
    let parts = ["", "HEAD", "config", "index", "packed-refs", "commondir", "gitdir", "shallow"];
    let waits =
        |path: &PathBuf| path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
    parts.iter().map(|part| repository.join(part)).find(waits)
}

impl Search {
    fn gap(&mut self, folder: &Path, why: String) {
        self.gap.get_or_insert_with(|| (folder.to_owned(), why));
    }
}
