//! The list of the user's login files that the homes link to: `launch/logins.json`, with a proof by the operator's key.
//!
//! An agent can write to its homes and to the list, so without the proof no file of the user's is written, whatever the
//! agent's link says. Like the launch file it is input of a run, and goes with the work dir.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::user_file::UserFile;
use crate::layout::names;
use crate::provider::homes::{folder, is_login};
use crate::provider::plan::{HomeContent, HomeEntry, HomePlan};
use crate::sidecar::Seal;
use crate::sys::silent;
use crate::sys::tree::{FileKind, Tree};
use crate::task::hex;

/// The key of the list, and that of its proof.
const LIST: &str = "logins";
const PROOF: &str = "proof";
/// The longest list that is read, in bytes.
const MAX_LIST: u64 = 1 << 20;

/// A login file of the user's that a home links to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LoginRecord {
    /// The link, below the env root.
    pub(super) place: PathBuf,
    /// Its text.
    pub(super) target: PathBuf,
    /// The file to which that led, by a path without links.
    pub(super) file: PathBuf,
    /// The digest of the bytes with which an agent begins.
    pub(super) sha256: String,
    /// The name of a new file while it is written beside the user's. No other environment has the same.
    pub(super) temporary: String,
}

impl LoginRecord {
    /// Looks at the file behind a link. `None`: there is no file that could be replaced.
    fn of(env_root: &Path, place: PathBuf, target: PathBuf) -> Option<LoginRecord> {
        let file = silent::resolve(&target)?;
        let sha256 = digest(&UserFile::open(&file).ok()?.read().ok()??.bytes);
        [&place, &target, &file].iter().all(|path| path.to_str().is_some()).then_some(())?;
        let whose = digest(env_root.join(&place).as_os_str().as_encoded_bytes());
        let temporary = format!("{}login-{}", names::MOVING, &whose[..12]);
        Some(LoginRecord { place, target, file, sha256, temporary })
    }

    /// Looks again while the link is one. Returns whether the user's file, or the way to it, has changed.
    pub(super) fn renew(&mut self, env: &Tree) -> bool {
        if !matches!(env.kind(&self.place), Ok(Some(FileKind::Link))) {
            return false;
        }
        match LoginRecord::of(env.path(), self.place.clone(), self.target.clone()) {
            Some(now) if (&now.file, &now.sha256) != (&self.file, &self.sha256) => {
                *self = now;
                true
            }
            _ => false,
        }
    }
}

/// The place of the list, below the env root.
pub(super) fn path() -> PathBuf {
    Path::new(names::LAUNCH).join(names::LAUNCH_LOGINS)
}

/// Whether a plan makes a home that may link to logins.
pub(crate) fn has_list(plan: &HomePlan) -> bool {
    plan.homes.iter().any(|home| match &home.content {
        HomeContent::Folder { entries, .. } => folder(home.name).is_some() && !entries.is_empty(),
        _ => false,
    })
}

/// The list for a plan and the env root in which its homes stand, with its proof. `None`: no home may link to logins, or there is no key.
///
/// # Errors
/// When it cannot be written as JSON.
pub(super) fn list_bytes(
    env_root: &Path,
    plan: &HomePlan,
    seal: Option<&Seal<'_>>,
) -> Result<Option<Vec<u8>>> {
    let (true, Some(seal)) = (has_list(plan), seal) else { return Ok(None) };
    let list: Vec<_> =
        planned(plan).filter_map(|(place, target)| LoginRecord::of(env_root, place, target)).collect();
    to_bytes(&list, seal).map(Some)
}

/// The login links of a plan: place and target.
pub(super) fn planned(plan: &HomePlan) -> impl Iterator<Item = (PathBuf, PathBuf)> {
    plan.homes.iter().flat_map(|home| {
        let entries = match &home.content {
            HomeContent::Folder { entries, .. } => &entries[..],
            _ => &[],
        };
        let links = entries.iter().filter_map(move |(path, entry)| match entry {
            HomeEntry::Link { target } => Some((Path::new(home.name).join(path), target.clone())),
            _ => None,
        });
        links.filter(|(place, _)| is_login(place))
    })
}

/// A list as bytes.
///
/// # Errors
/// When it cannot be written as JSON.
pub(super) fn to_bytes(list: &[LoginRecord], seal: &Seal<'_>) -> Result<Vec<u8>> {
    let mut object = Map::from_iter([(LIST.to_owned(), json!(list))]);
    let proof = seal.of_logins(&serde_json::to_vec(&object)?);
    object.insert(PROOF.to_owned(), proof.into());
    Ok(serde_json::to_vec(&object)?)
}

/// Reads the list; `None` unless it has its proof.
pub(super) fn load(env: &Tree, seal: &Seal<'_>) -> Option<Vec<LoginRecord>> {
    let bytes = env.read(&path(), MAX_LIST).ok()??;
    let mut object: Map<String, Value> = serde_json::from_slice(&bytes).ok()?;
    let proof = object.shift_remove(PROOF)?;
    let is_ours = seal.proves_logins(&serde_json::to_vec(&object).ok()?, proof.as_str()?);
    serde_json::from_value(object.shift_remove(LIST).filter(|_| is_ours)?).ok()
}

/// The digest of a login file.
pub(super) fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
