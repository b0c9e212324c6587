//! What a run is given.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

/// What goes to the agent's standard input.
#[derive(Clone, Debug)]
pub enum Input {
    /// Nothing: `/dev/null`.
    None,
    /// These bytes, then end of file.
    Bytes(Vec<u8>),
    /// These frames; the input stays open for answers until the terminal result.
    Frames(Vec<u8>),
}

/// How the agent's output is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Not at all: bytes go on as they come, the exit status decides.
    Raw,
    /// Claude Code's stream-json.
    ClaudeStream,
}

/// Everything about one start of an agent.
#[derive(Debug)]
pub struct AgentCommand {
    /// For error texts and detectors: `claude`, `command` …
    pub provider: String,
    /// The program, absolute.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Where it runs.
    pub work_dir: PathBuf,
    /// Its whole environment; `EXECENV_RUN_ID` is added, because survivors are known by it.
    pub env: Vec<(OsString, OsString)>,
    /// Its standard input.
    pub input: Input,
    /// How its output is read.
    pub dialect: Dialect,
    /// This run's id.
    pub run_id: String,
    /// Wall clock limit.
    pub timeout: Option<Duration>,
    /// Longest silence while no tool runs.
    pub idle_timeout: Option<Duration>,
    /// Longest silence while a tool runs.
    pub tool_timeout: Option<Duration>,
    /// From the polite signal to SIGKILL.
    pub kill_grace: Duration,
    /// The run ends when this file appears.
    pub cancel_file: Option<PathBuf>,
    /// A handle on the environment's lock. It goes to the guard, so that the lock outlives us as long as the agent may.
    pub lock: File,
    /// Gets every byte of standard output.
    pub log: File,
    /// Gets every byte of standard error.
    pub stderr_log: File,
    /// The model asked for, as a name for usage that names none.
    pub requested_model: Option<String>,
    /// The session that the agent was asked to go on with.
    pub resume: Option<String>,
    /// The program that is the guard: this executable.
    pub guard_program: PathBuf,
    /// Leads to [`super::guard::main`]; the run's id and the grace in milliseconds are appended.
    pub guard_args: Vec<OsString>,
}

/// What runs now. To be recorded before the agent learns what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Started {
    /// The agent's process.
    pub pid: i32,
    /// Its group.
    pub pgid: i32,
    /// When the kernel says it started (Linux: clock ticks since boot), to tell it from a later process of that number.
    pub start_time: Option<u64>,
    /// The guard's process.
    pub guard_pid: i32,
}
