//! The name of an entry of the trash, which says where the entry came from and when.

use std::borrow::Cow;
use std::ffi::OsStr;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::environment::root::EnvRoot;

/// Prefix of a digest that replaces a name that is too long or not UTF-8.
const DIGEST: &str = "digest-";
const DIGEST_DIGITS: usize = 32;
/// The longest total length of both names: the rest of an entry's name, and the suffix of one that is being deleted, must fit into
/// 255 bytes.
const MOST_OF_NAMES: usize = 200;

pub(super) fn digest(name: &OsStr) -> String {
    let hex = crate::task::hex(&Sha256::digest(name.as_encoded_bytes()));
    format!("{DIGEST}{}", &hex[..DIGEST_DIGITS])
}

/// The name of an entry: `<workspace>+<key>+<seconds>-<token>`, and `+workdir` for a work dir alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrashName {
    /// The workspace it came from.
    pub workspace: String,
    /// The env root's name.
    pub key: String,
    /// When it was moved to the trash, in seconds since 1970.
    pub at: i64,
    /// Whether it is a work dir only.
    pub work_dir_only: bool,
    pub(super) text: String,
}

impl TrashName {
    /// A name that does not fit, or could not be parsed again, is replaced by its digest.
    pub(super) fn new(workspace: &str, key: &str, now: DateTime<Utc>, work_dir_only: bool) -> TrashName {
        let (mut workspace, mut key) = (Cow::Borrowed(workspace), Cow::Borrowed(key));
        if workspace.contains('+') {
            workspace = Cow::Owned(digest(workspace.as_ref().as_ref()));
        }
        if workspace.len() + key.len() > MOST_OF_NAMES {
            key = Cow::Owned(digest(key.as_ref().as_ref()));
        }
        if workspace.len() + key.len() > MOST_OF_NAMES {
            workspace = Cow::Owned(digest(workspace.as_ref().as_ref()));
        }
        let token = &uuid::Uuid::new_v4().simple().to_string()[..8];
        let suffix = if work_dir_only { "+workdir" } else { "" };
        let at = now.timestamp();
        let text = format!("{workspace}+{key}+{at}-{token}{suffix}");
        TrashName { workspace: workspace.into(), key: key.into(), at, work_dir_only, text }
    }

    /// Whether the name says where it came from, rather than a digest of it.
    pub(super) fn has_origin(&self) -> bool {
        let is_digest = |part: &str| {
            part.strip_prefix(DIGEST).is_some_and(|hex| {
                hex.len() == DIGEST_DIGITS && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
            })
        };
        !is_digest(&self.workspace) && !is_digest(&self.key)
    }

    pub(super) fn parse(text: &str) -> Option<TrashName> {
        let (rest, work_dir_only) = match text.strip_suffix("+workdir") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (rest, stamp) = rest.rsplit_once('+')?;
        let (workspace, key) = rest.split_once('+')?;
        let at = stamp.split_once('-')?.0.parse().ok()?;
        Some(TrashName { workspace: workspace.into(), key: key.into(), at, work_dir_only, text: text.into() })
    }
}

/// What the name of an entry calls an environment: its folder's own name, as `key()` is UTF-8, which that may not be.
pub(super) fn key_of(env: &EnvRoot) -> String {
    let name = env.path.file_name().unwrap_or_default();
    name.to_str().map_or_else(|| digest(name), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::names::REMOVING;

    #[test]
    fn a_name_says_where_it_came_from() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        for (workspace, key, work_dir_only) in [("w", "0123456789ab", false), ("w-1", "a+b", true)] {
            let name = TrashName::new(workspace, key, now, work_dir_only);
            assert_eq!(TrashName::parse(&name.text).unwrap(), name);
            assert!(name.has_origin());
        }
        let long = "x".repeat(255);
        for (workspace, key) in [("w", &*long), (&*long, "k"), (&*long, &*long), ("a+b", "c")] {
            let name = TrashName::new(workspace, key, now, true);
            assert!(name.text.len() + REMOVING.len() <= 255, "{}", name.text);
            assert!(!name.has_origin());
            assert_eq!(TrashName::parse(&name.text).unwrap(), name);
        }
        for bad in ["", "x", "a+b", "a+b+c", "a+b+x-y"] {
            assert_eq!(TrashName::parse(bad), None, "{bad}");
        }
    }
}
