//! The record of a run, correct wherever the process dies between two lines of it.
//!
//! Order: `starting` before the agent is started, its processes before it learns its task, its session as soon as
//! it is named, the result's file before the record that points to it. Whoever finds `starting` or `running` and a
//! free lock knows that the run died.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use super::homes;
use super::layout::names;
use super::lock::EnvLock;
use super::lookup::Found;
use super::meta::{LastResult, Meta, Own, RunRecord, SessionRecord, Status};
use super::reuse::open_work_dir;
use crate::failure::{Code, Failure};
use crate::sidecar::Manifest;
use crate::sys::tree::Tree;

/// An environment that is held for a run. To let go of the lock is to drop this.
#[derive(Debug)]
pub struct RunningEnv {
    /// The environment.
    pub found: Found,
    /// The record as it is on the disk.
    pub meta: Meta,
    /// A run that died here before, whose processes may still be about.
    pub died: Option<RunRecord>,
    lock: EnvLock,
}

impl RunningEnv {
    /// Locks an environment and checks that it is fit for a run.
    ///
    /// # Errors
    /// 4 when it is held, 3 when its work dir is gone or its sidecars are not in place.
    pub fn acquire(found: Found) -> Result<RunningEnv> {
        let path = found.env.path.clone();
        let lock = EnvLock::acquire(&found.env.tree, &path)?;
        // Only now can nobody be changing the record any more.
        let found = Found { meta: Meta::load(&found.env.tree)?, env: found.env };
        let meta = found.require_meta()?;
        let own = meta.own_or_rebuilt(&path);
        let unfit = |what: &str| Failure::new(Code::WorkDirGone, format!("{} {what}", path.display()));
        if own.status == Status::Cleaned {
            // Restored from the trash, or a folder of the user's, its work dir is there.
            let hint = match open_work_dir(&found, &found.work_dir()) {
                Ok(_) => {
                    format!("`execenv reuse {}` with the task document makes it fit again", path.display())
                }
                Err(_) => "prepare the task again: `execenv prepare`".to_owned(),
            };
            return Err(unfit("has been cleaned up").hint(hint).into());
        }
        let manifest = Manifest::load(&found.env.tree)?.unwrap_or_default();
        if !manifest.is_in_place() || homes::is_unfinished(&found.env.tree) {
            return Err(unfit("is not finished: preparing or reusing it was cut short")
                .hint(format!(
                    "`execenv reuse {}` with the task document, or `execenv doctor --fix`",
                    path.display()
                ))
                .into());
        }
        open_work_dir(&found, &found.work_dir())?;
        homes::check_exports(&found.env.tree, &own.env)?;
        homes::check_needs(&found.env.tree, &own.needs)?;
        let died = own.run.as_ref().filter(|_| own.status.is_active()).cloned();
        Ok(RunningEnv { found, meta, died, lock })
    }

    /// The lock, for the guard that outlives us.
    pub fn lock(&self) -> &EnvLock {
        &self.lock
    }

    /// Our part of the record.
    pub fn own(&self) -> Own {
        self.meta.own_or_rebuilt(&self.found.env.path)
    }

    /// Changes our part of the record, on the disk too.
    fn update(&mut self, change: impl FnOnce(&mut Meta, &mut Own)) -> Result<()> {
        self.update_with(change, Meta::store)
    }

    fn update_with(
        &mut self,
        change: impl FnOnce(&mut Meta, &mut Own),
        store: fn(&Meta, &Tree) -> Result<()>,
    ) -> Result<()> {
        let mut meta = self.meta.clone();
        let mut own = self.own();
        change(&mut meta, &mut own);
        meta.own = Some(own);
        store(&meta, &self.found.env.tree)?;
        self.meta = meta;
        Ok(())
    }

    /// Records that a run is about to start its agent. The lock takes the place of the lease (decision D3).
    ///
    /// # Errors
    /// As the system reports them.
    pub fn starting(&mut self, run_id: &str, temporary: &Path, pid: u32, now: DateTime<Utc>) -> Result<()> {
        let outside = (!temporary.starts_with(&self.found.env.path)).then(|| temporary.to_owned());
        let change = |_: &mut Meta, own: &mut Own| {
            let seq = own.run.as_ref().map_or(0, |run| run.seq) + 1;
            own.status = Status::Starting;
            own.lease_until = None;
            own.run = Some(RunRecord {
                id: run_id.into(),
                seq,
                pid,
                agent_pid: None,
                temporary: outside,
                started_at: Some(now),
            });
        };
        self.update_with(change, Meta::store_unsynced)
    }

