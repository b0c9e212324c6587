//! Signals for the agent of a run that does not answer, from another process than the one that has started it.

use rustix::process::{Pid, Signal};

use super::survivors;
use crate::sys::child;

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
