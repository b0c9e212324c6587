//! A pause of the agent, in the record and in the events.

use std::io;

use chrono::{DateTime, Utc};

use super::log::RunLog;
use super::record::RunningEnv;
use super::surroundings::RunSink;
use crate::protocol::{Event, NoticeLevel};

/// Records a pause, or its end, and says so.
pub(super) fn tell_pause(
    env: &mut RunningEnv,
    log: &mut RunLog,
    sink: &mut dyn RunSink,
    is_paused: bool,
    now: DateTime<Utc>,
) -> io::Result<()> {
    if let Err(error) = env.paused(is_paused.then_some(now)) {
        log::warn!("the pause could not be recorded: {error:#}");
    }
    let text = if is_paused { "the agent is paused" } else { "the agent goes on" };
    let notice = Event::Notice { level: NoticeLevel::Info, text };
    log.event(&notice, now);
    sink.event(&notice)?;
    sink.event(&Event::Idle)
}
