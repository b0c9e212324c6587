//! `.multica_sidecar_manifest.json`: upstream's two lists, plus what a crash-safe journal needs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::sys::tree::Tree;

/// The version of our own part that this program writes.
const VERSION: u32 = 1;
/// The largest manifest that is read, in bytes.
const MAX_MANIFEST: u64 = 32 << 20;

/// The file. Paths in `files` and `dirs` are absolute, as upstream writes and reads them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// Files that were made, in the order of making.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_empty")]
    pub files: Vec<PathBuf>,
    /// Folders that were made, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_empty")]
    pub dirs: Vec<PathBuf>,
    /// Our part; `None` in a manifest of upstream's.
    #[serde(rename = "execenv", skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
    /// Keys that we do not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What the journal knows beyond upstream's lists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// Version of this object.
    pub version: u32,
    /// The folder that all entries lie in.
    pub work_dir: PathBuf,
    /// How far the work got.
    pub state: State,
    /// Names the temporary files of this round: `.execenv-<token>`.
    pub token: String,
    /// Each thing that is made or changed, in order.
    pub entries: Vec<ManifestEntry>,
    /// Places that an earlier round touched, as they were before the first one, where `entries` does not say so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<ManifestEntry>,
}

impl Record {
    /// Every place that any round touched, as it was before the first.
    pub fn touched(&self) -> Vec<ManifestEntry> {
        let mut origins: HashMap<&Path, &ManifestEntry> =
            self.origins.iter().map(|origin| (origin.path.as_path(), origin)).collect();
        let mut touched = self.entries.clone();
        for entry in &mut touched {
            if let Some(origin) = origins.remove(entry.path.as_path()) {
                entry.before.clone_from(&origin.before);
            }
        }
        let others = self.origins.iter().filter(|origin| origins.contains_key(origin.path.as_path()));
        touched.extend(others.cloned());
        touched
    }

    /// Remembers what earlier rounds touched. `before` of an entry stays what this round found, which is what comes
    /// back when it is taken out again: what the agent wrote in between is not ours.
    fn remember(&mut self, touched: &[ManifestEntry]) {
        let known: HashMap<&Path, &ManifestEntry> =
            self.entries.iter().map(|entry| (entry.path.as_path(), entry)).collect();
        let forgotten = touched
            .iter()
            .filter(|old| known.get(old.path.as_path()).is_none_or(|entry| entry.before != old.before));
        self.origins = forgotten.map(|old| ManifestEntry { sha256: None, ..old.clone() }).collect();
    }
}

/// What earlier rounds leave to the next one. The default is that of the first round.
#[derive(Default)]
pub struct Earlier {
    /// [`Record::touched`].
    pub(super) touched: Vec<ManifestEntry>,
    /// Keys of the manifest that we do not know.
    other: Map<String, Value>,
}

/// How far a round of sidecars got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Announced; some, all or none of it is on the disk.
    #[default]
    Applying,
    /// All of it is on the disk.
    Applied,
    /// To be taken back; some of it may be gone.
    TakingBack,
    /// Taken back, except for what `files` and `dirs` still list.
    TakenBack,
}

/// One thing in the work dir.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ManifestEntry {
    /// Where, relative to the work dir.
    pub path: PathBuf,
    /// What it is.
    pub kind: EntryKind,
    /// Digest of the bytes that were written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What stood there before; absent: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
}

/// Kinds of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A folder that was made.
    Dir,
    /// A file that was made.
    #[default]
    File,
    /// A file that holds our marked block.
    Brief,
}

/// A user's file as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Before {
    /// Digest of its bytes.
    pub sha256: String,
    /// Length in bytes.
    pub len: u64,
    /// Permission bits.
    pub mode: u32,
    /// The text of the link that stood at the path, where the file was reached through one.
    #[serde(skip_serializing_if = "Option::is_none", with = "link_text")]
    pub link: Option<PathBuf>,
}

impl Manifest {
    /// An announced round.
    pub(super) fn announce(work_dir: &Path, token: &str, entries: Vec<ManifestEntry>) -> Manifest {
        let absolute = |wanted: EntryKind| {
            entries.iter().filter(move |e| e.kind == wanted).map(|e| work_dir.join(&e.path)).collect()
        };
        Manifest {
            files: absolute(EntryKind::File),
            dirs: absolute(EntryKind::Dir),
            record: Some(Record {
                version: VERSION,
                work_dir: work_dir.to_owned(),
                state: State::Applying,
                token: token.to_owned(),
                entries: entries.clone(),
                origins: Vec::new(),
            }),
            other: Map::new(),
        }
    }

