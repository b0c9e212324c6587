//! Without `/proc` and subreapers only the agent's own group can be followed.

use std::path::Path;

use rustix::process::Pid;

use super::{AtWork, Marks};

/// Nothing is known of descendants here.
#[derive(Debug)]
pub(crate) struct ProcessTree;

impl ProcessTree {
    pub(crate) fn before(_spared: &[Pid]) -> Self {
        Self
    }
    pub(crate) fn spare(&mut self, _pid: Pid) {}
    pub(crate) fn reap_orphans(&mut self) {}
    pub(crate) fn kill_all(&mut self, _run_id: &str) -> usize {
        0
    }
}

pub(crate) fn adopt() {}

pub(crate) fn kill_marked(_: Marks<'_>) -> usize {
    0
}

pub(crate) fn group_alive(group: Pid) -> bool {
    rustix::process::test_kill_process_group(group).is_ok()
}

pub(crate) fn has_ended(_pid: Pid) -> bool {
    true
}

pub(crate) fn is_stopped(_pid: Pid) -> bool {
    false
}

pub(crate) fn start_time(_pid: Pid) -> Option<u64> {
    None
}

pub(crate) fn working_in(_folders: &[&Path]) -> Vec<(i32, String)> {
    Vec::new()
}

pub(crate) fn at_work() -> Vec<AtWork> {
    Vec::new()
}

pub(crate) fn name_of(_pid: i32) -> String {
    String::new()
}

pub(crate) fn ancestors() -> Vec<i32> {
    Vec::new()
}
