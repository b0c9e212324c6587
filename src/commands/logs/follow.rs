//! Whether and how a run is followed.

use std::io;
use std::time::{Duration, Instant};

use crate::invocation::Context;
use crate::output::terminal::is_reader_gone;
use crate::run::transcript::{Pause, Recorded};

/// How often it is looked for more.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// How often it is looked whether the run is on: whoever tries its lock holds it for a moment.
const BETWEEN_LOCKS: Duration = Duration::from_millis(300);

/// A run, and whether it is followed.
pub(super) struct Follower<'a> {
    pub(super) recorded: &'a Recorded,
    pub(super) is_followed: bool,
    context: &'a Context,
    looked: Instant,
}

impl<'a> Follower<'a> {
    pub(super) fn new(recorded: &'a Recorded, is_wanted: bool, context: &'a Context) -> Follower<'a> {
        Follower { recorded, is_followed: is_wanted && recorded.is_live, context, looked: Instant::now() }
    }

    /// Waits for more; says whether the run is on.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] where nothing reads any more.
    pub(super) fn pause(&mut self) -> io::Result<Pause> {
        if self.context.is_stopped() {
            return Ok(Pause::Ended);
        }
        if is_reader_gone() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        std::thread::sleep(BETWEEN_LOOKS);
        if self.looked.elapsed() >= BETWEEN_LOCKS {
            self.looked = Instant::now();
            if !self.recorded.is_on() {
                return Ok(Pause::Ended);
            }
        }
        Ok(Pause::GoOn)
    }

    /// Whether a signal has ended the command.
    pub(super) fn is_stopped(&self) -> bool {
        self.context.is_stopped()
    }
}

/// The exit status: 0, unless a signal has ended the command.
pub(super) fn status(context: &Context) -> u8 {
    context.signal().and_then(|signal| u8::try_from(128 + signal).ok()).unwrap_or(0)
}
