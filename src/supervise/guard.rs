//! The guard: a small process that outlives a killed run just long enough to end its agent.
//!
//! It is this very executable, in a group of its own. Its standard input is a pipe whose only writer is the run, its
//! standard output a handle on the environment's lock: so the environment reads as busy until the agent is gone.
//! The run writes `pgid N start T` once the agent exists and `done` at a regular end; end of file without `done`
//! means that the run was killed.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, PipeWriter, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::survivors;
use crate::sys::child::{self, Program};

/// The guard, as the run sees it.
#[derive(Debug)]
pub(super) struct Guard {
    child: Child,
    pipe: PipeWriter,
}

impl Guard {
    /// Starts the guard. It gets no environment, hence no mark: it must not find itself.
    pub(super) fn start(path: &Path, args: &[OsString], lock: File) -> io::Result<Self> {
        let (reader, pipe) = io::pipe()?;
        let program = Program { path, args, dir: Some(Path::new("/")), env: &[] };
        let child = child::start(program, reader.into(), lock.into(), Stdio::null())?;
        Ok(Self { child, pipe })
    }

    pub(super) fn pid(&self) -> Pid {
        child::pid(&self.child)
    }

    /// Tells which group it guards.
    pub(super) fn watch(&mut self, group: Pid, start: Option<u64>) -> io::Result<()> {
        // One write, so that the guard never reads half of it.
        let line = format!("pgid {} start {}\n", group.as_raw_nonzero(), start.unwrap_or(0));
        self.pipe.write_all(line.as_bytes())
    }

    /// The agent is gone: so goes the guard, and with it the last handle on the lock but the caller's.
    pub(super) fn dismiss(mut self) {
        let _ = self.pipe.write_all(b"done\n");
        drop(self.pipe);
        let _ = self.child.wait();
    }
}

/// The guard's own life. The hidden subcommand `__guard RUN_ID GRACE_MS` calls this and exits.
pub fn main(run_id: &str, grace_ms: u64) {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        // A flag that nobody reads: the signal is caught and does nothing.
        let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
    let mut group = None;
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["done"] => return,
            ["pgid", number, "start", start] => group = Some((number.parse().ok(), start.parse().ok())),
            _ => {}
        }
    }
    if let Some((Some(number), start)) = group
        && let Some(pid) = Pid::from_raw(number)
        && is_still(pid, start)
    {
        end_group(pid, Duration::from_millis(grace_ms), &mut || false);
    }
    survivors::kill_marked(run_id);
}

/// Whether the group is still the one we were told of: its number may have passed to somebody else, if its leader died
/// long ago. Members outlive a leader, and while they live the number stays theirs.
fn is_still(group: Pid, start: Option<u64>) -> bool {
    match (survivors::start_time(group), start) {
        (Some(now), Some(then)) if then != 0 => now == then,
        _ => true,
    }
}

/// Ends a group: asks, wakes it up, waits, kills, and waits again until nobody is left. `hurry` cuts the grace short.
/// Answers whether it had to be killed.
pub(super) fn end_group(group: Pid, grace: Duration, hurry: &mut dyn FnMut() -> bool) -> bool {
    if !survivors::group_alive(group) {
        return false;
    }
    child::signal_group(group, Signal::TERM);
    child::signal_group(group, Signal::CONT); // a stopped process takes no signal but these
    let asked = Instant::now();
    while asked.elapsed() < grace && !hurry() {
        std::thread::sleep(Duration::from_millis(10));
        if !survivors::group_alive(group) {
            return false;
        }
    }
    let killed = Instant::now();
    while survivors::group_alive(group) && killed.elapsed() < survivors::PATIENCE {
        child::signal_group(group, Signal::KILL);
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
