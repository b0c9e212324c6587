//! The wall clock, for records. Limits use [`std::time::Instant`].

use chrono::{DateTime, Utc};

/// The present time. `fixed` (an RFC 3339 text) stands in for it: debug builds take it from a test.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now(fixed: Option<&str>) -> DateTime<Utc> {
    match fixed {
        Some(text) if cfg!(debug_assertions) => text.parse().unwrap_or_else(|_| Utc::now()),
        _ => Utc::now(),
    }
}
