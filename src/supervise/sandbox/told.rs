//! What a stage tells the guard: `+` right before it becomes the agent; then, or instead, why it did not.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::NoSandbox;

/// A sandbox is built in a few milliseconds; a mount of another machine's may not answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest reason, in bytes.
const MOST: usize = 4 << 10;
const BEGINS: u8 = b'+';
const NOT_STARTED: u8 = b'E';
const NOT_BUILT: u8 = b'S';

/// The stage's end of the pipe.
pub(in crate::supervise) struct Told(File);

impl Told {
    pub(super) fn by(pipe: File) -> Told {
        Told(pipe)
    }

    pub(super) fn pipe(&self) -> &File {
        &self.0
    }

    /// The sandbox is built.
    pub(super) fn begins(&mut self) {
        let _ = self.0.write_all(&[BEGINS]); // without a guard to hear it, the process is about to end
    }

    /// The agent's program cannot be started.
    pub(super) fn not_started(&mut self, error: &io::Error) {
        let number = error.raw_os_error().unwrap_or(rustix::io::Errno::IO.raw_os_error());
        let _ = write!(self.0, "{}{number}", char::from(NOT_STARTED)); // as above
    }

    /// The sandbox cannot be built.
    pub(super) fn not_built(&mut self, why: &str) {
        let _ = write!(self.0, "{}{why}", char::from(NOT_BUILT)); // as above
    }
}

/// Waits until the agent begins.
///
/// # Errors
/// The kernel's error for `execve`, or a [`NoSandbox`] inside of the error.
pub(in crate::supervise) fn await_agent(mut pipe: io::PipeReader) -> io::Result<()> {
    let begun = Instant::now();
    let mut told = Vec::new();
    loop {
        let left = Timespec::try_from(PATIENCE.saturating_sub(begun.elapsed())).ok();
        let ready = rustix::io::retry_on_intr(|| {
            poll(&mut [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)], left.as_ref())
        })?;
        if ready == 0 {
            return Err(no_sandbox(&format!("it was not there after {} s", PATIENCE.as_secs())));
        }
        let mut block = [0; 512];
        match pipe.read(&mut block)? {
            0 => return judge(&told),
            length if told.len() < MOST => told.extend_from_slice(&block[..length]),
            _ => {}
        }
    }
}

fn judge(told: &[u8]) -> io::Result<()> {
    let rest = told.strip_prefix(&[BEGINS]).unwrap_or(told);
    match rest.split_first() {
        None if !told.is_empty() => Ok(()),
        Some((&NOT_STARTED, number)) => {
            let number = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
            Err(io::Error::from_raw_os_error(number.unwrap_or(rustix::io::Errno::IO.raw_os_error())))
        }
        Some((&NOT_BUILT, why)) => Err(no_sandbox(&String::from_utf8_lossy(why))),
        _ => Err(no_sandbox("")),
    }
}

fn no_sandbox(why: &str) -> io::Error {
    io::Error::other(NoSandbox(why.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stage_tells_is_understood() {
        for (told, expected) in [
            ("+", Ok(())),
            ("+E2", Err("No such file or directory (os error 2)")),
            ("E13", Err("Permission denied (os error 13)")),
            ("Sno Landlock", Err("no Landlock")),
            ("", Err("")),
            ("?", Err("")),
        ] {
            let judged = judge(told.as_bytes()).map_err(|error| error.to_string());
            assert_eq!(judged.as_ref().map_err(String::as_str).copied(), expected, "{told}");
        }
    }
}
