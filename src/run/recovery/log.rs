//! What the log of a run that died says, read as the run would have.

use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::environment::RunRecord;
use crate::layout::names;
use crate::protocol::Event;
use crate::provider;
use crate::run::autonomous::{Said, is_done};
use crate::run::logs::{self, Which};
use crate::run::starts::Starts;
use crate::run::transcript::{Part, listener, turns};
use crate::supervise::{Printed, RunOutcome, RunStatus, RunVerdict, SEARCHED, replay};
use crate::sys::tree::Tree;

/// Of a longer log so much is read of its beginning, where the session is named, and of its end, where the result is. In bytes.
const BEGINNING: u64 = 16 << 20;
const END: u64 = 240 << 20;

/// What was heard of a run.
pub(super) struct Heard {
    pub(super) outcome: RunOutcome,
    /// How many turns of the agent were begun.
    pub(super) turns: u32,
}

/// What the log says of this run. `None`: the agent was not started, or no log of it can be read.
pub(super) fn read(env: &Tree, provider: &str, run: &RunRecord) -> Option<Heard> {
    let starts = Starts::logged(env);
    // The log of the agent's output is begun anew before this line is written, and before the agent's process is recorded.
    let is_of_run = match starts.run_id.as_str() {
        "" => run.agent_pid.is_some(),
        id => id == run.id,
    };
    if !is_of_run {
        return None;
    }
    let open = |name: &str| logs::open(env, Which::Last, name);
    let told = |error: &io::Error| log::debug!("read the log of a run that died: {error}");
    let log = open(names::AGENT_LOG).inspect_err(told).ok()??;
    let errors = open(names::STDERR_LOG)
        .and_then(|log| log.map_or(Ok(Vec::new()), |log| end_of(&log)))
        .inspect_err(told);
    let errors = errors.unwrap_or_default();
    let length = log.metadata().ok()?.len();
    let is_program = starts.provider == provider::COMMAND.name;
    let mut heard: Option<RunOutcome> = None;
    let turns = newest(&turns(&log, length, &starts.from)).to_vec();
    let mut said = Said::default();
    for (from, to) in &turns {
        let mut conversation = listener(provider, &run.dialect, is_program)?;
        said = Said::default();
        let mut sink = |event: Event<'_>| {
            if let Event::Text { text, is_part } = event {
                said.add(&text.decode(), is_part);
            }
            Ok(())
        };
        let printed = Printed { provider, output: parts(&log, *from, *to), errors: &errors };
        let outcome = replay(conversation.as_mut(), printed, &mut sink).inspect_err(told).ok()?;
        heard = Some(match heard {
            None => outcome,
            Some(before) => before.then(outcome),
        });
    }
    let mut outcome = heard?;
    let verdict = &mut outcome.verdict;
    // It would have gone on, unless its agent had said that it is done.
    if run.autonomous.is_some() && verdict.status == RunStatus::Completed && !is_done(&said, &verdict.text) {
        *verdict = RunVerdict::crashed(std::mem::take(&mut verdict.text));
    }
    outcome.duration = duration(&log, run.started_at);
    let turns = if run.autonomous.is_some() { turns.len() } else { 1 };
    Some(Heard { outcome, turns: u32::try_from(turns).unwrap_or(u32::MAX) })
}

/// From the start of the agent to its last word.
fn duration(log: &File, started_at: Option<DateTime<Utc>>) -> Duration {
    let written = log.metadata().and_then(|log| log.modified()).ok().map(DateTime::<Utc>::from);
    let taken = written.zip(started_at).and_then(|(written, began)| (written - began).to_std().ok());
    taken.unwrap_or_default()
}

/// The last turns, as many as may be read: an agent can write where they begin.
fn newest(turns: &[(u64, u64)]) -> &[(u64, u64)] {
    let mut left = BEGINNING + END;
    let fits = |(from, to): &&(u64, u64)| {
        let size = (to - from).min(BEGINNING + END);
        let is_in = left >= size;
        left = left.saturating_sub(size);
        is_in
    };
    let count = turns.iter().rev().take_while(fits).count();
    &turns[turns.len() - count.max(1).min(turns.len())..]
}

/// A part of a log; of a long one its beginning and its end.
fn parts(log: &File, from: u64, to: u64) -> impl Read {
    let part = |from, to| Part { log, from, to };
    let (first, last) = match to - from > BEGINNING + END {
        true => (part(from, from + BEGINNING), part(to - END, to)),
        false => (part(from, to), part(to, to)),
    };
    let cut: &[u8] = if last.from < last.to { b"\n" } else { b"" };
    first.chain(cut).chain(last)
}

/// The end of standard error, as a live run keeps it.
fn end_of(log: &File) -> io::Result<Vec<u8>> {
    let length = log.metadata()?.len();
    let mut bytes = Vec::new();
    Part { log, from: length.saturating_sub(SEARCHED as u64), to: length }.read_to_end(&mut bytes)?;
    Ok(bytes)
}
