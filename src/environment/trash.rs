//! `<root>/.trash/`: environments and work dirs that were moved there by a rename and can be restored.

mod name;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, Duration, Utc};

pub use name::TrashName;
use name::digest;

use super::key::KeyFile;
use super::lock::{EnvLock, staging_lock};
use super::locked::LockedEnv;
use super::record::{Durability, Meta, sweep_temporary};
use super::repository::{Deletion, Known, Leaving, place_of};
use super::root::{EnvRoot, WorkspacesRoot};
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::order;
use crate::sys::lock::{FileLock, NotLocked, try_lock_folder};
use crate::sys::mount_points::mount_within;
use crate::sys::tree::{FileKind, Tree, is_of_full_disk};
use crate::sys::walk::measure;

/// Suffix of an entry that is being deleted: the next command finishes the deletion, no command restores it.
const REMOVING: &str = names::REMOVING;

/// An entry of the trash.
#[derive(Clone, Debug)]
pub struct TrashEntry {
    /// The entry's own name, the argument of `trash restore`.
    pub name: String,
    /// The parsed name.
    pub parsed: TrashName,
    /// The path to which it would be restored.
    pub origin: PathBuf,
    /// Its size on disk, in bytes.
    pub bytes: u64,
}

impl LockedEnv {
    /// Moves the environment, or only its work dir, to the trash by one rename, and returns the entry's name.
    ///
    /// # Errors
    /// As the system reports them; nothing has moved then.
    pub(crate) fn put_aside(&self, root: &Tree, work_dir_only: bool, now: DateTime<Utc>) -> Result<String> {
        let env_root = &self.env;
        // A rename goes by the name: no other folder is renamed because an agent has put it there.
        self.refuse_moved()?;
        let name = env_root.path.file_name().unwrap_or_default();
        let source = Path::new(&env_root.workspace()).join(name);
        let source = if work_dir_only { source.join(names::WORK_DIR) } else { source };
        put_aside_as(root, &source, &env_root.workspace(), &key_of(env_root), work_dir_only, now)
    }

    /// Deletes the environment's folder permanently, by moving it to the trash first. The lock is released once no process
    /// finds the folder any more and before its files go: NFS and FUSE file systems keep a deleted file that is open,
    /// and the folder with it.
    ///
    /// # Errors
    /// If it could not be moved or removed.
    pub(crate) fn delete(self, root: &Tree, now: DateTime<Utc>, deletion: &Deletion<'_>) -> Result<()> {
        let Some(name) = self.put_aside_or_remove(root, false, now, deletion)? else { return Ok(()) };
        let doomed = doom(root, &name)?;
        drop(self);
        doomed.map_or(Ok(()), |doomed| finish(root, &doomed, deletion))
    }

    /// Deletes the environment's work dir permanently, by moving it to the trash first.
    ///
    /// # Errors
    /// If it could not be moved or removed.
    pub(crate) fn delete_work_dir(
        &self,
        root: &Tree,
        now: DateTime<Utc>,
        deletion: &Deletion<'_>,
    ) -> Result<()> {
        let name = self.put_aside_or_remove(root, true, now, deletion)?;
        name.map_or(Ok(()), |name| delete(root, &name, deletion))
    }

    /// As [`LockedEnv::put_aside`]. The trash itself may need room that a full disk does not have: then the folder is
    /// removed where it stands, and there is no entry.
    fn put_aside_or_remove(
        &self,
        root: &Tree,
        work_dir_only: bool,
        now: DateTime<Utc>,
        deletion: &Deletion<'_>,
    ) -> Result<Option<String>> {
        match self.put_aside(root, work_dir_only, now) {
            Err(error) if is_of_full_disk(&error) => {
                log::debug!("{error:#}");
                self.refuse_moved()?;
                let folder = self.env.tree.subtree(Path::new(names::WORK_DIR)).ok();
                let own = self.meta.as_ref().and_then(|meta| meta.own.as_ref());
                let place = place_of(&self.env.path);
                let (key, folder) = (key_of(&self.env), folder.as_ref());
                deletion.release(&Leaving {
                    env: Some(&self.env.tree),
                    folder,
                    place: &place,
                    key: &key,
                    known: Known::of(own),
                })?;
                let name = self.env.path.file_name().unwrap_or_default();
                let place = Path::new(&self.env.workspace()).join(name);
                let place = if work_dir_only { place.join(names::WORK_DIR) } else { place };
                let doing = || format!("remove {}", root.path().join(&place).display());
                root.remove_all(&place).with_context(doing).map(|()| None)
            }
            aside => aside.map(Some),
        }
    }
}

