//! Bringing the branches of tasks together in the work dir of one environment, one step a call.
//!
//! A merge is computed in the repository's objects, then written into index and working files through a view: no hook, no
//! filter and no merge driver of the repository runs. The record knows of it before the first file changes, and git as soon as all
//! files are written, so that `git status`, `git commit` and `git merge --abort` go on from there. What was done by hand in
//! between is found out from the commits ([`state`]).

mod abort;
mod branches;
mod chain;
mod check;
mod commit;
mod desk;
mod kept;
mod resolve;
mod start;
mod state;

pub use branches::{By, Counted, Standing, TaskBranch};
pub use check::Completeness;
pub use desk::Desk;
pub use resolve::{Resolution, resolution_words};
pub use start::{StartOptions, Started};
