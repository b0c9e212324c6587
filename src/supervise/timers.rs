//! The supervision loop.
//!
//! One thread decides: it takes blocks, ends and exits from the threads in `streams`, and looks at requests, limits and
//! the dialect's own clock at least every [`TICK`]. It waits for the agent's process, never for an end of file alone.

use std::fs::File;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::agent::Agent;
use super::command::Limits;
use super::guard::{self, Guard};
use super::listener::Listener;
use super::outcome::{Cause, Exit};
use super::requests::Requests;
use super::streams::Message;
use super::survivors::{self, ProcessTree};
use crate::protocol::Step;
use crate::sys::child;
use crate::sys::lock::touch;

const TICK: Duration = Duration::from_millis(50);
/// After the agent's exit: this long without a byte, or this long in all, before whoever holds its output is killed.
const QUIET: Duration = Duration::from_millis(500);
const DRAIN: Duration = Duration::from_secs(2);
/// A gap between two looks at the clock that was not a wait of this loop: the process was stopped, or the sink was slow.
const GAP: Duration = Duration::from_secs(2);
/// How long a signal to this process may come after the same one has ended the agent.
const LATE_REQUEST: Duration = Duration::from_millis(100);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
const REAP: Duration = Duration::from_secs(10);
/// How often the sink learns that the agent is at work.
const SIGN_OF_WORK: Duration = Duration::from_millis(500);
/// How often the lock file is touched, for other machines that do not see the lock.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// One run of the loop.
pub(super) struct Supervisor<'a, 'b, 'c> {
    pub(super) agent: &'a mut Agent,
    pub(super) guard: &'a mut Guard,
    pub(super) listener: &'a mut Listener<'b>,
    pub(super) requests: &'a mut Requests<'c>,
    pub(super) lock: &'a File,
    pub(super) limits: Limits,
    pub(super) begin: Instant,
    pub(super) interruptions: u32,
    /// Since when the agent has had all its turns.
    pub(super) turns_over: Option<Instant>,
    /// The result came before any reason to stop the agent.
    pub(super) is_result_first: bool,
    /// How often a person was told that the agent has not begun to speak.
    pub(super) mute_told: usize,
    /// Since when the agent has been paused by order.
    pub(super) paused: Option<Instant>,
}

