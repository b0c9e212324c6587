//! Telling of each commit that execenv makes, before any ref leads to it.

use std::fmt::Debug;

use anyhow::Result;

/// Learns of commits that execenv makes.
pub trait CommitNotes: Debug + Send + Sync {
    /// A commit was made; no ref leads to it yet, and none will after an error.
    ///
    /// # Errors
    /// Where it cannot be noted.
    fn made(&self, commit: &str) -> Result<()>;
}
