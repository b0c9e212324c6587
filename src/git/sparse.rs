//! A checkout of some folders only (`--sparse`), in git's cone mode: these folders with all that is in them, and the files
//! that lie in the folders above.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use super::repository::Repository;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::order;
use crate::sys::tree::{FileKind, Tree};

/// Where a repository keeps the settings of one worktree; a bare one, those that are not its worktrees'.
pub(super) const OF_WORKTREE: &str = "config.worktree";
/// The largest configuration that is searched, in bytes.
const MOST_OF_A_CONFIGURATION: u64 = 1 << 20;
const SETTINGS: &str = "[core]\n\tsparseCheckout = true\n\tsparseCheckoutCone = true\n";

/// Checks folders of a command line.
///
/// # Errors
/// A [`Code::Usage`] failure for what is no folder in a repository.
pub fn check_sparse(folders: &[String]) -> Result<()> {
    for folder in folders {
        let is_step = |step: &str| !step.is_empty() && !matches!(step, "." | ".." | ".git");
        let is_plain = !folder.chars().any(|c| c.is_control() || r#"*?[]\"!#"#.contains(c));
        if !is_plain || !folder.trim_end_matches('/').split('/').all(is_step) {
            let message = format!("`--sparse {}` is no folder of a repository", folder.escape_debug());
            return Err(Failure::new(Code::Usage, message)
                .hint("name folders by their path in the repository, such as `--sparse src/app`")
                .into());
        }
    }
    Ok(())
}

/// Writes which folders are checked out into a git folder inside of an open repository.
///
/// # Errors
/// As the system reports them.
pub fn write_sparse(repository: &Tree, own: &Path, folders: &[String]) -> Result<()> {
    let info = own.join("info");
    let file = info.join("sparse-checkout");
    repository
        .ensure_dir(&info, 0o755)
        .and_then(|()| repository.create_unseen(&file, patterns(folders).as_bytes(), 0o644))
        .with_context(|| format!("write {}", repository.path().join(&file).display()))
}

/// Whether the configuration of a repository says anything of settings that each worktree has of its own. Starts no git.
pub fn names_settings_of_worktrees(repository: &Tree) -> bool {
    let text =
        repository.read(Path::new("config"), MOST_OF_A_CONFIGURATION).ok().flatten().unwrap_or_default();
    let word = b"worktreeconfig";
    text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

/// Writes the settings of a worktree in a repository that allows them.
pub(super) fn write_settings(bare: &Tree, registration: &Path) -> Result<()> {
    let file = registration.join(OF_WORKTREE);
    bare.create_unseen(&file, SETTINGS.as_bytes(), 0o644)
        .with_context(|| format!("write {}", bare.path().join(&file).display()))
}

impl Repository<'_> {
    /// Lets each worktree of this bare repository, which is open, have settings of its own. `core.bare` must be the
    /// repository's alone then.
    pub(super) fn allow_settings_of_worktrees(&self, bare: &Tree) -> Result<()> {
        let asked = ["config", "--local", "--type=bool", "--get", "extensions.worktreeConfig"];
        if self.look(asked).answer()?.is_some_and(|value| value.starts_with(b"true")) {
            return Ok(());
        }
        // Without it git goes by the folder's name. In another order worktrees would count as bare for a moment.
        self.work(["config", "--local", "--unset-all", "core.bare"]).succeeds()?;
        let file = Path::new(OF_WORKTREE);
        if !matches!(bare.kind(file), Ok(Some(FileKind::File { .. }))) {
            let writing = || format!("write {}", bare.path().join(file).display());
            bare.replace(file, b"[core]\n\tbare = true\n", 0o644, names::TEMPORARY).with_context(writing)?;
        }
        for (key, value) in [("core.repositoryformatversion", "1"), ("extensions.worktreeConfig", "true")] {
            self.work(["config", "--local", key, value]).output()?;
        }
        Ok(())
    }
}

/// The patterns of cone mode.
fn patterns(folders: &[String]) -> String {
    let mut above = BTreeSet::new();
    let mut whole = BTreeSet::new();
    for folder in folders.iter().map(|folder| folder.trim_end_matches('/')) {
        whole.insert(folder);
        let ends = folder.match_indices('/').map(|(end, _)| end);
        above.extend(ends.map(|end| &folder[..end]));
    }
    let is_inside = |folder: &str| {
        whole.iter().any(|whole| folder.strip_prefix(whole).is_some_and(|rest| rest.starts_with('/')))
    };
    let mut text = "/*\n!/*/\n".to_owned();
    // Parents come before what is in them.
    let all = order::set(above.iter().chain(&whole).copied());
    for folder in all.into_iter().filter(|folder| !is_inside(folder)) {
        let _ = writeln!(text, "/{folder}/");
        if !whole.contains(folder) {
            let _ = writeln!(text, "!/{folder}/*/");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patterns_are_those_of_git() {
        for (folders, expected) in [
            (vec!["src"], "/*\n!/*/\n/src/\n"),
            (vec!["a/b/c/"], "/*\n!/*/\n/a/\n!/a/*/\n/a/b/\n!/a/b/*/\n/a/b/c/\n"),
            (vec!["a/b", "a"], "/*\n!/*/\n/a/\n"),
            (vec!["a/b", "a/c"], "/*\n!/*/\n/a/\n!/a/*/\n/a/b/\n/a/c/\n"),
        ] {
            let folders: Vec<String> = folders.into_iter().map(str::to_owned).collect();
            assert_eq!(patterns(&folders), expected, "{folders:?}");
        }
    }

    #[test]
    fn only_plain_folders_are_taken() {
        for (folder, is_one) in [
            ("src", true),
            ("a/b c/", true),
            ("ü/x.y", true),
            ("", false),
            ("/src", false),
            ("../x", false),
            ("a//b", false),
            ("*.rs", false),
            ("!x", false),
            ("a\nb", false),
            (".git", false),
        ] {
            assert_eq!(check_sparse(&[folder.to_owned()]).is_ok(), is_one, "{folder}");
        }
    }
}
