//! The events of a run, as text or as JSON.

use std::cell::Cell;
use std::io::{self, Read as _};

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::follow::Follower;
use crate::layout::names;
use crate::output::log::note;
use crate::output::{Entries, Lines, Printer, Transcript};
use crate::protocol::Event;
use crate::run::RunSink as _;
use crate::run::transcript::{At, Heard, Recorded, Sink, follow, replay};

/// So much of a prompt is read, in bytes: a transcript shows its first lines.
const MOST_ASKED: u64 = 64 << 10;

/// Which events are printed.
struct Chosen {
    since: Option<DateTime<Utc>>,
    /// An event without a time was printed.
    has_unknown: bool,
}

impl Chosen {
    fn has(&mut self, at: At, event: &Event<'_>) -> bool {
        let Some(since) = self.since else { return true };
        match at.time {
            _ if matches!(event, Event::Idle) => true,
            Some(time) => time >= since,
            None => {
                self.has_unknown = true;
                true
            }
        }
    }

    fn tell(&self) {
        if self.has_unknown {
            note("when a part of this was printed is not known, so `--since` has kept it");
        }
    }
}

/// Reads the run, and follows it where that is wanted.
fn play(follower: &mut Follower<'_>, sink: &mut Sink<'_>) -> io::Result<Heard> {
    let recorded = follower.recorded;
    match follower.is_followed {
        true => follow(recorded, sink, &mut || follower.pause()),
        false => replay(recorded, sink),
    }
}

/// From where on in the log there are entries, if only the last ones are wanted. What is before the last lines is only read, as
/// most lines give an entry; where these turn out to give too few, a second round has all.
fn rounds(recorded: &Recorded, last: Option<usize>, since: Option<DateTime<Utc>>) -> io::Result<Vec<u64>> {
    let lines = last.filter(|_| since.is_none()).map(|last| last.saturating_mul(4).saturating_add(100));
    let place = lines.map_or(Ok(0), |lines| recorded.place_of_last(lines))?;
    Ok(if place > 0 { vec![place, 0] } else { vec![0] })
}

/// Prints the events as `run -o json` does.
pub(super) fn print_json(
    last: Option<usize>,
    since: Option<DateTime<Utc>>,
    mut follower: Follower<'_>,
) -> Result<()> {
    for from in rounds(follower.recorded, last, since)? {
        let time = Cell::new(None);
        let clock = || time.get();
        let mut entries = if from > 0 { Entries::new(last).of_part() } else { Entries::new(last) };
        let mut printer = Printer::of_recorded(Lines::new(&mut entries), &clock);
        let mut chosen = Chosen { since, has_unknown: false };
        play(&mut follower, &mut |at, event| {
            time.set(at.time);
            if at.offset >= from && chosen.has(at, &event) { printer.event(&event) } else { Ok(()) }
        })?;
        if let Some(result) = follower.recorded.result().filter(|_| !is_on(&follower)) {
            let ended = result.get("ended_at").and_then(|at| at.as_str()?.parse().ok());
            time.set(ended);
            printer.recorded_result(&result)?;
        }
        printer.finish()?;
        if !entries.lacks_some() {
            chosen.tell();
            break;
        }
    }
    Ok(())
}

/// Prints the transcript.
pub(super) fn print_text(
    last: Option<usize>,
    since: Option<DateTime<Utc>>,
    mut follower: Follower<'_>,
) -> Result<()> {
    let recorded = follower.recorded;
    let mut chosen = Chosen { since, has_unknown: false };
    for from in rounds(recorded, last, since)? {
        let mut transcript = if from > 0 { Transcript::new(last).of_part() } else { Transcript::new(last) };
        let is_whole = from == 0 && !recorded.is_program();
        if is_whole && last.is_none() && since.is_none() {
            transcript.head(&recorded.provider, &recorded.dialect, recorded.began)?;
        }
        if is_whole && recorded.began.is_none_or(|began| since.is_none_or(|since| began >= since)) {
            transcript.asked(recorded.began, &prompt(recorded)?)?;
        }
        play(&mut follower, &mut |at, event| match event {
            _ if at.offset < from => {
                transcript.pass(at, &event);
                Ok(())
            }
            event if chosen.has(at, &event) => transcript.event(at, &event),
            _ => Ok(()),
        })?;
        if !is_on(&follower) {
            transcript.end(recorded.result().as_ref(), recorded.end.as_ref())?;
        }
        if transcript.finish()? {
            break;
        }
    }
    chosen.tell();
    if is_on(&follower) && !follower.is_followed {
        note("the run is on; `-f` follows it");
    }
    Ok(())
}

/// The beginning of what the agent was asked, as far as the run has kept it.
fn prompt(recorded: &Recorded) -> io::Result<String> {
    let mut beginning = Vec::new();
    // An agent can put anything in its place.
    if let Ok(Some(file)) = recorded.log(names::PROMPT_LOG) {
        file.take(MOST_ASKED).read_to_end(&mut beginning)?;
    }
    Ok(String::from_utf8_lossy(&beginning).into_owned())
}

/// Whether the run goes on after what was printed.
fn is_on(follower: &Follower<'_>) -> bool {
    follower.recorded.is_live && (!follower.is_followed || follower.is_stopped())
}
