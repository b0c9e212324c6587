//! Changing the record: it is read, changed and replaced under its own lock.
//!
//! The lock is on the record file itself, which every change replaces: a process that waited for the old file's lock
//! finds a new file at the path and locks that one. So no lock file is needed, and reading an environment does not
//! change its age. The lock is held for one change, and never while waiting for anything else.

use std::io;
use std::path::Path;

use anyhow::{Context, Result};

use super::failed_start::FailedStart;
use super::meta::Meta;
use super::own::Own;
use crate::environment::busy::{Held, WAIT, busy, by};
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::sys::lock::{FileLock, IfMissing, NotLocked, Share, holder, lock_within};
use crate::sys::tree::Tree;

/// The record's mode: the record is its own lock, which everyone who can read it can hold.
pub(crate) const MODE: u32 = 0o600;

/// Whether a change must outlive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Synced to the disk before the call returns.
    Synced,
    /// Not synced: for values that are soon replaced or can be determined again. The record that was synced before stays
    /// beside it, because a power cut may leave a renamed file empty.
    Unsynced,
}

/// The record, locked until it is changed or this is dropped.
#[derive(Debug)]
pub struct LockedRecord {
    /// `None`: there is no record.
    lock: Option<FileLock>,
}

impl LockedRecord {
    /// As [`Meta::change`], with the lock that was taken before.
    ///
    /// # Errors
    /// As [`Meta::change`].
    pub fn change(
        self,
        tree: &Tree,
        durability: Durability,
        change: impl FnOnce(&mut Meta),
    ) -> Result<Option<Meta>> {
        let Some(_lock) = self.lock else { return Ok(None) };
        let Some(before) = Meta::load(tree)? else { return Ok(None) };
        let mut meta = before.clone();
        change(&mut meta);
        if meta != before {
            before.refuse_newer(tree)?;
            meta.write(tree, durability)?;
        }
        Ok(Some(meta))
    }
}

impl Meta {
    /// Locks the record for one change: for a step that must not begin unless it can be recorded.
    ///
    /// # Errors
    /// [`Code::EnvBusy`] when another process keeps the lock.
    pub fn lock(tree: &Tree) -> Result<LockedRecord> {
        Ok(LockedRecord { lock: lock(tree)? })
    }

    /// Changes the record as it is on disk now, and returns the new record. A change that leaves the record equal
    /// writes nothing. `None`: there is no record.
    ///
    /// # Errors
    /// [`Code::UnreadableState`] for a damaged record or one of a newer schema, [`Code::EnvBusy`] when other changes
    /// do not end.
    pub fn change(
        tree: &Tree,
        durability: Durability,
        change: impl FnOnce(&mut Meta),
    ) -> Result<Option<Meta>> {
        Meta::lock(tree)?.change(tree, durability, change)
    }

    /// As [`Meta::change`], for execenv's own part. If multica wrote the record last, that part is rebuilt first.
    ///
    /// # Errors
    /// As [`Meta::change`]; a missing record is an error as well.
    pub fn change_own(
        tree: &Tree,
        durability: Durability,
        change: impl FnOnce(&mut Meta, &mut Own),
    ) -> Result<Meta> {
        let changed = Meta::change(tree, durability, |meta| {
            let mut own = meta.own_or_rebuilt(tree);
            change(meta, &mut own);
            meta.own = Some(own);
        })?;
        changed.ok_or_else(|| {
            let message = format!("{} has no record ({})", tree.path().display(), names::META);
            Failure::new(Code::UnreadableState, message)
                .hint("`execenv prepare` with the same task makes a new environment")
                .into()
        })
    }

    /// Records a start that failed, unless a run has begun since the one with the number `seq`. It is for people, so it is not synced, and
    /// one that cannot be recorded is left out: the caller has the failure itself to tell.
    pub fn note_failed_start(tree: &Tree, start: FailedStart, seq: u64) {
        let changed = Meta::change(tree, Durability::Unsynced, |meta| {
            if let Some(own) = meta.own.as_mut().filter(|own| own.last_seq() == seq) {
                own.failed_start = Some(start);
            }
        });
        if let Err(error) = changed {
            log::debug!("the failed start could not be recorded: {error:#}");
        }
    }

    /// Writes a record that was removed or damaged while a run held the environment.
    ///
    /// # Errors
    /// As the system reports them; a newer schema is refused.
    pub fn restore(&self, tree: &Tree) -> Result<()> {
        self.refuse_newer(tree)?;
        let _lock = lock(tree).ok(); // anything but a record file has no lock, and is replaced
        self.write(tree, Durability::Synced)
    }

