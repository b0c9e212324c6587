//! Stores, which outlive an environment: agents' sessions and memories below `<root>/.stores/`.
//!
//! Invariants:
//! - Mounting a store takes its lock shared, removing one takes it exclusively, and each checks the store again under
//!   the lock: a store that was just used is not removed, and one that was removed is created again.
//! - The lock file contains the path of its store. It is written before the store is created and removed after it.
//! - A store is renamed before its files are deleted, so that no process mounts a partly deleted one.

use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, Duration, Utc};
use sha2::{Digest, Sha256};

use super::busy::{WAIT, held_too_long};
use super::homes::is_name;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::order;
use crate::provider::plan::MOST_COPIED;
use crate::sys::lock::{self, IfMissing, Share};
use crate::sys::tree::{FileKind, Tree};
use crate::sys::walk::measure;
use crate::task::hex;

/// The longest path of a store that is read from a lock file, in bytes.
const MAX_PATH: u64 = 4096;
/// How often mounting starts again because a removal came in between.
const TRIES: u32 = 16;

/// A store that was removed, or would be with `--dry-run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// Its path below the folder of stores.
    pub store: PathBuf,
    /// Its size on disk, in bytes.
    pub bytes: u64,
}

/// Creates missing stores, each level with mode 0700, and sets the modification time of existing ones. `stores` are
/// absolute, or relative to the folder of stores.
///
/// # Errors
/// If one is outside the folder of stores, or its path is taken by something else.
pub(super) fn mount(root: &Tree, stores: &[PathBuf]) -> Result<()> {
    let above = root.path().join(names::STORES);
    for store in stores {
        let relative = store.strip_prefix(&above).unwrap_or(store);
        let stays = relative.components().all(|part| matches!(part, Component::Normal(_)));
        anyhow::ensure!(
            stays
                && relative
                    .to_str()
                    .is_some_and(|text| !text.is_empty() && !text.starts_with(names::STORE_GOING)),
            "{} is outside the folder of stores",
            store.display()
        );
        let doing = || format!("make the store {}", above.join(relative).display());
        let mut tries = 1;
        loop {
            match mount_one(root, relative) {
                // A removal deleted an empty folder above it, or the lock file.
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES => tries += 1,
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOTDIR.raw_os_error()) => {
                    return Err(Failure::new(
                        Code::Occupied,
                        format!("{} is a link or a file, not a folder", above.join(relative).display()),
                    )
                    .hint("move it away, then try again")
                    .into());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let lock = Path::new(names::LOCKS).join(lock_name(relative));
                    return Err(held_too_long(root, &lock)).with_context(doing);
                }
                other => break other.with_context(doing)?,
            }
        }
    }
    Ok(())
}

fn mount_one(root: &Tree, relative: &Path) -> io::Result<()> {
    root.ensure_dir(Path::new(names::LOCKS), 0o700)?;
    let path = Path::new(names::LOCKS).join(lock_name(relative));
    let lock = lock::lock_within(root, &path, IfMissing::Create, Share::Shared, WAIT, &|| false)?;
    if lock.file().metadata()?.len() == 0 {
        // Several processes may write this at once; all write the same.
        lock.file().write_all(relative.as_os_str().as_encoded_bytes())?;
    }
    let mut place = PathBuf::from(names::STORES);
    for part in
        std::iter::once(Path::new("")).chain(relative.components().map(|part| Path::new(part.as_os_str())))
    {
        if !part.as_os_str().is_empty() {
            place.push(part);
        }
        root.ensure_dir(&place, 0o700)?;
        if root.mode(&place)? != Some(0o700) {
            root.set_dir_mode(&place, 0o700)?;
        }
    }
    root.touch(&place)
}

/// Copies the user's files into mounted stores; pairs of absolute target and source. Existing files stay.
///
/// # Errors
/// If a target is in no store, or a file cannot be read or copied.
pub(super) fn fill(root: &Tree, files: &[(PathBuf, PathBuf)]) -> Result<()> {
    let above = root.path().join(names::STORES);
    for (place, source) in files {
        let relative = place.strip_prefix(&above).unwrap_or(place);
        let stays = relative.components().all(|part| matches!(part, Component::Normal(_)));
        anyhow::ensure!(stays && relative.iter().nth(1).is_some(), "{} is in no store", place.display());
        fill_one(root, relative, source)
            .with_context(|| format!("copy {} to {}", source.display(), place.display()))?;
    }
    Ok(())
}

