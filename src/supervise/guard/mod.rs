//! The guard: a small process between the run and the agent, which ends all of the agent's processes if the run is killed.
//!
//! It is this executable in a process group of its own. The run starts it first of all and goes on with what is to be done
//! before there can be an agent, so that the two begin at once. It starts the agent at the run's order, so that it is above every
//! process of the agent: as a subreaper it becomes the parent of each that loses its own, whatever that has left or
//! dropped. The run has its streams and sends its signals; the guard tells it of the end, and reaps the agent only when the
//! run has ended the agent's group. So the number of agent and group stay theirs.
//!
//! Its standard input is a socket to the run. With the order come the agent's streams and a handle on the environment's lock,
//! which therefore stays locked until the agent is gone; before that the guard holds nothing. The end of the socket without
//! the order to end means that the run was killed. If the guard is killed instead, the run, a subreaper as well, becomes the
//! parent of all that was below it, goes on, and does the guard's work at its end.
//!
//! An agent of the same user can stop either of them, so each looks after the other and continues it within a second. The
//! run says so before it stops itself for its user.

mod held;
mod talk;

use std::ffi::OsString;
use std::io::{self, BufReader};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::interrupts::Interrupts;
use super::program_signal::signal_program;
use super::sandbox::{self, stage_words};
use super::streams;
use super::survivors::{self, ProcessTree};
use crate::sys::child::{self, Program};
use crate::sys::handles;
pub use held::Guard;
pub(super) use held::Pipes;
use talk::{Order, Ordered, Report};

/// How often the guard and the run look after each other.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(300);
/// How often orphans that have ended are reaped.
const REAP: Duration = Duration::from_secs(10);

/// The word that leads to the guard.
const WORD: &str = "__guard";

/// The guard's entry: `execenv __guard`, started by whoever supervises a program. `None` for any other command line.
pub fn entry(arguments: &[OsString]) -> Option<u8> {
    let [_, word] = arguments else { return None };
    (word == WORD).then(|| {
        main();
        0
    })
}

/// What the threads of the guard share.
#[derive(Debug)]
struct Shared {
    is_paused: AtomicBool,
    tree: Mutex<ProcessTree>,
}

/// The agent that the guard has started, and what to do if the run is killed.
#[derive(Debug)]
struct Charge {
    agent: Pid,
    run_id: String,
    grace: Duration,
    /// It is on a person's terminal.
    is_attached: bool,
    /// The slots of the run: they are free when the agent is gone.
    _slots: Vec<OwnedFd>,
}

/// What the guard does. The hidden subcommand `__guard` calls this and exits.
pub fn main() {
    // The flags are never read: the signals are caught and do nothing. The agent gets them as the run did.
    let _ = Interrupts::install();
    survivors::adopt();
    let shared =
        Arc::new(Shared { is_paused: AtomicBool::new(false), tree: Mutex::new(ProcessTree::before(&[])) });
    let Ok(run) = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from) else { return };
    // Nothing comes from a run that has found a reason to start no agent.
    let Ok(handed) = handles::receive(&run) else { return };
    let mut handed = handed.into_iter();
    let _lock = handed.next(); // held until this returns
    let mut charge = None;
    let is_killed = !obey(&run, handed.collect(), &shared, &mut charge);
    let Some(Charge { agent, run_id, grace, is_attached, _slots }) = charge else { return };
    if is_killed && is_attached {
        end_program(agent, grace);
    }
    if is_killed {
        end_group(agent, grace, &mut || false);
    }
    child::reap(agent);
    let number = shared.tree.lock().unwrap_or_else(PoisonError::into_inner).kill_all(&run_id);
    let _ = talk::say(&run, &Report::Ended(number));
}

