//! `<root>/.trash/`: environments and work dirs that were moved there by a rename and can be restored.

mod deletion;
mod entries;
mod mounts;
mod name;
mod put_aside;
mod restore;

pub(crate) use deletion::{delete, half_deleted};
pub(super) use deletion::{half_deleted_of, leaving_of};
pub use entries::TrashEntry;
pub(super) use entries::has_entry_of;
pub(crate) use entries::{entries, size_of, sweep_temporaries, task_of};
pub(super) use mounts::refuse_mount;
pub(crate) use put_aside::put_aside_as;
pub(crate) use restore::restore;
