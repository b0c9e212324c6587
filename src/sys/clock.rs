//! The wall clock, for records. Limits use [`std::time::Instant`].

use chrono::{DateTime, Utc};

/// The current time, or `fixed` (an RFC 3339 text), which tests set in debug builds.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now(fixed: Option<&str>) -> DateTime<Utc> {
    match fixed {
        Some(text) if cfg!(debug_assertions) => text.parse().unwrap_or_else(|_| Utc::now()),
        _ => Utc::now(),
    }
}