    /// Reads the manifest of an env root; `None` when it is missing.
    ///
    /// # Errors
    /// A [`Code::UnreadableState`] failure; nothing may be removed on a guess.
    pub fn load(env: &Tree) -> Result<Option<Manifest>> {
        let damaged = |why: &dyn std::fmt::Display| {
            Failure::new(
                Code::UnreadableState,
                format!("{} is damaged: {why}", env.path().join(names::MANIFEST).display()),
            )
            .hint("nothing was removed; remove the marked block and the files that it lists by hand")
        };
        let bytes = match env.read(Path::new(names::MANIFEST), MAX_MANIFEST) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(None),
            Err(error) => return Err(damaged(&error).into()),
        };
        if bytes.trim_ascii() == b"null" {
            return Ok(Some(Manifest::default()));
        }
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(damaged(&"not a JSON object").into());
        }
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| damaged(&error))?;
        if let Some(record) = manifest.record.as_ref().filter(|record| record.version > VERSION) {
            return Err(damaged(&format!("version {} is newer than this program", record.version)).into());
        }
        Ok(Some(manifest))
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("paths of this program are UTF-8 by the checks at the door")
    }

    /// What the next round needs to know of this one and those before it; asked before this one is taken back.
    pub fn earlier(&self) -> Earlier {
        Earlier {
            touched: self.record.as_ref().map(Record::touched).unwrap_or_default(),
            other: self.other.clone(),
        }
    }

    /// Makes this round the one after `earlier`.
    pub(super) fn follow(&mut self, earlier: &Earlier) {
        if let Some(record) = self.record.as_mut() {
            record.remember(&earlier.touched);
        }
        self.other.clone_from(&earlier.other);
    }

    /// Replaces the file, durably. The caller holds the lock.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn store(&self, env: &Tree) -> Result<()> {
        env.replace(Path::new(names::MANIFEST), &self.to_bytes(), 0o644, names::TEMPORARY)
            // Without it a power cut could bring the old list back, which lacks the new files.
            .and_then(|()| env.sync())
            .with_context(|| format!("write {}", env.path().join(names::MANIFEST).display()))
    }

    /// Whether no round was cut short, on its way in or out.
    pub fn is_complete(&self) -> bool {
        let state = self.record.as_ref().map(|record| record.state);
        !matches!(state, Some(State::Applying | State::TakingBack))
    }

    /// Whether all of an announced round is on the disk.
    pub fn is_in_place(&self) -> bool {
        self.record.as_ref().is_none_or(|record| record.state == State::Applied)
    }

    /// Says that the round is about to be taken back, so that a crash in the middle is known for what it is.
    ///
    /// # Errors
    /// As the system reports them; nothing may be taken back then.
    pub fn announce_taking_back(&mut self, env: &Tree) -> Result<()> {
        match self.record.as_mut() {
            Some(record) if record.state == State::Applied => record.state = State::TakingBack,
            _ => return Ok(()),
        }
        self.store(env)
    }
}

/// The text of a link as a string, or as a list of its bytes where it is not UTF-8: it is the user's, so it may be
/// anything.
mod link_text {
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::PathBuf;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Text {
        Plain(String),
        Bytes(Vec<u8>),
    }

    pub(super) fn serialize<S: Serializer>(link: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
        let text = link.as_ref().map(|link| match link.to_str() {
            Some(text) => Text::Plain(text.to_owned()),
            None => Text::Bytes(link.as_os_str().as_bytes().to_owned()),
        });
        text.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
        Ok(Option::<Text>::deserialize(from)?.map(|text| match text {
            Text::Plain(text) => text.into(),
            Text::Bytes(bytes) => OsString::from_vec(bytes).into(),
        }))
    }
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
    Ok(Option::<Vec<PathBuf>>::deserialize(deserializer)?.unwrap_or_default())
}

/// The entries of files, by their paths: a round may have tens of thousands.
pub(super) fn written_files(entries: &[ManifestEntry]) -> HashMap<&Path, &ManifestEntry> {
    let files = entries.iter().filter(|entry| entry.kind == EntryKind::File);
    files.map(|entry| (entry.path.as_path(), entry)).collect()
}

/// The path below the work dir, if it is one: no `..`, not the work dir itself.
pub(super) fn inside(work_dir: &Path, absolute: &Path) -> Option<PathBuf> {
    let relative = absolute.strip_prefix(work_dir).ok()?;
    let plain = relative.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    (plain && !relative.as_os_str().is_empty()).then(|| relative.to_owned())
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

    #[test]
    fn an_empty_manifest_is_an_empty_object_and_unknown_keys_stay() {
        assert_eq!(Manifest::default().to_bytes(), b"{}");
        let text = br#"{"files":["/w/a"],"dirs":["/w/b"],"later":{"n":1.50}}"#;
        let manifest: Manifest = serde_json::from_slice(text).unwrap();
        assert_eq!(manifest.to_bytes(), text);
        let ours = Manifest::announce(
            Path::new("/w"),
            "t",
            vec![ManifestEntry { path: "x".into(), ..ManifestEntry::default() }],
        );
        assert_eq!(serde_json::from_slice::<Manifest>(&ours.to_bytes()).unwrap(), ours);
    }
}
