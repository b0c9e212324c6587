//! The files that the user has trusted: a JSON file among the user's settings, outside of every workspaces root. Beside them are
//! the marks on what agents in a sandbox have written (`marks.rs`): one file, so that one read answers both questions.
//!
//! What counts is the digest of the bytes that are to run. The path says where the user has seen them. The file counts only if
//! no other user can have written it; it is written whole, under a lock on itself, and unknown keys stay.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::marks::Marks;
use crate::environment::busy::{WAIT, root_busy};
use crate::environment::root::create_dirs;
use crate::failure::{Code, Failure};
use crate::sys::lock::{IfMissing, Share, lock_within};
use crate::sys::private::{Found, PrivateFile};
use crate::sys::tree::Tree;

/// The longest file that is read, in bytes.
const MOST: u64 = 4 << 20;
/// The mode of the file.
const MODE: u32 = 0o600;
/// The form of the file that this version writes.
const SCHEMA: u32 = 1;

/// One file that was trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct TrustedEntry {
    /// Where it was.
    pub path: String,
    /// The SHA-256 of its bytes.
    pub sha256: String,
    /// When it was trusted.
    pub trusted_at: Option<DateTime<Utc>>,
    /// Keys of a later version.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What the file holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Stored {
    schema: u32,
    pub(super) trusted: Vec<TrustedEntry>,
    /// What agents in a sandbox have written.
    #[serde(skip_serializing_if = "Marks::is_empty")]
    pub(super) sandboxed: Marks,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl Stored {
    /// Whether bytes with this digest are trusted.
    pub(super) fn trusts(&self, digest: &str) -> bool {
        self.trusted.iter().any(|entry| entry.sha256 == digest)
    }
}

/// Where the list is.
#[derive(Clone, Debug, Default)]
pub struct TrustedFile {
    path: Option<PathBuf>,
}

impl TrustedFile {
    /// The list at an absolute path; `None`: there is no place for one.
    pub fn new(path: Option<PathBuf>) -> TrustedFile {
        TrustedFile { path }
    }

    /// All that is trusted.
    ///
    /// # Errors
    /// A [`Code::BadConfig`] failure for a list that is damaged, or that another user can have written.
    pub fn entries(&self) -> Result<Vec<TrustedEntry>> {
        Ok(self.stored()?.trusted)
    }

    /// What agents in a sandbox have written, and the user has not looked at since.
    ///
    /// # Errors
    /// As [`TrustedFile::entries`].
    pub fn marks(&self) -> Result<Marks> {
        Ok(self.stored()?.sandboxed)
    }

    /// Whether bytes with this digest are trusted.
    ///
    /// # Errors
    /// As [`TrustedFile::entries`].
    pub fn has(&self, digest: &str) -> Result<bool> {
        Ok(self.stored()?.trusts(digest))
    }

    /// All of it, by one read.
    pub(super) fn stored(&self) -> Result<Stored> {
        let Some(path) = &self.path else { return Ok(Stored::default()) };
        let Some((folder, name)) = self.folder(path)? else { return Ok(Stored::default()) };
        read(path, &folder, name)
    }

    /// Whether there can be a list at all.
    pub(in crate::environment) fn has_place(&self) -> bool {
        self.path.is_some()
    }

    /// Whether something stands in its place. What cannot be looked at cannot be read, and trusts nothing.
    pub(super) fn is_there(&self) -> bool {
        self.path.as_ref().is_some_and(|path| path.symlink_metadata().is_ok())
    }

    /// Adds a file with its digest. `false`: it was there already.
    ///
    /// # Errors
    /// As [`TrustedFile::entries`], and where it cannot be written.
    pub fn add(&self, file: &Path, digest: &str, now: DateTime<Utc>) -> Result<bool> {
        let path = file.display().to_string();
        self.change(|stored| {
            if stored.trusted.iter().any(|entry| entry.path == path && entry.sha256 == digest) {
                return false;
            }
            stored.trusted.push(TrustedEntry {
                path: path.clone(),
                sha256: digest.to_owned(),
                trusted_at: Some(now),
                other: Map::new(),
            });
            true
        })
    }

