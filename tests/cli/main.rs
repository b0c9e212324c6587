//! The contract of the command line, through the built binary: one file a subcommand.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test makes and changes its own fixtures, and tells its counts"
)]

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/server.rs"]
mod server;

mod artifacts;
mod cleanup;
mod config;
mod du;
mod everything;
mod gc;
mod gc_bounds;
mod gc_promises;
mod gc_server;
mod home_changes;
mod homes;
mod list;
mod prepare;
mod provider_homes;
mod reuse;
mod show;
mod trash;
mod unsaved;
mod upstream;
mod usage;
mod verify;
