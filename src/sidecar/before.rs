//! A file of the user's as it was before execenv changed it: its bytes by their digest, and everything else it had.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::path_text;
use crate::order;
use crate::sys::tree::{Attributes, Tree};
use crate::task::hex;

/// A file of the user as it was before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Before {
    /// Digest of its bytes.
    pub sha256: String,
    /// Length in bytes.
    pub len: u64,
    /// Permission bits.
    pub mode: u32,
    /// Its user and group; absent in records of earlier versions, as all that follows but the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<(u32, u32)>,
    /// When its bytes were last changed: seconds and nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<(i64, u32)>,
    /// A digest of each extended attribute, access control lists among them, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended: Option<BTreeMap<String, String>>,
    /// Flags of the file system, as `lsattr` shows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<u32>,
    /// The text of the link at the path, if the file was reached through one.
    #[serde(skip_serializing_if = "Option::is_none", with = "path_text::optional")]
    #[cfg_attr(test, schemars(with = "Option<path_text::Text>"))]
    pub link: Option<PathBuf>,
}

impl Before {
    /// The regular file at `target` with these bytes and this mode, as it is now. `link` is the text of the link that leads
    /// to it.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn of(
        tree: &Tree,
        target: &Path,
        bytes: &[u8],
        mode: u32,
        link: Option<PathBuf>,
    ) -> io::Result<Before> {
        let Attributes { owner, modified, extended, flags } = tree.attributes(target)?;
        let extended =
            extended.iter().map(|(name, value)| (name.to_string_lossy().into_owned(), digest(value)));
        Ok(Before {
            sha256: digest(bytes),
            len: bytes.len() as u64,
            mode,
            owner: Some(owner),
            modified: Some(modified),
            extended: Some(order::map(extended)),
            flags: Some(flags),
            link,
        })
    }

    /// Whether a file is as this record says. What the record does not have is not compared, nor is the time: who writes
    /// the same bytes again has changed nothing.
    pub fn is_same(&self, now: &Before) -> bool {
        fn same<T: PartialEq>(recorded: Option<&T>, now: Option<&T>) -> bool {
            recorded.is_none() || recorded == now
        }
        (&self.sha256, self.len, self.mode, &self.link) == (&now.sha256, now.len, now.mode, &now.link)
            && same(self.owner.as_ref(), now.owner.as_ref())
            && same(self.extended.as_ref(), now.extended.as_ref())
            && same(self.flags.as_ref(), now.flags.as_ref())
    }

    /// The file in words. What is as in `other` and need not be said is left out.
    pub fn describe(&self, other: Option<&Before>) -> String {
        let Before { sha256, len, mode, owner, extended, flags, link, modified: _ } = self;
        let mut text =
            format!("a file of {len} bytes, mode {mode:04o}, sha256 {}…", sha256.get(..12).unwrap_or(sha256));
        let Some(other) = other else { return text + &by_link(link.as_deref()) };
        if let (Some((user, group)), true) = (owner, owner != &other.owner && other.owner.is_some()) {
            text += &format!(", owner {user}:{group}");
        }
        if let (Some(own), Some(theirs)) = (extended, &other.extended)
            && own != theirs
        {
            let names: Vec<&str> = own.keys().map(String::as_str).collect();
            text += &format!(", attributes [{}]", names.join(" "));
        }
        if let (Some(own), true) = (flags, flags != &other.flags && other.flags.is_some()) {
            text += &format!(", flags {own:#x}");
        }
        text + &by_link(link.as_deref())
    }
}

/// SHA-256 in hexadecimal digits.
pub(super) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn by_link(link: Option<&Path>) -> String {
    link.map(|link| format!(" by a link to {}", link.display())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_link_text_that_is_no_utf_8_survives() {
        use std::os::unix::ffi::OsStrExt;
        for text in [&b"docs/a.md"[..], b"\xff/b"] {
            let link = Some(PathBuf::from(std::ffi::OsStr::from_bytes(text)));
            let before = Before { link, ..Before::default() };
            let json = serde_json::to_string(&before).unwrap();
            assert_eq!(serde_json::from_str::<Before>(&json).unwrap(), before);
        }
        assert_eq!(serde_json::from_str::<Before>("{}").unwrap(), Before::default());
    }
}
