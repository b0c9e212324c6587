//! Signals to a program that may not lead a process group.

use std::io;

use rustix::process::{Pid, Signal, kill_process};

use crate::sys::child;

/// Signals a program that is not reaped, and its group if it has made one.
pub(super) fn signal_program(pid: Pid, signal: Signal) {
    child::signal_group(pid, signal);
    if let Err(error) = kill_process(pid, signal) {
        log::debug!("signal the program: {}", io::Error::from(error));
    }
}
