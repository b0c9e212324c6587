//! Signals for the agent of a run that does not answer, from another process than the one that has started it.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::survivors;
use crate::sys::child;

const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// The processes of another run's agent, as its record names them.
#[derive(Clone, Copy, Debug)]
pub struct RecordedAgent {
    group: Pid,
    start: u64,
}

impl RecordedAgent {
    /// The agent of this number, if it is the one that the kernel started then. A record may be old, or written by an agent:
    /// the number alone would name any process. `None`: it is gone, or cannot be told from another one.
    pub fn find(pid: u32, start: u64) -> Option<RecordedAgent> {
        let group = Pid::from_raw(i32::try_from(pid).ok()?).filter(|pid| !pid.is_init())?;
        let agent = RecordedAgent { group, start };
        agent.is_there().then_some(agent)
    }

    /// Whether its leader is still there.
    pub fn is_there(self) -> bool {
        survivors::start_time(self.group) == Some(self.start)
    }

    /// Ends its group: a signal, then SIGKILL after `grace`.
    pub fn end(self, signal: Signal, grace: Duration) {
        self.signal(signal);
        self.signal(Signal::CONT); // a stopped process takes no other signal
        let asked = Instant::now();
        while self.is_there() && asked.elapsed() < grace {
            std::thread::sleep(BETWEEN_LOOKS);
        }
        self.signal(Signal::KILL);
    }

    /// Whether it works in one of these folders, or below.
    pub fn works_in(self, folders: &[&Path]) -> bool {
        let pid = self.group.as_raw_nonzero().get();
        survivors::working_in(folders).iter().any(|(at_work, _)| *at_work == pid)
    }

    /// Sends a signal to its group; `false`: its leader is gone.
    pub fn signal(self, signal: Signal) -> bool {
        let is_leader = rustix::process::getpgid(Some(self.group)) == Ok(self.group);
        let is_there = is_leader && self.is_there();
        if is_there {
            child::signal_group(self.group, signal);
        }
        is_there
    }
}
