//! The guard: a small process that ends the agent if the run is killed.
//!
//! It is this executable in a process group of its own. Its standard input is a pipe that only the run writes to; its
//! standard output is a handle on the environment's lock, which therefore stays locked until the agent is gone. The run
//! writes `pgid N start T` when the agent has started, and `done` at a regular end; end of file without `done` means that
//! the run was killed.

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
    /// Starts the guard, without any variables: with the run's mark it would find itself.
    pub(super) fn start(path: &Path, args: &[OsString], lock: File) -> io::Result<Self> {
        let (reader, pipe) = io::pipe()?;
        let program = Program { path, args, dir: Some(Path::new("/")), env: &[] };
        let child = child::start(program, reader.into(), lock.into(), Stdio::null())?;
        Ok(Self { child, pipe })
    }

    pub(super) fn pid(&self) -> Pid {
        child::pid(&self.child)
    }

    /// Names the group that it guards.
    pub(super) fn watch(&mut self, group: Pid, start: Option<u64>) -> io::Result<()> {
        // One write, so that the guard never reads half of it.
        let line = format!("pgid {} start {}\n", group.as_raw_nonzero(), start.unwrap_or(0));
        self.pipe.write_all(line.as_bytes())
    }

    /// Ends the guard, and with it every handle on the lock but the caller's. The agent must be gone.
    pub(super) fn dismiss(mut self) {
        let _ = self.pipe.write_all(b"done\n");
        drop(self.pipe);
        let _ = self.child.wait();
    }
}

/// What the guard does. The hidden subcommand `__guard RUN_ID GRACE_MS` calls this and exits.
pub fn main(run_id: &str, grace_ms: u64) {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        // The flag is never read: the signal is caught and does nothing.
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

/// Whether the group is still the same: after its leader's death its number may belong to another process. While members
/// of it live, the number stays theirs.
fn is_still(group: Pid, start: Option<u64>) -> bool {
    match (survivors::start_time(group), start) {
        (Some(now), Some(then)) if then != 0 => now == then,
        _ => true,
    }
}

/// Ends a group: SIGTERM, SIGCONT, a wait, SIGKILL, and a wait until no member is left. `hurry` cuts the first wait short.
/// Returns whether it had to be killed.
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
