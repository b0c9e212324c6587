//! The collector: looks at every environment, decides by a pure function, reclaims what it decided.
//!
//! This version decides offline, by what lies on the disk. One cycle a root at a time; a cycle that dies leaves
//! what the next one finishes: removal is a rename into the trash, deletion goes by a name of its own.

mod cycle;
mod decide;
mod facts;
mod repos;
mod staging;

pub use cycle::{GcRequest, Judged, Summary, cycle, explain};
pub use decide::{Action, Decision, Policy, Reason, decide};
pub use facts::{Facts, LockState, MetaState, look};
pub use repos::{Limits, RepoPolicy, RepoReport, upkeep};
pub use staging::{Leftover, sweep_staging};
