//! The events of a run in their order: what the agent printed, through its dialect, and between that what only the run itself knew.

use std::io;

use chrono::{DateTime, Utc};

use super::errors::Errors;
use super::notices::{At, Notices, Sink, Source};
use super::output::{Look, Output};
use super::printed::{begins_line, listener};
use super::recorded::{Files, Recorded};
use super::story::{Story, Told};
use super::times::Times;
use crate::protocol::{Event, NoticeLevel, Spent};
use crate::provider;
use crate::run::log_line::LogLine;
use crate::supervise::{Again, RunOutcome};

/// So much is read at a time, in bytes.
const BLOCK: usize = 256 << 10;

/// What whoever follows a run is told when there is nothing more to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// The run may go on.
    GoOn,
    /// It has ended: what is there now is all.
    Ended,
}

/// What came of reading a run's log.
#[derive(Debug, Default)]
pub struct Heard {
    /// What the agent said last, and what it used up in all of its turns. `None`: it was not started.
    pub outcome: Option<RunOutcome>,
    /// How often it was started.
    pub turns: u32,
}

type Pauser<'a> = dyn FnMut() -> io::Result<Pause> + 'a;

/// Gives the events of a run to a sink, each with where it stands.
///
/// # Errors
/// Those of reading, and of the sink.
pub fn replay(recorded: &Recorded, sink: &mut Sink<'_>) -> io::Result<Heard> {
    Player::new(recorded)?.play(sink, None)
}

/// The same, with an [`Event::Working`] wherever the agent says that it has used up more.
///
/// # Errors
/// As [`replay`].
pub fn replay_with_spent(recorded: &Recorded, sink: &mut Sink<'_>) -> io::Result<Heard> {
    Player { tells_spent: true, ..Player::new(recorded)? }.play(sink, None)
}

/// The same for a run that is on: whenever there is nothing more, `pause` waits, and says whether the run still is on.
///
/// # Errors
/// Those of reading, of the sink and of `pause`.
pub fn follow(recorded: &Recorded, sink: &mut Sink<'_>, pause: &mut Pauser<'_>) -> io::Result<Heard> {
    Player::new(recorded)?.play(sink, Some(pause))
}

/// Plays one run.
struct Player<'a> {
    recorded: &'a Recorded,
    files: Files,
    provider: String,
    dialect: String,
    story: Story,
    times: Times,
    output: Output,
    errors: Errors,
    /// Where the present start of the agent begins in its log.
    from: u64,
    /// Where the next one begins, if it is noted.
    next: Option<u64>,
    /// How long both logs were when that was looked for.
    looked_at: (u64, u64),
    /// What is read at a time.
    block: Vec<u8>,
    at: At,
    notices: Notices,
    /// What the present start of the agent has used up.
    spent: Spent,
    tells_spent: bool,
    /// The run has ended: whatever is there now is read, and nothing more will come.
    is_last: bool,
}

