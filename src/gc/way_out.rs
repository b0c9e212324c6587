//! What to do about a step of a cycle that went wrong.

use crate::failure::Failure;

/// What a cycle that failed at one step asks for: the next one does what this one could not.
pub const TRY_AGAIN: &str = "fix the cause, then `execenv gc`";

/// An error, and what to do about it.
pub(super) fn with_way_out(error: &anyhow::Error) -> String {
    let hint = Failure::hint_of(error);
    format!("{error:#}; {}", hint.as_deref().unwrap_or(TRY_AGAIN))
}
