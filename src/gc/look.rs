//! Gathers the facts of one environment without changing anything: not even a lock file is created, because that would
//! renew the age of a folder without a record.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, Utc};

use super::artifacts::has_managed;
use super::decide::protection;
use super::facts::{GcFacts, LockState, MetaState};
use super::request::GcRequest;
use crate::environment::{
    EnvLock, EnvRoot, EnvStatus, FoundEnv, Held, Meta, WorkDir, is_environment, is_restored,
};
use crate::layout::names;
use crate::sys::tree::Tree;

/// Looks at the environment `<workspace>/<key>` below an open root, its lock included. `None`: it is gone.
pub fn look(root: &Tree, workspace: &str, key: &Path, now: DateTime<Utc>) -> Option<GcFacts> {
    let mut facts = look_at_record(root, workspace, key, now)?;
    facts.look_at_lock(root);
    Some(facts)
}

/// Looks at a folder two levels below the root. `None`: it is gone, or is not an environment.
pub(super) fn look_at_folder(
    request: &GcRequest<'_>,
    root: &Tree,
    workspace: &str,
    key: &Path,
) -> Option<GcFacts> {
    let mut facts = look_at_record(root, workspace, key, request.now)?;
    // A record proves an environment; without one it has to be looked at.
    if facts.meta != MetaState::Read && !is_environment(root, &Path::new(workspace).join(key)) {
        return None;
    }
    facts.look_at_user_folder(request);
    facts.look_at_lock_early(request, root);
    Some(facts)
}

/// Looks at the record and the folder's age alone: the lock takes more system calls than all the rest.
pub(super) fn look_at_record(
    root: &Tree,
    workspace: &str,
    key: &Path,
    now: DateTime<Utc>,
) -> Option<GcFacts> {
    facts_of(root, workspace, key, &read_record(root, workspace, key), now)
}

/// The record of an environment, or that it cannot be read.
pub(super) type Record = std::result::Result<Option<Meta>, Unreadable>;

/// A record that cannot be read.
#[derive(Debug)]
pub(super) struct Unreadable;

/// Reads the record of an environment.
pub(super) fn read_record(root: &Tree, workspace: &str, key: &Path) -> Record {
    match Meta::bytes(root, &Path::new(workspace).join(key)) {
        Ok(Some(bytes)) => Meta::parse(&bytes).map(Some).map_err(|_| Unreadable),
        Ok(None) => Ok(None),
        Err(_) => Err(Unreadable),
    }
}

/// The facts by a record and the folder's age. `None`: the folder is gone.
pub(super) fn facts_of(
    root: &Tree,
    workspace: &str,
    key: &Path,
    record: &Record,
    now: DateTime<Utc>,
) -> Option<GcFacts> {
    let mut facts = GcFacts {
        root_dir: root.path().join(workspace).join(key),
        workspace: workspace.to_owned(),
        workspace_id: String::new(),
        meta: MetaState::Missing,
        kind: String::new(),
        parent_id: String::new(),
        is_foreign: true,
        status: EnvStatus::Unknown,
        local_directory: false,
        folder_restored: false,
        completed_at: None,
        last_used: None,
        by_folder: false,
        lease_until: None,
        artifacts_swept_at: None,
        has_cache: false,
        meta_written: None,
        lock: LockState::NotAsked,
    };
    match record {
        Ok(Some(meta)) => facts.take(meta),
        Ok(None) => {}
        Err(Unreadable) => facts.meta = MetaState::Unreadable,
    }
    if facts.meta != MetaState::Read {
        // The manifest may still say that generated files stand in a user's folder; an unreadable one may hide it.
        facts.local_directory = EnvRoot::open(&facts.root_dir)
            .is_ok_and(|env| FoundEnv::new(env, None).work_dir != WorkDir::Managed);
    }
    if facts.has_future_use(now) {
        let written = record_changed(&facts.root_dir);
        facts.cap_uses(written.map_or(now, |written| written.min(now)));
    }
    // Another tool notes no use but the last run's end.
    if facts.is_foreign {
        let by_folder = folder_time(&facts.root_dir)?;
        facts.by_folder = by_folder >= facts.last_used;
        facts.last_used = facts.last_used.max(by_folder);
    } else if facts.last_used.is_none() {
        facts.by_folder = true;
        facts.last_used = folder_time(&facts.root_dir)?;
    }
    Some(facts)
}

impl GcFacts {
    /// Looks whether the user folder of a cleaned environment has nothing of execenv's any more. A folder that only an
    /// unproved record names is not opened.
    pub(super) fn look_at_user_folder(&mut self, request: &GcRequest<'_>) {
        if self.local_directory && self.status == EnvStatus::Cleaned && self.meta == MetaState::Read {
            let trust = request.trust();
            self.folder_restored =
                FoundEnv::open(&self.root_dir).is_ok_and(|found| is_restored(&found, trust));
        }
    }

    /// Looks at the lock where that may spare the server a question. Of all other environments it is looked at when
    /// something would be removed.
    fn look_at_lock_early(&mut self, request: &GcRequest<'_>, root: &Tree) {
        // Our own record says whether a run is on; another tool's does not.
        if self.status.is_active() || (request.server.is_some() && self.is_foreign) {
            self.look_at_lock(root);
        }
    }

    /// Looks at the lock.
    pub(super) fn look_at_lock(&mut self, root: &Tree) {
        self.lock = root.subtree(&self.relative()).map_or(LockState::Unknown, |env| lock_of(&env));
        self.status = self.status.seen(self.is_foreign, self.is_held());
    }

    /// Whether it is old enough that a copy of an agent CLI in it may be removed.
    pub(super) fn may_have_cache(&self, request: &GcRequest<'_>) -> bool {
        let is_old = |ttl| self.completed_at.map_or(self.kind == "issue", |at| request.now - at > ttl);
        self.meta == MetaState::Read
            && protection(self, request.now).is_none()
            && request.policy.artifact_ttl.is_some_and(is_old)
    }

    /// Looks for what an agent CLI has copied into its home.
    pub(super) fn look_at_cache(&mut self, root: &Tree) {
        let Ok(env) = root.subtree(&self.relative()) else { return };
        self.has_cache = has_managed(&env);
        if self.has_cache {
            self.meta_written = folder_time(&self.root_dir.join(names::META)).flatten();
        }
    }

    /// Its place below the root.
    fn relative(&self) -> PathBuf {
        Path::new(&self.workspace).join(self.root_dir.file_name().unwrap_or_default())
    }
}

/// What the lock of an open environment says.
pub(super) fn lock_of(env: &Tree) -> LockState {
    match EnvLock::try_acquire(env, false) {
        Ok(_lock) => LockState::Free,
        Err(Held::ByOther) => LockState::Held,
        Err(Held::NoLockFile | Held::Moved) => LockState::None,
        Err(Held::Unknown(_)) => LockState::Unknown,
    }
}

/// When the record last changed, by the system's own note, which no program sets.
fn record_changed(root_dir: &Path) -> Option<DateTime<Utc>> {
    use std::os::unix::fs::MetadataExt;
    let metadata = root_dir.join(names::META).symlink_metadata().ok()?;
    DateTime::from_timestamp(metadata.ctime(), 0)
}

/// The time of a file or folder, as far as the file system keeps one. `None`: it is gone.
pub(super) fn folder_time(path: &Path) -> Option<Option<DateTime<Utc>>> {
    Some(path.symlink_metadata().ok()?.modified().ok().map(time))
}

fn time(at: SystemTime) -> DateTime<Utc> {
    at.into()
}
