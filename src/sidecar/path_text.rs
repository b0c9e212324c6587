//! Paths in JSON: as a string, or as a list of their bytes if they are not UTF-8. The user created them, so any bytes are
//! possible.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub(super) enum Text {
    /// The path.
    Plain(String),
    /// Its bytes, as it is no UTF-8.
    Bytes(Vec<u8>),
}

impl From<&Path> for Text {
    fn from(path: &Path) -> Text {
        match path.to_str() {
            Some(text) => Text::Plain(text.to_owned()),
            None => Text::Bytes(path.as_os_str().as_bytes().to_owned()),
        }
    }
}

impl From<Text> for PathBuf {
    fn from(text: Text) -> PathBuf {
        match text {
            Text::Plain(text) => text.into(),
            Text::Bytes(bytes) => OsString::from_vec(bytes).into(),
        }
    }
}

pub(super) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    Text::from(path).serialize(to)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
    Ok(Text::deserialize(from)?.into())
}

/// The same for a path that may be missing.
pub(super) mod optional {
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Text;

    pub(in crate::sidecar) fn serialize<S: Serializer>(
        path: &Option<PathBuf>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        path.as_deref().map(|path: &Path| Text::from(path)).serialize(to)
    }

    pub(in crate::sidecar) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        Ok(Option::<Text>::deserialize(from)?.map(PathBuf::from))
    }
}