/// Refuses to remove a folder in which something is mounted, before half of it is gone.
///
/// # Errors
/// A failure that names the mount.
pub(super) fn refuse_mount(folder: &Path) -> Result<()> {
    let Some(mount) = mount_within(folder) else { return Ok(()) };
    let mount = mount.display();
    Err(Failure::new(
        Code::Failed,
        format!("{mount} is a mount; nothing of {} was removed", folder.display()),
    )
    .hint(format!("`umount {mount}`, then try again"))
    .into())
}

/// Moves the folder `source` below the root to the trash as if it were the environment `key`.
pub(crate) fn put_aside_as(
    root: &Tree,
    source: &Path,
    workspace: &str,
    key: &str,
    work_dir_only: bool,
    now: DateTime<Utc>,
) -> Result<String> {
    let trash = Path::new(names::TRASH);
    let doing = || format!("move {} to the trash", root.path().join(source).display());
    refuse_mount(&root.path().join(source))?;
    root.ensure_dir(trash, 0o700).with_context(doing)?;
    let name = TrashName::new(workspace, key, now, work_dir_only);
    root.move_to(source, root, &trash.join(&name.text)).with_context(doing)?;
    Ok(name.text)
}

/// Everything in the trash that can be restored, oldest first, without sizes.
///
/// # Errors
/// When the trash cannot be listed.
pub(crate) fn entries(root: &WorkspacesRoot, tree: &Tree) -> Result<Vec<TrashEntry>> {
    let trash = Path::new(names::TRASH);
    if tree.kind(trash).ok().flatten() != Some(FileKind::Dir) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for name in tree.names(trash).context("list the trash")? {
        let Some(name) = name.to_str() else { continue };
        let Some(parsed) = TrashName::parse(name).filter(|_| !name.ends_with(REMOVING)) else { continue };
        let mut origin = root.path().join(&parsed.workspace).join(&parsed.key);
        if parsed.work_dir_only {
            origin.push(names::WORK_DIR);
        }
        found.push(TrashEntry { name: name.to_owned(), parsed, origin, bytes: 0 });
    }
    order::sort_by(&mut found, |a, b| (a.parsed.at, &a.name).cmp(&(b.parsed.at, &b.name)));
    Ok(found)
}

/// The size of an entry on disk, in bytes.
pub(crate) fn size_of(root: &WorkspacesRoot, entry: &TrashEntry) -> u64 {
    measure(&root.path().join(names::TRASH).join(&entry.name)).bytes
}

/// Removes the temporary file that an interrupted restore left beside the record of an entry.
pub(crate) fn sweep_temporaries(tree: &Tree) {
    let trash = Path::new(names::TRASH);
    for name in tree.names(trash).unwrap_or_default() {
        let entry = trash.join(name);
        if matches!(tree.kind(&entry), Ok(Some(FileKind::Dir)))
            && let Err(error) =
                tree.subtree(&entry).map_err(anyhow::Error::from).and_then(|env| sweep_temporary(&env))
        {
            log::debug!("{}: {error:#}", entry.display()); // the next restore replaces it anyway
        }
    }
}

/// Restores an entry to its original path or, with `to`, as this new folder, and reserves the environment for the time of `lease`: its age is unchanged,
/// so the next cycle of `gc` would remove it again otherwise.
///
/// # Errors
/// A [`Code::Occupied`] failure if the path is taken.
pub(crate) fn restore(
    tree: &Tree,
    entry: &TrashEntry,
    to: Option<&Path>,
    (keys, lease): (&KeyFile, Duration),
    now: DateTime<Utc>,
) -> Result<()> {
    if let Some(to) = to {
        return restore_as(tree, entry, to, (keys, lease), now);
    }
    let doing = || format!("restore {}", entry.origin.display());
    if !entry.parsed.has_origin() {
        let message = format!("the place of {} did not fit into its name", entry.name);
        return Err(Failure::new(Code::BadPath, message)
            .hint(format!("name the place: `execenv trash restore {} --to DIR`", entry.name))
            .into());
    }
    let workspace = Path::new(&entry.parsed.workspace);
    // While this lock is held, gc removes no empty workspace.
    let _staging = staging_lock(tree)?;
    tree.ensure_dir(workspace, 0o755).with_context(doing)?;
    let mut target = workspace.join(&entry.parsed.key);
    if entry.parsed.work_dir_only {
        target.push(names::WORK_DIR);
    }
    let place = Path::new(names::TRASH).join(&entry.name);
    // The lease is written before the environment is back, so that no cycle of gc can come in between.
    let promised = if entry.parsed.work_dir_only { target.parent().unwrap_or(&target) } else { &place };
    let env_root = tree.path().join(workspace).join(&entry.parsed.key);
    if let Err(error) = promise(tree, promised, &env_root, lease, now) {
        log::warn!("the next `gc` may remove {} again: {error:#}", env_root.display());
    }
    match tree.move_to(&place, tree, &target) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::new(Code::Occupied, format!("{} is there already", entry.origin.display()))
                .hint(format!(
                    "restore it as another folder: `execenv trash restore {} --to DIR`",
                    entry.name
                ))
                .into())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && entry.parsed.work_dir_only => {
            Err(Failure::new(Code::NoEnv, format!("the environment of {} is gone", entry.origin.display()))
                .hint("restore the environment first")
                .into())
        }
        other => other.with_context(doing),
    }
}

