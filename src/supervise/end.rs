//! The end: what was seen, judged.

use std::io;
use std::path::Path;
use std::time::Instant;

use super::agent::Agent;
use super::command::AgentCommand;
use super::listener::Listener;
use super::outcome::{Cause, Exit, RunFacts, RunOutcome, judge};
use super::redact;
use crate::protocol::login::LoginRequest;
use crate::protocol::{Event, FailureReason, is_price};
use crate::sys::tree::Tree;

/// What the supervision saw of the process.
pub(super) struct Seen {
    pub(super) exit: Exit,
    pub(super) is_result_first: bool,
    pub(super) survivors_killed: usize,
    pub(super) write_error: Option<io::Error>,
    pub(super) begin: Instant,
}

/// The most that is read of a file that an agent leaves, in bytes.
const CLOSING_FILE: u64 = 4 << 20;

fn read_closing_file(path: &Path) -> Option<Vec<u8>> {
    let name = path.file_name().map(Path::new)?;
    let read = Tree::open(path.parent()?).and_then(|folder| folder.read_start(name, CLOSING_FILE));
    read.inspect_err(|error| log::debug!("read {}: {error}", path.display())).ok().flatten()
}

/// Gives the sink its last events, and judges the run.
pub(super) fn conclude(
    command: &AgentCommand,
    agent: &Agent,
    mut listener: Listener<'_>,
    seen: Seen,
) -> RunOutcome {
    listener.look_at_errors();
    if let Some(path) = listener.conversation.closing_file().map(Path::to_owned)
        && let Some(bytes) = read_closing_file(&path)
    {
        listener.conversation.take_file(&bytes);
    }
    let mut ending = listener.conversation.end();
    ending.cost_usd = ending.cost_usd.filter(is_price);
    for text in &ending.remarks {
        listener.warn(text);
    }
    if !ending.usage.is_empty() {
        listener.emit(Event::Usage { usage: &ending.usage });
    }
    let (stderr, searched) = (listener.errors.tail(), listener.errors.searched());
    let broken = listener.is_sink_broken.then_some(Cause::SinkBroken);
    let verdict = judge(&RunFacts {
        provider: &command.provider,
        states_result: listener.properties.states_result,
        ending: &ending,
        is_result_first: seen.is_result_first,
        cause: broken.as_ref().or(agent.cause()),
        is_killed: agent.is_killed(),
        exit: seen.exit,
        read_error: listener.read_error.take(),
        write_error: seen.write_error.map(|error| error.to_string()),
        stderr: &stderr,
        searched: &searched,
        hides_refusal: listener.conversation.hides_refusal(),
        resume: command.resume.as_deref(),
    });
    if verdict.failure_reason == Some(FailureReason::AuthOrAccess) {
        listener.ask_for_login(&LoginRequest { url: None }); // unless its texts have said so already
    }
    RunOutcome {
        verdict,
        session_id: ending.session_id,
        usage: ending.usage,
        cost_usd: ending.cost_usd,
        tool_calls: ending.tool_calls,
        duration: seen.begin.elapsed(),
        stderr_tail: redact::redact(stderr.trim()),
        survivors_killed: seen.survivors_killed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_a_number_that_money_can_be() {
        for (text, is_one) in [("0.0119", true), ("0", true), ("-1", false), ("1e999", false), ("1e3", true)]
        {
            assert_eq!(is_price(&serde_json::from_str(text).unwrap()), is_one, "{text}");
        }
    }
}