fn fill_one(root: &Tree, relative: &Path, source: &Path) -> io::Result<()> {
    let mut folder = PathBuf::from(names::STORES);
    for part in relative.parent().into_iter().flat_map(Path::iter) {
        folder.push(part);
        root.ensure_dir(&folder, 0o700)?;
    }
    let place = Path::new(names::STORES).join(relative);
    if root.kind(&place)?.is_some() {
        return Ok(());
    }
    // Several tasks of one conversation may do this at once.
    let temporary = folder.join(format!("{}.{}", names::TEMPORARY, uuid::Uuid::new_v4().simple()));
    root.duplicate(&temporary, source, MOST_COPIED)?;
    match root.move_to(&temporary, root, &place) {
        Ok(()) => Ok(()),
        Err(error) => {
            let _ = root.remove_file(&temporary);
            if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) }
        }
    }
}

/// Writes cache files, mode 0600, by their paths below the folder of stores. One that cannot be written, or that
/// another process is writing, is skipped.
pub(super) fn keep(root: &Tree, caches: &[(PathBuf, Vec<u8>)]) {
    for (relative, bytes) in caches {
        if let Err(error) = keep_one(root, relative, bytes) {
            log::debug!("the cache {} cannot be written: {error}", relative.display());
        }
    }
}

fn keep_one(root: &Tree, relative: &Path, bytes: &[u8]) -> io::Result<()> {
    if !is_name(relative.as_os_str()) {
        return Err(io::Error::other("not a name in the folder of stores"));
    }
    root.ensure_dir(Path::new(names::LOCKS), 0o700)?;
    let path = Path::new(names::LOCKS).join(names::CACHES_LOCK);
    let Ok(_lock) = lock::try_lock(root, &path, IfMissing::Create, Share::Alone) else { return Ok(()) };
    let stores = Path::new(names::STORES);
    root.ensure_dir(stores, 0o700)?;
    root.replace_unsynced(&stores.join(relative), bytes, 0o600, names::TEMPORARY)
}

/// How many stores a root has, by their locks: a lock is created before its store and removed after it.
pub fn count(root: &Tree) -> u64 {
    let locks = root.names(Path::new(names::LOCKS)).unwrap_or_default();
    locks.iter().filter(|name| name.as_encoded_bytes().starts_with(names::STORE_LOCK.as_bytes())).count()
        as u64
}

/// What becomes of what is no longer needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pruning {
    /// It is named, and stays.
    Find,
    /// It is removed.
    Remove,
}

/// Removes stores in which nothing has changed for longer than `ttl` returns for their path below the folder of stores
/// (`None`: never), and the folders above them that become empty. A store that is being mounted stays.
///
/// # Errors
/// If the locks cannot be listed. A store that cannot be examined or removed stays, with a warning in the log.
pub fn prune(
    root: &Tree,
    now: DateTime<Utc>,
    ttl: &dyn Fn(&Path) -> Option<Duration>,
    deed: Pruning,
) -> Result<Vec<Pruned>> {
    let locks = Path::new(names::LOCKS);
    let mut pruned = Vec::new();
    if root.kind(locks).context("look for locks")?.is_none() {
        return Ok(pruned);
    }
    let mut names = root.names(locks).context("list the locks")?;
    order::sort(&mut names);
    for name in
        names.iter().filter_map(|name| name.to_str()).filter(|name| name.starts_with(names::STORE_LOCK))
    {
        match prune_one(root, name, now, ttl, deed) {
            Ok(one) => pruned.extend(one),
            Err(error) => log::warn!("the store of the lock {name} is kept: {error}"),
        }
    }
    Ok(pruned)
}

