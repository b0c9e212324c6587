//! What leaves the trash for good.

use std::path::Path;

use anyhow::{Context, Result};
use chrono::DateTime;

use super::mounts::refuse_mount;
use super::name::{TrashName, key_of};
use crate::environment::record::Meta;
use crate::environment::repository::{Deletion, Known, Leaving, place_of};
use crate::environment::root::EnvRoot;
use crate::layout::names;
use crate::sys::lock::{FileLock, NotLocked, try_lock_folder};
use crate::sys::tree::{FileKind, Tree};

/// Deletes an entry permanently. It is renamed first, so that a partly deleted environment is never restored.
///
/// # Errors
/// The first error, [`Stopped`](crate::sys::remove::Stopped) among them; the next command tries again.
pub(crate) fn delete(tree: &Tree, name: &str, deletion: &Deletion<'_>) -> Result<()> {
    doom(tree, name)?.map_or(Ok(()), |doomed| finish(tree, &doomed, deletion))
}

/// Takes the worktree of a marked entry out of its repository, before its files go.
fn release(tree: &Tree, doomed: &str, deletion: &Deletion<'_>) -> Result<()> {
    let parsed = doomed.strip_suffix(names::REMOVING).and_then(TrashName::parse);
    let Some(parsed) = parsed else { return Ok(()) };
    let entry = Path::new(names::TRASH).join(doomed);
    leaving_of(tree, &parsed, &entry, |leaving| deletion.release(leaving)).unwrap_or(Ok(()))
}

/// Lets `act` work on the worktree of the entry that lies at `entry`. `None`: the entry does not say where it was, which proves
/// nothing of a registration.
pub(in crate::environment) fn leaving_of<T>(
    tree: &Tree,
    parsed: &TrashName,
    entry: &Path,
    act: impl FnOnce(&Leaving<'_>) -> T,
) -> Option<T> {
    if !parsed.has_origin() {
        return None;
    }
    let home = Path::new(&parsed.workspace).join(&parsed.key);
    let (env, files) = match parsed.work_dir_only {
        true => (home.clone(), entry.to_owned()),
        false => (entry.to_owned(), entry.join(names::WORK_DIR)),
    };
    let folder = tree.plain_subtree(&files).ok();
    let env = tree.plain_subtree(&env).ok();
    let meta = env.as_ref().and_then(|env| Meta::load_even_damaged(env).ok()?.ok()?);
    let known = Known::of(meta.as_ref().and_then(|meta| meta.own.as_ref()));
    let place = place_of(&tree.path().join(home));
    let (env, folder) = (env.as_ref(), folder.as_ref());
    Some(act(&Leaving { env, folder, place: &place, key: &parsed.key, known }))
}

/// An entry that this process deletes.
pub(super) struct Doomed {
    /// Its name, by which it is not restored any more.
    name: String,
    /// Held until its files are gone; `None`: the file system locks no folders.
    _alone: Option<FileLock>,
}

/// Marks an entry as one that is being deleted. `None`: another process is deleting it.
pub(super) fn doom(tree: &Tree, name: &str) -> Result<Option<Doomed>> {
    let trash = Path::new(names::TRASH);
    // The lock comes first: under its new name every command that deletes finds it.
    let alone = match tree.subtree(&trash.join(name)).map(|entry| try_lock_folder(&entry)) {
        Ok(Err(NotLocked::Busy)) => return Ok(None),
        Ok(locked) => locked.ok(),
        Err(_) => None, // a file, or gone
    };
    if name.ends_with(names::REMOVING) {
        return Ok(Some(Doomed { name: name.to_owned(), _alone: alone }));
    }
    refuse_mount(&tree.path().join(trash).join(name))?;
    let doomed = format!("{name}{}", names::REMOVING);
    match tree.move_to(&trash.join(name), tree, &trash.join(&doomed)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        other => other
            .with_context(|| format!("delete {name} from the trash"))
            .map(|()| Some(Doomed { name: doomed, _alone: alone })),
    }
}

/// Removes the files of a marked entry. A file that another process still has open may stay as a hidden one, where the
/// file system keeps it until it is closed: then the next command that deletes from the trash finishes the entry.
pub(super) fn finish(tree: &Tree, doomed: &Doomed, deletion: &Deletion<'_>) -> Result<()> {
    let doomed = doomed.name.as_str();
    release(tree, doomed, deletion)?;
    let path = Path::new(names::TRASH).join(doomed);
    match tree.remove_all_until(&path, deletion.stop) {
        Err(error) if is_kept_open(tree, &path, &error) => {
            log::info!("{doomed} holds files that another process has open; the next `gc` deletes them");
            Ok(())
        }
        removed => removed.with_context(|| format!("delete {doomed} from the trash")),
    }
}

/// Whether nothing is left of a deleted folder but files that are deleted already and kept because they are open: NFS calls
/// them `.nfs…`, FUSE `.fuse_hidden…`.
fn is_kept_open(tree: &Tree, path: &Path, error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{DirectoryNotEmpty, ResourceBusy};
    if !matches!(error.kind(), DirectoryNotEmpty | ResourceBusy) {
        return false;
    }
    let mut folders = vec![path.to_owned()];
    let mut is_kept = false;
    while let Some(folder) = folders.pop() {
        for name in tree.names(&folder).unwrap_or_default() {
            let hidden = [b".nfs".as_slice(), b".fuse_hidden"];
            if hidden.iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix)) {
                is_kept = true;
                continue;
            }
            match tree.kind(&folder.join(&name)) {
                // A mount in it is no such file.
                Ok(Some(FileKind::Dir)) if tree.plain_subtree(&folder.join(&name)).is_ok() => {
                    folders.push(folder.join(&name));
                }
                Ok(None) => {}
                _ => return false,
            }
        }
    }
    is_kept
}

