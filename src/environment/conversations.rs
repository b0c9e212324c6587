//! Conversations of Claude Code with environments that are gone. It files them in the user's own home, in one folder for
//! each folder that it ran in, so they are not in the env root and did not go with it.
//!
//! Invariants: a folder is removed only if everything says that it is an environment's. Its name is what Claude Code makes of
//! the work dir in an env root; each conversation in it says that it was held there; neither the workspaces root nor its
//! trash has that environment; and nothing was written for an hour. Any doubt keeps it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;

use super::stores::{Pruned, Pruning};
use super::trash::has_entry_of;
use crate::layout::names;
use crate::sys::tree::{FileKind, Tree};
use crate::sys::walk::measure;

/// What is read of a conversation, in bytes, and how many conversations a folder may have.
const MOST_READ: u64 = 256 << 10;
const MOST_FILES: usize = 1_000;
/// Claude Code shortens longer names.
const LONGEST_NAME: usize = 200;

/// Removes the folders of environments that are gone. `projects` is the folder that holds
/// them, such as `~/.claude/projects`.
///
/// # Errors
/// When the folder is there and cannot be listed.
pub fn prune(root: &Tree, projects: &Path, now: DateTime<Utc>, deed: Pruning) -> Result<Vec<Pruned>> {
    let Ok(real) = root.path().canonicalize() else { return Ok(Vec::new()) };
    let Some(prefix) = folder_name(&real).map(|name| format!("{name}-")) else { return Ok(Vec::new()) };
    let Ok(tree) = Tree::open(projects) else { return Ok(Vec::new()) };
    let listed = tree.names(Path::new("")).with_context(|| format!("list {}", projects.display()))?;
    let is_candidate = |name: &&str| name.starts_with(&prefix) && name.ends_with("-workdir");
    let mut pruned = Vec::new();
    for name in listed.iter().filter_map(|name| name.to_str()).filter(is_candidate) {
        if !is_of_a_gone_environment(root, &real, &tree, name, now) {
            continue;
        }
        let folder = projects.join(name);
        let bytes = measure(&folder).bytes;
        let done = match deed {
            Pruning::Find => Ok(()),
            Pruning::Remove => tree.remove_all(Path::new(name)),
        };
        match done {
            Ok(()) => pruned.push(Pruned { store: folder, bytes }),
            Err(error) => log::warn!("{} is kept: {error}", folder.display()),
        }
    }
    Ok(pruned)
}

fn is_of_a_gone_environment(
    root: &Tree,
    real: &Path,
    projects: &Tree,
    name: &str,
    now: DateTime<Utc>,
) -> bool {
    let folder = Path::new(name);
    if !matches!(projects.kind(folder), Ok(Some(FileKind::Dir))) {
        return false;
    }
    let Ok(newest) = projects.newest_change(folder) else { return false };
    if now.signed_duration_since(DateTime::<Utc>::from(newest)) < Duration::hours(1) {
        return false;
    }
    let Some((workspace, key)) = environment_of(real, projects, name) else { return false };
    matches!(root.kind(&Path::new(&workspace).join(&key)), Ok(None)) && !has_entry_of(root, &workspace, &key)
}

/// Workspace and key of the environment in whose work dir all conversations of a folder were held.
fn environment_of(real: &Path, projects: &Tree, name: &str) -> Option<(String, String)> {
    let files = projects.names(Path::new(name)).ok()?;
    let is_conversation =
        |file: &&std::ffi::OsString| Path::new(file).extension() == Some(OsStr::new("jsonl"));
    let conversations: Vec<_> = files.iter().filter(is_conversation).collect();
    if conversations.is_empty() || conversations.len() > MOST_FILES {
        return None;
    }
    let mut found: Option<(String, String)> = None;
    for file in conversations {
        let text = projects.read_start(&Path::new(name).join(file), MOST_READ).ok()??;
        let held_in = first_folder(&String::from_utf8_lossy(&text))?;
        let mut parts = held_in.strip_prefix(real).ok()?.iter().map(|part| part.to_str());
        let (workspace, key) = (parts.next()??.to_owned(), parts.next()??.to_owned());
        let work_dir = real.join(&workspace).join(&key).join(names::WORK_DIR);
        // The agent of a folder of a repository runs below the work dir.
        let is_named = [&work_dir, &held_in].iter().any(|path| folder_name(path).as_deref() == Some(name));
        let is_it = parts.next()? == Some(names::WORK_DIR) && is_named;
        if !is_it || found.as_ref().is_some_and(|found| *found != (workspace.clone(), key.clone())) {
            return None;
        }
        found = Some((workspace, key));
    }
    found
}