fn prune_one(
    root: &Tree,
    name: &str,
    now: DateTime<Utc>,
    ttl: &dyn Fn(&Path) -> Option<Duration>,
    deed: Pruning,
) -> io::Result<Option<Pruned>> {
    let path = Path::new(names::LOCKS).join(name);
    let lock = match lock::try_lock(root, &path, IfMissing::Fail, Share::Alone) {
        Ok(lock) => lock,
        Err(why) => return why.or_busy(), // it is being mounted
    };
    let mut text = String::new();
    lock.file().take(MAX_PATH).read_to_string(&mut text)?;
    let relative = PathBuf::from(text);
    let stays = relative.components().all(|part| matches!(part, Component::Normal(_)));
    // The agent can write to the folder of locks, and a mount may have died before it wrote the path.
    if !stays || lock_name(&relative) != name {
        return Ok(None);
    }
    let stores = Path::new(names::STORES);
    let going = stores.join(format!("{}{}", names::STORE_GOING, &name[names::STORE_LOCK.len()..]));
    if deed == Pruning::Remove {
        root.remove_all(&going)?; // left by an interrupted removal
    }
    let store = stores.join(&relative);
    let Some(limit) = ttl(&relative) else { return Ok(None) };
    let mut gone = None;
    if is_in_real_folders(root, &store)? {
        let newest = DateTime::<Utc>::from(root.newest_change(&store)?);
        if now.signed_duration_since(newest) <= limit {
            return Ok(None);
        }
        gone = Some(Pruned { store: relative.clone(), bytes: measure(&root.path().join(&store)).bytes });
        if deed == Pruning::Find {
            return Ok(gone);
        }
        root.move_to(&store, root, &going)?;
        root.remove_all(&going)?;
    } else if deed == Pruning::Find {
        return Ok(None);
    }
    let mut above = relative.parent();
    while let Some(folder) = above.filter(|folder| !folder.as_os_str().is_empty()) {
        if root.remove_dir(&stores.join(folder)).is_err() {
            break; // not empty
        }
        above = folder.parent();
    }
    root.remove_file(&path)?;
    Ok(gone)
}

