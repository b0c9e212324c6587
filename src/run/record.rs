//! The environment that a run holds, and the states of the run in its record. The record is correct wherever the process
//! dies.
//!
//! Order: `starting` before the agent is started, the agent's process before it reads its prompt, its session as soon as
//! it is named, the result's file before the record that points to it. `starting` or `running` with a free lock means that
//! the run died.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use super::on_success::OnSuccess;
use super::recovery::{self, DeadRun};
use super::renewal::Renewal;
use super::result::RunResult;
use crate::environment::{
    Durability, EnvLock, EnvRoot, EnvStatus, Exports, FoundEnv, IterationRecord, LockedEnv, LockedRoot, Meta,
    Own, Prepared, RunRecord, SessionRecord, SetupState, Trust, check_exports, check_needs,
    has_unfinished_homes, refuse_taken_ports, renew_store_links,
};
use crate::failure::{Code, Failure};
use crate::git::Git;
use crate::sidecar::Manifest;
use crate::sys::lock::touch;
use crate::sys::machine::Machine;

/// An environment that is locked for a run, until this is dropped. Only it can change the run's state.
#[derive(Debug)]
pub struct RunningEnv {
    /// The environment.
    pub found: LockedEnv,
    /// The record as it is on the disk.
    pub meta: Meta,
    /// The session that could not be recorded when the agent named it; the next change records it.
    session_to_record: Option<SessionRecord>,
    /// While a run is on.
    renewal: Option<Renewal>,
}

/// A run that is about to start its agent.
pub(super) struct BegunRun<'a> {
    pub(super) run_id: &'a str,
    /// What the agent speaks; empty for a program that is no agent.
    pub(super) dialect: &'a str,
    /// The agent's private folder for temporary files.
    pub(super) temporary: &'a Path,
    /// The agent goes on by itself.
    pub(super) is_autonomous: bool,
    /// It then goes on counting the turns of the run before.
    pub(super) counts_on: bool,
    /// Its agent is in a sandbox.
    pub(super) sandboxed: bool,
    /// How its work is to be published.
    pub(super) on_success: Option<&'a OnSuccess>,
}

impl RunningEnv {
    /// Checks that a locked environment can be run.
    ///
    /// # Errors
    /// 4 when another task works in its user folder; 3 when its work dir is gone or its sidecars are not in place.
    pub fn of(found: LockedEnv, other_roots: &[PathBuf], trust: Trust<'_>) -> Result<RunningEnv> {
        let path = found.env.path.clone();
        let meta = found.require_meta()?;
        if let Some(warning) = found.without_record() {
            log::warn!("{warning}");
        }
        let own = meta.own_or_rebuilt(&found.env.tree);
        let unfit = |what: &str| Failure::new(Code::WorkDirGone, format!("{} {what}", path.display()));
        if own.status == EnvStatus::Cleaned {
            // Restored from the trash, or in a folder of the user's: then its work dir exists.
            let hint = match found.open_work_dir(trust) {
                Ok(_) => {
                    format!("`execenv reuse {}` with the task document restores it", path.display())
                }
                Err(_) => "prepare the task again: `execenv prepare`".to_owned(),
            };
            return Err(unfit("has been cleaned up").hint(hint).into());
        }
        let manifest = Manifest::load(&found.env.tree)?.unwrap_or_default();
        if !manifest.is_in_place() || has_unfinished_homes(&found.env.tree) {
            return Err(unfit("is incomplete: `prepare` or `reuse` was interrupted")
                .hint(format!(
                    "`execenv reuse {}` with the task document, or `execenv doctor --fix`",
                    path.display()
                ))
                .into());
        }
        if let Some(setup) = own.setup.as_ref().filter(|setup| setup.is_unfinished()) {
            let env = path.display();
            let again = match setup.given {
                0 => format!("`execenv reuse {env}` runs the setup again"),
                _ => format!(
                    "`execenv reuse {env} --setup COMMAND` runs the setup again, with the commands that are given"
                ),
            };
            return Err(unfit("is incomplete: its setup failed or was interrupted")
                .hint(format!("{again}; `execenv reuse {env} --no-setup` goes on without it"))
                .into());
        }
        if own.setup.as_ref().is_some_and(|setup| setup.state == SetupState::TornDown) {
            log::warn!(
                "the teardown of {0} has run, so what its setup had started is gone; `execenv reuse {0}` runs the setup again",
                path.display()
            );
        }
        refuse_taken_ports(&path, &own.ports)?;
        found.open_agent_dir(trust)?;
        found.refuse_other_task(other_roots, trust)?;
        check_exports(&found.env.tree, &Exports::of(&own).variables)?;
        check_needs(&found.env.tree, &own.needs)?;
        renew_store_links(&found.env.tree)?;
        Ok(RunningEnv { found, meta, session_to_record: None, renewal: None })
    }