/// Names of entries whose deletion was interrupted.
///
/// # Errors
/// When the trash cannot be listed.
pub(crate) fn half_deleted(tree: &Tree) -> Result<Vec<String>> {
    let trash = Path::new(names::TRASH);
    if tree.kind(trash).ok().flatten() != Some(FileKind::Dir) {
        return Ok(Vec::new());
    }
    let names = tree.names(trash).context("list the trash")?;
    Ok(names
        .into_iter()
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.ends_with(names::REMOVING))
        .collect())
}

/// The same for those of one environment's work dir.
///
/// # Errors
/// When the trash cannot be listed.
pub(in crate::environment) fn half_deleted_of(tree: &Tree, env: &EnvRoot) -> Result<Vec<String>> {
    let name = TrashName::new(&env.workspace(), &key_of(env), DateTime::UNIX_EPOCH, true);
    let is_its = |text: &String| {
        let parsed = text.strip_suffix(names::REMOVING).and_then(TrashName::parse);
        parsed.is_some_and(|it| it.work_dir_only && (&it.workspace, &it.key) == (&name.workspace, &name.key))
    };
    Ok(half_deleted(tree)?.into_iter().filter(is_its).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes its own fixture")]
    fn only_files_that_are_deleted_already_are_left_to_the_next_command() {
        use rustix::io::Errno;
        for (files, error, expected) in [
            (&["d/.nfs0001"][..], Errno::NOTEMPTY, true),
            (&[".fuse_hidden0001", "d/.nfs0001"], Errno::BUSY, true),
            (&["d/.nfs0001", "d/file"], Errno::NOTEMPTY, false),
            (&["d/.nfs0001"], Errno::ACCESS, false),
            (&[], Errno::NOTEMPTY, false),
        ] {
            let tmp = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(tmp.path().join("doomed/d")).unwrap();
            for file in files {
                std::fs::write(tmp.path().join("doomed").join(file), "").unwrap();
            }
            let tree = Tree::open(tmp.path()).unwrap();
            assert_eq!(
                is_kept_open(&tree, Path::new("doomed"), &error.into()),
                expected,
                "{files:?} {error}"
            );
        }
    }
}