impl<'a> Player<'a> {
    fn new(recorded: &'a Recorded) -> io::Result<Player<'a>> {
        let mut player = Player {
            recorded,
            files: recorded.files()?,
            provider: recorded.provider.clone(),
            dialect: recorded.dialect.clone(),
            story: Story::default(),
            times: Times::default(),
            output: Output::default(),
            errors: Errors::default(),
            from: 0,
            next: None,
            looked_at: (0, 0),
            block: vec![0; BLOCK],
            at: At::default(),
            notices: Notices::default(),
            spent: Spent::default(),
            tells_spent: false,
            is_last: !recorded.is_live,
        };
        player.refresh()?;
        Ok(player)
    }

    /// Gives all events to the sink.
    fn play(mut self, sink: &mut Sink<'_>, mut pause: Option<&mut Pauser<'_>>) -> io::Result<Heard> {
        let mut heard = Heard::default();
        self.is_last |= pause.is_none();
        loop {
            match self.next_start(sink)? {
                Some(from) => {
                    self.at.turn += 1;
                    heard.turns = self.at.turn;
                    let outcome = self.turn(from, sink, &mut pause)?;
                    heard.outcome = match (heard.outcome, outcome) {
                        (Some(before), Some(last)) => Some(before.then(last)),
                        (before, last) => last.or(before),
                    };
                }
                None if self.is_last => break,
                None => self.wait(sink, &mut pause)?,
            }
        }
        Ok(heard)
    }

    /// Reads what is new of all but the agent's output.
    fn refresh(&mut self) -> io::Result<()> {
        let Files { output, errors, times } = &self.files;
        if output.is_none() || errors.is_none() || times.is_none() {
            self.files = self.recorded.files()?;
        }
        if let Some(log) = &self.recorded.story {
            self.story.read_on(log)?;
        }
        if let Some(times) = &self.files.times {
            self.times.read_on(times)?;
        }
        Ok(())
    }

    /// The same while the agent works, of a run that is on: what there is of another one does not change.
    fn look_on(&mut self) -> io::Result<()> {
        if self.recorded.is_live {
            self.refresh()?;
            let lengths = (self.story.read, self.length()?);
            if std::mem::replace(&mut self.looked_at, lengths) != lengths {
                self.next = self.next_in_story();
            }
        }
        Ok(())
    }

    /// Waits for more.
    fn wait(&mut self, sink: &mut Sink<'_>, pause: &mut Option<&mut Pauser<'_>>) -> io::Result<()> {
        let Some(pause) = pause else {
            self.is_last = true;
            return Ok(());
        };
        sink(self.at, Event::Idle)?;
        self.is_last = pause()? == Pause::Ended;
        self.refresh()?;
        self.next = self.next_in_story();
        Ok(())
    }

    /// Tells what comes before the next start of the agent. Returns where in the log that begins; `None`: there is none yet.
    fn next_start(&mut self, sink: &mut Sink<'_>) -> io::Result<Option<u64>> {
        while let Some(told) = self.story.told.pop_front() {
            if let LogLine::From(at) = told.line {
                if self.is_start(at) {
                    self.at.time = Some(told.at);
                    return Ok(Some(at));
                }
                continue;
            }
            self.tell(told, sink)?;
        }
        // A release before did not note where its one start begins; a power cut may have taken `run.log`.
        Ok((self.at.turn == 0 && self.length()? > 0).then_some(0))
    }

    /// Whether a start of the agent begins here. A log that was shortened has not got the places that were noted.
    fn is_start(&self, at: u64) -> bool {
        let Some(log) = &self.files.output else { return at == 0 };
        let length = log.metadata().map_or(0, |log| log.len());
        let is_after = self.at.turn == 0 || at >= self.output.position;
        // What no byte follows yet is begun by the line before.
        is_after && (at == 0 || at <= length && begins_line(log, at, length + 1))
    }

    fn length(&self) -> io::Result<u64> {
        self.files.output.as_ref().map_or(Ok(0), |log| Ok(log.metadata()?.len()))
    }

    /// Tells what the run itself has noted.
    fn tell(&mut self, told: Told, sink: &mut Sink<'_>) -> io::Result<()> {
        let at = At { time: Some(told.at), ..self.at };
        match &told.line {
            LogLine::Run { provider, .. } => self.provider.clone_from(provider),
            LogLine::Dialect(name) => self.dialect.clone_from(name),
            LogLine::Notice(level, text) => {
                if self.notices.is_new(text, Source::Run) {
                    sink(at, Event::Notice { level: *level, text })?;
                }
            }
            LogLine::Session(id) => sink(at, Event::Session { session_id: id, model: None })?,
            LogLine::Iteration { n, ready, reason } => {
                sink(at, Event::Iteration { n: *n, ready: *ready, reason: reason.as_deref() })?;
            }
            LogLine::Heartbeat { commit, pushed, patch } => {
                sink(at, Event::Heartbeat { commit, pushed: *pushed, patch: patch.as_deref() })?;
            }
            LogLine::From(_) | LogLine::End { .. } => {}
        }
        Ok(())
    }

    /// Tells what one start of the agent has printed. `None`: this version does not know its dialect.
    fn turn(
        &mut self,
        from: u64,
        sink: &mut Sink<'_>,
        pause: &mut Option<&mut Pauser<'_>>,
    ) -> io::Result<Option<RunOutcome>> {
        self.from = from;
        self.output.begin(from);
        self.at.offset = from;
        self.spent = Spent::default();
        let is_program = self.provider == provider::COMMAND.name;
        let Some(mut conversation) = listener(&self.provider, &self.dialect, is_program) else {
            let text = format!("this version of execenv cannot read what `{}` prints", self.provider);
            sink(self.at, Event::Notice { level: NoticeLevel::Warning, text: &text })?;
            self.output.position = self.length()?;
            return Ok(None);
        };
        let mut again = Again::begin(conversation.as_mut());
        let mut block = std::mem::take(&mut self.block);
        self.next = self.next_in_story();
        loop {
            let length = self.length()?;
            if length != self.output.position {
                self.look_on()?; // a start is noted before its agent prints
            }
            let to = self.next.unwrap_or(length);
            let is_alive = self.recorded.is_live;
            let look = match &self.files.output {
                Some(log) => self.output.read(log, &mut block, to, is_alive)?,
                None => Look::Bytes(0),
            };
            match look {
                Look::Lost => {
                    let text = "the log was shortened (`--max-log`) faster than it could be followed: a part is missing";
                    sink(self.at, Event::Notice { level: NoticeLevel::Warning, text })?;
                }
                Look::Bytes(0) if self.output.position == to && self.next.is_some() => break,
                Look::Bytes(0) => {
                    // After the end of the run there is one more look.
                    if self.is_last && self.output.position >= self.length()? {
                        break;
                    }
                    self.catch_up(&mut again, sink)?;
                    self.wait(sink, pause)?;
                }
                Look::Bytes(length) => self.lines(&block[..length], &mut again, sink)?,
            }
        }
        self.block = block;
        self.finish(again, sink).map(Some)
    }

    /// Where the next start begins, if it is noted.
    fn next_in_story(&self) -> Option<u64> {
        let starts = self.story.told.iter().filter_map(|told| match told.line {
            LogLine::From(at) => Some(at),
            _ => None,
        });
        starts.into_iter().find(|at| *at >= self.output.position && self.is_start(*at))
    }

    /// Takes what was read of the agent's output.
    fn lines(&mut self, bytes: &[u8], again: &mut Again<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let offset = self.output.line_from;
            let left_out = self.output.note(piece, self.recorded.is_live);
            let time = match left_out {
                // What comes after it was printed later.
                Some(_) => self.at.time,
                None => self.output.printed.and_then(|printed| self.times.of_output(self.from, printed)),
            };
            if let Some(time) = time {
                self.tell_until(time, again, sink)?;
            }
            self.at = At { time, offset, ..self.at };
            if let Some(bytes) = left_out {
                let text = format!("{bytes} bytes of the agent's output are not in the log (`--max-log`)");
                sink(self.at, Event::Notice { level: NoticeLevel::Info, text: &text })?;
                continue;
            }
            let (at, notices) = (self.at, &mut self.notices);
            again.output(piece, &mut |event| notices.pass(at, event, sink))?;
            let spent = if self.tells_spent { again.spent() } else { Spent::default() };
            if spent != self.spent {
                sink(at, Event::Working(&spent))?;
                self.spent = spent;
            }
        }
        Ok(())
    }

