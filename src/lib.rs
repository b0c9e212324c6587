//! Isolated execution environments for coding-agent tasks: prepare, reuse, run, clean up, garbage collection.
//!
//! | module | answers for |
//! |---|---|
//! | [`app`] | the grammar of the command line, and the life of the process |
//! | [`commands`] | one file a subcommand: arguments in, result out |
//! | [`invocation`] | what every command gets: settings and their origin, time, signals, completers |
//! | [`output`] | the only code that prints |
//! | [`exit`] | one pure table: how a command ended, and the exit status |
//! | [`failure`] | stable codes, exit statuses, hints |
//! | [`task`] | the task document, ids, kinds |
//! | [`environment`] | layout, lookup, locks, `.gc_meta.json`, and the steps prepare, reuse, cleanup, verify |
//! | [`sidecar`] | the files that execenv writes into a work dir, and their removal: journal, roll-back, marker block |
//! | [`brief`] | the instructions for the agent: pure functions, task to text |
//! | [`skills`] | slugs, frontmatter, folders |
//! | [`formats`] | YAML, JSON with comments, TOML: pure |
//! | [`provider`] | the table of agent CLIs |
//! | [`run`] | one run of an agent in an environment |
//! | [`supervise`] | the agent's process and its limits: start, read, stop, judge |
//! | [`protocol`] | what agents say and are told: a dialect as a conversation without I/O |
//! | [`git`] | the one place that starts git, and what it says of unsaved work |
//! | [`repos`] | the shared bare clones below `.repos`: layout, lock, upkeep |
//! | [`server`] | asking the multica server what became of an environment's parent |
//! | [`gc`] | facts, decision (pure), reclaiming |
//! | [`sys`] | the only code that changes the disk or starts a child |
//!
//! Imports point one way: `app` → `commands` → `invocation`, `output` → `run` → `environment`, `gc`, `supervise` → `provider`, `protocol`, `sidecar`, `brief`,
//! `skills` → `task` → `sys`. Below `commands` nothing prints, exits, or reads arguments, variables or the clock.

mod app;
mod brief;
mod commands;
mod environment;
mod exit;
mod failure;
mod formats;
mod gc;
mod git;
mod invocation;
mod layout;
mod output;
mod protocol;
mod provider;
mod repos;
mod run;
mod server;
mod sidecar;
mod skills;
mod supervise;
mod sys;
mod task;

pub use app::main;

/// What the tests and their programs use of the library. It is no interface: it changes without notice.
#[doc(hidden)]
pub mod internals {
    pub use crate::app::{Cli, completions, man};
    pub use crate::environment::{Durability, Meta, WorkspacesRoot};
    pub use crate::exit::of_agent as exit_status_of_agent;
    pub use crate::failure::{Code, Failure};
    pub use crate::git::{Git, GitEnd, GitFailure};
    pub use crate::invocation::{GlobalArgs, ServerArgs, Settings, connection};
    pub use crate::provider::all as all_providers;
    pub use crate::sys::tree::Tree;

    pub mod layout {
        pub use crate::layout::{Form, Owner, Place, Row, StoreKind, TABLE, env_rows, in_env};
    }
    pub mod protocol {
        pub use crate::protocol::*;
    }
    pub mod repos {
        pub use crate::repos::{
            LOCK_REASON, Limits, RepoPolicy, RepoReport, last_use, repo_lock, stamp_use, upkeep,
        };
    }
    pub mod server {
        pub use crate::server::{Connection, Lookup, Parent, ParentKind, Question, Roots, Token};
    }
    pub mod sidecar {
        pub use crate::sidecar::{Folder, Manifest, OperatorKey, Seal};
    }
    pub mod supervise {
        pub use crate::supervise::{
            AgentCommand, Interrupts, Limits, Requests, SentMessage, Started, guard, run,
        };
    }
}
