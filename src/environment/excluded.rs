//! Sidecars in a git worktree stay out of what git shows and adds.
//!
//! git reads `info/exclude` in the folder that all worktrees of a repository share, which is the user's, and a worktree has no
//! configuration of its own. So the sidecars are listed in an excludes file in the env root, and the agent's git gets it by
//! variables (`GIT_CONFIG_COUNT` …) as its `core.excludesFile`, after what the user's own one says. Where a worktree does
//! have a configuration of its own (a new repository, a shared clone, a repository that allows each worktree one), that names
//! the file, too, for a git without the variables. A `.gitignore` in the folders of ours would need neither, and is none: an
//! agent CLI may refuse to read what one names, its brief among it. A tracked file that
//! has our block is marked skip-worktree in the index, which belongs to the worktree: its block is in no commit, and
//! neither is what the agent changes in that file.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::record::{Own, RepositoryRecord};
use crate::git::{Checkout, names_settings_of_worktrees};
use crate::layout::names;
use crate::order;
use crate::sidecar::{EntryKind, Manifest, SidecarPlan, Step};
use crate::sys::tree::{FileKind, Tree};

/// The largest excludes file of the user that is read, in bytes.
const MOST_OF_A_FILE: u64 = 1 << 20;
/// The permission bits of the excludes file: it holds the user's patterns.
const MODE: u32 = 0o600;

/// Makes git ignore the sidecars of `plan` in a repository. `earlier` are those that were there before, `users` is the user's own
/// excludes file; `checkout` opens the repository of an env root that is or will be at `place`.
///
/// # Errors
/// As git and the system report them.
pub(super) fn exclude_sidecars(
    env: &Tree,
    checkout: impl FnOnce() -> Result<Checkout>,
    plan: &SidecarPlan,
    earlier: Option<&Manifest>,
    users: Option<&Path>,
    place: &Path,
    made: &RepositoryRecord,
) -> Result<()> {
    let mut text = users.map(read_users).unwrap_or_default();
    text.extend(patterns(plan).as_bytes());
    env.replace_unsynced(Path::new(names::EXCLUDES), &text, MODE, names::TEMPORARY)
        .with_context(|| format!("write {}", env.path().join(names::EXCLUDES).display()))?;
    let was_hidden = earlier.map(briefs).unwrap_or_default();
    let hidden: Vec<PathBuf> = plan.steps.iter().filter_map(brief_in_a_file).cloned().collect();
    let is_nameable = !made.is_worktree()
        || Tree::open(&made.git_dir).is_ok_and(|common| names_settings_of_worktrees(&common));
    if was_hidden.is_empty() && hidden.is_empty() && !is_nameable {
        return Ok(());
    }
    let checkout = checkout()?;
    if is_nameable {
        checkout.name_excludes(&place.join(names::EXCLUDES))?;
    }
    checkout.hide(&was_hidden, false)?;
    checkout.hide(&hidden, true)
}

/// The variables by which git finds the excludes file of an environment. None where it has none.
pub fn git_variables(env: &Tree, own: &Own) -> BTreeMap<String, OsString> {
    let is_there = matches!(env.kind(Path::new(names::EXCLUDES)), Ok(Some(FileKind::File { .. })));
    if own.repository.is_none() || !is_there {
        return BTreeMap::new();
    }
    let file = env.path().join(names::EXCLUDES).into_os_string();
    let set = [("COUNT", "1".into()), ("KEY_0", "core.excludesFile".into()), ("VALUE_0", file)];
    order::map(set.into_iter().map(|(name, value)| (format!("GIT_CONFIG_{name}"), value)))
}

fn read_users(path: &Path) -> Vec<u8> {
    let read = path.parent().zip(path.file_name()).and_then(|(above, name)| {
        Tree::open(above).and_then(|tree| tree.read(Path::new(name), MOST_OF_A_FILE)).ok()?
    });
    let mut text = read.unwrap_or_default();
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text
}

/// What git must ignore, as patterns that match nothing else. What lies in a folder of ours is ignored with it.
fn patterns(plan: &SidecarPlan) -> String {
    let mut text = String::from("# files of execenv\n");
    let mut folders: Vec<&Path> = Vec::new();
    for step in &plan.steps {
        let (path, is_folder) = match step {
            Step::Dir { path } => (path, true),
            Step::File { path, .. } | Step::Brief { path, before: None, .. } => (path, false),
            Step::Brief { .. } => continue,
        };
        if folders.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        if is_folder {
            folders.push(path);
        }
        let mut pattern = String::from("/");
        for character in path.to_string_lossy().chars() {
            if matches!(character, '*' | '?' | '[' | ']' | '\\' | ' ') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        let end = if is_folder { "/" } else { "" };
        writeln!(text, "{pattern}{end}").expect("a String takes every text");
    }
    text
}

/// A file that was there before it got our block.
fn brief_in_a_file(step: &Step) -> Option<&PathBuf> {
    match step {
        Step::Brief { target, before: Some(_), .. } => Some(target),
        _ => None,
    }
}

fn briefs(manifest: &Manifest) -> Vec<PathBuf> {
    let entries = manifest.record.iter().flat_map(|record| &record.entries);
    entries
        .filter(|entry| entry.kind == EntryKind::Brief && entry.before.is_some())
        .map(|entry| entry.path.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_the_sidecars_and_nothing_else() {
        let file = |path: &str| Step::File { path: path.into(), bytes: Vec::new(), mode: 0o644 };
        let dir = |path: &str| Step::Dir { path: path.into() };
        let steps =
            vec![dir(".claude"), file(".claude/x"), file("a b*.md"), dir(".claude/skills"), file("c")];
        let plan = SidecarPlan { steps, warnings: Vec::new() };
        assert_eq!(patterns(&plan), "# files of execenv\n/.claude/\n/a\\ b\\*.md\n/c\n");
    }
}
