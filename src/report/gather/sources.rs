//! What a report is made from.

use std::path::Path;

use chrono::{DateTime, Utc};

use crate::environment::{FoundEnv, Trust};
use crate::git::Git;
use crate::report::claim::Claim;
use crate::run::Which;

/// What a report is made from.
#[derive(Debug)]
pub struct Sources<'a> {
    /// The environment.
    pub found: &'a FoundEnv,
    /// What can be proved.
    pub trust: Trust<'a>,
    /// The user's git.
    pub git: &'a Git,
    /// Now.
    pub now: DateTime<Utc>,
    /// Which run.
    pub which: Which,
}

/// A path as a text from outside.
pub(super) fn path(path: &Path) -> Claim {
    Claim::new(path.to_string_lossy())
}
