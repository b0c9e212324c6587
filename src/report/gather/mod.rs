//! Everything that is known of a run, put together. It only reads: nothing is changed, and no lock is waited for.

mod changes;
mod ending;
mod sources;
mod whole;

pub use sources::Sources;
pub use whole::gather;
