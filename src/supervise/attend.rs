//! A program on the user's own streams: a shell, or an agent with a screen of its own. It is waited for, and nothing of it is left.
//!
//! It is in the process group of this process, so that the terminal is its own without a hand-over: what a person types goes to it, and
//! a shell with job control makes groups of its own, takes the terminal, and gives it back at its end. A key such as Ctrl-C may
//! reach this process as well, which does nothing about it.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::{Pid, Signal};
use signal_hook::consts::{SIGHUP, SIGTERM};

use super::command::AgentCommand;
use super::guard::{self, Guard, end_group};
use super::interrupts::Interrupts;
use super::outcome::Exit;
use super::process::{end_rest, mark, not_started};
use super::program_signal::signal_program;
use super::streams::{self, Message};
use super::survivors::{self, ProcessTree};
use crate::sys::lock::touch;

const TICK: Duration = Duration::from_millis(50);
/// How often the lock file is touched, for other machines that do not see the lock.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Attended {
    /// How the program ended.
    pub exit: Exit,
    /// How many processes it had left, which were killed.
    pub survivors_killed: usize,
}

/// Has the guard start a program on this process's streams, and waits for its end.
///
/// # Errors
/// When it cannot be started.
pub fn attend(
    mut guard: Guard,
    mut command: AgentCommand,
    interrupts: &Interrupts,
    is_terminal: bool,
) -> Result<Attended> {
    survivors::adopt();
    let mut tree = ProcessTree::before(&[guard.pid()]);
    mark(&mut command);
    let (to, messages) = streams::messages();
    let pid = match guard.start_attached(&command, to) {
        Ok(pid) => pid,
        Err(error) => {
            drop(guard);
            tree.kill_all(&command.run_id);
            return Err(not_started(&command, error));
        }
    };
    tree.spare(pid);
    let mut attendance = Attendance { pid, command: &command, interrupts, is_terminal, asked: None };
    let exit = attendance.wait(&mut guard, &messages);
    // Only a shell with job control has made this group, and its number is not free yet.
    end_group(pid, Duration::ZERO, &mut || true);
    let survivors_killed = end_rest(guard, pid, &mut tree, &command.run_id);
    Ok(Attended { exit, survivors_killed })
}

struct Attendance<'a> {
    pid: Pid,
    command: &'a AgentCommand,
    interrupts: &'a Interrupts,
    is_terminal: bool,
    /// When it was asked to end.
    asked: Option<Instant>,
}

impl Attendance<'_> {
    fn wait(&mut self, guard: &mut Guard, messages: &Receiver<Message>) -> Exit {
        let (mut seen, mut signed) = (Instant::now(), Instant::now());
        loop {
            match messages.recv_timeout(TICK) {
                Ok(Message::Exited(exit)) => return exit,
                Ok(Message::GuardGone) => log::warn!(
                    "something has killed the guard of this shell: if execenv is killed as well, its processes go on"
                ),
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Exit::default(),
            }
            self.look_at_signals();
            if self.is_terminal && (self.interrupts.take_pause() || survivors::is_stopped(self.pid)) {
                self.pause(guard);
            }
            let now = Instant::now();
            if now.duration_since(seen) >= guard::BETWEEN_LOOKS {
                seen = now;
                guard.look_after();
            }
            if now.duration_since(signed) >= SIGN_OF_LIFE {
                signed = now;
                if let Err(error) = touch(&self.command.lock) {
                    log::debug!("touch the lock file: {error}");
                }
            }
        }
    }

    /// The keys of a terminal reach the program itself; a request to end is passed on as a terminal that closes would.
    fn look_at_signals(&mut self) {
        let is_request = self.interrupts.take_end().is_some_and(|signal| [SIGHUP, SIGTERM].contains(&signal));
        if is_request && self.asked.is_none() {
            self.asked = Some(Instant::now());
            self.signal(Signal::HUP);
            self.signal(Signal::CONT);
        }
        if self.asked.is_some_and(|at| at.elapsed() >= self.command.limits.kill_grace) {
            self.signal(Signal::KILL);
        }
    }

    /// The program has stopped, or is about to: the caller's shell gets the terminal until it goes on with both.
    fn pause(&self, guard: &mut Guard) {
        guard.let_pause(|| {
            let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP);
        });
        let _ = self.interrupts.take_pause();
        self.signal(Signal::CONT);
    }

    /// Signals the program, and its group if it has made one.
    fn signal(&self, signal: Signal) {
        signal_program(self.pid, signal);
    }
}
