//! Rolling back sidecars: removes only what execenv provably created, in reverse order, and continues after errors.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::before::{Before, digest};
use super::kept::{MAX_KEPT, keep_copy};
use super::manifest::{EntryKind, Manifest, ManifestEntry, State, inside, written_files};
use super::marker::{self, Excised};
use super::places::Places;
use super::plan::{backup_name, temporary_name, temporary_of, untouched};
use super::report::TakenBack;
use super::site::{Grounds, Site};
use crate::layout::names;
use crate::sys::tree::{FileKind, Tree, folders_of, has_changed, is_full, is_of_full_disk};

const NO_PLACE: &str = "not a place where execenv puts anything";

/// Rolls back what a manifest lists and records what is left. `brief_files` are files that may contain a block
/// although the manifest does not say so (a manifest that multica wrote never does).
///
/// # Errors
/// Only if the manifest itself cannot be written; all other errors are in the report.
pub fn take_back(site: &Site<'_>, manifest: &mut Manifest, brief_files: &[&str]) -> Result<TakenBack> {
    let Site { env, work_tree, work_dir, seal, grounds, .. } = *site;
    match manifest.announce_taking_back(env, seal) {
        // What only removes needs no room: the last store may find what was freed.
        Err(error) if is_of_full_disk(&error) => log::debug!("{error:#}"),
        other => other?,
    }
    let mut report = TakenBack::default();
    let record = manifest.record.clone().unwrap_or_default();
    let applying = manifest.record.is_some() && record.state == State::Applying;
    let temporary = temporary_name(&record.token);

    // After roll-back, a block in the file belongs to another environment or to the user.
    let is_over = manifest.record.is_some() && record.state == State::TakenBack;
    let mut briefs: Vec<PathBuf> = record
        .entries
        .iter()
        .filter(|_| !is_over)
        .filter(|e| e.kind == EntryKind::Brief)
        .map(|e| e.path.clone())
        .collect();
    if manifest.record.is_none() {
        briefs.extend(brief_files.iter().map(PathBuf::from));
    }
    let (briefs, others): (Vec<PathBuf>, Vec<PathBuf>) =
        briefs.into_iter().partition(|path| grounds.has(Places::has_brief, path));
    report.kept.extend(others.iter().map(|path| (work_dir.join(path), NO_PLACE.to_owned())));
    let excise = |path: &Path| {
        let entry = record.entries.iter().find(|e| e.kind == EntryKind::Brief && e.path == *path);
        excise_brief(site, path, entry, &temporary)
    };
    let mut excised: Vec<io::Result<bool>> = briefs.iter().map(|path| excise(path)).collect();

    if !manifest.is_complete() {
        remove_temporaries(work_tree, &record.token, &record.entries, &mut report);
    }

    let written = written_files(&record.entries);
    let mut files_left = Vec::new();
    for absolute in manifest.files.iter().rev() {
        let place = inside(work_dir, absolute);
        let Some(relative) = place.filter(|relative| grounds.has(Places::has_file, relative)) else {
            report.not_ours(absolute, site.is_user_folder, NO_PLACE);
            files_left.extend(site.is_user_folder.then(|| absolute.clone()));
            continue;
        };
        let recorded = written.get(relative.as_path()).copied();
        match remove_file(site, &relative, recorded, applying, &mut report) {
            Ok(Removal::Done) => {}
            Ok(Removal::NotOurs(why)) => {
                report.not_ours(absolute, true, why);
                files_left.push(absolute.clone());
            }
            Err(error) => {
                report.failed("remove", absolute, &error);
                files_left.push(absolute.clone());
            }
        }
    }
    files_left.reverse();

    let mut dirs_left = Vec::new();
    for absolute in manifest.dirs.iter().rev() {
        let place = inside(work_dir, absolute);
        let Some(relative) = place.filter(|relative| grounds.has(Places::has_dir, relative)) else {
            report.not_ours(absolute, false, NO_PLACE);
            dirs_left.extend(site.is_user_folder.then(|| absolute.clone()));
            continue;
        };
        match remove_dir(work_tree, &relative) {
            Ok(DirRemoval::Gone) => {}
            Ok(DirRemoval::Removed) => report.removed.push(absolute.clone()),
            // One of execenv's files is still in it: the next attempt removes both.
            Ok(DirRemoval::Kept(_))
                if files_left.iter().chain(&dirs_left).any(|p| p.starts_with(absolute)) =>
            {
                dirs_left.push(absolute.clone());
            }
            Ok(DirRemoval::Kept(why)) => report.kept.push((absolute.clone(), why.into())),
            Err(error) => {
                report.failed("rmdir", absolute, &error);
                dirs_left.push(absolute.clone());
            }
        }
    }
    dirs_left.reverse();

    for (path, done) in briefs.iter().zip(&mut excised) {
        // There may be room now.
        if done.as_ref().is_err_and(is_full) {
            *done = excise(path);
        }
        let shown = work_dir.join(path);
        match done {
            Ok(true) => report.removed.push(shown),
            Ok(false) => {}
            Err(error) => report.failed("remove the brief of", &shown, error),
        }
    }

    // What is gone must be gone after a power cut as well, before the manifest says so. An earlier attempt that was
    // interrupted may have removed it.
    let changed = places(work_tree, &record.entries);
    let listed = manifest.files.iter().chain(&manifest.dirs).filter_map(|path| inside(work_dir, path));
    let changed: Vec<PathBuf> = changed.into_iter().map(|(_, place)| place).chain(listed).collect();
    let synced = work_tree.sync_entries(&folders_of(changed.iter().map(PathBuf::as_path)));
    if let Err(error) = &synced {
        report.failed("sync", work_dir, error);
    }

    let briefs_failed = report.errors.iter().any(|error| error.starts_with("remove the brief"));
    manifest.files = files_left;
    manifest.dirs = dirs_left;
    if let Some(record) = manifest.record.as_mut() {
        // While the brief is still in the file, the journal stays as it is: the next attempt needs it.
        if !briefs_failed && synced.is_ok() {
            record.state = State::TakenBack;
        }
    }
    manifest.store(env, seal)?;
    Ok(report)
}

