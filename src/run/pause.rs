//! A pause of the agent, in the record and in the events.

use std::io;

use chrono::{DateTime, Utc};

use super::record::RunningEnv;
use super::surroundings::RunSink;
use crate::protocol::{Event, NoticeLevel};

/// Records a pause, or its end, and says so.
pub(super) fn tell_pause(
    env: &mut RunningEnv,
    sink: &mut dyn RunSink,
    is_paused: bool,
    now: DateTime<Utc>,
) -> io::Result<()> {
    if let Err(error) = env.paused(is_paused.then_some(now)) {
        log::warn!("the pause could not be recorded: {error:#}");
    }
    let text = if is_paused { "the agent is paused" } else { "the agent goes on" };
    sink.event(&Event::Notice { level: NoticeLevel::Info, text })?;
    sink.event(&Event::Idle)
}
