//! What a run is given to start.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::bounds::{Bounds, Used};
use super::sandbox::Jail;
use super::times::TimesFile;

/// One start of an agent: the program, where it runs, and the limits it runs under.
#[derive(Debug)]
pub struct AgentCommand {
    /// The provider's name, for error texts and for the detectors of failures: `claude`, `command` …
    pub provider: String,
    /// The program's absolute path.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// The folder it runs in.
    pub work_dir: PathBuf,
    /// All of its variables but `EXECENV_RUN_ID`, which is added: leftover processes are found by it.
    pub env: Vec<(OsString, OsString)>,
    /// What shuts it in; `None`: nothing.
    pub jail: Option<Jail>,
    /// The id of this run.
    pub run_id: String,
    /// The session that the agent was asked to resume.
    pub resume: Option<String>,
    /// The limits.
    pub limits: Limits,
    /// A handle on the environment's lock. The guard keeps it, so that the lock lives as long as the agent may.
    pub lock: File,
    /// Handles on what counts the run against the limits of others; the guard keeps these, too.
    pub slots: Vec<File>,
    /// Receives every byte of standard output; `None`: that is not kept.
    pub log: Option<File>,
    /// Receives every byte of standard error; `None`: that is not kept.
    pub stderr_log: Option<File>,
    /// Receives when they were read; `None`: that is not noted.
    pub times: Option<TimesFile>,
}

/// Limits of one start; `None` is no limit.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest that the agent may run.
    pub total: Option<Duration>,
    /// The longest silence while no tool is at work.
    pub idle: Option<Duration>,
    /// The longest silence while a tool is at work.
    pub tool: Option<Duration>,
    /// After so long without a word from an agent that speaks as soon as it starts, a person learns of it, each time once.
    pub mute: &'static [Duration],
    /// The time between SIGTERM and SIGKILL.
    pub kill_grace: Duration,
    /// What the agent may use up.
    pub bounds: Bounds,
    /// What counts against that already.
    pub used: Used,
    /// When the time of the run began to count; `None`: with this start.
    pub since: Option<Instant>,
    /// The longest log of one of its streams, in bytes.
    pub log: Option<u64>,
    /// The most memory that each of its processes may allocate, in bytes.
    pub memory: Option<u64>,
}

/// The processes of a run. To be recorded before the agent reads its prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// The agent's process.
    pub pid: i32,
    /// Its process group.
    pub pgid: i32,
    /// When the kernel started it (Linux: clock ticks since boot). Tells it from a later process with the same number.
    pub start_time: Option<u64>,
    /// The guard's process.
    pub guard_pid: i32,
}
