//! What an agent has printed, read again through its dialect: of a run that died, and for a person who looks at one.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use super::outcome::{Exit, RunFacts, RunOutcome, RunVerdict, judge};
use super::redact;
use super::streams::{SEARCHED, TAIL, last};
use crate::protocol::{Conversation, Event, NoticeLevel, Sink, Spent, Step, is_price};

/// So much is read at a time, in bytes.
const BLOCK: usize = 256 << 10;
/// For how long nothing came after the last byte.
const SILENCE: Duration = Duration::from_secs(60);

/// What an agent has printed.
#[derive(Debug)]
pub struct Printed<'a, R> {
    /// The agent's name, for error texts.
    pub provider: &'a str,
    /// Its standard output.
    pub output: R,
    /// The end of its standard error.
    pub errors: &'a [u8],
}

/// What came of one start of an agent, from what it has printed alone. How its process ended is not known, so it counts as
/// [crashed](super::RunStatus::Crashed) unless its turn was over: then it had nothing more to do but to exit.
///
/// # Errors
/// Those of reading, and of the sink.
pub fn replay<R: Read>(
    conversation: &mut dyn Conversation,
    printed: Printed<'_, R>,
    sink: &mut Sink<'_>,
) -> io::Result<RunOutcome> {
    let Printed { provider, mut output, errors } = printed;
    let mut again = Again::begin(conversation);
    let mut block = vec![0; BLOCK];
    loop {
        let length = match output.read(&mut block) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        for line in block[..length].split_inclusive(|byte| *byte == b'\n') {
            again.output(line, sink)?;
        }
    }
    again.errors(errors, sink)?;
    again.end(provider, sink)
}

/// A conversation that is held again: it only listens. It needs no agent, and whoever holds it decides what comes when.
pub struct Again<'a> {
    conversation: &'a mut dyn Conversation,
    is_over: bool,
    /// The end of standard error; up to twice what is searched, so that it is moved seldom.
    errors: Vec<u8>,
}

impl<'a> Again<'a> {
    /// Begins.
    pub fn begin(conversation: &'a mut dyn Conversation) -> Again<'a> {
        let _ = conversation.open(); // some tell their answers by the questions
        Again { conversation, is_over: false, errors: Vec::new() }
    }

    /// Takes a line of standard output, or a part of one.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn output(&mut self, line: &[u8], sink: &mut Sink<'_>) -> io::Result<()> {
        let mut step = Step::default(); // the agent takes no answers any more
        self.conversation.output(line, sink, &mut step)?;
        // What follows is another turn: a message came while the last one ended.
        self.is_over = step.is_turn_over || self.is_over && !step.is_progress;
        Ok(())
    }

    /// What the agent has used up so far, as far as it tells.
    pub fn spent(&self) -> Spent {
        self.conversation.spent()
    }

    /// Takes bytes of standard error.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn errors(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> io::Result<()> {
        self.errors.extend_from_slice(bytes);
        if self.errors.len() > 2 * SEARCHED {
            self.errors.drain(..self.errors.len() - SEARCHED);
        }
        let mut step = Step::default();
        self.conversation.errors(bytes, sink, &mut step)?;
        self.is_over |= step.is_turn_over;
        Ok(())
    }

    /// Ends the conversation: both streams are at their ends. Says what came of it, as [`replay`] does.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn end(self, provider: &str, sink: &mut Sink<'_>) -> io::Result<RunOutcome> {
        let Again { conversation, is_over, errors } = self;
        let mut step = Step::default();
        // Some say that they are done by saying nothing more.
        for at in [Instant::now(), Instant::now() + SILENCE] {
            conversation.tick(at, &mut step);
        }
        // Not from the end of the output: that came when the agent was killed.
        let is_over = is_over || step.is_turn_over;
        conversation.output_ended(sink, &mut step)?;
        let properties = conversation.properties();
        let hides_refusal = conversation.hides_refusal();
        let mut ending = conversation.end();
        ending.cost_usd = ending.cost_usd.filter(is_price);
        for text in &ending.remarks {
            sink(Event::Notice { level: NoticeLevel::Warning, text })?;
        }
        if !ending.usage.is_empty() {
            sink(Event::Usage { usage: &ending.usage })?;
        }
        let (stderr, tail) = (last(&errors, SEARCHED), last(&errors, TAIL));
        let verdict = match is_over && properties.states_result && ending.result.is_some() {
            true => judge(&RunFacts {
                provider,
                states_result: true,
                ending: &ending,
                is_result_first: true,
                cause: None,
                is_killed: false,
                exit: Exit::default(),
                read_error: None,
                write_error: None,
                stderr: &tail,
                searched: &stderr,
                hides_refusal,
                resume: None,
            }),
            false => RunVerdict::crashed(std::mem::take(&mut ending.last_text)),
        };
        Ok(RunOutcome {
            verdict,
            session_id: ending.session_id,
            usage: ending.usage,
            cost_usd: ending.cost_usd,
            tool_calls: ending.tool_calls,
            duration: Duration::ZERO,
            stderr_tail: redact::redact(tail.trim()),
            survivors_killed: 0,
        })
    }
}

impl std::fmt::Debug for Again<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Again").field("is_over", &self.is_over).finish_non_exhaustive()
    }
}
