//! The processes that an agent leaves: they left its group, and are found by descent and by the mark in their environment.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(super) use linux::{
    ProcessTree, adopt, children_of, group_alive, is_stopped, kill_if_same, kill_marked, start_time,
};

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
pub(super) use other::{
    ProcessTree, adopt, children_of, group_alive, is_stopped, kill_if_same, kill_marked, start_time,
};

/// The variable that marks every process of a run.
pub(super) const MARK: &str = "EXECENV_RUN_ID";

/// How long killing is repeated before a process that cannot die is left.
pub(super) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
