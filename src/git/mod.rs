//! Everything that asks or changes a git repository goes through git itself, started in one place ([`command`]).
//!
//! A repository in a work dir is hostile: an agent can write its configuration. So calls run no hook, no monitor and
//! no filter that a repository names, fetch nothing unless that is their purpose, and end in time. Calls that read
//! working files ask first which filters are to be switched off ([`Repository::filters_off`]).

mod command;
mod failure;
mod filters;
mod hidden;
mod index;
mod named_filters;
mod operation;
mod refs;
mod search;
mod snapshot;
mod tracked;
mod unsaved;
mod worktree;

pub use command::{Git, Repository};
pub use failure::{GitEnd, GitFailure, was_cut_off};
pub use refs::Branch;
pub use unsaved::{Unsaved, UnsavedKind};
pub use worktree::Worktree;
