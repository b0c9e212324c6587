//! Starts an agent, moves its bytes, applies its limits, stops it, and judges how it ended. Knows no dialect, no environment,
//! no record and no output format.
//!
//! | module | answers for |
//! |---|---|
//! | `command` | what a run is given to start |
//! | `process` | one start of an agent, from the order to the guard to the outcome |
//! | `attend` | a program on the user's own streams |
//! | `timers` | the supervision loop: requests, limits, silence |
//! | `listener` | what the agent prints, on its way through the dialect to the sink |
//! | `agent` | the process, as far as writing to it and stopping it goes |
//! | `requests` | signals, the cancel file and orders from outside |
//! | `watch` | what is looked after besides the agent |
//! | `orders` | how an order is carried out |
//! | `streams` | the threads that read, write and wait |
//! | `agent_log` | what an agent printed, whole or shortened |
//! | `times` | when it was read |
//! | `bounds` | what an agent may use up |
//! | [`guard`] | the process that ends the agent if this one is killed |
//! | [`sandbox`] | what shuts an agent in, and the stages that do so |
//! | `survivors` | the processes that an agent leaves |
//! | `outside` | the agent of another run, which does not answer |
//! | [`outcome`] | the verdict |
//! | `replay` | the same for a run that died, from its log |
//! | [`reason`] | failure reasons and unusable sessions, found in error texts |
//! | [`redact`] | secrets and control characters, removed from texts |
//! | [`environment`] | the agent's variables |
//! | [`program`] | finding a program |
//! | [`host`] | what the system allows an agent's sandbox |
//!
//! Invariants: the guard starts before the agent and knows it before the prompt is sent; the agent's process is reaped only
//! after its group has been ended, so that its number cannot be reused meanwhile; the agent's output is read to its end,
//! whatever becomes of this program's own.

mod agent;
mod agent_log;
mod attend;
mod bounds;
mod command;
mod end;
pub mod environment;
pub mod guard;
pub mod host;
mod interrupts;
mod listener;
mod orders;
pub mod outcome;
mod outside;
mod process;
pub mod program;
mod program_signal;
pub mod reason;
pub mod redact;
mod replay;
mod requests;
pub mod sandbox;
mod status;
mod streams;
mod survivors;
mod timers;
mod times;
mod watch;

use std::path::Path;

use survivors::Marks;

pub use agent_log::{LEAST as LEAST_LOG, left_out};
pub use attend::attend;
pub use bounds::{Bounds, Used};
pub use command::{AgentCommand, Limits, Started};
pub use guard::Guard;
pub use interrupts::{Ignored, Interrupts};
pub use outcome::{Cause, Exit, RunFacts, RunOutcome, RunStatus, RunVerdict, judge};
pub use outside::RecordedAgent;
pub use process::run;
pub use program::find_program;
pub use replay::{Again, Printed, replay};
pub use requests::{LoginCode, Order, Orders, Reply, Requests};
pub use streams::SEARCHED;
pub use survivors::AtWork;
pub use times::{Stream, TimeLine, TimesFile};
pub use watch::{Watch, WorkDirGone};

/// The other processes that this one can look at, each with its current folder.
pub fn at_work() -> Vec<AtWork> {
    survivors::at_work()
}

/// The name of a process's program; empty where it is gone.
pub fn name_of(pid: i32) -> String {
    survivors::name_of(pid)
}

/// The processes that led to this one: its parent, that one's parent, and so on.
pub fn ancestors() -> Vec<i32> {
    survivors::ancestors()
}

/// The processes that work in these folders, with the names of their programs. After a dead run they may be what is left of
/// it without its marks, or the user's own, so that no command ends them.
pub fn working_in(folders: &[&Path]) -> Vec<(i32, String)> {
    survivors::working_in(folders)
}

/// Kills every process that a dead run of the environment at `env_root` has left: they carry the run's id and the
/// environment in their variables. Returns how many.
pub fn end_leftovers(run_id: &str, env_root: &Path) -> usize {
    // An id of another form is not of a run, and an empty one would match every process.
    if uuid::Uuid::try_parse(run_id).is_err() {
        return 0;
    }
    survivors::kill_marked(Marks::of_recorded_run(run_id, env_root))
}
