//! Everything that is known of a run, put together. It only reads: no lock is taken, and nothing is changed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::changes::changes;
use super::ending::Known;
use super::sources::{Sources, path};
use crate::environment::{CONTEXT_FILE, LaunchFile, Own};
use crate::layout::names;
use crate::report::claim::Claim;
use crate::report::collect::{Collected, Collector, Moment};
use crate::report::excerpt::{Cutting, Excerpt, Most};
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
        task: task(sources, &own, &known, &mut warnings),
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

fn task(sources: &Sources<'_>, own: &Own, known: &Known<'_>, warnings: &mut Vec<Claim>) -> Task {
    let found = sources.found;
    let meta = found.meta.clone().unwrap_or_default();
    let workspace =
        if meta.workspace_id.is_empty() { found.env.workspace() } else { meta.workspace_id.clone() };
    let asked = prompt_of_run(known, warnings);
    let is_prompt_of_document = asked.is_none();
    let prompt = asked.unwrap_or_else(|| prompt_of_document(sources, warnings));
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
        is_prompt_of_document: is_prompt_of_document && !prompt.is_empty(),
        prompt,
        context: Excerpt::of(&String::from_utf8_lossy(&context.unwrap_or_default()), PROMPT),
    }
}

/// What the run kept of its prompt. `None`: it kept nothing.
fn prompt_of_run(known: &Known<'_>, warnings: &mut Vec<Claim>) -> Option<Excerpt> {
    let file = known.recorded.as_ref()?.log(names::PROMPT_LOG);
    let read = file.and_then(|file| Ok(file.map(|file| both_ends(&file, PROMPT)).transpose()?));
    read.unwrap_or_else(|error| {
        warnings.push(Claim::new(format!("The prompt of the run is not shown: {error:#}.")));
        None
    })
}

/// The beginning and the end of a file, of which no more is read.
fn both_ends(file: &File, most: Most) -> io::Result<Excerpt> {
    let length = file.metadata()?.len();
    let tail_from = length.saturating_sub(most.tail as u64).max(most.head as u64);
    let mut kept = Cutting::new(most);
    let mut block = vec![0; most.head.max(most.tail)];
    for (from, most) in [(0, most.head), (tail_from, most.tail)] {
        let read = file.read_at(&mut block[..most], from)?;
        kept.add(&block[..read]);
        if from == 0 {
            kept.skip(tail_from - most as u64);
        }
    }
    Ok(kept.finish())
}

fn prompt_of_document(sources: &Sources<'_>, warnings: &mut Vec<Claim>) -> Excerpt {
    let launch = LaunchFile::load(sources.found, sources.trust.keys).unwrap_or_else(|error| {
        warnings.push(Claim::new(format!("The prompt is not shown: {error:#}.")));
        Default::default()
    });
    Excerpt::of(&launch.file.prompt.unwrap_or_default(), PROMPT)
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
