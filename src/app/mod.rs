//! The grammar of the command line, and the life of the process.

pub mod completions;
mod dispatch;
mod early;
mod grammar;
pub mod man;
mod meant;
mod process;
mod schema;
mod usage;

pub use grammar::Cli;
pub use process::main;
