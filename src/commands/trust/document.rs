//! What `trust` prints as JSON.

use std::borrow::Cow;

use serde::Serialize;

use crate::environment::TrustedEntry;
use crate::output::Version;

/// What a file names, and whether it is trusted.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct TrustDocument<'a> {
    pub(super) schema: Version,
    /// The file.
    pub(super) path: Cow<'a, str>,
    /// The digest of its bytes.
    pub(super) sha256: &'a str,
    /// The setup commands.
    pub(super) setup: Vec<String>,
    /// The teardown commands.
    pub(super) teardown: Vec<String>,
    /// The names of the ports.
    pub(super) ports: Vec<String>,
    /// Whether it is trusted now.
    pub(super) trusted: bool,
}

/// All that is trusted.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct TrustList<'a> {
    pub(super) schema: Version,
    /// The files, in the order in which they were trusted.
    pub(super) trusted: &'a [TrustedEntry],
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
