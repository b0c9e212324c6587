//! The supervision loop.
//!
//! One thread decides: it takes blocks, ends and exits from the threads in `streams`, and looks at signals, limits and
//! the cancel file at least every [`TICK`]. It waits for the agent's process, never for an end of file alone. Before it
//! waits it tells the sink so: events may be held together while more are coming, never while the agent thinks.

use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Interrupts;
use super::command::{AgentCommand, Dialect};
use super::outcome::{Cause, Exit};
use super::process::{Agent, Run};
use super::streams::Message;
use super::survivors::{self, Kin};
use crate::protocol::Sink;
use crate::protocol::{Event, NoticeLevel};
use crate::sys::child;

const TICK: Duration = Duration::from_millis(50);
/// After its result an agent may flush and go by itself for this long.
const RESULT_GRACE: Duration = Duration::from_secs(3);
/// After the agent's end: this long without a byte, or this long in all, before whoever holds its output is killed.
const QUIET: Duration = Duration::from_millis(500);
const DRAIN: Duration = Duration::from_secs(2);
/// A gap between two looks at the clock that was no waiting of ours: we were stopped, or the event's reader was slow.
const GAP: Duration = Duration::from_secs(2);
const CANCEL_POLL: Duration = Duration::from_millis(500);
const REAP: Duration = Duration::from_secs(10);

impl Run {
    /// Runs until the agent's process has ended and its output is read, or is held by somebody else.
    pub(super) fn supervise(
        &mut self,
        launch: &AgentCommand,
        agent: &mut Agent,
        interrupts: &Interrupts,
        kin: &mut Kin,
        sink: &mut Sink<'_>,
    ) {
        let deadline = launch.timeout.and_then(|limit| Instant::now().checked_add(limit));
        let (mut looked, mut polled, mut reaped) = (Instant::now(), Instant::now(), Instant::now());
        loop {
            let idle = match self.next(TICK, sink) {
                Ok(message) => {
                    self.take(message, agent, sink);
                    false
                }
                Err(RecvTimeoutError::Timeout) => true,
                // Every thread is gone, the one that waits for the process as well.
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if self.done(agent, idle) {
                return;
            }
            let now = Instant::now();
            if !idle && now.duration_since(looked) < TICK {
                continue;
            }
            if now.duration_since(looked) > GAP {
                (self.last_byte, self.last_event) = (now, now);
            }
            looked = now;
            self.look_at_signals(agent, interrupts, launch.kill_grace);
            if deadline.is_some_and(|deadline| now >= deadline) {
                agent.stop(Cause::Timeout(launch.timeout.unwrap_or_default()));
            }
            if idle {
                self.look_at_silence(launch, agent, sink);
            }
            if now.duration_since(polled) >= CANCEL_POLL {
                polled = now;
                if launch.cancel_file.as_ref().is_some_and(|file| file.symlink_metadata().is_ok()) {
                    agent.stop(Cause::CancelFile);
                }
            }
            if now.duration_since(reaped) >= REAP {
                reaped = now;
                kin.reap_orphans();
            }
        }
    }

    /// The next message. The sink learns of it when there is a wait for it.
    fn next(&mut self, patience: Duration, sink: &mut Sink<'_>) -> Result<Message, RecvTimeoutError> {
        match self.messages.try_recv() {
            Ok(message) => Ok(message),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => {
                if std::mem::take(&mut self.sink_waits) {
                    self.emit(Event::Idle, sink);
                    self.sink_waits = false;
                }
                self.messages.recv_timeout(patience)
            }
        }
    }

    fn take(&mut self, message: Message, agent: &mut Agent, sink: &mut Sink<'_>) {
        match message {
            Message::Output(block, length) => {
                self.last_byte = Instant::now();
                self.output(&block[..length], agent, sink);
                let _ = self.give_back.send(block);
            }
            Message::OutputEnded(error) => {
                self.read_error = error.map(|error| format!("read the agent's output: {error}"));
                self.output_ended = true;
                self.output_end_at = Some(Instant::now());
                self.last_line(agent, sink);
            }
            Message::Errors(bytes) => {
                self.emit(Event::Errors(&bytes), sink);
                self.errors.dealt_with(bytes.len());
            }
            Message::ErrorsEnded => self.errors_ended = true,
            Message::LogFailed(name, error) => {
                let text = format!("{name} is incomplete from here on: {error}");
                self.emit(Event::Notice { level: NoticeLevel::Warning, text: &text }, sink);
            }
            Message::Exited(exit) => {
                agent.exited = Some(exit);
                agent.writer = None;
                self.exit_at = Some(Instant::now());
            }
        }
        if self.sink_broken {
            agent.stop(Cause::SinkBroken);
        }
    }

    /// The agent's process has ended, and so has its output or our patience with whoever holds it.
    fn done(&self, agent: &Agent, idle: bool) -> bool {
        let Some(exit_at) = self.exit_at else { return false };
        debug_assert!(agent.exited.is_some());
        let patience = exit_at.elapsed() >= DRAIN;
        let quiet = idle && self.last_byte.max(exit_at).elapsed() >= QUIET;
        (self.output_ended && self.errors_ended) || patience || quiet
    }

    fn look_at_signals(&mut self, agent: &mut Agent, interrupts: &Interrupts, grace: Duration) {
        if let Some(signal) = interrupts.take_end() {
            agent.signalled += 1;
            if agent.signalled > 1 {
                agent.kill();
            }
            // The wish to end outranks the tidying up after a result.
            agent.stop(Cause::Signal(signal));
        }
        if interrupts.take_pause() {
            child::signal_group(agent.pid, Signal::STOP);
            let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP);
            child::signal_group(agent.pid, Signal::CONT);
            (self.last_byte, self.last_event) = (Instant::now(), Instant::now());
        }
        if agent.exited.is_none() {
            if agent.stop.as_ref().is_some_and(|(_, since)| since.elapsed() >= grace) {
                agent.kill();
            }
            let over = |since: Option<Instant>, limit| since.is_some_and(|at: Instant| at.elapsed() >= limit);
            let mute = self.dialect == Dialect::ClaudeStream && over(self.output_end_at, grace);
            if over(self.result_at, RESULT_GRACE) || mute {
                agent.stop(Cause::Overdue);
            }
        }
    }

