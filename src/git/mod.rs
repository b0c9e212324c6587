//! Everything that asks or changes a git repository goes through git itself, started in one place ([`command`]).
//!
//! A repository in a work dir is hostile: an agent can write its configuration. So calls run no hook, no monitor and
//! no filter that a repository names, fetch nothing unless that is their purpose, and end in time. Calls that git would run
//! such programs for get a configuration of ours instead of the repository's ([`view`]).

mod base;
mod baseline;
mod branch;
mod branches;
mod changes;
mod checkout;
mod command;
mod commit;
mod conflict;
mod copied;
mod drift;
mod excluded;
mod failure;
mod fill;
mod fresh;
mod garbage;
mod hidden;
mod identity;
mod in_the_way;
mod included;
mod index;
mod linked;
mod merge;
mod merge_state;
mod only_registered;
mod operation;
mod own_refs;
mod picture;
mod profile;
mod rebuild;
mod refs;
mod remote;
mod saved;
mod scratch;
mod search;
mod snapshot;
mod source;
mod source_checkout;
mod sparse;
mod tracked;
mod unsaved;
mod view;
mod without_view;
mod working;
mod worktree;

pub use base::{Head, empty_tree};
pub use baseline::BaselinePlan;
pub use branch::{NewBranch, NotMade};
pub use branches::ListedBranch;
pub use changes::Changes;
pub use checkout::Checkout;
pub use command::{Git, Repository};
pub use commit::{Move, NewCommit};
pub use conflict::{Conflict, ConflictKind, Side};
pub use drift::{Drift, summary};
pub use failure::{GitEnd, GitFailure, was_cut_off};
pub use fill::Empty;
pub use identity::GitIdentity;
pub use linked::{Made, NewWorktree, Registered};
pub use merge::{Merged, Named};
pub use merge_state::AtHead;
pub use own_refs::Unheld;
pub use picture::{Bounds, Objects, Ours, Picture, TooMuch};
pub use refs::{Branch, CHECKPOINT, NEWEST, OWN_REFS, is_commit_id, is_passing};
pub use remote::{BLOBLESS, BRANCHES, Login, OTHERS, Remote, RemoteHead};
pub use saved::{NotNow, Saving};
pub use source::{Base, Shared, Source};
pub use source_checkout::{Fingerprint, SourceCheckout};
pub use sparse::{check_sparse, write_sparse};
pub use unsaved::{Fate, Reason, Unsaved, UnsavedKind};
pub use working::Working;
pub use worktree::Worktree;