/// Removes the temporary files of state and of kept copies that a killed command left in an env root. The caller
/// holds the lock.
///
/// # Errors
/// As the system reports them.
pub fn sweep_state_temporaries(env: &Tree) -> io::Result<()> {
    // Each folder in which a state file is replaced: the record's, a start's, the backups', the result's, the configuration's
    // that a run renews.
    for folder in ["", names::LAUNCH, names::BACKUP, names::OUTPUT, names::CODEX_HOME] {
        let path = Path::new(folder).join(names::TEMPORARY);
        if env.kind(&path)?.is_some() {
            env.clear_name(&path)?;
        }
    }
    let mut folders = vec![Path::new(names::OUTPUT).join(names::KEPT)];
    while let Some(folder) = folders.pop() {
        if env.kind(&folder)? != Some(FileKind::Dir) {
            continue;
        }
        for name in env.names(&folder)? {
            let path = folder.join(&name);
            match env.kind(&path)? {
                Some(FileKind::Dir) if folders.len() < 1_000 => folders.push(path),
                Some(FileKind::File { .. }) if name == names::TEMPORARY => env.remove_file(&path)?,
                _ => {}
            }
        }
    }
    Ok(())
}

/// Cuts execenv's block out of a brief file. `false`: there was none.
fn excise_brief(
    site: &Site<'_>,
    path: &Path,
    entry: Option<&ManifestEntry>,
    temporary: &str,
) -> io::Result<bool> {
    let Site { env, work_tree, grounds, .. } = *site;
    let run = || -> io::Result<bool> {
        let mut target = path.to_owned();
        let there = match work_tree.kind(path) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => None,
            there => there?,
        };
        let kind = match there {
            Some(FileKind::Link) => match work_tree.resolve(path) {
                Ok(resolved) => {
                    target = resolved;
                    work_tree.kind(&target)?
                }
                // The agent created a broken link here: there is no block to remove.
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            },
            other => other,
        };
        let Some(FileKind::File { .. }) = kind else { return Ok(false) };
        let Some(current) = work_tree.read(&target, MAX_KEPT)? else { return Ok(false) };
        // Owner and time as a claim has them are not given to a file of the user's.
        let before = entry.and_then(|entry| entry.before.as_ref());
        let before = before.filter(|_| matches!(grounds, Grounds::Record));
        let excised = match entry.map(|entry| (&entry.before, original(env, path))) {
            Some((None, _)) => marker::excise_recorded(&current, None),
            // The journal has the original, so it is known which line feeds are the user's.
            Some((Some(before), Some(original))) if grounds.accept(&original, before) => {
                marker::excise_recorded(&current, Some(&original))
            }
            _ => marker::excise(&current),
        };
        match excised {
            Excised::NoBlock => Ok(false),
            Excised::Delete => work_tree.remove_file(&target).map(|()| true),
            Excised::Rewrite(bytes) => {
                rewrite(work_tree, &target, &current, &bytes, before, temporary).map(|()| true)
            }
        }
    };
    // Another program is saving the file: its bytes are used as they are.
    let mut done = run();
    for _ in 0..3 {
        if done.as_ref().is_err_and(has_changed) {
            done = run();
        }
    }
    done
}

