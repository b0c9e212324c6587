//! What `trust` prints as JSON.

use std::borrow::Cow;
use std::path::PathBuf;

use serde::Serialize;

use crate::environment::{Marks, TrustedEntry};
use crate::output::Version;

/// What a file names, and whether it is trusted.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct TrustDocument<'a> {
    pub(super) schema: Version,
    /// The file.
    pub(super) path: Cow<'a, str>,
    /// The digest of its bytes; null: there is no such file, and only marks were taken off.
    pub(super) sha256: Option<&'a str>,
    /// The setup commands.
    pub(super) setup: Vec<String>,
    /// The teardown commands.
    pub(super) teardown: Vec<String>,
    /// The names of the ports.
    pub(super) ports: Vec<String>,
    /// Whether it is trusted now.
    pub(super) trusted: bool,
    /// What agents in a sandbox have changed there, of which you say now that you have looked at it.
    pub(super) reviewed: ReviewedDocument<'a>,
}

/// Marks that were taken off.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ReviewedDocument<'a> {
    /// The folders.
    pub(super) folders: &'a [PathBuf],
    /// The commits.
    pub(super) commits: &'a [String],
}

/// All that is trusted.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct TrustList<'a> {
    pub(super) schema: Version,
    /// The files, in the order in which they were trusted.
    pub(super) trusted: &'a [TrustedEntry],
    /// What agents in a sandbox have written, and you have not looked at since.
    pub(super) sandboxed: &'a Marks,
}

/// What is trusted no more.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct TrustRemoved<'a> {
    pub(super) schema: Version,
    /// The file.
    pub(super) path: Cow<'a, str>,
    /// The digests that were trusted.
    pub(super) removed: &'a [String],
}
