//! The session of a run that died before its record was on the disk: what the agent printed names it.

use std::path::Path;

use super::result::AGENT_LOG;
use crate::layout::names;
use crate::protocol::{Event, Step};
use crate::provider;
use crate::sys::tree::Tree;

/// The most that is read of a log, in bytes. Agents name their session first.
const MOST_READ: u64 = 16 << 20;

/// The session that the log of the last run names last; `None` where no session is found or the log cannot be read.
pub(super) fn in_log(env: &Tree, provider: &str, dialect: &str) -> Option<String> {
    let dialects = provider::find(provider)?.dialects;
    // A release before recorded no dialect: it had one for each provider.
    let spoken = dialects.iter().find(|known| known.name == dialect).or(dialects.first());
    let mut conversation = (spoken?.listener)();
    let _ = conversation.open(); // some tell their answers by the questions
    let log = env.read_start(&Path::new(names::LOGS).join(AGENT_LOG), MOST_READ).ok()??;
    let mut session = None;
    let mut sink = |event: Event<'_>| {
        if let Event::Session { session_id, .. } = event {
            session = Some(session_id.to_owned());
        }
        Ok(())
    };
    conversation.output(&log, &mut sink, &mut Step::default()).ok()?;
    session
}