/// Restores an entry as the new folder `to`, which may lie anywhere on the file system of the root.
fn restore_as(
    tree: &Tree,
    entry: &TrashEntry,
    to: &Path,
    (keys, lease): (&KeyFile, Duration),
    now: DateTime<Utc>,
) -> Result<()> {
    let shown = to.display();
    let doing = || format!("restore {} as {shown}", entry.name);
    let (Some(above), Some(name)) = (to.parent(), to.file_name()) else {
        let message = format!("`--to {shown}` is not a folder that can be created");
        return Err(Failure::new(Code::BadPath, message).hint("name a folder that does not exist").into());
    };
    let place = Path::new(names::TRASH).join(&entry.name);
    let folder = Tree::open(above).with_context(doing)?;
    let _staging = staging_lock(tree)?;
    if !entry.parsed.work_dir_only
        && let Err(error) = promise(tree, &place, to, lease, now)
    {
        log::warn!("the next `gc` may remove {shown} again if it lies in a workspaces root: {error:#}");
    }
    match tree.move_to(&place, &folder, Path::new(name)) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::new(Code::Occupied, format!("{shown} is there already"))
                .hint("name a folder that does not exist")
                .into())
        }
        Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => {
            let from = tree.path().join(&place);
            Err(Failure::new(Code::Failed, format!("{shown} is on another file system than the trash"))
                .hint(format!("copy it: `cp -a {} {shown}`", from.display()))
                .into())
        }
        other => other.with_context(doing),
    }?;
    if let Err(error) = follow(tree, entry, (&folder, Path::new(name)), keys) {
        log::warn!("its repository looks for the worktree at the former place: {error:#}");
    }
    Ok(())
}

/// Tells the repository of a worktree where that is now: it was restored as `name` in `folder`.
fn follow(tree: &Tree, entry: &TrashEntry, (folder, name): (&Tree, &Path), keys: &KeyFile) -> Result<()> {
    let files = if entry.parsed.work_dir_only { name.to_owned() } else { name.join(names::WORK_DIR) };
    let Ok(opened) = folder.plain_subtree(&files) else { return Ok(()) };
    let home = Path::new(&entry.parsed.workspace).join(&entry.parsed.key);
    let place = place_of(&tree.path().join(&home));
    let env = match entry.parsed.work_dir_only {
        true => tree.plain_subtree(&home),
        false => folder.plain_subtree(name),
    };
    let env = env.ok();
    let (env, key) = (env.as_ref(), &*entry.parsed.key);
    let leaving = Leaving { env, folder: Some(&opened), place: &place, key, known: Known::Nothing };
    match leaving.proved(keys) {
        None => Ok(()),
        Some(Ok(registered)) => registered.move_to(&folder.path().join(files)),
        Some(Err(common)) => anyhow::bail!(
            "nothing proves that execenv made the worktree in {}; `git worktree repair` there, with the new path, mends it",
            common.display()
        ),
    }
}

/// The id of the task that an entry's environment was made for, from its record.
pub(crate) fn task_of(tree: &Tree, entry: &TrashEntry) -> Option<String> {
    let place = match entry.parsed.work_dir_only {
        true => Path::new(&entry.parsed.workspace).join(&entry.parsed.key),
        false => Path::new(names::TRASH).join(&entry.name),
    };
    let meta = Meta::load(&tree.subtree(&place).ok()?).ok().flatten()?;
    Some(meta.own.map_or(meta.task_id, |own| own.task_id)).filter(|id| !id.is_empty())
}

/// Writes a lease into the record of the environment at `place`; one without a record gets a new modification time.
fn promise(tree: &Tree, place: &Path, env_root: &Path, lease: Duration, now: DateTime<Utc>) -> Result<()> {
    let env = tree.subtree(place).with_context(|| format!("open {}", tree.path().join(place).display()))?;
    let Ok(Some(_)) = Meta::load(&env) else { return Ok(env.set_modified(now.into())?) };
    let Ok(_lock) = EnvLock::try_hold(&env, true) else { return Ok(()) }; // a process that holds it needs no lease
    let until = now.checked_add_signed(lease).unwrap_or(DateTime::<Utc>::MAX_UTC);
    Meta::change(&env, Durability::Synced, |meta| {
        let mut own = meta.own_or_rebuilt(&env);
        if meta.own.is_none() {
            own.work_dir = env_root.join(names::WORK_DIR); // where it will be, not in the trash
        }
        own.lease_until = own.lease_until.max(Some(until));
        meta.own = Some(own);
    })?;
    Ok(())
}