/// Does what the run orders, to its end. Returns whether that was the order to end.
fn obey(
    run: &UnixStream,
    mut handles: Vec<OwnedFd>,
    shared: &Arc<Shared>,
    charge: &mut Option<Charge>,
) -> bool {
    let mut orders = BufReader::new(run);
    while let Ok(Some(order)) = talk::hear(&mut orders) {
        match order {
            Order::End => return true,
            Order::Pause => shared.is_paused.store(true, Ordering::Release),
            Order::Resume => shared.is_paused.store(false, Ordering::Release),
            Order::Start {
                run: run_pid,
                run_id,
                grace_ms,
                streams,
                args,
                is_staged,
                memory,
                group,
                length,
            } => {
                let slots = handles.split_off(streams.min(handles.len()));
                let streams = std::mem::take(&mut handles);
                let started = Ordered::read(&mut orders, length, args)
                    .and_then(|ordered| start(&ordered, is_staged, memory, group, streams));
                let agent = match started {
                    Ok(agent) => agent,
                    Err(error) => {
                        let _ = talk::say(run, &Report::not_started(&error));
                        continue;
                    }
                };
                shared.tree.lock().unwrap_or_else(PoisonError::into_inner).spare(agent);
                let grace = Duration::from_millis(grace_ms);
                let is_attached = group.is_some();
                *charge = Some(Charge { agent, run_id, grace, is_attached, _slots: slots });
                // A run that cannot hear it any more has been killed: the next order will not come.
                let _ = talk::say(run, &Report::Started(agent.as_raw_nonzero().get()));
                if report_exit(run, agent).is_err() {
                    return false; // no thread to be had
                }
                look_after_run(run_pid, Arc::clone(shared));
            }
        }
    }
    false
}

/// Looks after the run and reaps orphans, from a thread. Without one, the guard still ends the agent if the run is killed.
fn look_after_run(run: i32, shared: Arc<Shared>) {
    // A run that has been killed is not looked after: its number may be another's.
    if let Some(run) = rustix::process::getppid().filter(|parent| parent.as_raw_nonzero().get() == run) {
        let _ = streams::spawn("run-watch", move || keep_going(run, &shared));
    }
}

fn keep_going(run: Pid, shared: &Shared) {
    let mut reaped = Instant::now();
    while rustix::process::getppid() == Some(run) {
        if !shared.is_paused.load(Ordering::Acquire) && survivors::is_stopped(run) {
            let _ = rustix::process::kill_process(run, Signal::CONT);
        }
        if reaped.elapsed() >= REAP {
            reaped = Instant::now();
            shared.tree.lock().unwrap_or_else(PoisonError::into_inner).reap_orphans();
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// Starts the agent. No handle on its streams stays here.
fn start(
    ordered: &Ordered,
    is_staged: bool,
    memory: Option<u64>,
    group: Option<i32>,
    streams: Vec<OwnedFd>,
) -> io::Result<Pid> {
    let mut streams = streams.into_iter().map(Stdio::from);
    let (Some(output), Some(errors)) = (streams.next(), streams.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let input = streams.next().unwrap_or_else(Stdio::null);
    let program = ordered.program();
    if let Some(group) = group {
        return child::start_in_group(program, group, input, output, errors).map(|child| child::pid(&child));
    }
    if is_staged {
        return start_staged(program, |program| child::start_itself(program, memory, input, output, errors));
    }
    child::start_limited(program, memory, input, output, errors).map(|child| child::pid(&child))
}

/// Starts the stage that becomes the agent, and waits until it has.
fn start_staged(
    program: Program<'_>,
    start: impl FnOnce(Program<'_>) -> io::Result<Child>,
) -> io::Result<Pid> {
    let (told, writer) = io::pipe()?;
    // A duplicate, which the child inherits, unlike all else that this process has open.
    let handed = rustix::io::dup(&writer)?;
    drop(writer);
    let mut words = stage_words(&handed);
    words.extend_from_slice(program.args);
    let mut child = start(Program { args: &words, ..program })?;
    drop(handed);
    let pid = child::pid(&child);
    sandbox::await_agent(told).map(|()| pid).inspect_err(|_| {
        // It leads a group, unless it has failed before that.
        child::signal_group(pid, Signal::KILL);
        let _ = child.kill().and_then(|()| child.wait()); // it may have ended
    })
}

/// Waits for the agent's process from a thread, and reports its end.
fn report_exit(run: &UnixStream, agent: Pid) -> io::Result<()> {
    let run = run.try_clone()?;
    streams::spawn("agent-wait", move || {
        let _ = talk::say(&run, &Report::exited(streams::wait_for(agent)));
    })
}

/// Ends a program that may not lead a group, as a terminal that closes would.
fn end_program(agent: Pid, grace: Duration) {
    signal_program(agent, Signal::HUP);
    signal_program(agent, Signal::CONT);
    let asked = Instant::now();
    while !survivors::has_ended(agent) {
        if asked.elapsed() >= grace {
            signal_program(agent, Signal::KILL);
        }
        if asked.elapsed() >= grace + survivors::PATIENCE {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
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
