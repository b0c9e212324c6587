//! The agent's process, as far as writing to it and stopping it goes.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::outcome::Cause;
use super::streams::Writer;
use crate::sys::child;

/// A process that may still be signalled: it is not reaped, so that its number is its own.
#[derive(Debug)]
pub(super) struct Agent {
    pid: Pid,
    input: Option<Writer>,
    has_exited: bool,
    stop: Option<Stop>,
    is_killed: bool,
}

/// Why and how the agent is being stopped.
#[derive(Debug)]
struct Stop {
    cause: Cause,
    /// When it gets its signal; before that it was asked in its own dialect.
    signal_at: Instant,
    is_signalled: bool,
}

impl Agent {
    pub(super) fn new(pid: Pid) -> Self {
        Self { pid, input: None, has_exited: false, stop: None, is_killed: false }
    }

    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    pub(super) fn keep_input(&mut self, input: Writer) {
        self.input = Some(input);
    }

    pub(super) fn write(&self, frames: Vec<u8>) {
        if let Some(input) = self.input.as_ref().filter(|_| !frames.is_empty()) {
            input.send(frames);
        }
    }

    /// How many frames it has not read yet.
    pub(super) fn unread(&self) -> usize {
        self.input.as_ref().map_or(0, Writer::waiting)
    }

    pub(super) fn close_input(&mut self) {
        self.input = None;
    }

    /// The process has ended: it cannot be stopped any more.
    pub(super) fn note_exit(&mut self) {
        self.has_exited = true;
        self.close_input();
    }

    /// Why it is being stopped.
    pub(super) fn cause(&self) -> Option<&Cause> {
        self.stop.as_ref().map(|stop| &stop.cause)
    }

    /// Whether SIGKILL was needed.
    pub(super) fn is_killed(&self) -> bool {
        self.is_killed
    }

    /// Whether [`Agent::stop`] would still have an effect.
    pub(super) fn can_stop(&self) -> bool {
        self.stop.is_none() && !self.has_exited
    }

    /// Notes a request that came when the process had ended already: whoever signals every process of a job reaches the
    /// agent first.
    pub(super) fn note_request(&mut self, cause: Cause) {
        if self.stop.is_none() {
            self.stop = Some(Stop { cause, signal_at: Instant::now(), is_signalled: true });
        }
    }

    /// Whether the process has ended.
    pub(super) fn has_exited(&self) -> bool {
        self.has_exited
    }

    /// Stops it: with a signal after `patience`, in which it may end by itself. Only the first cause counts.
    pub(super) fn stop(&mut self, cause: Cause, patience: Duration) {
        if self.can_stop() {
            self.stop = Some(Stop { cause, signal_at: Instant::now() + patience, is_signalled: false });
            self.look_at_stop(Duration::MAX);
        }
    }

    /// It was asked to end in its own dialect, and has ended its turn: there is nothing more to wait for.
    pub(super) fn signal_now(&mut self) {
        if let Some(stop) = self.stop.as_mut().filter(|stop| !stop.is_signalled) {
            stop.signal_at = Instant::now();
        }
    }

    /// Sends the signals that are due.
    pub(super) fn look_at_stop(&mut self, grace: Duration) {
        let Some(stop) = self.stop.as_mut().filter(|_| !self.has_exited) else { return };
        if !stop.is_signalled && Instant::now() >= stop.signal_at {
            stop.is_signalled = true;
            stop.signal_at = Instant::now();
            let signal = match stop.cause {
                Cause::Signal(number) => Signal::from_named_raw(number).unwrap_or(Signal::TERM),
                _ => Signal::TERM,
            };
            self.input = None; // first: some end by that alone
            child::signal_group(self.pid, signal);
            child::signal_group(self.pid, Signal::CONT); // a stopped process takes no other signal
        } else if stop.is_signalled && stop.signal_at.elapsed() >= grace {
            self.kill();
        }
    }

    pub(super) fn kill(&mut self) {
        self.is_killed = true;
        child::signal_group(self.pid, Signal::KILL);
    }

    /// Notes that the rest of its group had to be killed: that was a kill if it was being stopped.
    pub(super) fn note_group_killed(&mut self) {
        self.is_killed |= self.stop.is_some();
    }

    /// What is left of the grace after the signal.
    pub(super) fn grace_left(&self, grace: Duration) -> Duration {
        let signalled = self.stop.as_ref().filter(|stop| stop.is_signalled);
        signalled.map_or(grace, |stop| grace.saturating_sub(stop.signal_at.elapsed()))
    }
}
