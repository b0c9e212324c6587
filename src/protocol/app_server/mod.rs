//! Codex' app-server: JSON-RPC over standard input and output, one message a line, without the key `jsonrpc`.
//!
//! | module | answers for |
//! |---|---|
//! | `setup` | what a run says to the server |
//! | `talk` | the order of the conversation: greeting, thread, turns, end |
//! | `items` | what the items of a turn mean |
//! | `answers` | what the server asks of a person, and what it is answered |
//! | `failure` | why a turn failed |
//! | `tokens` | what the thread used up |
//! | `clock` | how long the server may be silent at each point |
//! | `message` | the JSON of what it says |

mod answers;
mod clock;
mod failure;
mod items;
mod message;
mod setup;
mod talk;
mod tokens;

use std::io;
use std::time::{Duration, Instant};

pub use self::setup::Setup;
use self::talk::Talk;
use super::ndjson::lines::Lines;
use super::ndjson::skipped::Skipped;
use super::{Conversation, Delivery, Ending, Event, Opening, Properties, Sink, Spent, Step};

/// How long the server may take to end the turn once it was asked to.
const CANCEL: Duration = Duration::from_secs(2);

/// A conversation with Codex' app-server: one turn, and one more for each message that came too late for the turn before.
#[derive(Debug)]
pub struct AppServer {
    lines: Lines,
    skipped: Skipped,
    talk: Talk,
}

impl AppServer {
    /// A conversation that has not begun.
    pub fn new(setup: Setup) -> AppServer {
        AppServer { lines: Lines::default(), skipped: Skipped::default(), talk: Talk::new(setup) }
    }
}

impl Conversation for AppServer {
    fn properties(&self) -> Properties {
        Properties {
            states_result: true,
            reads_errors: true,
            begins_at_once: true,
            exit_within: Duration::from_secs(10),
        }
    }

    fn open(&mut self) -> Opening {
        Opening::Frames(self.talk.greet())
    }

    fn output(&mut self, bytes: &[u8], sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        let (talk, skipped) = (&mut self.talk, &mut self.skipped);
        self.lines.push(bytes, |line| talk.line(line, skipped, sink, step))?;
        if self.lines.unreadable().is_some() {
            self.talk.lost_a_line(step);
        }
        Ok(())
    }

    fn output_ended(&mut self, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        let (talk, skipped) = (&mut self.talk, &mut self.skipped);
        self.lines.finish(|line| talk.line(line, skipped, sink, step))?;
        self.talk.ended();
        Ok(())
    }

    fn errors(&mut self, bytes: &[u8], sink: &mut Sink<'_>, _step: &mut Step) -> io::Result<()> {
        sink(Event::AgentErrors(bytes))
    }

    fn send(&mut self, text: &str, step: &mut Step) -> Delivery {
        self.talk.send(text, step)
    }

    fn queued(&self) -> usize {
        self.talk.queued()
    }

    fn cancel(&mut self, step: &mut Step) -> Duration {
        if self.talk.interrupt(step) { CANCEL } else { Duration::ZERO }
    }

    fn tick(&mut self, now: Instant, step: &mut Step) {
        self.talk.tick(now, step);
    }

    fn has_open_tool(&self) -> bool {
        self.talk.has_open_tool()
    }

    fn spent(&self) -> Spent {
        self.talk.transcript().spent()
    }

    fn end(&mut self) -> Ending {
        Ending {
            unreadable: self.lines.unreadable(),
            remarks: self.skipped.remarks(&self.lines),
            ..self.talk.end()
        }
    }
}

#[cfg(test)]
mod tests;
