//! `.multica_sidecar_manifest.json`: multica's two lists, plus what execenv's crash-safe journal needs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::before::{Before, digest};
use super::folder::Folder;
use super::proof::{self, Seal};
use super::site::{Grounds, Site};
use crate::failure::{Code, Failure};
use crate::layout::{self, names};
use crate::sys::silent::is_one_path;
use crate::sys::tree::{Tree, is_unreadable};

/// The version of execenv's own part that this version writes.
const VERSION: u32 = 1;
/// The largest manifest that is read, in bytes.
const MAX_MANIFEST: u64 = 32 << 20;

/// The file. Paths in `files` and `dirs` are absolute, as multica writes and reads them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Manifest {
    /// Created files, in the order of creation.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_empty")]
    pub files: Vec<PathBuf>,
    /// Created folders, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_empty")]
    pub dirs: Vec<PathBuf>,
    /// execenv's own part; `None` in a manifest that multica wrote.
    #[serde(rename = "execenv", skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
    /// Keys that this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
    /// The digest of what a proof covers, as it was read or written.
    #[serde(skip)]
    covered: Option<[u8; 32]>,
}

/// The journal, which multica's lists do not contain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Record {
    /// Version of this object.
    pub version: u32,
    /// The folder that contains all entries.
    pub work_dir: PathBuf,
    /// Which folder that was, for a user folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<Folder>,
    /// How far the round got.
    pub state: State,
    /// Names the temporary files of this round: `.execenv-<token>`.
    pub token: String,
    /// Each file or folder that is created or changed, in order.
    pub entries: Vec<ManifestEntry>,
    /// Paths that an earlier round touched, as they were before the first round, if `entries` does not contain that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<ManifestEntry>,
    /// Digest of the inventory of the folder before the first round, if one was made; see
    /// [`Inventory`](super::Inventory).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inventory: Option<String>,
    /// The proof that execenv wrote this manifest; see [`Manifest::is_proved`]. For user folders only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

impl Record {
    /// The record of a folder with nothing of ours in it.
    pub fn of(work_dir: &Path) -> Record {
        Record { version: VERSION, work_dir: work_dir.to_owned(), ..Record::default() }
    }

    /// Every path that any round touched, as it was before the first round.
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

    /// Records what earlier rounds touched. `before` of an entry stays what this round found, because roll-back
    /// restores that: it includes what the agent wrote in between.
    fn remember(&mut self, touched: &[ManifestEntry]) {
        let known: HashMap<&Path, &ManifestEntry> =
            self.entries.iter().map(|entry| (entry.path.as_path(), entry)).collect();
        let forgotten = touched
            .iter()
            .filter(|old| known.get(old.path.as_path()).is_none_or(|entry| entry.before != old.before));
        self.origins = forgotten.map(|old| ManifestEntry { sha256: None, ..old.clone() }).collect();
    }
}

/// What the next round needs to know of earlier ones. The default is for the first round.
#[derive(Default)]
pub struct Earlier {
    /// [`Record::touched`].
    pub(super) touched: Vec<ManifestEntry>,
    /// [`Record::inventory`].
    inventory: Option<String>,
    /// Keys of the manifest that this version does not know.
    other: Map<String, Value>,
}

impl Earlier {
    /// For the first round: the digest of the inventory, if one was made.
    pub fn first(inventory: Option<String>) -> Earlier {
        Earlier { inventory, ..Earlier::default() }
    }
}

/// How far a round got. A round is one `prepare` or `reuse` that writes sidecars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Announced; some, all or none of it is on disk.
    #[default]
    Applying,
    /// All of it is on disk.
    Applied,
    /// Roll-back has begun; some of it may be removed.
    TakingBack,
    /// Rolled back, except for what `files` and `dirs` still list.
    TakenBack,
}

/// One file or folder in the work dir.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ManifestEntry {
    /// Its path, relative to the work dir.
    pub path: PathBuf,
    /// Its kind.
    pub kind: EntryKind,
    /// Digest of the bytes that were written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What was there before; absent: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
}

/// Kinds of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A folder that execenv created.
    Dir,
    /// A file that execenv created.
    #[default]
    File,
    /// A file that contains execenv's marked block.
    Brief,
}

impl Manifest {
    /// The manifest of an announced round.
    pub(super) fn announce(
        work_dir: &Path,
        folder: Option<Folder>,
        token: &str,
        entries: Vec<ManifestEntry>,
    ) -> Manifest {
        let absolute = |wanted: EntryKind| {
            entries.iter().filter(move |e| e.kind == wanted).map(|e| work_dir.join(&e.path)).collect()
        };
        Manifest {
            files: absolute(EntryKind::File),
            dirs: absolute(EntryKind::Dir),
            record: Some(Record {
                version: VERSION,
                work_dir: work_dir.to_owned(),
                folder,
                state: State::Applying,
                token: token.to_owned(),
                entries: entries.clone(),
                origins: Vec::new(),
                inventory: None,
                proof: None,
            }),
            other: Map::new(),
            covered: None,
        }
    }

