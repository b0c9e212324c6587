//! A run that died: execenv was killed, or the machine went down. Whoever has the environment's lock next ends what is left
//! of it, reads its log again, and records how it ended: `run` and `reuse` before they begin, `doctor --fix` for all.
//!
//! Everything here is a claim of the agent's: the record, the log, the result. None of it leads further than it would have
//! in the live run. The record says last that the run is over; a kill before that leaves all to the next command.

mod log;
mod written;

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::inbox;
use super::result::RunResult;
use crate::environment::{Durability, LockedEnv, Meta, Own, RunRecord, SessionRecord, Trust};
use crate::git::Git;
use crate::supervise::{self, RunStatus};

/// What was found of a run that died.
#[derive(Debug)]
pub struct DeadRun {
    /// How it ended, as far as can be known.
    pub status: RunStatus,
    /// Where that is from.
    pub source: Source,
    /// How many processes were left, and were killed.
    pub killed: usize,
    /// The record as it is now.
    pub(super) meta: Meta,
}

/// Where the result of a run is from that died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It was written by the run, which died before it could be recorded.
    Run,
    /// The agent's own result stands in its log.
    Log,
    /// Nothing says how the run ended.
    Nothing,
}

impl DeadRun {
    /// What was found and done.
    pub fn words(&self) -> String {
        let killed = format!("killed {} processes that it had left", self.killed);
        match self.source {
            Source::Run => format!("{killed}; it had written its result: {}", self.status.word()),
            Source::Log => {
                format!("{killed}; its result was rebuilt from its log: {}", self.status.word())
            }
            Source::Nothing => killed,
        }
    }
}

/// Recovers an environment whose run has died. `None`: none has.
///
/// # Errors
/// As the system reports them; the run counts as not recovered then.
pub fn recover(
    found: &LockedEnv,
    git: &Git,
    trust: Trust<'_>,
    now: DateTime<Utc>,
) -> Result<Option<DeadRun>> {
    let _ = (git, trust);
    let tree = &found.env.tree;
    let Some(own) = found.meta.as_ref().map(|meta| meta.own_or_rebuilt(tree)) else { return Ok(None) };
    if !own.status.is_active() {
        return Ok(None);
    }
    let run = own.run.clone().unwrap_or_default();
    let killed = supervise::end_leftovers(&run.id, &found.env.path);
    found.forget_temporary(&run.id, run.temporary.as_deref());
    inbox::clear(tree);
    found.sweep_temporaries();
    let heard = log::read(tree, &own.provider, &run);
    let session = heard.as_ref().and_then(|heard| heard.outcome.session_id.clone());
    let (result, source) = result(found, &own, &run, heard, killed, now);
    let recorded = match written::by(tree, &run.id) {
        Some(written) => Recorded::Written(written),
        None => {
            result.store(tree)?;
            Recorded::Rebuilt
        }
    };
    let (status, source, last_result) = match recorded {
        Recorded::Written(written) => (written.status, Source::Run, written.record()),
        Recorded::Rebuilt => (result.status, source, result.record()),
    };
    let meta = Meta::change_own(tree, Durability::Synced, |meta, own| {
        own.status = status.into();
        meta.completed_at = last_result.ended_at;
        own.last_result = Some(last_result);
        if let Some(id) = session.filter(|id| own.session.as_ref().is_none_or(|known| known.id != *id)) {
            own.session = Some(SessionRecord {
                id,
                provider: own.provider.clone(),
                work_dir: found.agent_dir(),
                updated_at: run.started_at,
                ..SessionRecord::default()
            });
        }
        if let (Some(session), Some(why)) = (own.session.as_mut(), result.poisoned) {
            session.poisoned = Some(why.word().into());
        }
    })?;
    Ok(Some(DeadRun { status, source, killed, meta }))
}

/// What the record is to point to.
enum Recorded {
    /// The run's own result.
    Written(written::Written),
    /// One that was rebuilt.
    Rebuilt,
}

/// The result of the run, from what was heard of it.
fn result(
    found: &LockedEnv,
    own: &Own,
    run: &RunRecord,
    heard: Option<log::Heard>,
    killed: usize,
    now: DateTime<Utc>,
) -> (RunResult, Source) {
    let (result, source) = match heard {
        None => (RunResult::crashed(now), Source::Nothing),
        Some(heard) => {
            let source = if heard.outcome.verdict.status == RunStatus::Crashed {
                Source::Nothing
            } else {
                Source::Log
            };
            (RunResult::of(heard.outcome, heard.turns, now), source)
        }
    };
    let is_of_run = |at: Option<DateTime<Utc>>| at.zip(run.started_at).is_some_and(|(at, began)| at >= began);
    let saved = own.checkpoints.iter().filter(|one| !one.manual && is_of_run(one.at));
    let commits = saved.map(|one| one.sha.clone()).collect();
    (result.rebuilt(killed).with_commits(commits).of_run(&run.id, &found.env.path), source)
}