/// Whether it is a folder and no folder above it is a link.
fn is_in_real_folders(root: &Tree, store: &Path) -> io::Result<bool> {
    let mut place = PathBuf::new();
    for part in store.components() {
        place.push(part);
        if root.kind(&place)? != Some(FileKind::Dir) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn lock_name(relative: &Path) -> String {
    let digest = hex(&Sha256::digest(relative.as_os_str().as_encoded_bytes()));
    format!("{}{}", names::STORE_LOCK, &digest[..32])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "the tests make their own fixtures")]

    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::sys::fault::dying;

    fn root() -> (tempfile::TempDir, Tree) {
        let tmp = tempfile::tempdir().unwrap();
        let tree = Tree::open(tmp.path()).unwrap();
        (tmp, tree)
    }

    fn in_days(days: i64) -> DateTime<Utc> {
        DateTime::<Utc>::from(std::time::SystemTime::now()) + Duration::days(days)
    }

    fn fortnight(store: &Path) -> Option<Duration> {
        (!store.starts_with("for-ever")).then(|| Duration::days(14))
    }

    #[test]
    fn stores_are_private_and_removed_when_unchanged_for_long() {
        let (tmp, tree) = root();
        let stores = tmp.path().join(".stores");
        let absolute = stores.join("sessions/agent/issue");
        mount(&tree, &[absolute.clone(), "for-ever/agent".into(), "sessions/agent/other".into()]).unwrap();
        for folder in
            [".stores", ".stores/sessions", ".stores/sessions/agent/issue", ".stores/for-ever/agent"]
        {
            assert_eq!(fs::metadata(tmp.path().join(folder)).unwrap().permissions().mode() & 0o777, 0o700);
        }
        fs::write(absolute.join("rollout"), "12345").unwrap();
        fs::set_permissions(&absolute, fs::Permissions::from_mode(0o755)).unwrap();
        mount(&tree, std::slice::from_ref(&absolute)).unwrap();
        assert_eq!(fs::metadata(&absolute).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(prune(&tree, in_days(13), &fortnight, Pruning::Remove).unwrap(), []);
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(90 * 86_400);
        fs::File::open(stores.join("sessions/agent/other")).unwrap().set_modified(old).unwrap();
        let one = |bytes| Pruned { store: "sessions/agent/issue".into(), bytes };
        let other = Pruned { store: "sessions/agent/other".into(), bytes: 0 };
        assert_eq!(
            prune(&tree, in_days(0), &fortnight, Pruning::Find).unwrap(),
            std::slice::from_ref(&other)
        );
        assert!(stores.join("sessions/agent/other").exists());
        assert_eq!(prune(&tree, in_days(0), &fortnight, Pruning::Remove).unwrap(), [other]);
        assert!(!stores.join("sessions/agent/other").exists() && absolute.join("rollout").exists());
        let path = Path::new(".locks").join(lock_name(Path::new("sessions/agent/issue")));
        let held = lock::try_lock(&tree, &path, IfMissing::Fail, Share::Shared).unwrap();
        assert_eq!(
            prune(&tree, in_days(15), &fortnight, Pruning::Remove).unwrap(),
            [],
            "it is being mounted"
        );
        drop(held);
        assert_eq!(prune(&tree, in_days(15), &fortnight, Pruning::Remove).unwrap(), [one(5)]);
        assert_eq!(tree.names(Path::new(".stores")).unwrap(), ["for-ever"]);
        assert_eq!(tree.names(Path::new(".locks")).unwrap().len(), 1);
        mount(&tree, std::slice::from_ref(&absolute)).unwrap();
        assert!(absolute.is_dir());
    }

    #[test]
    fn an_interrupted_removal_deletes_a_whole_store_or_nothing() {
        for step in 1.. {
            let (tmp, tree) = root();
            let store = tmp.path().join(".stores/a/b");
            mount(&tree, std::slice::from_ref(&store)).unwrap();
            fs::write(store.join("one"), "1").unwrap();
            fs::write(store.join("two"), "2").unwrap();
            dying::at(Some(step));
            let done = prune(&tree, in_days(15), &fortnight, Pruning::Remove);
            dying::at(None);
            mount(&tree, std::slice::from_ref(&store)).unwrap();
            let left = fs::read_dir(&store).unwrap().count();
            assert!(left == 0 || left == 2, "died at {step}: {left} files");
            // A process that another test is just starting has a duplicate of the lock until its program begins.
            for _ in 0..100 {
                prune(&tree, in_days(15), &fortnight, Pruning::Remove).unwrap();
                if tree.names(Path::new(".stores")).unwrap().is_empty() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            assert_eq!(tree.names(Path::new(".stores")).unwrap().len(), 0, "died at {step}");
            if step > 20 {
                assert_eq!(done.unwrap().len(), 1);
                return;
            }
        }
    }

    #[test]
    fn a_cache_is_private_and_its_errors_are_ignored() {
        let (tmp, tree) = root();
        let cache = |name: &str, text: &str| (PathBuf::from(name), text.as_bytes().to_vec());
        keep(&tree, &[cache("one.json", "1"), cache("../two.json", "2"), cache("a/three.json", "3")]);
        let place = tmp.path().join(".stores/one.json");
        assert_eq!(fs::read_to_string(&place).unwrap(), "1");
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(place.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(tree.names(Path::new(".stores")).unwrap(), ["one.json"]);
        assert!(!tmp.path().join("two.json").exists());
        // The target of a link is not changed.
        let precious = tmp.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        fs::remove_file(&place).unwrap();
        symlink(&precious, &place).unwrap();
        keep(&tree, &[cache("one.json", "2")]);
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
        assert_eq!(fs::read_to_string(&place).unwrap(), "2");
        fs::remove_file(&place).unwrap();
        fs::create_dir(&place).unwrap();
        keep(&tree, &[cache("one.json", "3")]);
    }

    #[test]
    fn a_store_outside_the_folder_of_stores_is_refused() {
        let (tmp, tree) = root();
        let outside = tempfile::tempdir().unwrap();
        for bad in ["/etc", "..", "a/../../b", "", ".going-x"] {
            assert!(mount(&tree, &[bad.into()]).is_err(), "{bad}");
        }
        fs::create_dir(tmp.path().join(".stores")).unwrap();
        symlink(outside.path(), tmp.path().join(".stores/linked")).unwrap();
        let error = mount(&tree, &["linked/a".into()]).unwrap_err();
        assert_eq!(Failure::code_of(&error), Code::Occupied, "{error:#}");
        // A lock that an agent created, and one for a path behind a link.
        let path = Path::new(".locks").join(lock_name(Path::new("linked/a")));
        let forged = tree.open_lock(&path, true).unwrap();
        (&forged).write_all(b"linked/a").unwrap();
        fs::create_dir(outside.path().join("a")).unwrap();
        fs::write(tmp.path().join(".locks/store-0123"), "../x").unwrap();
        drop(forged);
        assert_eq!(prune(&tree, in_days(400), &fortnight, Pruning::Remove).unwrap(), []);
        assert!(outside.path().join("a").exists());
    }
}