    /// Reads the manifest of an env root; `None` when it is missing.
    ///
    /// # Errors
    /// A [`Code::UnreadableState`] failure: without a readable manifest nothing may be removed.
    pub fn load(env: &Tree) -> Result<Option<Manifest>> {
        Manifest::load_even_damaged(env)?.map_err(|why| {
            let (path, env) = (env.path().join(names::MANIFEST), env.path().display());
            Failure::new(Code::UnreadableState, format!("{} cannot be used: {why}", path.display()))
                .hint(format!(
                    "nothing was removed. If {env} works in a folder of yours: `execenv cleanup {env} --local-dir \
                     FOLDER` takes back what is certainly execenv's"
                ))
                .into()
        })
    }

    /// As [`Manifest::load`]; the inner error says why the file is damaged.
    ///
    /// # Errors
    /// A [`Code::UnreadableState`] failure if the file cannot be read, or a newer version wrote it.
    pub fn load_even_damaged(env: &Tree) -> Result<std::result::Result<Option<Manifest>, String>> {
        let path = || env.path().join(names::MANIFEST);
        let bytes = match env.read(Path::new(names::MANIFEST), MAX_MANIFEST) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(Ok(None)),
            Err(error) if is_unreadable(&error) => return Err(Failure::cannot_read(&path(), &error).into()),
            Err(error) => return Ok(Err(error.to_string())),
        };
        if bytes.trim_ascii() == b"null" {
            return Ok(Ok(Some(Manifest::default())));
        }
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Ok(Err("not a JSON object".to_owned()));
        }
        let mut manifest: Manifest = match serde_json::from_slice(&bytes) {
            Ok(manifest) => manifest,
            Err(error) => return Ok(Err(error.to_string())),
        };
        if manifest.record.as_ref().is_some_and(|record| record.proof.is_some()) {
            manifest.covered = proof::covered(&bytes);
        }
        match manifest.record.as_ref().filter(|record| record.version > VERSION) {
            None => {
                manifest.follow_root(env.path());
                Ok(Ok(Some(manifest)))
            }
            Some(record) => {
                let version = record.version;
                let message = format!("{} has version {version}, newer than this program", path().display());
                Err(Failure::new(Code::UnreadableState, message)
                    .hint("use the version of execenv that wrote it, or a newer one")
                    .into())
            }
        }
    }

    /// Whether execenv wrote this manifest, as it was read, for this environment: it has a proof under the operator's
    /// key. Without one it is a claim that the agent may have made.
    pub fn is_proved(&self, seal: &Seal<'_>) -> bool {
        let proof = self.record.as_ref().and_then(|record| record.proof.as_deref());
        let (Some(proof), Some(covered)) = (proof, &self.covered) else { return false };
        proof::is_equal(proof, &seal.of(covered))
    }

    /// Gives the manifest a proof of what it says now; without a seal it has none.
    pub fn prove(&mut self, seal: Option<&Seal<'_>>) {
        let Some(record) = self.record.as_mut() else { return };
        record.proof = None;
        self.covered = None;
        let Some(seal) = seal else { return };
        self.covered = proof::covered(&self.to_bytes());
        let proof = self.covered.as_ref().map(|covered| seal.of(covered));
        if let Some(record) = self.record.as_mut() {
            record.proof = proof;
        }
    }

    /// Reads the paths of a managed work dir below the env root as it lies now: the root may have been moved. The paths of a
    /// user folder stay.
    fn follow_root(&mut self, env_root: &Path) {
        let named = self.record.as_ref().map(|record| &record.work_dir).or(self.files.first());
        let Some(former) = named.and_then(|named| layout::former_root(named, env_root)) else { return };
        let former = former.to_owned();
        let work_dir = self.record.as_mut().map(|record| &mut record.work_dir);
        for path in self.files.iter_mut().chain(&mut self.dirs).chain(work_dir) {
            if let Some(now) = layout::below_root_now(path, &former, env_root) {
                *path = now;
            }
        }
    }

    /// Files of a work dir that hold nothing but what is ours: those that execenv created, and files of others as they were
    /// left with its block in them. Absolute paths.
    pub fn ours(&self, work_tree: Option<&Tree>) -> Vec<PathBuf> {
        let mut ours = self.files.clone();
        let (Some(record), Some(work_tree)) = (&self.record, work_tree) else { return ours };
        let briefs = record.entries.iter().filter(|entry| entry.kind == EntryKind::Brief);
        let is_as_written = |entry: &&ManifestEntry| {
            let bytes = work_tree.read(&entry.path, MAX_MANIFEST).ok().flatten();
            entry.sha256.is_some() && bytes.map(|bytes| digest(&bytes)) == entry.sha256
        };
        ours.extend(briefs.filter(is_as_written).map(|entry| record.work_dir.join(&entry.path)));
        ours
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self)
            .expect("paths of this program are UTF-8, which is checked where they come in")
    }

    /// Makes the entries those of this folder: the one that they name, by another path.
    pub fn move_to(&mut self, folder: &Path) {
        let from =
            self.record.as_mut().map(|record| std::mem::replace(&mut record.work_dir, folder.to_owned()));
        let relative = |path: &Path| match &from {
            Some(from) => inside(from, path),
            // multica's list has paths only.
            None => path
                .ancestors()
                .find(|above| is_one_path(above, folder))
                .and_then(|above| inside(above, path)),
        };
        for path in self.files.iter_mut().chain(&mut self.dirs) {
            if let Some(relative) = relative(path) {
                *path = folder.join(relative);
            }
        }
    }

    /// What the next round needs to know of this one and those before it. Call it before this round is rolled back.
    pub fn earlier(&self, site: &Site<'_>) -> Earlier {
        let record = match site.grounds {
            Grounds::Record => self.record.as_ref(),
            // A claim of how a file was must not become a proof of it.
            Grounds::Word(_) => None,
        };
        Earlier {
            touched: record.map(Record::touched).unwrap_or_default(),
            inventory: record.and_then(|record| record.inventory.clone()),
            other: self.other.clone(),
        }
    }

    /// Makes this round the one after `earlier`.
    pub(super) fn follow(&mut self, earlier: &Earlier) {
        if let Some(record) = self.record.as_mut() {
            record.remember(&earlier.touched);
            record.inventory.clone_from(&earlier.inventory);
        }
        self.other.clone_from(&earlier.other);
    }

    /// Replaces the file, durably, and renews its proof. The caller holds the lock.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn store(&mut self, env: &Tree, seal: Option<&Seal<'_>>) -> Result<()> {
        self.prove(seal);
        env.replace_in_any_room(Path::new(names::MANIFEST), &self.to_bytes(), 0o644, names::TEMPORARY)
            // Without the sync a power cut could restore the old list, which lacks the new files.
            .and_then(|()| env.sync())
            .with_context(|| format!("write {}", env.path().join(names::MANIFEST).display()))
    }

    /// Whether no round was interrupted, neither while writing nor during roll-back.
    pub fn is_complete(&self) -> bool {
        let state = self.record.as_ref().map(|record| record.state);
        !matches!(state, Some(State::Applying | State::TakingBack))
    }

    /// Whether execenv has taken everything back that was listed.
    pub fn is_taken_back(&self) -> bool {
        let state = self.record.as_ref().map(|record| record.state);
        state == Some(State::TakenBack) && self.files.is_empty() && self.dirs.is_empty()
    }

    /// Whether all of an announced round is on disk.
    pub fn is_in_place(&self) -> bool {
        self.record.as_ref().is_none_or(|record| record.state == State::Applied)
    }

    /// Records that roll-back begins, so that the next command recognises an interrupted roll-back.
    ///
    /// # Errors
    /// As the system reports them; the caller must not start the roll-back then.
    pub fn announce_taking_back(&mut self, env: &Tree, seal: Option<&Seal<'_>>) -> Result<()> {
        match self.record.as_mut() {
            Some(record) if record.state == State::Applied => record.state = State::TakingBack,
            _ => return Ok(()),
        }
        self.store(env, seal)
    }
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
    Ok(Option::<Vec<PathBuf>>::deserialize(deserializer)?.unwrap_or_default())
}

