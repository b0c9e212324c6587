//! `.gc_meta.json`, the record of an environment: multica's object plus the key `execenv` with everything that execenv
//! adds.
//!
//! Invariants: the file is written whole (temporary file, sync, rename). It is changed only by [`Meta::change`], which
//! reads it again under a short lock of its own, so that no process overwrites the change of another. Keys that this
//! version does not know are kept. A file with a newer schema is read but never written. It contains no secret and no
//! prompt.

mod change;
mod checkpoint;
mod failed_start;
mod identity;
mod merge;
mod meta;
#[cfg(test)]
mod meta_file;
mod own;
mod published;
mod setup;

pub use change::{Durability, LockedRecord};
pub(crate) use change::{MODE, sweep_temporary};
pub use checkpoint::{CheckpointRecord, PatchRecord};
pub use failed_start::FailedStart;
pub use identity::Identity;
pub use merge::{CurrentMerge, MergeRecord, MergedBranch, SkippedBranch};
pub use meta::Meta;
pub(super) use meta::SCHEMA;
#[cfg(test)]
pub(crate) use meta_file::MetaFile;
pub use own::{EnvStatus, IterationRecord, LastResult, Own, RepositoryRecord, RunRecord, SessionRecord};
pub use published::PublishedRecord;
pub use setup::{PortRecord, SetupRecord, SetupState};
