//! Sidecars: the files that execenv puts into a work dir, and how it removes them.
//!
//! Invariants:
//! - The manifest lists every change, durably, before the first one is made ([`SidecarPlan::apply`]): a crash may leave
//!   an entry without a file, which roll-back skips, never a file without an entry.
//! - A sidecar is always a *new* file or folder, or execenv's marked block inside the brief file. So roll-back only
//!   deletes files and cuts out blocks; the originals are backed up in the env root nevertheless.
//! - Roll-back removes only what execenv provably created, continues after an error, and keeps the entries that
//!   could not be removed (decision D16).

mod apply;
mod before;
mod folder;
mod infer;
mod inventory;
mod kept;
mod manifest;
pub mod marker;
mod path_text;
mod places;
mod plan;
mod proof;
mod recognise;
mod report;
mod rollback;
mod site;
mod strays;

pub use before::Before;
pub use folder::{Folder, Same};
pub use infer::infer;
pub use inventory::{Change, Inventory, Unread};
pub use manifest::{Earlier, EntryKind, Manifest, ManifestEntry, Record, State};
pub use places::Places;

pub use plan::{Planner, SidecarPlan, Step};
pub use proof::{OperatorKey, Seal};
pub use report::TakenBack;
pub use rollback::{sweep_state_temporaries, take_back};
pub use site::{Grounds, Site};
pub use strays::reclaim_skill_dirs;