    /// Records the agent's process, before it learns its task.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn running(&mut self, agent_pid: u32) -> Result<()> {
        self.update(|_, own| {
            own.status = Status::Running;
            if let Some(run) = own.run.as_mut() {
                run.agent_pid = Some(agent_pid);
            }
        })
    }

    /// Records the agent's conversation at once: a crash must not lose the way to resume it.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn session(&mut self, id: &str, now: DateTime<Utc>) -> Result<()> {
        let work_dir = self.found.work_dir();
        self.update(|_, own| {
            own.session = Some(SessionRecord {
                id: id.into(),
                provider: own.provider.clone(),
                work_dir,
                poisoned: None,
                updated_at: Some(now),
            });
        })
    }

    /// Forgets a conversation that the agent's program refused to go on with.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn forget_session(&mut self) -> Result<()> {
        self.update(|_, own| own.session = None)
    }

    /// Writes the result's file, then the record that points to it. The record alone is synced: a power cut that
    /// takes the file leaves the log it was made from.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn ended(
        &mut self,
        status: Status,
        result: LastResult,
        poisoned: Option<String>,
        document: &[u8],
        now: DateTime<Utc>,
    ) -> Result<()> {
        let tree = &self.found.env.tree;
        let file = Path::new(names::OUTPUT).join("result.json");
        tree.ensure_dir(Path::new(names::OUTPUT), 0o755)
            .and_then(|()| tree.replace_unsynced(&file, document, 0o644, names::TEMPORARY))
            .with_context(|| format!("write {}", tree.path().join(&file).display()))?;
        self.update(|meta, own| {
            meta.completed_at = Some(now);
            own.status = status;
            own.last_result = Some(result);
            if let (Some(session), Some(why)) = (own.session.as_mut(), poisoned) {
                session.poisoned = Some(why);
            }
        })
    }

    /// Ends the hold and gives the environment back.
    pub fn release(self) -> Found {
        Found { env: self.found.env, meta: Some(self.meta) }
    }
}

/// The name of a run's private folder inside its env root.
const TEMPORARY: &str = "tmp";
/// The longest path of a folder for sockets: with a name of 40 characters it stays below 104 bytes.
const MAX_TEMPORARY: usize = 60;

/// A run's private folder for temporary files: below `base` if one is named (`providers.md` N-10), else in the env root
/// where its path is short enough for sockets, else below `/tmp`. Outside it bears the run's id.
pub(crate) fn temporary_dir(env_root: &Path, run_id: &str, base: Option<&Path>) -> PathBuf {
    let inside = env_root.join(TEMPORARY);
    match base {
        Some(base) => base.join(outside_name(run_id)),
        None if inside.as_os_str().len() <= MAX_TEMPORARY => inside,
        None => Path::new("/tmp").join(outside_name(run_id)),
    }
}

fn outside_name(run_id: &str) -> String {
    format!("execenv-{}", run_id.get(..13).unwrap_or(run_id))
}

/// Where a run keeps its MCP servers, below the env root.
pub(crate) fn mcp_file() -> PathBuf {
    Path::new(names::LAUNCH).join("mcp.json")
}

/// Makes the private folder, empty. Only after [`RunningEnv::starting`], so that a crash leaves none without a record.
///
/// # Errors
/// As the system reports them.
pub(crate) fn make_temporary(tree: &Tree, path: &Path) -> Result<()> {
    let made = if path == tree.path().join(TEMPORARY) {
        tree.remove_all(Path::new(TEMPORARY)).and_then(|()| tree.make_dir(Path::new(TEMPORARY), 0o700))
    } else {
        let name = path.file_name().map(Path::new).unwrap_or(Path::new(TEMPORARY));
        path.parent().map_or(Ok(()), |parent| Tree::open(parent)?.make_dir(name, 0o700))
    };
    made.with_context(|| format!("make {}", path.display()))
}

/// Takes away what a run has on the disk only while it lives: the private folder and the file with the MCP servers.
/// What cannot be taken away is said and left to the next run.
pub(crate) fn forget_temporary(tree: &Tree, run_id: &str, outside: Option<&Path>) {
    let say = |path: &Path, error: std::io::Error| log::warn!("cannot remove {}: {error}", path.display());
    if let Err(error) = tree.remove_all(Path::new(TEMPORARY)) {
        say(&tree.path().join(TEMPORARY), error);
    }
    match tree.remove_file(&mcp_file()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            say(&tree.path().join(mcp_file()), error)
        }
        _ => {}
    }
    forget_outside(run_id, outside);
}

/// Takes away what a run that died has left outside of its env root. The caller holds the lock: no run is alive.
pub(crate) fn forget_dead_run(meta: &Meta) {
    if let Some(run) = meta.own.as_ref().and_then(|own| own.run.as_ref()) {
        forget_outside(&run.id, run.temporary.as_deref());
    }
}

/// The record lies within the agent's reach: only an id and a name of the form that we write lead anywhere.
fn forget_outside(run_id: &str, outside: Option<&Path>) {
    let is_ours =
        |path: &&Path| path.is_absolute() && path.file_name() == Some(OsStr::new(&outside_name(run_id)));
    if uuid::Uuid::try_parse(run_id).is_ok()
        && let Some(outside) = outside.filter(is_ours)
    {
        forget_outside_temporary(outside);
    }
}

/// Takes away a run's private folder outside the env root, if it is ours: a folder, not a link, of this user.
fn forget_outside_temporary(path: &Path) {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
    let is_ours = path.symlink_metadata().is_ok_and(|metadata| {
        metadata.is_dir()
            && std::os::unix::fs::MetadataExt::uid(&metadata) == rustix::process::geteuid().as_raw()
    });
    if !is_ours {
        return;
    }
    if let Ok(tree) = crate::sys::tree::Tree::open(parent)
        && let Err(error) = tree.remove_all(Path::new(name))
    {
        log::warn!("cannot remove {}: {error}", path.display());
    }
}
