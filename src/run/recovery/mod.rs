//! A run that died: execenv was killed, or the machine went down. Whoever has the environment's lock next ends what is left
//! of it, reads its log again, and records how it ended: `run`, `reuse` and `restore` before they begin, `doctor --fix` for
//! all.
//!
//! Everything here is a claim of the agent's: the record, the log, the result. None of it leads further than it would have
//! in the live run. The record says last that the run is over; a kill before that leaves all to the next command.

mod log;
mod way_on;
mod written;

use std::time::{Duration, SystemTime};

use anyhow::Result;
use chrono::{DateTime, Utc};
use rustix::process::Signal;

use super::inbox;
use super::on_success;
use super::result::RunResult;
use crate::environment::{
    CheckpointRecord, Durability, LockedEnv, Meta, Own, PublishedRecord, RunRecord, SessionRecord, Trust,
};
use crate::git::Git;
use crate::layout::names;
use crate::protocol::FailureReason;
use crate::supervise::{self, RunStatus, RunVerdict};
use crate::work::publish::To;
use crate::work::{LeftBehind, look_behind};

pub use way_on::way_on;

/// How long an agent that is left gets to end by itself.
const GRACE: Duration = Duration::from_secs(5);
/// A live run touches its lock at least this often, and what was changed up to then may be of it.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

/// What was found of a run that died.
#[derive(Debug)]
pub struct DeadRun {
    /// How it ended, as far as can be known.
    pub status: RunStatus,
    /// Where that is from.
    pub source: Source,
    /// How many processes were left, and were killed.
    pub killed: usize,
    /// What was found in the repositories of the work dir.
    pub left: LeftBehind,
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
        let mut words = vec![match self.killed {
            0 => "no process of it was left".to_owned(),
            1 => "killed 1 process that it had left".to_owned(),
            count => format!("killed {count} processes that it had left"),
        }];
        let status = self.status.word();
        match self.source {
            Source::Run => words.push(format!("it had written its result: {status}")),
            Source::Log => words.push(format!("its result was rebuilt from its log: {status}")),
            Source::Nothing => {}
        }
        if let Some((n, commit)) = &self.left.saved {
            words.push(format!(
                "its work is saved as checkpoint {n} ({})",
                commit.get(..12).unwrap_or(commit)
            ));
        }
        words.extend(
            self.left.operations.iter().map(|operation| format!("git is in the middle of {operation}")),
        );
        words.extend(self.left.notes.iter().cloned());
        words.join("; ")
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
    let tree = &found.env.tree;
    let Some(own) = found.meta.as_ref().map(|meta| meta.own_or_rebuilt(tree)) else { return Ok(None) };
    if !own.status.is_active() {
        return Ok(None);
    }
    let run = own.run.clone().unwrap_or_default();
    let died = found.env.tree.written(names::LOCK.as_ref()).map(|touched| touched + SIGN_OF_LIFE);
    let killed = end_processes(found, &run);
    found.forget_temporary(&run.id, run.temporary.as_deref());
    inbox::clear(tree);
    found.sweep_temporaries();
    let mut left = look_behind(found, git, trust, died.unwrap_or(SystemTime::UNIX_EPOCH), now);
    if own.was_sandboxed()
        && let Err(error) = found.end_sandboxed(git, trust)
    {
        left.notes.push(format!("its commits count as made in a run that is still on: {error:#}"));
    }
    let heard = log::read(tree, &own.provider, &run);
    let session = heard.as_ref().and_then(|heard| heard.outcome.session_id.clone());
    let saved = Meta::load(tree)?.and_then(|meta| meta.own).map(|own| own.checkpoints).unwrap_or_default();
    let heard = heard.map(|mut heard| {
        unpublished(&mut heard.outcome.verdict, &own, &run, found);
        heard
    });
    let (result, source) = result(found, &saved, &run, heard, killed, now);
    let recorded = match written::by(tree, &run.id) {
        // One that says it is done, of work that is not published, is not the run's.
        Some(written)
            if !(written.status == RunStatus::Completed && is_unpublished(&own, &run).is_some()) =>
        {
            Recorded::Written(written)
        }
        _ => {
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
    Ok(Some(DeadRun { status, source, killed, left, meta }))
}

/// Ends what the run has left: the group of its agent, if the record names it beyond doubt and it works in this environment, and
/// every process with the run's mark. The record alone could name any process. Returns how many that were.
fn end_processes(found: &LockedEnv, run: &RunRecord) -> usize {
    let folders = [found.env.path.clone(), found.agent_dir()];
    let folders = folders.each_ref().map(std::path::PathBuf::as_path);
    let agent = run.agent_here().flatten().filter(|agent| agent.works_in(&folders));
    if let Some(agent) = agent {
        agent.end(Signal::TERM, GRACE);
    }
    usize::from(agent.is_some()) + supervise::end_leftovers(&run.id, &found.env.path)
}

/// A run whose agent had completed, and whose work was to be published, has failed, unless it came to that.
fn unpublished(verdict: &mut RunVerdict, own: &Own, run: &RunRecord, found: &LockedEnv) {
    let wanted = is_unpublished(own, run);
    let Some(to) = wanted.filter(|_| verdict.status == RunStatus::Completed) else { return };
    let again = on_success::command(to, run.into.as_deref(), &found.env.path);
    let text = format!(
        "the agent is done, but execenv died before its work was known to be published; {again} publishes it"
    );
    *verdict = verdict.clone().stopped(FailureReason::PublishFailed, text);
}

/// How the work of a run is still to be published; `None`: it is, or it was not to be.
fn is_unpublished(own: &Own, run: &RunRecord) -> Option<To> {
    let to = To::ALL.into_iter().find(|to| to.word() == run.on_success)?;
    let is_it = |one: &PublishedRecord| one.to == to.word() && one.at >= run.started_at;
    (!own.published.iter().any(is_it)).then_some(to)
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
    saved: &[CheckpointRecord],
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
    let saved = saved.iter().filter(|one| !one.manual && is_of_run(one.at));
    let commits = saved.map(|one| one.sha.clone()).collect();
    (result.rebuilt(killed).with_commits(commits).of_run(&run.id, &found.env.path), source)
}
