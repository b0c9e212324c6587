//! The shared repositories of a workspaces root: `<root>/.repos/<workspace>/<repository>`, bare clones whose worktrees
//! are checked out into environments.
//!
//! Whoever changes one holds its lock ([`repo_lock`]): a clone, a fetch, a checkout, the upkeep.

mod bare;
mod branches;
mod cache;
mod effects;
mod evict;
mod layout;
mod lock;
mod maintenance;
mod policy;
mod registration;
mod registrations;
mod upkeep;

pub use layout::{LOCK_REASON, last_use, stamp_use};
pub use lock::repo_lock;
pub use policy::{Limits, RepoPolicy, RepoReport};
pub use upkeep::upkeep;
