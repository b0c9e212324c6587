//! The two lines that fence our block in a user's file. Changing them would orphan every block already written.

/// The line before the brief.
pub const BEGIN: &str = "<!-- BEGIN MULTICA-RUNTIME (auto-managed; do not edit) -->";
/// The line after the brief.
pub const END: &str = "<!-- END MULTICA-RUNTIME -->";