impl Supervisor<'_, '_, '_> {
    /// Runs until the agent's process has ended and its output is read, or is held by another process. Returns how it
    /// ended and whether its result came before any reason to stop it.
    pub(super) fn supervise(mut self, tree: &mut ProcessTree) -> (Exit, bool) {
        let mut exit = None;
        let (mut looked, mut reaped, mut signed) = (Instant::now(), Instant::now(), Instant::now());
        let (mut guard_seen, mut told) = (Instant::now(), Instant::now());
        self.listener.tell_work();
        loop {
            let is_idle = match self.listener.next(TICK) {
                Ok(message) => {
                    if let Message::Exited(status) = message {
                        exit = Some((status, Instant::now()));
                        self.agent.note_exit();
                    }
                    let step = self.listener.take(message);
                    self.apply(step);
                    self.look_at_bounds();
                    false
                }
                Err(RecvTimeoutError::Timeout) => true,
                // Every thread is gone, the one that waits for the process as well.
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if self.listener.is_sink_broken {
                self.agent.stop(Cause::SinkBroken, Duration::ZERO);
            }
            if exit.is_some_and(|(_, at)| self.is_done(at, is_idle)) {
                break;
            }
            let now = Instant::now();
            if !is_idle && now.duration_since(looked) < TICK {
                continue;
            }
            if now.duration_since(looked) > GAP {
                self.listener.restart_clocks();
            }
            looked = now;
            self.look_at_requests(now);
            self.look_at_limits(now, is_idle);
            if now.duration_since(guard_seen) >= guard::BETWEEN_LOOKS {
                guard_seen = now;
                self.guard.look_after();
            }
            if now.duration_since(told) >= SIGN_OF_WORK {
                told = now;
                self.listener.tell_work();
            }
            if now.duration_since(signed) >= SIGN_OF_LIFE {
                signed = now;
                if let Err(error) = touch(self.lock) {
                    log::debug!("touch the lock file: {error}");
                }
            }
            if now.duration_since(reaped) >= REAP {
                reaped = now;
                tree.reap_orphans();
            }
        }
        let exit = exit.map(|(status, _)| status).unwrap_or_default();
        self.look_for_late_request(exit);
        (exit, self.is_result_first)
    }

    /// Slurm and systemd signal every process of a job at once: a polite agent ends before this loop sees its own signal.
    /// That was a request then, and no failure of the agent's.
    fn look_for_late_request(&mut self, exit: Exit) {
        let patience = if exit.is_by_request() { LATE_REQUEST } else { Duration::ZERO };
        let until = Instant::now() + patience;
        while self.agent.cause().is_none() && !self.is_result_first {
            if let Some(signal) = self.requests.interrupts().take_end() {
                self.agent.note_request(Cause::Signal(signal));
            } else if Instant::now() >= until {
                return;
            } else {
                std::thread::sleep(BETWEEN_LOOKS);
            }
        }
    }

    /// Does what follows from something that happened.
    pub(super) fn apply(&mut self, step: Step) {
        self.is_result_first |= step.is_turn_over && self.agent.cause().is_none();
        self.agent.write(step.frames);
        if step.close_input {
            self.agent.close_input();
        }
        if let Some(given_up) = step.give_up {
            self.stop(Cause::Dialect(given_up));
        }
    }

    /// Stops the agent: first in its own dialect, where that has words for it.
    pub(super) fn stop(&mut self, cause: Cause) {
        if !self.agent.can_stop() {
            return;
        }
        self.resume(); // a stopped process reads no words
        let mut step = Step::default();
        let patience = self.listener.conversation.cancel(&mut step);
        self.agent.write(step.frames);
        self.agent.stop(cause, patience);
    }

    /// The agent's process has ended, and so has its output, or the patience with whoever holds it.
    fn is_done(&self, exit_at: Instant, is_idle: bool) -> bool {
        let is_quiet = is_idle && self.listener.last_byte.max(exit_at).elapsed() >= QUIET;
        self.listener.has_ended() || exit_at.elapsed() >= DRAIN || is_quiet
    }

    fn look_at_requests(&mut self, now: Instant) {
        let interrupts = self.requests.interrupts();
        if let Some(signal) = interrupts.take_end() {
            self.interruptions += 1;
            if self.interruptions > 1 {
                self.agent.kill();
            }
            // The wish to end outranks the tidying up after a result.
            if self.agent.has_exited() && !self.is_result_first {
                self.agent.note_request(Cause::Signal(signal));
            }
            self.stop(Cause::Signal(signal));
        }
        if interrupts.take_pause() {
            child::signal_group(self.agent.pid(), Signal::STOP);
            self.guard.let_pause(|| {
                let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP);
            });
            if self.paused.is_none() {
                child::signal_group(self.agent.pid(), Signal::CONT);
            }
            self.listener.restart_clocks();
        }
        if self.requests.is_cancelled(now) {
            self.stop(Cause::CancelFile);
        }
        self.look_at_orders(now);
        if self.paused.is_none() && self.agent.can_stop() {
            let listener = &mut *self.listener;
            if let Some(gone) = self.requests.look_around(now, &mut |event| listener.emit(event)) {
                self.stop(Cause::WorkDirGone(gone));
            }
        }
    }

    fn look_at_limits(&mut self, now: Instant, is_idle: bool) {
        if self.paused.is_some() {
            return; // a paused agent does not age; whatever stops it lets it go on first
        }
        if let Some(limit) = self.limits.total.filter(|limit| now.duration_since(self.begin) >= *limit) {
            self.stop(Cause::Timeout(limit));
        }
        if is_idle {
            self.look_at_silence(now);
            self.look_at_bounds();
        }
        let is_over = |since: Option<Instant>, limit| since.is_some_and(|at| now.duration_since(at) >= limit);
        let properties = self.listener.properties;
        let is_mute = properties.states_result && is_over(self.listener.output_ended, self.limits.kill_grace);
        if is_over(self.listener.turn_over, properties.exit_within) || is_mute {
            self.agent.stop(Cause::Overdue, Duration::ZERO);
            self.agent.signal_now();
        }
        self.agent.look_at_stop(self.limits.kill_grace);
    }

    /// The bounds on what the agent uses up. One that has stated its result uses up nothing more.
    fn look_at_bounds(&mut self) {
        let bounds = self.limits.bounds;
        if bounds.is_empty() || self.listener.turn_over.is_some() || !self.agent.can_stop() {
            return;
        }
        let conversation = &self.listener.conversation;
        let (spent, is_at_work) = (conversation.spent(), conversation.has_open_tool());
        if let Some(reached) =
            bounds.reached(self.limits.used, &spent, is_at_work, &mut self.turns_over, Instant::now())
        {
            self.stop(Cause::Bound(reached));
        }
    }

    /// Says that the agent has not begun to speak, at each of the times once.
    fn tell_muteness(&mut self, silent: Duration) {
        if self.listener.has_begun || !self.listener.properties.begins_at_once {
            return;
        }
        let Some(due) = self.limits.mute.get(self.mute_told).filter(|due| silent >= **due) else { return };
        self.mute_told += 1;
        let seconds = due.as_secs();
        self.listener.warn(&format!(
            "the agent has printed nothing for {seconds} s: it may wait for a login, for its server, or for a person; its own \
             errors are in logs/agent.stderr.log"
        ));
    }

    /// The limits on silence. Only looked at when nothing unread is waiting.
    fn look_at_silence(&mut self, now: Instant) {
        self.listener.look_at_errors();
        self.tell_muteness(now.duration_since(self.listener.last_byte));
        if self.listener.turn_over.is_some() || !self.agent.can_stop() {
            return;
        }
        let mut step = Step::default();
        self.listener.conversation.tick(now, &mut step);
        self.listener.note(&mut step);
        self.apply(step);
        let silent = now.duration_since(self.listener.last_progress);
        let (limit, cause): (_, fn(Duration) -> Cause) = match self.listener.conversation.has_open_tool() {
            false => (self.limits.idle, Cause::Idle),
            true => (self.limits.tool, Cause::Tool),
        };
        if let Some(limit) = limit.filter(|limit| silent >= *limit) {
            if survivors::is_stopped(self.agent.pid()) {
                self.listener.restart_clocks(); // a paused agent does not age
            } else {
                self.stop(cause(limit));
            }
        }
    }
}

/// Reads what is left in the pipes, now that every process that could write to them is gone. Returns whether the turn
/// ended in it.
pub(super) fn drain(listener: &mut Listener<'_>) -> bool {
    let until = Instant::now() + DRAIN;
    let mut is_turn_over = false;
    while !listener.has_ended() && Instant::now() < until {
        // An agent that is gone takes no answers.
        let Ok(message) = listener.next(QUIET) else { break };
        is_turn_over |= listener.take(message).is_turn_over;
    }
    let mut step = Step::default();
    listener.end_output(&mut step);
    listener.note(&mut step);
    is_turn_over | step.is_turn_over
}