    fn write(&self, tree: &Tree, durability: Durability) -> Result<()> {
        let (name, bytes) = (Path::new(names::META), self.to_bytes());
        let synced = Path::new(names::RECORD_SYNCED);
        let written = match durability {
            // Where no second name can be had, the record is synced.
            Durability::Unsynced if keep_synced(tree, name, synced).is_ok() => {
                tree.replace_unsynced(name, &bytes, MODE, names::RECORD_TEMPORARY)
            }
            Durability::Synced | Durability::Unsynced => tree
                .replace_in_any_room(name, &bytes, MODE, names::RECORD_TEMPORARY)
                .and_then(|()| if tree.kind(synced)?.is_some() { tree.clear_name(synced) } else { Ok(()) }),
        };
        written.with_context(|| format!("write {}", tree.path().join(names::META).display()))?;
        self.show_lease(tree);
        Ok(())
    }

    /// Shows the end of the lease as the time of the env root, which the write of a file in it has renewed: multica's
    /// collector judges an environment without a known parent by that time alone (decision D41).
    pub(in crate::environment) fn show_lease(&self, tree: &Tree) {
        let Some(until) = self.own.as_ref().and_then(|own| own.lease_until) else { return };
        // Only an owner may set it; without it the folder still has the age of its last change.
        if let Err(error) = tree.set_modified(until.into()) {
            log::debug!("set the time of {}: {error}", tree.path().display());
        }
    }
}

