//! The Agent Client Protocol, as the client: one JSON-RPC message a line, in both directions.
//!
//! | module | answers for |
//! |---|---|
//! | `client` | what is asked in which order, and what follows from each answer |
//! | `profile` | what is known before the first message, and what is particular to an agent |
//! | `read` | the protocol's messages, as agents really send them |
//! | `line`, `content` | `session/update`, read in one pass |
//! | `update` | what an update says: text, thoughts, tokens |
//! | `tools` | tool calls, from their announcement to their result |
//! | `question` | what the agent asks: permissions, answers, and unexpected requests |
//! | `counts` | token counts |
//! | `failure` | errors, as codes and as texts |
//! | `servers` | MCP servers as `session/new` names them |
//!
//! Agents differ in what the protocol leaves open; [`Profile`] says how.

mod client;
mod content;
mod counts;
mod failure;
mod line;
mod profile;
mod question;
mod read;
mod servers;
mod tools;
mod update;

use std::borrow::Cow;
use std::io;
use std::time::{Duration, Instant};

use self::client::Client;
pub use self::profile::{AcpRequest, Counting, Profile};
use super::ndjson::lines::Lines;
use super::{Conversation, Delivery, Ending, Event, Opening, Properties, Sink, Spent, Step};

/// A conversation with an ACP agent: one turn, and one more for each message that is sent while it lasts.
#[derive(Debug)]
pub struct Acp {
    lines: Lines,
    client: Client,
    leaves_on_eof: bool,
}

impl Acp {
    /// A conversation that has not begun.
    pub fn new(request: AcpRequest, profile: Profile) -> Acp {
        Acp {
            lines: Lines::default(),
            client: Client::new(request, profile),
            leaves_on_eof: profile.leaves_on_eof,
        }
    }

    /// One that only listens, to the log of another one.
    pub fn listener() -> Acp {
        let mut acp = Acp::new(AcpRequest::default(), Profile::PLAIN);
        acp.client.listen();
        acp
    }
}

/// How long an agent gets to end by itself.
const EXIT: Duration = Duration::from_secs(5);
/// The same for one that is known not to.
const NO_EXIT: Duration = Duration::from_millis(200);
/// How long an agent gets to end its turn when it is asked to.
const CANCEL: Duration = Duration::from_secs(5);

impl Conversation for Acp {
    fn properties(&self) -> Properties {
        let exit_within = if self.leaves_on_eof { EXIT } else { NO_EXIT };
        Properties { states_result: true, reads_errors: true, begins_at_once: true, exit_within }
    }

    fn open(&mut self) -> Opening {
        Opening::Frames(self.client.initialize())
    }

    fn output(&mut self, bytes: &[u8], sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        self.client.note_sound();
        self.lines.push(bytes, |line| take(line, &mut self.client, sink, step))
    }

    fn output_ended(&mut self, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
        self.lines.finish(|line| take(line, &mut self.client, sink, step))?;
        self.client.output_ended(step);
        Ok(())
    }

    fn errors(&mut self, bytes: &[u8], sink: &mut Sink<'_>, _step: &mut Step) -> io::Result<()> {
        self.client.errors(bytes);
        sink(Event::AgentErrors(bytes))
    }

    fn send(&mut self, text: &str, step: &mut Step) -> Delivery {
        self.client.send(text, step)
    }

    fn queued(&self) -> usize {
        self.client.queued()
    }

    fn cancel(&mut self, step: &mut Step) -> Duration {
        if self.client.cancel(step) { CANCEL } else { Duration::ZERO }
    }

    fn tick(&mut self, now: Instant, step: &mut Step) {
        self.client.tick(now, step);
    }

    fn has_open_tool(&self) -> bool {
        self.client.has_open_tool()
    }

    fn spent(&self) -> Spent {
        self.client.spent()
    }

    fn end(&mut self) -> Ending {
        self.client.end(&self.lines)
    }
}

fn take(line: &[u8], client: &mut Client, sink: &mut Sink<'_>, step: &mut Step) -> io::Result<()> {
    // Lossy reading is slow, and hardly ever needed.
    let text = match std::str::from_utf8(line) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(line),
    };
    match text.trim_start() {
        "" => Ok(()),
        line => client.line(line, sink, step),
    }
}
