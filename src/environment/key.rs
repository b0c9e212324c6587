//! The operator's key: a file outside of every workspaces root, by which execenv recognises the sidecar manifests that it
//! wrote (decision D36). There is one for all environments, and it says nothing about any of them.
//!
//! It counts only if no other user can have read or written it. It is never replaced: with another key every record that
//! was proved by it is a mere claim.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use super::root::create_dirs;
use crate::sidecar::{OperatorKey, Seal};
use crate::sys::private::{Found, PrivateFile};
use crate::sys::tree::{Tree, is_never_writable};
use crate::task::hex;

/// The length of the file: the key in hexadecimal digits and a line feed.
const LEN: usize = 2 * OperatorKey::LEN + 1;

/// Where the key is, and the key as soon as it has been read.
#[derive(Debug, Default)]
pub struct KeyFile {
    path: Option<PathBuf>,
    read: OnceLock<std::result::Result<Option<OperatorKey>, String>>,
    made: OnceLock<std::result::Result<OperatorKey, NoKey>>,
}

/// Why there is no key.
#[derive(Clone, Debug)]
pub struct NoKey {
    /// One sentence.
    why: String,
    /// Whether the disk failed, or has no room, for the moment; else there is no place for it here.
    pub is_of_disk: bool,
}

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl KeyFile {
    /// The key at an absolute path, which is not read before it is needed; `None`: there is no place for one.
    pub fn new(path: Option<PathBuf>) -> KeyFile {
        KeyFile { path, ..KeyFile::default() }
    }

    /// Its path, for messages.
    pub fn shown(&self) -> String {
        self.path.as_ref().map_or_else(|| "(no place for one)".to_owned(), |path| path.display().to_string())
    }

    /// When the key was made.
    pub(super) fn made_at(&self) -> Option<SystemTime> {
        self.path.as_ref()?.metadata().ok()?.modified().ok()
    }

    /// What the manifest of an env root of this name is proved with, if there is a key that can be used.
    pub fn seal(&self, env: &str) -> Option<Seal<'_>> {
        Some(Seal { key: self.find()?, env: env.to_owned() })
    }

    /// The same; the key is made if there is none.
    ///
    /// # Errors
    /// Why there is none to be had.
    pub fn seal_or_make(&self, env: &str) -> std::result::Result<Seal<'_>, NoKey> {
        Ok(Seal { key: self.find_or_make()?, env: env.to_owned() })
    }

    /// The key, if there is one that can be used.
    fn find(&self) -> Option<&OperatorKey> {
        if let Some(Ok(made)) = self.made.get() {
            return Some(made);
        }
        let read = self.read.get_or_init(|| match &self.path {
            None => Ok(None),
            Some(path) => read(path).map_err(|error| format!("{error:#}")),
        });
        match read {
            Ok(key) => key.as_ref(),
            Err(why) => {
                log::debug!("{why}");
                None
            }
        }
    }

    /// The key; it is made if there is none.
    ///
    /// # Errors
    /// Why there is none to be had.
    fn find_or_make(&self) -> std::result::Result<&OperatorKey, NoKey> {
        if let Some(Ok(Some(key))) = self.read.get() {
            return Ok(key);
        }
        let made = self.made.get_or_init(|| match &self.path {
            None => {
                let why = "there is no home folder for it; set `key_file`".to_owned();
                Err(NoKey { why, is_of_disk: false })
            }
            Some(path) => find_or_make(path)
                .map_err(|error| NoKey { why: format!("{error:#}"), is_of_disk: is_of_disk(&error) }),
        });
        made.as_ref().map_err(Clone::clone)
    }
}

fn is_of_disk(error: &anyhow::Error) -> bool {
    let is_of_system = error.chain().any(|cause| cause.is::<std::io::Error>());
    is_of_system && !is_never_writable(error)
}

fn read(path: &Path) -> Result<Option<OperatorKey>> {
    let Some((folder, name)) = open_folder(path)? else { return Ok(None) };
    let file =
        PrivateFile::open(&folder, name).with_context(|| format!("read the key {}", path.display()))?;
    let Some(file) = file else { return Ok(None) };
    match file.read(LEN).with_context(|| format!("read the key {}", path.display()))? {
        Found::Whole(bytes) => parse(path, &bytes).map(Some),
        Found::Part => Ok(None), // its maker died; whoever needs a key makes it whole
        Found::OfOthers(why) => bail!("the key {} is not used: {why}", path.display()),
    }
}