    /// Takes over an environment that this process has prepared or refreshed, with its lock.
    ///
    /// # Errors
    /// As [`RunningEnv::of`].
    pub fn take_over(
        prepared: &Prepared,
        lock: EnvLock,
        other_roots: &[PathBuf],
        trust: Trust<'_>,
    ) -> Result<RunningEnv> {
        let env = EnvRoot::open(&prepared.root_dir)?;
        RunningEnv::of(LockedRoot::held(env, lock).read()?, other_roots, trust)
    }

    /// Recovers the environment, if the run before has died here. Returns what was found of that run.
    ///
    /// # Errors
    /// As [`recovery::recover`].
    pub(super) fn recover_dead_run(
        &mut self,
        git: &Git,
        trust: Trust<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<DeadRun>> {
        let Some(dead) = recovery::recover(&self.found, git, trust, now)? else { return Ok(None) };
        self.meta = dead.meta.clone();
        Ok(Some(dead))
    }

    fn named_session(&self, id: &str, at: Option<DateTime<Utc>>) -> SessionRecord {
        SessionRecord {
            id: id.into(),
            provider: self.own().provider,
            work_dir: self.found.agent_dir(),
            updated_at: at,
            ..SessionRecord::default()
        }
    }

    /// A handle on the lock, for the guard: it outlives the run.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn lock_handle(&self) -> Result<File> {
        self.found.lock_handle().context("duplicate the lock's handle")
    }

    /// execenv's own part of the record.
    pub fn own(&self) -> Own {
        self.meta.own_or_rebuilt(&self.found.env.tree)
    }

    /// Changes the record on the disk, as it stands there now: another process may have changed it during the run. One
    /// that the agent has removed or damaged is written again as this run last knew it.
    fn change(&mut self, durability: Durability, change: impl Fn(&mut Meta, &mut Own)) -> Result<()> {
        let tree = &self.found.env.tree;
        let session = self.session_to_record.as_ref();
        let change = |meta: &mut Meta, own: &mut Own| {
            if let Some(session) = session {
                own.session = Some(session.clone());
            }
            change(meta, own);
        };
        self.meta = match Meta::load(tree) {
            Ok(Some(_)) => Meta::change_own(tree, durability, change)?,
            Ok(None) | Err(_) => {
                let mut meta = self.meta.clone();
                let mut own = self.own();
                change(&mut meta, &mut own);
                meta.own = Some(own);
                meta.restore(tree)?;
                meta
            }
        };
        self.session_to_record = None;
        if let Some(renewal) = &self.renewal {
            renewal.renew(&self.found.env.tree);
        }
        Ok(())
    }

    /// Records that a run is about to start its agent. The lock takes the place of the lease (decision D3).
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn starting(&mut self, begun: &BegunRun<'_>, now: DateTime<Utc>) -> Result<()> {
        let BegunRun { run_id, dialect, temporary, is_autonomous, counts_on, on_success, sandboxed } = *begun;
        let Machine { host, boot_id, pid_namespace } = Machine::this();
        // The sign of life comes first: without it another machine takes the run for a dead one.
        touch(&self.lock_handle()?).context("touch the lock file")?;
        self.renewal = Some(Renewal::begin(&self.found.env.tree, now));
        let outside = (!temporary.starts_with(&self.found.env.path)).then(|| temporary.to_owned());
        // XFS writes a renamed file's bytes later: a power cut would leave an empty record.
        self.change(Durability::Synced, |_, own| {
            let seq = own.run.as_ref().map_or(0, |run| run.seq) + 1;
            let before = own.run.as_ref().and_then(|run| run.autonomous.clone()).filter(|_| counts_on);
            let autonomous = is_autonomous.then(|| before.unwrap_or_default());
            own.status = EnvStatus::Starting;
            own.lease_until = None;
            own.failed_start = None;
            own.run = Some(RunRecord {
                id: run_id.into(),
                seq,
                pid: std::process::id(),
                agent_pid: None,
                dialect: dialect.into(),
                temporary: outside.clone(),
                host: host.clone(),
                boot_id: boot_id.clone(),
                pid_namespace,
                started_at: Some(now),
                autonomous,
                sandboxed: sandboxed || own.run.as_ref().is_some_and(|run| run.sandboxed),
                on_success: on_success.map(|wanted| wanted.to.word().to_owned()).unwrap_or_default(),
                into: on_success.and_then(|wanted| wanted.into.clone()),
                ..RunRecord::default()
            });
        })
    }

