//! What `cleanup` prints as JSON.

use std::borrow::Cow;

use serde::Serialize;

use crate::environment::{CleanupOutcome, CleanupReport, Kept, Teardown};
use crate::output::Version;

/// What became of one environment.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct CleanedDocument<'a> {
    schema: Version,
    /// The env root.
    root_dir: Cow<'a, str>,
    /// How it ended.
    outcome: CleanupOutcome,
    /// What was removed or put back.
    removed: Vec<Cow<'a, str>>,
    /// What was kept, and why.
    kept: &'a [Kept],
    /// What went wrong.
    errors: &'a [String],
    /// How many bytes were removed or moved to the trash.
    bytes: u64,
    /// What became of the teardown commands.
    teardown: &'a Teardown,
}

impl<'a> CleanedDocument<'a> {
    /// The document of a report.
    pub(super) fn of(report: &'a CleanupReport) -> CleanedDocument<'a> {
        CleanedDocument {
            schema: Version,
            root_dir: report.root_dir.to_string_lossy(),
            outcome: report.outcome,
            removed: report.removed.iter().map(|path| path.to_string_lossy()).collect(),
            kept: &report.kept,
            errors: &report.errors,
            bytes: report.bytes,
            teardown: &report.teardown,
        }
    }
}