/// The entries of files, by path: a round may have tens of thousands.
pub(super) fn written_files(entries: &[ManifestEntry]) -> HashMap<&Path, &ManifestEntry> {
    let files = entries.iter().filter(|entry| entry.kind == EntryKind::File);
    files.map(|entry| (entry.path.as_path(), entry)).collect()
}

/// The path relative to the work dir; `None` if it is not below it or contains `..`.
pub(super) fn inside(work_dir: &Path, absolute: &Path) -> Option<PathBuf> {
    let relative = absolute.strip_prefix(work_dir).ok()?;
    let plain = relative.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    (plain && !relative.as_os_str().is_empty()).then(|| relative.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_manifest_is_an_empty_object_and_unknown_keys_stay() {
        assert_eq!(Manifest::default().to_bytes(), b"{}");
        let text = br#"{"files":["/w/a"],"dirs":["/w/b"],"later":{"n":1.50}}"#;
        let manifest: Manifest = serde_json::from_slice(text).unwrap();
        assert_eq!(manifest.to_bytes(), text);
        let ours = Manifest::announce(
            Path::new("/w"),
            None,
            "t",
            vec![ManifestEntry { path: "x".into(), ..ManifestEntry::default() }],
        );
        assert_eq!(serde_json::from_slice::<Manifest>(&ours.to_bytes()).unwrap(), ours);
    }
}
