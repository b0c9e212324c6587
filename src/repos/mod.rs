//! The shared repositories of a workspaces root: `<root>/.repos/<workspace>/<repository>`, bare clones whose worktrees
//! are checked out into environments.
//!
//! A clone, a fetch, a checkout and the upkeep hold the repository's lock ([`repo_lock`]).

mod bare;
mod base;
mod branches;
mod cache;
mod checkout;
mod coauthor;
mod create;
mod effects;
mod evict;
mod git_locks;
mod idle;
mod layout;
mod left;
mod lock;
mod maintenance;
mod policy;
mod registration;
mod registrations;
mod shape;
mod shared;
mod upkeep;
mod url;

pub use checkout::{Checkout, Mode, Wanted, check_place};
pub use idle::{IdleRepo, idle};
pub use layout::{LOCK_REASON, last_use, stamp_use};
pub use left::{LeftKind, left_of_killed};
pub use lock::repo_lock;
pub use policy::{Limits, RepoPolicy, RepoReport};
pub use shared::{SharedRepo, Sharing};
pub use upkeep::{evict_idle, upkeep};
pub use url::RepoUrl;