/// Replaces a file of the user's by one with other bytes and everything else as it is. If that makes it the file that was
/// there before, it also gets that one's time.
fn rewrite(
    work_tree: &Tree,
    target: &Path,
    current: &[u8],
    bytes: &[u8],
    before: Option<&Before>,
    temporary: &str,
) -> io::Result<()> {
    work_tree.remove_file(&target.with_file_name(temporary))?; // left by a killed attempt
    let owner = before.and_then(|before| before.owner);
    let set_time = |file: &Path| match before {
        Some(Before { modified: Some(modified), sha256, .. }) if *sha256 == digest(bytes) => {
            work_tree.set_file_modified(file, *modified)
        }
        _ => Ok(()),
    };
    let placed = work_tree.write_beside_like(target, temporary, bytes, owner).and_then(|()| {
        set_time(&target.with_file_name(temporary))?;
        work_tree.sync_entries(&[target.with_file_name(temporary)])?;
        work_tree.place_over(target, temporary, current)
    });
    if placed.is_err() {
        let _ = work_tree.remove_file(&target.with_file_name(temporary));
    }
    match placed {
        // The block is at the end in most files: cutting it off needs no room.
        Err(error) if is_full(&error) && current.starts_with(bytes) => {
            work_tree.shorten(target, current, bytes.len() as u64)?;
            set_time(target)
        }
        placed => placed,
    }
}

fn remove_temporaries(work_tree: &Tree, token: &str, entries: &[ManifestEntry], report: &mut TakenBack) {
    if !token.chars().all(|c| c.is_ascii_alphanumeric()) {
        return; // execenv never writes such a token
    }
    let places = places(work_tree, entries);
    let steps = places.iter().map(|(number, place)| place.with_file_name(temporary_of(token, *number)));
    // Of the step that takes back, and of versions that wrote one file at a time.
    let shared = folders_of(places.iter().map(|(_, place)| place.as_path()));
    let shared = shared.into_iter().chain([PathBuf::new()]).map(|folder| folder.join(temporary_name(token)));
    for path in steps.chain(shared) {
        if let Err(error) = work_tree.remove_file(&path)
            && error.kind() != io::ErrorKind::NotADirectory
        {
            report.failed("remove", &work_tree.path().join(path), &error);
        }
    }
}

/// Where the entries lie, each with its number. A brief lies where the links at its path lead to.
fn places(work_tree: &Tree, entries: &[ManifestEntry]) -> Vec<(usize, PathBuf)> {
    let mut places = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        places.push((number, entry.path.clone()));
        if entry.kind == EntryKind::Brief
            && let Ok(target) = work_tree.resolve(&entry.path)
            && target != entry.path
        {
            places.push((number, target));
        }
    }
    places
}

