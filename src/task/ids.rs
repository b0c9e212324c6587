//! Ids that become path segments: checked once, where they come in.

use std::fmt;

use anyhow::Result;
use sha2::{Digest, Sha256};

use crate::failure::{Code, Failure};

/// The longest id that is accepted, in bytes.
const MAX_ID: usize = 128;

/// An id that is safe as a path segment and as a command's argument: 1 to 128 of `A-Za-z0-9._-`, not starting
/// with `.` (a dot-folder of the root is never an environment) nor with `-` (a command would read it as a flag).
pub fn safe_token(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len())
        && !text.starts_with(['.', '-'])
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn checked(what: &str, text: &str) -> Result<String> {
    if safe_token(text) {
        return Ok(text.to_owned());
    }
    let shown: String = text.chars().take(40).collect();
    Err(Failure::new(Code::Usage, format!("the {what} `{}` cannot be a folder name", shown.escape_debug()))
        .hint("an id is 1 to 128 letters, digits, `.`, `_` or `-`, and starts with a letter, a digit or `_`")
        .into())
}

/// A task's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskId(String);

impl TaskId {
    /// Checks an id that came from outside.
    ///
    /// # Errors
    /// A [`Code::Usage`] failure when the id could not be a path segment.
    pub fn new(text: &str) -> Result<Self> {
        checked("task id", text).map(Self)
    }

    /// A new random id.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The keys this task may live under, shortest first (decision D1): 12, 16, 20 … hex digits.
    ///
    /// The random *end* of a UUID is taken: time-ordered ids share their beginning for a minute and more, and
    /// multica lost live work to that.
    pub fn keys(&self) -> impl Iterator<Item = EnvKey> + use<> {
        let digits = match uuid::Uuid::try_parse(&self.0) {
            Ok(id) => id.simple().to_string(),
            Err(_) => hex(&Sha256::digest(self.0.as_bytes())),
        };
        let from_end = uuid::Uuid::try_parse(&self.0).is_ok();
        (12..=digits.len()).step_by(4).map(move |n| {
            EnvKey(if from_end { digits[digits.len() - n..].to_owned() } else { digits[..n].to_owned() })
        })
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A workspace's id: the first path segment under the workspaces root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkspaceId(String);

impl WorkspaceId {
    /// Checks an id that came from outside.
    ///
    /// # Errors
    /// A [`Code::Usage`] failure when the id could not be a path segment.
    pub fn new(text: &str) -> Result<Self> {
        checked("workspace id", text).map(Self)
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkspaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of an env root inside its workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvKey(String);

impl EnvKey {
    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)] as char, DIGITS[usize::from(b & 15)] as char])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> String {
        TaskId::new(id).unwrap().keys().next().unwrap().as_str().to_owned()
    }

    #[test]
    fn a_uuid_gives_its_random_end_and_any_other_id_its_hash() {
        assert_eq!(key("01a01ec0-e69d-7000-8000-0123456789ab"), "0123456789ab");
        assert_eq!(key("01A01EC0-E69D-7000-8000-0123456789AB"), "0123456789ab");
        assert_eq!(key("abc"), "ba7816bf8f01");
    }

    #[test]
    fn a_taken_key_grows_by_four_digits() {
        let id = TaskId::new("01a01ec0-e69d-7000-8000-0123456789ab").unwrap();
        let keys: Vec<_> = id.keys().map(|k| k.0).collect();
        assert_eq!(keys[1], "80000123456789ab");
        assert_eq!(keys.len(), 6);
        assert_eq!(keys[5].len(), 32);
    }

    #[test]
    fn ids_that_could_leave_the_root_are_refused() {
        for bad in
            ["", ".", "..", "../x", "a/b", "a\\b", "a\0b", ".hidden", "-flag", "a b", "ü", &"x".repeat(129)]
        {
            assert!(TaskId::new(bad).is_err(), "{bad:?}");
            assert!(WorkspaceId::new(bad).is_err(), "{bad:?}");
        }
        assert!(TaskId::new(&"x".repeat(128)).is_ok());
    }
}