    /// The limits on silence. Only looked at when nothing unread is queued.
    fn look_at_silence(&mut self, launch: &AgentCommand, agent: &mut Agent, sink: &mut Sink<'_>) {
        let bytes = self.errors.bytes();
        if bytes != self.errors_seen {
            self.errors_seen = bytes;
            if self.dialect == Dialect::Raw {
                self.last_byte = Instant::now();
            }
            self.look_for_login(&self.errors.tail(), sink);
        }
        if self.result_at.is_some() || agent.exited.is_some() || agent.stop.is_some() {
            return;
        }
        // Keep-alive lines prove that a process lives, not that it works: in a dialect only events count.
        let silent = match self.dialect {
            Dialect::Raw => self.last_byte.elapsed(),
            Dialect::ClaudeStream => self.last_event.elapsed(),
        };
        let (limit, cause): (_, fn(Duration) -> Cause) = match self.reader.open_tools {
            0 => (launch.idle_timeout, Cause::Idle),
            _ => (launch.tool_timeout, Cause::Tool),
        };
        if let Some(limit) = limit.filter(|limit| silent >= *limit) {
            if survivors::is_stopped(agent.pid) {
                // A paused agent does not age.
                (self.last_byte, self.last_event) = (Instant::now(), Instant::now());
            } else {
                agent.stop(cause(limit));
            }
        }
    }

    /// Reads what is left in the pipes, now that everybody who could write is gone.
    pub(super) fn drain(&mut self, sink: &mut Sink<'_>) {
        let until = Instant::now() + DRAIN;
        let mut nobody = Agent {
            pid: rustix::process::getpid(),
            exited: Some(Exit::default()),
            stop: None,
            signalled: 0,
            killed: false,
            writer: None,
        };
        while !(self.output_ended && self.errors_ended) && Instant::now() < until {
            match self.next(QUIET, sink) {
                Ok(message @ Message::Exited(_)) => drop(message),
                Ok(message) => self.take(message, &mut nobody, sink),
                Err(_) => break,
            }
        }
        if !self.output_ended {
            self.last_line(&mut nobody, sink);
        }
    }
}