    /// Tells what was noted, and takes what was read of standard error, up to a time.
    fn tell_until(
        &mut self,
        time: DateTime<Utc>,
        again: &mut Again<'_>,
        sink: &mut Sink<'_>,
    ) -> io::Result<()> {
        loop {
            let errors = self.errors.due(self.times.of_errors(self.from), time);
            let until = errors.map_or(time, |(_, at)| at);
            if let Some(told) = self.story.next_before(until) {
                self.tell(told, sink)?;
                continue;
            }
            let (Some((to, at)), Some(log)) = (errors, &self.files.errors) else { return Ok(()) };
            let before = self.errors.position();
            let (at, notices) = (At { time: Some(at), ..self.at }, &mut self.notices);
            let mut take =
                |bytes: &[u8]| again.errors(bytes, &mut |event| notices.pass(at, event, &mut *sink));
            self.errors.read(log, to, &mut take)?;
            if self.errors.position() == before {
                return Ok(()); // the log is shorter than its times say
            }
        }
    }

    /// Takes all that is there of standard error, and tells all that was noted before the next start.
    fn catch_up(&mut self, again: &mut Again<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
        self.tell_until(DateTime::<Utc>::MAX_UTC, again, sink)?;
        let is_last_turn = self.next.is_none();
        if is_last_turn && let Some(log) = &self.files.errors {
            let (at, notices) = (self.at, &mut self.notices);
            let to = log.metadata()?.len();
            let mut take =
                |bytes: &[u8]| again.errors(bytes, &mut |event| notices.pass(at, event, &mut *sink));
            self.errors.read(log, to, &mut take)?;
        }
        Ok(())
    }

    /// Ends a start of the agent.
    fn finish(&mut self, mut again: Again<'_>, sink: &mut Sink<'_>) -> io::Result<RunOutcome> {
        // What was noted after its last word comes after what it has used up.
        if let Some(time) = self.at.time {
            self.tell_until(time, &mut again, sink)?;
        }
        let is_followed = self.next.is_some();
        self.errors_to_the_end(&mut again, sink, is_followed)?;
        let (at, notices) = (self.at, &mut self.notices);
        let outcome = again.end(&self.provider, &mut |event| notices.pass(at, event, sink))?;
        let length = self.files.errors.as_ref().map_or(Ok(0), |log| log.metadata().map(|log| log.len()))?;
        self.errors.next_turn(self.times.of_errors(self.from), length);
        Ok(outcome)
    }

    /// Takes what is left of standard error: of this start, or, where none follows, all of it.
    fn errors_to_the_end(
        &mut self,
        again: &mut Again<'_>,
        sink: &mut Sink<'_>,
        is_followed: bool,
    ) -> io::Result<()> {
        let Some(log) = &self.files.errors else { return Ok(()) };
        let to = match self.times.of_errors(self.from).last() {
            Some((bytes, _)) if is_followed => self.errors.end_of_turn(*bytes),
            None if is_followed => return Ok(()),
            _ => log.metadata()?.len(),
        };
        let (at, notices) = (self.at, &mut self.notices);
        let mut take = |bytes: &[u8]| again.errors(bytes, &mut |event| notices.pass(at, event, &mut *sink));
        self.errors.read(log, to, &mut take)
    }
}

#[cfg(test)]
mod tests;