/// The folder that a conversation says first that it was held in.
fn first_folder(text: &str) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Line {
        cwd: PathBuf,
    }
    text.lines().find_map(|line| serde_json::from_str::<Line>(line).ok()).map(|line| line.cwd)
}

/// What Claude Code calls the folder for a path (2.1.332): everything but letters and digits is a `-`. `None` for names that
/// it makes in another way.
fn folder_name(path: &Path) -> Option<String> {
    let path = path.to_str().filter(|path| path.is_ascii() && path.len() <= LONGEST_NAME)?;
    Some(path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "the tests make their own fixtures")]

    use std::fs;

    use super::*;

    #[test]
    fn only_what_is_certainly_of_a_gone_environment_goes() {
        let tmp = tempfile::tempdir().unwrap();
        let real = tmp.path().canonicalize().unwrap();
        let (root, projects) = (real.join("root"), real.join("projects"));
        fs::create_dir_all(root.join("w/alive00/workdir")).unwrap();
        fs::create_dir_all(root.join(".trash/w+trashed0+1700000000-abcdefgh")).unwrap();
        let conversation = |folder: &Path, held_in: &Path| {
            let name = projects.join(folder_name(folder).unwrap());
            fs::create_dir_all(&name).unwrap();
            let line = serde_json::json!({ "type": "user", "cwd": held_in, "sessionId": "s" });
            fs::write(name.join("s.jsonl"), format!("{{\"type\":\"summary\"}}\n{line}\n")).unwrap();
            name
        };
        let work_dir = |key: &str| root.join("w").join(key).join("workdir");
        let gone = conversation(&work_dir("gone0000"), &work_dir("gone0000"));
        fs::create_dir(gone.join("memory")).unwrap();
        let below = conversation(&work_dir("below000"), &work_dir("below000").join("sub"));
        let kept = [
            conversation(&work_dir("alive00"), &work_dir("alive00")),
            conversation(&work_dir("trashed0"), &work_dir("trashed0")),
            // Another folder has the same name.
            conversation(&work_dir("other000"), &root.join("w-other000/workdir")),
            // Not in a work dir, not below this root, no conversation that says where.
            conversation(&root.join("w/plain000"), &root.join("w/plain000")),
            conversation(
                &real.join("elsewhere/w/gone0000/workdir"),
                &real.join("elsewhere/w/gone0000/workdir"),
            ),
        ];
        let silent = projects.join(folder_name(&work_dir("silent00")).unwrap());
        fs::create_dir_all(&silent).unwrap();
        fs::write(silent.join("s.jsonl"), "{\"type\":\"summary\"}\n").unwrap();
        let mixed = conversation(&work_dir("mixed000"), &work_dir("mixed000"));
        fs::write(mixed.join("t.jsonl"), "{\"cwd\":\"/home/ada/project\"}\n").unwrap();
        let link = projects.join(folder_name(&work_dir("linked00")).unwrap());
        std::os::unix::fs::symlink(&gone, &link).unwrap();

        let tree = Tree::open(&root).unwrap();
        let later = Utc::now() + Duration::hours(2);
        assert_eq!(
            prune(&tree, &projects, Utc::now(), Pruning::Remove).unwrap(),
            [],
            "an hour must have passed"
        );
        let names = |pruned: Vec<Pruned>| {
            let mut names: Vec<_> = pruned.into_iter().map(|pruned| pruned.store).collect();
            names.sort_unstable();
            names
        };
        let mut expected = vec![gone.clone(), below.clone()];
        expected.sort_unstable();
        assert_eq!(names(prune(&tree, &projects, later, Pruning::Find).unwrap()), expected);
        assert!(gone.exists() && below.exists(), "a dry run");
        assert_eq!(names(prune(&tree, &projects, later, Pruning::Remove).unwrap()), expected);
        assert!(!gone.exists() && !below.exists());
        for folder in kept.iter().chain([&silent, &mixed]) {
            assert!(folder.join("s.jsonl").exists(), "{}", folder.display());
        }
        assert!(link.symlink_metadata().is_ok());
        assert_eq!(prune(&tree, &real.join("none"), later, Pruning::Remove).unwrap(), []);
    }
}
