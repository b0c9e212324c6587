//! Where an environment holds work that would be lost with it, and in the trash.

use std::path::{Path, PathBuf};

use super::lookup::FoundEnv;
use super::own_refs::ref_key;
use super::repository::{Known, Leaving, place_of};
use super::root::{EnvRoot, WorkspacesRoot};
use super::trash::{TrashEntry, leaving_of};
use crate::git::{Fate, Git, NoWork, Registered, Unsaved};
use crate::layout::names;
use crate::sidecar::Manifest;
use crate::sys::tree::{FileKind, Tree};

/// Work in the environment's own folders that would be lost with its work dir, or with `all` of it. A user's folder
/// is never removed.
pub(crate) fn unsaved_work(found: &FoundEnv, all: bool, git: &Git) -> Vec<Unsaved> {
    let env = &found.env;
    let ours = env.tree.plain_subtree(Path::new(names::WORK_DIR)).ok();
    let ours = Manifest::load(&env.tree).ok().flatten().unwrap_or_default().ours(ours.as_ref());
    let key = env.key();
    let own_refs = ref_key(&key);
    let ours = NoWork { files: &ours, key: &own_refs };
    let work_dir = Path::new(names::WORK_DIR);
    let (mut unsaved, goes) = match all {
        true => (unsaved_in_env(&env.tree, Path::new(""), ours, git), env.path.clone()),
        false if found.work_dir.is_user_folder() => return Vec::new(),
        false => {
            let goes = env.path.join(work_dir);
            (unsaved_in(&env.tree, work_dir, &goes, ours, git), goes)
        }
    };
    if !found.work_dir.is_user_folder() {
        let folder = env.tree.plain_subtree(work_dir).ok();
        let known = Known::of(found.meta.as_ref().and_then(|meta| meta.own.as_ref()));
        let place = place_of(&env.path);
        let leaving =
            Leaving { env: Some(&env.tree), folder: folder.as_ref(), place: &place, key: &key, known };
        unsaved.extend(unsaved_by_registration(&leaving, &goes, ours, git));
    }
    unsaved
}

/// Work in a worktree of ours that the search has not found as one, because its `.git` is gone. `goes` is removed with it.
fn unsaved_by_registration(leaving: &Leaving<'_>, goes: &Path, ours: NoWork<'_>, git: &Git) -> Vec<Unsaved> {
    let named = leaving.folder.and_then(|folder| Registered::named_in(folder).ok().flatten());
    // An empty folder holds nothing more than one that is gone.
    let is_filled = |folder: &&Tree| folder.names(Path::new("")).map_or(true, |names| !names.is_empty());
    let folder = leaving.folder.filter(is_filled);
    match leaving.registered() {
        Some(registered) if named.is_some_and(|named| registered.is(&named)) => Vec::new(),
        Some(registered) => git.unsaved_in_worktree(&registered, folder.map(Tree::path), goes, ours),
        None => folder.and_then(|folder| lost_repository(leaving, folder, ours.files)).into_iter().collect(),
    }
}

/// The files of a work dir that the record calls a worktree, and that has nothing by which its repository can be asked.
fn lost_repository(leaving: &Leaving<'_>, folder: &Tree, ours: &[PathBuf]) -> Option<Unsaved> {
    let record = leaving.known.record().filter(|record| record.is_worktree())?;
    let has_git = !matches!(folder.kind(Path::new(".git")), Ok(None | Some(FileKind::File { len: 0, .. })));
    let is_ours = |name: &std::ffi::OsString| {
        let entry = folder.path().join(name);
        name == ".git" || ours.iter().any(|ours| ours.starts_with(&entry))
    };
    if has_git || folder.names(Path::new("")).is_ok_and(|names| names.iter().all(is_ours)) {
        return None;
    }
    let what = format!(
        "cannot tell whether its work is saved: the repository {} does not know it as a worktree",
        record.git_dir.display()
    );
    Some(Unsaved::unknown(folder.path().to_owned(), what, Fate::OutOfReach))
}

/// Where work may lie in an env root: where the agent runs, in upstream's worktree mode too, and where it puts
/// results. Agent CLIs keep repositories of their own in their homes; those can be fetched again.
const PLACES_OF_WORK: [&str; 3] = [names::WORK_DIR, names::WORKTREE, names::OUTPUT];

/// Work in an env root at `place` of an open folder. `ours` does not count.
fn unsaved_in_env(tree: &Tree, place: &Path, ours: NoWork<'_>, git: &Git) -> Vec<Unsaved> {
    let goes = tree.path().join(place);
    PLACES_OF_WORK.iter().flat_map(|name| unsaved_in(tree, &place.join(name), &goes, ours, git)).collect()
}

/// Work in one folder that is removed together with all of `goes`. What a link in its place leads to is not removed.
fn unsaved_in(tree: &Tree, folder: &Path, goes: &Path, ours: NoWork<'_>, git: &Git) -> Vec<Unsaved> {
    let path = tree.path().join(folder);
    match tree.kind(folder) {
        Ok(Some(FileKind::Dir)) => {
            let is_there = || tree.subtree(folder).map_or(true, |opened| opened.is_at_its_path());
            let unsaved = if is_there() { git.unsaved_work(&path, goes, ours) } else { Vec::new() };
            // Git was asked about what the path led to.
            if is_there() {
                return unsaved;
            }
            let why = "not searched for repositories: it was moved or replaced meanwhile";
            vec![Unsaved::unknown(path, why.to_owned(), Fate::OutOfReach)]
        }
        Ok(_) => Vec::new(),
        Err(error) => {
            let what = format!("not searched for repositories: {error}");
            vec![Unsaved::unknown(path, what, Fate::OutOfReach)]
        }
    }
}

/// The same for what lies in the trash: its files have moved, and what the manifest lists has moved with them.
pub(crate) fn unsaved_in_trash(
    root: &WorkspacesRoot,
    tree: &Tree,
    entry: &TrashEntry,
    git: &Git,
) -> Vec<Unsaved> {
    let place = Path::new(names::TRASH).join(&entry.name);
    let (path, origin) = (root.path().join(&place), &entry.origin);
    let env = if entry.parsed.work_dir_only { origin.parent().unwrap_or(origin) } else { &path };
    let manifest = EnvRoot::open(env).and_then(|env| Manifest::load(&env.tree)).ok().flatten();
    let files = if entry.parsed.work_dir_only { place.clone() } else { place.join(names::WORK_DIR) };
    let ours = manifest.unwrap_or_default().ours(tree.plain_subtree(&files).ok().as_ref());
    let ours = ours.iter().filter_map(|file| Some(path.join(file.strip_prefix(origin).ok()?)));
    let ours: Vec<PathBuf> = ours.collect();
    let own_refs = ref_key(&entry.parsed.key);
    let ours = NoWork { files: &ours, key: &own_refs };
    let mut unsaved = match entry.parsed.work_dir_only {
        true => unsaved_in(tree, &place, &path, ours, git),
        false => unsaved_in_env(tree, &place, ours, git),
    };
    leaving_of(tree, &entry.parsed, &place, |leaving| {
        unsaved.extend(unsaved_by_registration(leaving, &path, ours, git));
    });
    unsaved
}