/// Gives the record a second name, under which it stays when it is replaced. What has that name already is the one that
/// was synced last, because each synced change removes it.
fn keep_synced(tree: &Tree, record: &Path, synced: &Path) -> io::Result<()> {
    match tree.link_new(record, synced) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Removes the temporary file that a killed writer left beside the record.
///
/// # Errors
/// As the system reports them.
pub(crate) fn sweep_temporary(tree: &Tree) -> Result<()> {
    let left = Path::new(names::RECORD_TEMPORARY);
    let doing = || format!("remove {}", tree.path().join(left).display());
    if tree.kind(left).with_context(doing)?.is_none() {
        return Ok(());
    }
    // While this lock is held, no writer uses the temporary file.
    let _lock = lock(tree)?;
    tree.clear_name(left).with_context(doing)
}

/// Locks the record; `None` if there is no file.
fn lock(tree: &Tree) -> Result<Option<FileLock>> {
    let path = tree.path().join(names::META);
    match lock_within(tree, Path::new(names::META), IfMissing::Fail, Share::Alone, WAIT, &|| false) {
        Ok(lock) => Ok(Some(lock)),
        Err(NotLocked::Missing) => Ok(None),
        Err(NotLocked::Busy) => {
            let holder = holder(tree, Path::new(names::META));
            let message = format!("another process has the lock {}{}", path.display(), by(holder.as_ref()));
            Err(Failure::new(Code::EnvBusy, message).hint("wait for it to end, then try again").into())
        }
        Err(NotLocked::Refused(error)) => Err(busy(tree.path(), &Held::Unknown(error.into()))),
        Err(NotLocked::Failed(error)) => Err(error).with_context(|| format!("lock {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "the tests make their own fixtures")]

    use std::fs;

    use super::*;
    use crate::environment::SessionRecord;
    use crate::sys::fault::dying;

    const RECORD: &str =
        r#"{"workspace_id":"w","execenv":{"schema":1,"run":{"id":"r","later":1}},"future":2}"#;

    fn env() -> (tempfile::TempDir, Tree) {
        let tmp = tempfile::tempdir().unwrap();
        fs::write(tmp.path().join(names::META), RECORD).unwrap();
        let tree = Tree::open(tmp.path()).unwrap();
        (tmp, tree)
    }

    #[test]
    fn fifty_concurrent_writers_lose_nothing() {
        let (tmp, env_tree) = env();
        std::thread::scope(|scope| {
            for writer in 0..50 {
                let tree = Tree::open(tmp.path()).unwrap();
                scope.spawn(move || {
                    for time in 0..4 {
                        let durability = if time == 0 { Durability::Synced } else { Durability::Unsynced };
                        Meta::change_own(&tree, durability, |meta, own| {
                            own.recorded_env.insert(format!("WRITER_{writer}_{time}"), "was here".into());
                            meta.other.insert(format!("writer-{writer}-{time}"), true.into());
                        })
                        .unwrap();
                    }
                });
            }
        });
        let meta = Meta::load(&Tree::open(tmp.path()).unwrap()).unwrap().unwrap();
        let own = meta.own.unwrap();
        assert_eq!((own.recorded_env.len(), meta.other.len()), (200, 201));
        Meta::change_own(&env_tree, Durability::Synced, |_, own| own.recorded_env.clear()).unwrap();
        let names: Vec<_> =
            fs::read_dir(tmp.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [names::META], "nothing is left beside the record");
    }

    #[test]
    fn unknown_keys_are_kept_in_every_object_and_no_change_writes_nothing() {
        let (tmp, tree) = env();
        let file = || fs::metadata(tmp.path().join(names::META)).unwrap();
        let inode = std::os::unix::fs::MetadataExt::ino(&file());
        Meta::change(&tree, Durability::Synced, |_| {}).unwrap().unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::ino(&file()), inode);
        let session = SessionRecord { id: "s".into(), ..SessionRecord::default() };
        let changed =
            Meta::change_own(&tree, Durability::Synced, |_, own| own.session = Some(session)).unwrap();
        assert_eq!(Meta::load(&tree).unwrap().unwrap(), changed);
        let text = fs::read_to_string(tmp.path().join(names::META)).unwrap();
        assert!(text.contains(r#""later":1"#) && text.contains(r#""future":2"#), "{text}");
    }

    #[test]
    fn a_record_that_cannot_be_changed_stays_as_it_is() {
        let (tmp, tree) = env();
        for text in ["{", r#"{"workspace_id":"w","execenv":{"schema":99}}"#] {
            fs::write(tmp.path().join(names::META), text).unwrap();
            let error = Meta::change_own(&tree, Durability::Synced, |_, own| own.schema = 1).unwrap_err();
            assert_eq!(Failure::code_of(&error), Code::UnreadableState);
            assert_eq!(fs::read_to_string(tmp.path().join(names::META)).unwrap(), text);
        }
        fs::remove_file(tmp.path().join(names::META)).unwrap();
        assert!(Meta::change(&tree, Durability::Synced, |_| {}).unwrap().is_none());
        assert!(Meta::change_own(&tree, Durability::Synced, |_, _| {}).is_err());
        assert_eq!(fs::read_dir(tmp.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_synced_record_counts_while_a_newer_one_may_be_lost() {
        let (tmp, tree) = env();
        let platform = |durability, name: &str| {
            Meta::change_own(&tree, durability, |_, own| own.platform = name.into()).unwrap();
        };
        let read = || Meta::load(&tree).unwrap().unwrap().own.unwrap().platform;
        let (record, beside) = (tmp.path().join(names::META), tmp.path().join(names::RECORD_SYNCED));
        platform(Durability::Synced, "one");
        assert!(!beside.exists());
        for (unsynced, found) in [("two", "two"), ("three", "three")] {
            platform(Durability::Unsynced, unsynced);
            assert_eq!(read(), found);
            let whole = fs::read(&record).unwrap();
            fs::write(&record, "").unwrap(); // what XFS leaves
            assert_eq!(read(), "one");
            fs::write(&record, whole).unwrap();
        }
        fs::write(&record, "").unwrap();
        platform(Durability::Synced, "four");
        assert!(!beside.exists());
        assert_eq!(read(), "four");
        fs::write(&record, "").unwrap();
        assert!(Meta::load(&tree).is_err(), "an empty record alone is damaged");
    }

    #[test]
    fn a_killed_writer_leaves_the_old_record_or_the_new_one() {
        for durability in [Durability::Synced, Durability::Unsynced] {
            for step in 1.. {
                let (tmp, tree) = env();
                let change =
                    |name: &'static str| move |_: &mut Meta, own: &mut Own| own.platform = name.into();
                Meta::change_own(&tree, Durability::Unsynced, change("before")).unwrap();
                dying::at(Some(step));
                let died = Meta::change_own(&tree, durability, change("p")).is_err();
                dying::at(None);
                let meta = Meta::load(&tree).unwrap().unwrap();
                assert!(meta.own.unwrap().platform == "p" || died, "step {step}");
                sweep_temporary(&tree).unwrap();
                Meta::change_own(&tree, Durability::Synced, change("after")).unwrap();
                assert_eq!(fs::read_dir(tmp.path()).unwrap().count(), 1, "step {step}");
                if !died {
                    break;
                }
            }
        }
    }
}
