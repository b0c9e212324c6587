//! The contract of the command line, through the built binary: one file a subcommand.

#[path = "../support/mod.rs"]
mod support;

mod cleanup;
mod config;
mod gc;
mod list;
mod prepare;
mod reuse;
mod show;
mod trash;
mod unsaved;
mod upstream;
mod usage;
mod verify;