/// Deletes an entry permanently. It is renamed first, so that a partly deleted environment is never restored.
///
/// # Errors
/// The first error, [`Stopped`](crate::sys::remove::Stopped) among them; the next command tries again.
pub(crate) fn delete(tree: &Tree, name: &str, deletion: &Deletion<'_>) -> Result<()> {
    doom(tree, name)?.map_or(Ok(()), |doomed| finish(tree, &doomed, deletion))
}

/// Takes the worktree of a marked entry out of its repository, before its files go.
fn release(tree: &Tree, doomed: &str, deletion: &Deletion<'_>) -> Result<()> {
    let parsed = doomed.strip_suffix(REMOVING).and_then(TrashName::parse);
    let Some(parsed) = parsed else { return Ok(()) };
    let entry = Path::new(names::TRASH).join(doomed);
    leaving_of(tree, &parsed, &entry, |leaving| deletion.release(leaving)).unwrap_or(Ok(()))
}

/// Lets `act` work on the worktree of the entry that lies at `entry`. `None`: the entry does not say where it was, which proves
/// nothing of a registration.
pub(super) fn leaving_of<T>(
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
struct Doomed {
    /// Its name, by which it is not restored any more.
    name: String,
    /// Held until its files are gone; `None`: the file system locks no folders.
    _alone: Option<FileLock>,
}

/// Marks an entry as one that is being deleted. `None`: another process is deleting it.
fn doom(tree: &Tree, name: &str) -> Result<Option<Doomed>> {
    let trash = Path::new(names::TRASH);
    // The lock comes first: under its new name every command that deletes finds it.
    let alone = match tree.subtree(&trash.join(name)).map(|entry| try_lock_folder(&entry)) {
        Ok(Err(NotLocked::Busy)) => return Ok(None),
        Ok(locked) => locked.ok(),
        Err(_) => None, // a file, or gone
    };
    if name.ends_with(REMOVING) {
        return Ok(Some(Doomed { name: name.to_owned(), _alone: alone }));
    }
    refuse_mount(&tree.path().join(trash).join(name))?;
    let doomed = format!("{name}{REMOVING}");
    match tree.move_to(&trash.join(name), tree, &trash.join(&doomed)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        other => other
            .with_context(|| format!("delete {name} from the trash"))
            .map(|()| Some(Doomed { name: doomed, _alone: alone })),
    }
}

/// Removes the files of a marked entry. A file that another process still has open may stay as a hidden one, where the
/// file system keeps it until it is closed: then the next command that deletes from the trash finishes the entry.
fn finish(tree: &Tree, doomed: &Doomed, deletion: &Deletion<'_>) -> Result<()> {
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

/// Whether the trash may hold an environment: an entry that names it, or one that does not say what it was.
pub(super) fn has_entry_of(root: &Tree, workspace: &str, key: &str) -> bool {
    match root.names(Path::new(names::TRASH)) {
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        Ok(listed) => listed.iter().any(|name| match name.to_str().and_then(TrashName::parse) {
            Some(name) => !name.has_origin() || (name.workspace == workspace && name.key == key),
            None => !name.to_str().is_some_and(|name| name.ends_with(REMOVING)),
        }),
    }
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
        .filter(|name| name.ends_with(REMOVING))
        .collect())
}

/// The same for those of one environment's work dir.
///
/// # Errors
/// When the trash cannot be listed.
pub(super) fn half_deleted_of(tree: &Tree, env: &EnvRoot) -> Result<Vec<String>> {
    let name = TrashName::new(&env.workspace(), &key_of(env), DateTime::UNIX_EPOCH, true);
    let is_its = |text: &String| {
        let parsed = text.strip_suffix(REMOVING).and_then(TrashName::parse);
        parsed.is_some_and(|it| it.work_dir_only && (&it.workspace, &it.key) == (&name.workspace, &name.key))
    };
    Ok(half_deleted(tree)?.into_iter().filter(is_its).collect())
}

/// What the name of an entry calls an environment: its folder's own name, as `key()` is UTF-8, which that may not be.
fn key_of(env: &EnvRoot) -> String {
    let name = env.path.file_name().unwrap_or_default();
    name.to_str().map_or_else(|| digest(name), str::to_owned)
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