fn find_or_make(path: &Path) -> Result<OperatorKey> {
    let making = || format!("make the key {}", path.display());
    let above = path.parent().with_context(making)?;
    create_dirs(above).with_context(making)?;
    let Some((folder, name)) = open_folder(path)? else { bail!("{} is gone", above.display()) };
    let file = PrivateFile::open_or_create(&folder, name).with_context(making)?;
    match file.read(LEN).with_context(making)? {
        Found::Whole(bytes) => parse(path, &bytes),
        Found::OfOthers(why) => bail!("the key {} is not used: {why}", path.display()),
        Found::Part => {
            let key = random();
            file.write(&folder, format!("{}\n", hex(&key)).as_bytes()).with_context(making)?;
            Ok(OperatorKey::new(key))
        }
    }
}

/// The open folder of the key, and the key's name in it; `None`: the folder does not exist.
fn open_folder(path: &Path) -> Result<Option<(Tree, &Path)>> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        bail!("{} is no path of a file", path.display());
    };
    match Tree::open(above) {
        Ok(folder) => Ok(Some((folder, Path::new(name)))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("open {}", above.display())),
    }
}

fn parse(path: &Path, text: &[u8]) -> Result<OperatorKey> {
    let digits = text.strip_suffix(b"\n").unwrap_or(text);
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Option<Vec<u8>> = digits.iter().map(digit).collect();
    let bytes = digits.map(|digits| {
        digits.chunks(2).map(|pair| pair.iter().fold(0, |sum, digit| sum << 4 | digit)).collect()
    });
    let key: Option<[u8; OperatorKey::LEN]> = bytes.and_then(|bytes: Vec<u8>| bytes.try_into().ok());
    key.map(OperatorKey::new).with_context(|| format!("the key {} is not one of execenv's", path.display()))
}

/// Bytes that cannot be guessed: those of random UUIDs, of which each has 122 bits from the system.
fn random() -> [u8; OperatorKey::LEN] {
    use sha2::{Digest, Sha256};
    let mut bytes = Sha256::new();
    for _ in 0..3 {
        bytes.update(uuid::Uuid::new_v4().as_bytes());
    }
    bytes.finalize().into()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests make their own fixtures")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn it_is_made_once_private_and_read_again() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("data/execenv/key");
        assert!(KeyFile::new(Some(path.clone())).find().is_none());
        assert!(!tmp.path().join("data").exists(), "looking for it makes nothing");
        KeyFile::new(Some(path.clone())).find_or_make().unwrap();
        let text = std::fs::read(&path).unwrap();
        assert_eq!((text.len(), path.metadata().unwrap().permissions().mode() & 0o7777), (LEN, 0o600));
        for _ in 0..2 {
            let keys = KeyFile::new(Some(path.clone()));
            assert!(keys.find().is_some() && keys.find_or_make().is_ok());
        }
        assert_eq!(std::fs::read(&path).unwrap(), text);
        // A part of one, which its maker left, was never used.
        for part in [&b""[..], &text[..20]] {
            std::fs::write(&path, part).unwrap();
            assert!(KeyFile::new(Some(path.clone())).find().is_none());
            KeyFile::new(Some(path.clone())).find_or_make().unwrap();
            assert_eq!(std::fs::read(&path).unwrap().len(), LEN);
        }
    }

    #[test]
    fn what_another_user_may_know_or_what_is_no_key_is_not_used_and_not_replaced() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("key");
        let good = format!("{}\n", "ab".repeat(32));
        for (text, mode) in [
            (good.as_str(), 0o640),
            (&good, 0o604),
            (&"x".repeat(65), 0o600),
            (&format!("{good}{good}"), 0o600),
        ] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let keys = KeyFile::new(Some(path.clone()));
            assert!(keys.find().is_none() && keys.find_or_make().is_err(), "{mode:o} {text}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        std::fs::write(&path, &good).unwrap();
        let keys = KeyFile::new(Some(path.clone()));
        assert!(keys.find().is_some());
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(KeyFile::new(Some(path)).find_or_make().is_err());
        assert!(KeyFile::new(None).find_or_make().is_err());
    }
}
