//! One run of an agent in an environment: from what was asked for to one result.
//!
//! | module | answers for |
//! |---|---|
//! | `options` | what was asked for |
//! | `plan` | everything that is known before anything changes; `variables` and `session` are parts of it |
//! | `record` | the held environment, and the states of the run in `.gc_meta.json` |
//! | `renewal` | the sign to multica's collector that a run is on |
//! | `start` | from the plan to one start of the agent |
//! | `execute` | the order of the steps |
//! | `surroundings` | what a run takes from its process, and where its events go |
//! | `sandbox_request` | the sandbox that was asked for |
//! | `sandbox` | what the agent may read and write, and what shuts it in |
//! | `tidy` | the clean-up after a run |
//! | `result` | the one document that every end has |
//! | `slots` | how many runs are on at once |
//! | `autonomous` | turn after turn: the gate by which an agent says that it is done, and the breaker |
//! | `watch` | what is looked after while the agent works |
//! | `heartbeat` | commits of the work while the agent works |
//! | `shell` | a shell of the user's in an environment: no run |
//! | `engine` | the job of an engine that the run is part of |
//! | `once` | the result of a task that is done |
//! | `on_success` | how the work of a run that completed is published |
//! | `publishing` | the work of a run that completed, handed on |
//! | `login` | whether a run may log its agent's CLI in |
//! | `pause` | a pause of the agent, in the record and in the events |
//! | `source` | the checkout that the work dir's worktree came from, before and after |
//! | `logs` | the files of a run's logs, and those of the run before |
//! | `log` | `logs/run.log` |
//! | `log_line` | its lines, as they are written and read again |
//! | `starts` | what is read of it after a crash |
//! | `transcript` | what a run has printed, read again for a person |
//! | `inbox` | what other commands ask of the run, and its answers |
//! | `recovery` | what is left of a run that died |

mod autonomous;
mod codex;
mod engine;
mod execute;
mod heartbeat;
mod inbox;
mod log;
mod log_line;
mod login;
mod logs;
mod on_success;
mod once;
mod options;
mod pause;
mod plan;
mod publishing;
mod record;
mod recovery;
mod renewal;
mod result;
mod sandbox;
mod sandbox_request;
mod session;
mod shell;
mod slots;
mod source;
mod start;
mod starts;
mod surroundings;
mod tidy;
pub mod transcript;
mod variables;
mod watch;

pub use autonomous::MOST_ITERATIONS;
pub use engine::VARIABLES as ENGINE_VARIABLES;
pub use execute::{execute, repeat};
pub use heartbeat::{HeartbeatMode, Heartbeats};
pub use inbox::{LONGEST_MESSAGE, Letter};
pub use logs::Which;
pub use on_success::OnSuccess;
pub use once::{EarlierResult, Once};
pub use options::{CleanupAfter, Keep, Resume, RunOptions};
pub use record::RunningEnv;
pub use recovery::{DeadRun, recover, way_on};
pub use result::RunResult;
pub use sandbox::LEAST_LANDLOCK;
pub use sandbox_request::{SandboxKind, SandboxRequest};
pub use shell::{ShellSurroundings, open_shell};
pub use slots::{SlotLimits, Slots};
pub use surroundings::{RunSink, Surroundings};
pub use variables::temporary_places;
