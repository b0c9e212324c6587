//! A path in the JSON that a command prints: as text, with a sign in place of what is not UTF-8. An agent chooses names.

use std::path::Path;

use serde::{Serialize, Serializer};

/// For `serialize_with`.
///
/// # Errors
/// Those of the serialiser.
pub fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    path.to_string_lossy().serialize(to)
}
