//! Starting, reading, stopping and judging an agent. Knows nothing of environments, records or output formats.
//!
//! | module | answers for |
//! |---|---|
//! | `launch` | what a run is given |
//! | `run` | one run: start, supervision loop, outcome |
//! | [`guard`] | the process that ends the agent when we are killed ourselves |
//! | [`host`] | what the system lets an agent's sandbox do |
//! | `survivors` | what the agent leaves behind |
//! | [`stream`] | bytes to lines to events |
//! | [`outcome`] | the verdict (pure) |
//! | [`reason`] | failure reasons and poisoned sessions from error texts (pure) |
//! | [`argv`], [`claude`], [`environment`], [`program`] | what the agent is started with |
//!
//! Invariants: the guard lives before the agent and learns of it before the prompt is sent; the agent's leader is
//! reaped only after its group was dealt with, so that its number cannot be reused meanwhile; the agent's output is
//! read to its end, whatever becomes of our own.

mod agent;
mod command;
mod end;
pub mod environment;
pub mod guard;
pub mod host;
mod interrupts;
mod listener;
pub mod outcome;
mod process;
pub mod program;
pub mod reason;
pub mod redact;
mod requests;
mod streams;
mod survivors;
mod timers;

pub use command::{AgentCommand, Limits, Started};
pub use interrupts::Interrupts;
pub use outcome::{Exit, RunOutcome, RunStatus, RunVerdict, exit_status};
pub use process::run;
pub use program::find_program;
pub use requests::{Requests, SentMessage};

/// Kills every process that a run which died has left, known by the run's mark in its environment. Answers how many.
pub fn end_leftovers(run_id: &str) -> usize {
    // An id of another form is none of ours, and an empty one would be everybody's.
    if uuid::Uuid::try_parse(run_id).is_err() {
        return 0;
    }
    survivors::kill_marked(run_id)
}