/// What became of a file that the manifest lists.
enum Removal {
    /// It is gone, or stays for a reason that the report has.
    Done,
    /// It stays, and in the list: nothing proves that execenv wrote it.
    NotOurs(&'static str),
}

fn remove_file(
    site: &Site<'_>,
    relative: &Path,
    entry: Option<&ManifestEntry>,
    applying: bool,
    report: &mut TakenBack,
) -> io::Result<Removal> {
    let Site { env, work_tree, grounds, .. } = *site;
    let shown = work_tree.path().join(relative);
    match work_tree.kind(relative) {
        Ok(None) => return Ok(Removal::Done),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(Removal::Done),
        Ok(Some(FileKind::Dir)) => {
            report.kept.push((shown, "a folder has replaced execenv's file".into()));
            return Ok(Removal::Done);
        }
        Ok(Some(FileKind::File { .. })) => {
            let recorded = entry.and_then(|entry| entry.sha256.as_deref());
            let is_as_written = match (recorded, work_tree.read(relative, MAX_KEPT)) {
                (Some(recorded), Ok(Some(bytes))) => Some(recorded == digest(&bytes)),
                (Some(_), _) => Some(false),
                (None, _) => None, // multica's manifest has no digests; multica removes what it lists
            };
            // A power cut can leave a file without its bytes.
            let is_empty = matches!(work_tree.kind(relative), Ok(Some(FileKind::File { len: 0, .. })));
            match (is_as_written, grounds) {
                (Some(false), Grounds::Record) if is_empty => {}
                (Some(true), _) | (None, Grounds::Record) => {}
                // execenv places whole files only: other bytes mean that another program created this one.
                (Some(false), _) if applying => {
                    report.kept.push((shown, "execenv did not create this file".into()));
                    return Ok(Removal::Done);
                }
                // An edited sidecar (decision D17).
                (Some(false), Grounds::Record) => keep_copy(env, work_tree, relative, report)?,
                (Some(false), Grounds::Word(_)) => return Ok(Removal::NotOurs("not as execenv wrote it")),
                // The user says that it is a sidecar, but nothing says what was in it.
                (None, Grounds::Word(_)) => keep_copy(env, work_tree, relative, report)?,
            }
        }
        // The link is removed, never its target.
        Ok(Some(FileKind::Link | FileKind::Other)) => match grounds {
            Grounds::Record => {}
            Grounds::Word(_) => return Ok(Removal::NotOurs("not a file as execenv wrote it")),
        },
        Err(error) => return Err(error),
    }
    work_tree.remove_file(relative)?;
    report.removed.push(shown);
    Ok(Removal::Done)
}

/// The user's file as it was, by the copy in the env root.
fn original(env: &Tree, path: &Path) -> Option<Vec<u8>> {
    env.read(&Path::new(names::BACKUP).join(backup_name(path)), MAX_KEPT).ok().flatten()
}

impl Grounds<'_> {
    /// Whether sidecars may be at a path.
    fn has(&self, is_place: fn(&Places, &Path) -> bool, path: &Path) -> bool {
        match self {
            Grounds::Record => true,
            Grounds::Word(places) => is_place(places, path),
        }
    }

    /// Whether a copy of a user's file may decide what is written into the file. The agent can write to the copy.
    fn accept(&self, original: &[u8], before: &Before) -> bool {
        match self {
            Grounds::Record => untouched(original).is_some_and(|bytes| digest(&bytes) == before.sha256),
            // Then every byte that is written is one that the file has now.
            Grounds::Word(_) => marker::locate(original).is_none(),
        }
    }
}

enum DirRemoval {
    Gone,
    Removed,
    Kept(&'static str),
}

fn remove_dir(work_tree: &Tree, relative: &Path) -> io::Result<DirRemoval> {
    match work_tree.kind(relative) {
        Ok(None) => return Ok(DirRemoval::Gone),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(DirRemoval::Gone),
        Ok(Some(FileKind::Dir)) => {}
        Ok(Some(_)) => return Ok(DirRemoval::Kept("something else has replaced execenv's folder")),
        Err(error) => return Err(error),
    }
    match work_tree.remove_dir(relative) {
        Ok(()) => Ok(DirRemoval::Removed),
        Err(error) => match work_tree.names(relative) {
            Ok(names) if !names.is_empty() => Ok(DirRemoval::Kept("not empty")),
            // Empty, or unreadable: report the error of the removal.
            _ => Err(error),
        },
    }
}
