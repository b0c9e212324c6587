//! Handing the work of an environment on: as a branch, merged into another branch, or as a pull request.
//!
//! Each step can be repeated: a branch that is where it should be, a merge that is made and a pull request that is open are
//! found and returned. No working tree with a checked-out branch is touched, but one that is clean follows its branch.
//!
//! The configuration of a repository in a work dir is the agent's. So a push goes to an address that was checked, through a view;
//! another repository on this machine fetches instead, through views of both, because a push would obey the hooks and settings of
//! the one that is pushed to.

mod branch;
mod forge;
mod merge;
mod order;
mod save;
mod steps;
mod target;

pub use forge::Forge;
pub use order::{Order, Published, To};
pub use steps::{foresee, publish};
