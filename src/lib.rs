//! Isolated execution environments for coding-agent tasks: prepare, reuse, run, clean up, garbage collection.
//!
//! `docs/architecture.md` has the map: which module answers for what, in which layer it lies, and who owns which fact.
//! Imports point one way, and no two files use each other. Below `commands` nothing prints, exits, or reads arguments,
//! variables or the clock.

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
mod object;
mod order;
mod output;
mod progress;
mod protocol;
mod provider;
mod report;
mod repos;
mod run;
mod server;
mod sidecar;
mod skills;
mod supervise;
mod sys;
mod task;
mod work;

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
    pub mod provider {
        pub use crate::provider::launch::LaunchRequest;
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
            AgentCommand, Cause, Exit, Guard, Interrupts, Limits, Order, Orders, Reply, Requests, RunFacts,
            Started, TimesFile, guard, judge, run,
        };
    }
}
