//! Everything that is known of a run, put together. It only reads: no lock is taken, and nothing is changed.

use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::changes::changes;
use super::ending::Known;
use super::sources::{Sources, path};
use crate::environment::{CONTEXT_FILE, LaunchFile, Own};
use crate::report::claim::Claim;
use crate::report::collect::{Collected, Collector, Moment};
use crate::report::excerpt::{Excerpt, Most};
use crate::report::model::{Checkpoint, Report, Task};
use crate::run::Which;
use crate::run::transcript::{At, Heard, replay_with_spent};

/// The longest prompt that is shown, in bytes.
const PROMPT: Most = Most { head: 12 << 10, tail: 4 << 10 };
/// The most checkpoints that are listed.
const CHECKPOINTS: usize = 200;

/// Makes the report of a run.
///
/// # Errors
/// A [`Code::NoLogs`](crate::failure::Code::NoLogs) failure where there is no such run.
pub fn gather(sources: &Sources<'_>) -> Result<Report> {
    let found = sources.found;
    let own = found.meta.as_ref().map(|meta| meta.own_or_rebuilt(&found.env.tree)).unwrap_or_default();
    let known = Known::of(found, &own, sources.which)?;
    let mut warnings = known.warnings.clone();
    let mut run = known.ending(sources.now);
    let ended = run.ended_at.or((!run.is_over).then_some(sources.now));
    let (log, heard) = replayed(&known, run.started_at, ended, &mut warnings);
    if let Some(outcome) = heard.outcome {
        known.complete(&mut run, outcome);
    }
    let (changes, no_changes) = changes(sources, &own);
    Ok(Report {
        schema: 1,
        made_at: sources.now,
        previous: sources.which == Which::Previous,
        task: task(sources, &own, &mut warnings),
        run,
        timeline: log.timeline,
        transcript: log.transcript,
        stderr: log.stderr,
        changes,
        no_changes,
        checkpoints: checkpoints(&own),
        warnings: warnings.into_iter().chain(log.warnings).collect(),
    })
}

/// What the log says. One that cannot be read to its end is shown as far as it goes.
fn replayed(
    known: &Known<'_>,
    began: Option<DateTime<Utc>>,
    ended: Option<DateTime<Utc>>,
    warnings: &mut Vec<Claim>,
) -> (Collected, Heard) {
    let mut heard = Heard::default();
    let mut collector = Collector::new(began);
    match &known.recorded {
        Some(recorded) => {
            let mut take = |at: At, event: crate::protocol::Event<'_>| {
                let At { time, turn, offset } = at;
                collector.take(Moment { time, turn, offset }, &event);
                Ok(())
            };
            match replay_with_spent(recorded, &mut take) {
                Ok(all) => heard = all,
                Err(error) => {
                    warnings.push(Claim::new(format!("The log could not be read to its end: {error}.")));
                }
            }
        }
        None => warnings.push(Claim::new("There is no log of this run.")),
    }
    (collector.finish(ended), heard)
}

fn task(sources: &Sources<'_>, own: &Own, warnings: &mut Vec<Claim>) -> Task {
    let found = sources.found;
    let meta = found.meta.clone().unwrap_or_default();
    let workspace =
        if meta.workspace_id.is_empty() { found.env.workspace() } else { meta.workspace_id.clone() };
    let launch = LaunchFile::load(found, sources.trust.keys).unwrap_or_else(|error| {
        warnings.push(Claim::new(format!("the prompt is not shown: {error:#}")));
        Default::default()
    });
    let context = found.open_agent_dir(sources.trust).ok().and_then(|dir| {
        let most = (PROMPT.head + PROMPT.tail) as u64;
        dir.read_start(Path::new(CONTEXT_FILE), most).ok().flatten()
    });
    Task {
        key: Claim::new(found.env.key()),
        root_dir: path(&found.env.path),
        work_dir: path(&found.work_dir_path()),
        has_work_dir: found.open_work_dir(sources.trust).is_ok(),
        workspace_id: Claim::new(workspace),
        task_id: Claim::new(own.task_id.clone()),
        kind: Claim::new(meta.kind),
        provider: Claim::new(own.provider.clone()),
        agent_name: Claim::new(own.agent_name.clone()),
        branch: Claim::new(own.repository.as_ref().map_or("", |repository| &repository.branch)),
        prompt: Excerpt::of(&launch.file.prompt.unwrap_or_default(), PROMPT),
        context: Excerpt::of(&String::from_utf8_lossy(&context.unwrap_or_default()), PROMPT),
    }
}

fn checkpoints(own: &Own) -> Vec<Checkpoint> {
    let all = &own.checkpoints;
    let shown = all[all.len().saturating_sub(CHECKPOINTS)..].iter();
    let checkpoint = |point: &crate::environment::CheckpointRecord| Checkpoint {
        n: point.n,
        commit: Claim::new(crate::protocol::prefix(&point.sha, 12)),
        message: Claim::beginning(&point.message, 400),
        at: point.at,
        files: point.files,
        added: point.added,
        removed: point.removed,
        patch: Claim::new(point.patch.as_ref().map_or("", |patch| &patch.file)),
    };
    shown.map(checkpoint).collect()
}
