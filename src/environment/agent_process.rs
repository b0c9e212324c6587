//! The process of a run's agent, as the record names it.

use super::record::RunRecord;
use crate::supervise::RecordedAgent;
use crate::sys::machine::Machine;

impl RunRecord {
    /// The agent's process; the inner `None`: it is gone. The outer one: this machine cannot tell it from others. The number was
    /// another machine's, or that of another start of the system or another namespace, or was never recorded.
    pub fn agent_here(&self) -> Option<Option<RecordedAgent>> {
        let this = Machine::this();
        let is_here = !this.boot_id.is_empty()
            && self.boot_id == this.boot_id
            && self.pid_namespace != 0
            && self.pid_namespace == this.pid_namespace;
        let (pid, start) = self.agent_pid.zip(self.agent_start).filter(|_| is_here)?;
        Some(RecordedAgent::find(pid, start))
    }
}
