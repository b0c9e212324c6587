//! What is put into a work dir, and how it comes out again.
//!
//! Invariants:
//! - Everything that will be changed is in the manifest, durably, before the first change ([`SidecarPlan::apply`]): a
//!   crash leaves a record without a deed, which taking back skips, never a deed without a record.
//! - A sidecar is only ever a *new* file or folder, or our marked block inside the brief file. So taking back is
//!   deletion and excision; the originals are backed up in the env root all the same.
//! - Taking back removes only what it can prove was made here, goes on after an error, and keeps the record of
//!   what could not be removed (decision D16).

mod kept;
mod manifest;
pub mod marker;
mod plan;
mod report;
mod rollback;
mod strays;

pub use manifest::{Before, Earlier, EntryKind, Manifest, ManifestEntry, Record, State};
pub use plan::{Planner, SidecarPlan};
pub use report::TakenBack;
pub use rollback::{sweep_state_temporaries, take_back};
pub use strays::reclaim_skill_dirs;