    /// Removes every entry of a file. Returns the digests that are trusted no more.
    ///
    /// # Errors
    /// As [`TrustedFile::add`].
    pub fn remove(&self, file: &Path) -> Result<Vec<String>> {
        let path = file.display().to_string();
        let mut gone = Vec::new();
        self.change(|stored| {
            let (out, kept) = std::mem::take(&mut stored.trusted).into_iter().partition(|e| e.path == path);
            stored.trusted = kept;
            let out: Vec<TrustedEntry> = out;
            gone.extend(out.into_iter().map(|entry| entry.sha256));
            !gone.is_empty()
        })?;
        Ok(gone)
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Stored) -> bool) -> Result<bool> {
        let Some(path) = &self.path else {
            let failure = Failure::new(Code::BadConfig, "there is no place for the list of what is trusted");
            return Err(failure.hint("set HOME, or name a file: EXECENV_TRUSTED_FILE").into());
        };
        let writing = || format!("write {}", path.display());
        create_dirs(path.parent().with_context(writing)?).with_context(writing)?;
        let Some((folder, name)) = self.folder(path)? else {
            anyhow::bail!("{}: its folder is gone", path.display())
        };
        let _lock = lock_within(&folder, name, IfMissing::Create, Share::Alone, WAIT, &|| false)
            .map_err(|why| root_busy(&folder, name, why))?;
        let mut stored = read(path, &folder, name)?;
        if !change(&mut stored) {
            return Ok(false);
        }
        if stored.schema > SCHEMA {
            let message =
                format!("{} is of a newer version of execenv, so it is not changed", path.display());
            return Err(Failure::new(Code::BadConfig, message).hint("update execenv").into());
        }
        stored.schema = SCHEMA;
        let mut bytes = serde_json::to_vec_pretty(&stored).with_context(writing)?;
        bytes.push(b'\n');
        if bytes.len() as u64 > MOST {
            let message = format!("{} is full: it would be longer than 4 MiB", path.display());
            let hint = "look at the changes of agents in a sandbox, then take their marks off: `execenv trust DIR` for each \
                        folder of `execenv trust --list`, or by hand (`sandboxed` in that file)";
            return Err(Failure::new(Code::BadConfig, message).hint(hint).into());
        }
        let temporary = format!("{}.tmp", name.display());
        folder.replace(name, &bytes, MODE, &temporary).with_context(writing)?;
        folder.sync().with_context(writing)?;
        Ok(true)
    }

    /// The open folder, and the file's name in it. `None`: the folder does not exist.
    fn folder<'a>(&self, path: &'a Path) -> Result<Option<(Tree, &'a Path)>> {
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
            anyhow::bail!("{} is no path of a file", path.display());
        };
        match Tree::open(above) {
            Ok(folder) => Ok(Some((folder, Path::new(name)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("open {}", above.display())),
        }
    }
}

fn read(path: &Path, folder: &Tree, name: &Path) -> Result<Stored> {
    let bad = |why: &str| {
        let message = format!("the list of what is trusted, {}, is not used: {why}", path.display());
        Failure::new(Code::BadConfig, message)
            .hint("look at it, then correct it or remove it; `execenv trust` writes a new one")
    };
    let reading = || format!("read {}", path.display());
    let Some(file) = PrivateFile::open(folder, name).with_context(reading)? else {
        return Ok(Stored::default());
    };
    match file.read_whole(MOST + 1).with_context(reading)? {
        Found::Whole(bytes) if bytes.len() as u64 > MOST => Err(bad("it is too long").into()),
        // The lock has just made it.
        Found::Whole(bytes) if bytes.is_empty() => Ok(Stored::default()),
        Found::Whole(bytes) => {
            let stored: Stored = serde_json::from_slice(&bytes).map_err(|error| bad(&error.to_string()))?;
            stored.sandboxed.damage().map_or(Ok(stored), |why| Err(bad(&why).into()))
        }
        Found::Part => Ok(Stored::default()),
        Found::OfOthers(why) => Err(bad(&why).into()),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests make their own fixtures")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_digest_is_added_once_removed_by_its_path_and_unknown_keys_stay() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("config/execenv/trusted.json");
        let list = TrustedFile::new(Some(path.clone()));
        let file = Path::new("/p/.execenv.json");
        assert!(!list.has("d1").unwrap() && !path.exists(), "looking makes nothing");
        assert!(list.add(file, "d1", now()).unwrap() && !list.add(file, "d1", now()).unwrap());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen('{', "{\"later\": 7,", 1)).unwrap();
        assert!(list.add(file, "d2", now()).unwrap() && list.add(Path::new("/q/x"), "d3", now()).unwrap());
        assert_eq!(list.remove(file).unwrap(), ["d1", "d2"]);
        assert!(!list.has("d1").unwrap() && list.has("d3").unwrap());
        assert!(std::fs::read_to_string(&path).unwrap().contains("\"later\": 7"));
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_list_that_others_can_write_or_that_is_damaged_or_newer_trusts_nothing() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("trusted.json");
        let list = TrustedFile::new(Some(path.clone()));
        list.add(Path::new("/p"), "d1", now()).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o660)).unwrap();
        assert!(list.has("d1").is_err());
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, "[").unwrap();
        assert!(list.has("d1").is_err() && list.add(Path::new("/p"), "d2", now()).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[");
        std::fs::write(&path, whole.replace("\"schema\": 1", "\"schema\": 9")).unwrap();
        assert!(list.has("d1").unwrap() && list.add(Path::new("/p"), "d2", now()).is_err());
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let tmp = tempfile::tempdir().unwrap();
        let list = TrustedFile::new(Some(tmp.path().join("trusted.json")));
        std::thread::scope(|scope| {
            for number in 0..20 {
                let list = &list;
                scope.spawn(move || list.add(Path::new("/p"), &format!("d{number}"), now()).unwrap());
            }
        });
        assert_eq!(list.entries().unwrap().len(), 20);
    }
}