    /// Records the agent's process, before it reads its prompt.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn running(&mut self, agent_pid: u32, agent_start: Option<u64>) -> Result<()> {
        self.change(Durability::Synced, |_, own| {
            own.status = EnvStatus::Running;
            if let Some(run) = own.run.as_mut() {
                run.agent_pid = Some(agent_pid);
                run.agent_start = agent_start;
            }
        })
    }

    /// Records that the agent is paused since then, or goes on. It is for people, and not synced.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn paused(&mut self, since: Option<DateTime<Utc>>) -> Result<()> {
        self.change(Durability::Unsynced, |_, own| {
            own.status = if since.is_some() { EnvStatus::Paused } else { EnvStatus::Running };
            if let Some(run) = own.run.as_mut() {
                run.paused_at = since;
            }
        })
    }

    /// What an autonomous run has counted so far.
    pub(super) fn counted(&self) -> IterationRecord {
        self.own().run.and_then(|run| run.autonomous).unwrap_or_default()
    }

    /// Records what an autonomous run has counted, without a sync: a resumed run may count a turn less after a power cut.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn count(&mut self, counted: &IterationRecord) -> Result<()> {
        self.change(Durability::Unsynced, |_, own| {
            if let Some(run) = own.run.as_mut() {
                run.autonomous = Some(counted.clone());
            }
        })
    }

    /// Records the agent's conversation at once: a crash must not lose the way to resume it. What fails is tried again
    /// once, at the end of the run: the agent may hold the record's lock, and each wait for it stops the supervision.
    ///
    /// It is not synced, because an agent may name as many sessions as it likes: after a power cut, the log has it.
    ///
    /// # Errors
    /// As the system reports them, the first time.
    pub fn session(&mut self, id: &str, now: DateTime<Utc>) -> Result<()> {
        let session = self.named_session(id, Some(now));
        match self.session_to_record.replace(session) {
            None => self.change(Durability::Unsynced, |_, _| {}),
            Some(_) => Ok(()),
        }
    }

    /// Removes a session that the agent refused to resume from the record.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn forget_session(&mut self) -> Result<()> {
        self.session_to_record = None;
        self.change(Durability::Synced, |_, own| own.session = None)
    }

    /// Writes the result's file, then the record that points to it; both are on the disk when the run ends.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn ended(&mut self, result: &RunResult) -> Result<()> {
        self.renewal = None; // from here on the record says to multica that the run is over
        result.store(&self.found.env.tree)?;
        self.change(Durability::Synced, |meta, own| {
            meta.completed_at = Some(result.ended_at);
            own.status = result.status.into();
            own.last_result = Some(result.record());
            if let (Some(session), Some(why)) = (own.session.as_mut(), result.poisoned) {
                session.poisoned = Some(why.word().into());
            }
        })?;
        let tree = &self.found.env.tree;
        tree.sync().with_context(|| format!("sync {}", tree.path().display()))
    }

    /// Records that it was used now, without a run: `gc` counts its age from then. What the record says of runs stays.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn used(&mut self, now: DateTime<Utc>) -> Result<()> {
        touch(&self.lock_handle()?).context("touch the lock file")?;
        self.change(Durability::Unsynced, |_, own| own.used_at = Some(now))
    }

    /// Releases the lock, and returns the environment.
    pub fn release(self) -> FoundEnv {
        FoundEnv { meta: Some(self.meta), ..self.found.unlock() }
    }
}
