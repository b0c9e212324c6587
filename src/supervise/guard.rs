//! The guard: a small process that ends the agent if the run is killed.
//!
//! It is this executable in a process group of its own. Its standard input is a pipe that only the run writes to; its
//! standard output is a handle on the environment's lock, which therefore stays locked until the agent is gone. The run
//! writes `pgid N start T` when the agent has started, and `done` at a regular end; end of file without `done` means that
//! the run was killed.
//!
//! An agent of the same user can stop either of them, so each looks after the other and continues it within a second. The
//! run writes `pause` before it stops itself for its user, and `resume` afterwards. The guard also remembers the run's
//! descendants: when the run has been killed, nothing leads to one that has left its group and dropped the mark.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, PipeWriter, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::survivors::{self, Marks};
use crate::sys::child::{self, Program};

/// How often the guard and the run look after each other.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(300);
/// How long a dismissed guard may take to end.
const FAREWELL: Duration = Duration::from_secs(5);

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

    /// Names the group that it guards, and the children of the run that have nothing to do with the agent.
    pub(super) fn watch(&mut self, group: Pid, start: Option<u64>, spared: &[i32]) -> io::Result<()> {
        let mut line = String::from("spare");
        spared.iter().for_each(|pid| line.push_str(&format!(" {pid}")));
        // One write, so that the guard never reads half of it.
        line.push_str(&format!("\npgid {} start {}\n", group.as_raw_nonzero(), start.unwrap_or(0)));
        self.pipe.write_all(line.as_bytes())
    }

    /// Continues the guard if something has stopped it.
    pub(super) fn look_after(&self) {
        if survivors::is_stopped(self.pid()) {
            log::warn!("something had stopped the guard of this run; it goes on");
            let _ = rustix::process::kill_process(self.pid(), Signal::CONT);
        }
    }

    /// Runs something during which the run is stopped for its user: the guard lets it be.
    pub(super) fn let_pause(&mut self, pause: impl FnOnce()) {
        let _ = self.pipe.write_all(b"pause\n");
        pause();
        let _ = self.pipe.write_all(b"resume\n");
    }

    /// Ends the guard, and with it every handle on the lock but the caller's. The agent must be gone.
    pub(super) fn dismiss(mut self) {
        let _ = self.pipe.write_all(b"done\n");
        drop(self.pipe);
        let asked = Instant::now();
        let mut between = Duration::from_millis(1);
        while matches!(self.child.try_wait(), Ok(None)) {
            if asked.elapsed() > FAREWELL {
                let _ = self.child.kill();
            }
            if between > BETWEEN_LOOKS {
                let _ = rustix::process::kill_process(child::pid(&self.child), Signal::CONT);
            }
            std::thread::sleep(between.min(Duration::from_millis(50)));
            between *= 2;
        }
    }
}

/// What the guard knows of the run.
#[derive(Debug, Default)]
struct Watched {
    /// Children of the run that were there before the agent. `None`: not told yet.
    spared: Option<Vec<i32>>,
    /// Descendants of the run, with the times at which they started.
    descendants: BTreeMap<i32, u64>,
}

impl Watched {
    /// Adds the descendants of a process that is not spared.
    fn add_below(&mut self, pid: i32) {
        let Some(spared) = &self.spared else { return };
        let own = rustix::process::getpid().as_raw_nonzero().get();
        let mut left = vec![pid];
        while let Some(above) = left.pop() {
            for pid in survivors::children_of(above) {
                let start = Pid::from_raw(pid).and_then(survivors::start_time);
                if pid != own
                    && !spared.contains(&pid)
                    && let Some(start) = start
                {
                    self.descendants.insert(pid, start);
                    left.push(pid);
                }
            }
        }
    }

    /// Forgets those that have ended.
    fn forget_dead(&mut self) {
        self.descendants
            .retain(|pid, start| Pid::from_raw(*pid).and_then(survivors::start_time) == Some(*start));
    }

    /// Kills every descendant that is known, and what it has started since.
    fn kill_all(&mut self) {
        let until = Instant::now() + survivors::PATIENCE;
        loop {
            for pid in self.descendants.keys().copied().collect::<Vec<_>>() {
                self.add_below(pid);
            }
            self.forget_dead();
            let mut is_done = true;
            for (pid, start) in &self.descendants {
                is_done &= !Pid::from_raw(*pid).is_some_and(|pid| survivors::kill_if_same(pid, *start));
            }
            if is_done || Instant::now() > until {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Looks after the run from a thread of the guard's.
fn look_after_run(run: Pid, watched: &Mutex<Watched>, is_paused: &AtomicBool) {
    while rustix::process::getppid() == Some(run) {
        if !is_paused.load(Ordering::Acquire) && survivors::is_stopped(run) {
            let _ = rustix::process::kill_process(run, Signal::CONT);
        }
        let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.forget_dead();
        watched.add_below(run.as_raw_nonzero().get());
        drop(watched);
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// What the guard does. The hidden subcommand `__guard RUN_ID GRACE_MS RUN_PID` calls this and exits.
pub fn main(run_id: &str, grace_ms: u64, run_pid: i32) {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        // The flag is never read: the signal is caught and does nothing.
        let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
    // A run that was killed before the guard got here has left it to init, or to a subreaper: what is below those is
    // everything on the machine, and none of the guard's business.
    let run = rustix::process::getppid().filter(|parent| parent.as_raw_nonzero().get() == run_pid);
    let watched = Arc::new(Mutex::new(Watched::default()));
    let is_paused = Arc::new(AtomicBool::new(false));
    // From the beginning: the agent runs before this process hears of it.
    if let Some(run) = run {
        let (watched, is_paused) = (Arc::clone(&watched), Arc::clone(&is_paused));
        // Without a thread, the guard still ends the agent when the run has died.
        let _ = std::thread::Builder::new().spawn(move || look_after_run(run, &watched, &is_paused));
    }
    let mut group = None;
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["done"] => return,
            ["pause"] => is_paused.store(true, Ordering::Release),
            ["resume"] => is_paused.store(false, Ordering::Release),
            ["spare", ref pids @ ..] => {
                let pids = pids.iter().filter_map(|pid| pid.parse().ok()).collect();
                watched.lock().unwrap_or_else(PoisonError::into_inner).spared = Some(pids);
            }
            ["pgid", number, "start", start] => {
                group = Some((number.parse().ok(), start.parse().ok()));
            }
            _ => {}
        }
    }
    if let Some((Some(number), start)) = group
        && let Some(pid) = Pid::from_raw(number)
        && is_still(pid, start)
    {
        end_group(pid, Duration::from_millis(grace_ms), &mut || false);
    }
    survivors::kill_marked(Marks::of_run(run_id));
    watched.lock().unwrap_or_else(PoisonError::into_inner).kill_all();
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
