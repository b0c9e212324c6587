//! The shared repositories of a workspaces root: `<root>/.repos/<workspace>/<repository>`, bare clones whose worktrees
//! are checked out into environments.
//!
//! A clone, a fetch, a checkout and the upkeep hold the repository's lock ([`repo_lock`]).

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
mod shape;
mod upkeep;

pub use layout::{LOCK_REASON, last_use, stamp_use};
pub use lock::repo_lock;
pub use policy::{Limits, RepoPolicy, RepoReport};
pub use upkeep::upkeep;
