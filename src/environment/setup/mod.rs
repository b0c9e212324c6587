//! Setup and teardown: commands that a repository names in its `.execenv.json`, or the user on the command line.
//!
//! | module | answers for |
//! |---|---|
//! | `project_file` | what a `.execenv.json` says |
//! | `trusted` | which of these files the user has trusted |
//! | `marks`, `marking` | what agents in a sandbox have written, which the user has not looked at |
//! | `marked` | whether commands would read such files |
//! | `hooks` | what commands are started with |
//! | `plan` | what is to be run in an environment, decided before anything is made |
//! | `carry_out` | the setup of an environment |
//! | `finish` | the same for a caller that had to let go of a lock first |
//! | `teardown` | the teardown of one |
//! | `commands` | one command after the other, each supervised as an agent is |
//! | `log` | what they printed, with a bound |
//! | `proof` | that the commands of a file were accepted for an environment |
//!
//! Invariants: the bytes that are run are the bytes whose digest was looked up, from one read. The record says `running`
//! before the first command and `done` after the last one, and no agent starts in between. Every command is bounded in time,
//! and no process of one outlives it.

mod carry_out;
mod commands;
mod finish;
mod hooks;
mod log;
mod marked;
mod marking;
mod marks;
mod plan;
mod project_file;
mod proof;
mod teardown;
mod trusted;

pub(super) use carry_out::{Scene, carry_out};
pub use finish::finish_setup;
pub use hooks::Hooks;
pub(super) use marked::{At, Ground, may_be_marked, written_by};
pub(super) use marks::OpenRun;
pub use marks::{Marks, Reviewed};
pub(super) use plan::{Before, Origin, Setup, decide};
pub use plan::{OnUntrusted, SetupRequest};
pub use project_file::{NAME as PROJECT_FILE, ProjectFile};
pub(super) use proof::write as write_proof;
pub use teardown::Teardown;
pub(super) use teardown::{tear_down_held, tell as tell_teardown};
pub use trusted::{TrustedEntry, TrustedFile};
