//! `.gc_meta.json`, the record of an environment: multica's object, plus one key `execenv` that holds all that this tool
//! needs of its own.
//!
//! Invariants: written whole (temporary file, sync, rename); changed only by [`Meta::change`], which reads it again
//! under a short lock of its own, so that no process loses what another has written; keys that this version does not
//! know are kept; a file from a newer schema is read but never written; no secret, no prompt.

mod change;
mod meta;
mod own;

pub use change::Durability;
pub(crate) use change::sweep_temporary;
pub use meta::Meta;
pub(super) use meta::{MAX_META, SCHEMA};
pub use own::{EnvStatus, LastResult, Own, RunRecord, SessionRecord};
