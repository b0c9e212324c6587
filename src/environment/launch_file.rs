//! The private part of the task document, for a run: `launch/task.json`, mode 0600 in a folder with mode 0700.
//!
//! It is input, not state: `prepare` and `reuse` write it, `run` reads it, and it is removed with the work dir.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::key::KeyFile;
use super::lookup::FoundEnv;
use super::path::quoted;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::sidecar::Seal;
use crate::sys::tree::Tree;

/// The launch file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LaunchFile {
    /// The prompt composed from the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The agent's variables; their values may be secrets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_env: BTreeMap<String, String>,
    /// The agent's arguments; they may hold secrets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub custom_args: Vec<String>,
    /// The requested model.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// The managed MCP servers; they may hold secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcp_config: Option<Value>,
    /// Whether the agent also gets the user's own servers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub merge_mcp: bool,
}

const FILE: &str = names::LAUNCH_FILE;
/// The key of the proof that execenv wrote the rest.
const PROOF: &str = "proof";

impl LaunchFile {
    /// Its path below the env root; `None` if it would be empty.
    pub(super) fn file(&self) -> Option<PathBuf> {
        (*self != LaunchFile::default()).then(|| Path::new(names::LAUNCH).join(FILE))
    }

    /// Writes the file, with a proof under a seal, or removes an old one if it would be empty.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn store(&self, env: &Tree, seal: Option<&Seal<'_>>) -> Result<()> {
        let folder = Path::new(names::LAUNCH);
        let doing = || format!("write {}/{FILE}", env.path().join(folder).display());
        if *self == LaunchFile::default() {
            return env.remove_file(&folder.join(FILE)).with_context(doing);
        }
        env.ensure_dir(folder, 0o700).with_context(doing)?;
        let mut bytes = serde_json::to_vec(self).with_context(doing)?;
        if let Some(seal) = seal {
            let mut object: Map<String, Value> = serde_json::from_slice(&bytes).with_context(doing)?;
            let proof = seal.of_launch_file(&serde_json::to_vec(&object).with_context(doing)?);
            object.insert(PROOF.into(), proof.into());
            bytes = serde_json::to_vec(&object).with_context(doing)?;
        }
        env.replace_unsynced(&folder.join(FILE), &bytes, 0o600, names::TEMPORARY).with_context(doing)
    }

    /// Reads the file of an environment; empty when there is none. An agent can write it, and names programs to start in
    /// it: where there is a key, it must have the proof that `prepare` or `reuse` gave it.
    ///
    /// # Errors
    /// When it is damaged; [`Code::Unproved`] if it was changed.
    pub fn load(found: &FoundEnv, keys: &KeyFile) -> Result<LaunchInput> {
        let path = Path::new(names::LAUNCH).join(FILE);
        let place = found.env.tree.path().join(&path);
        let doing = || format!("read {}", place.display());
        let Some(bytes) = found.env.tree.read(&path, 64 << 20).with_context(doing)? else {
            return Ok(LaunchInput::default());
        };
        let mut object: Map<String, Value> = serde_json::from_slice(&bytes).with_context(doing)?;
        let proof = object.shift_remove(PROOF);
        let mut warning = None;
        if let Some(seal) = keys.seal(&found.env.key()) {
            let covered = serde_json::to_vec(&object).with_context(doing)?;
            match proof.as_ref().map(|proof| proof.as_str().unwrap_or_default()) {
                Some(proof) if seal.proves_launch_file(&covered, proof) => {}
                None if is_older_than_key(found, keys) => {
                    warning = Some(format!(
                        "nothing proves that {} is as `prepare` wrote it, because your key is newer; `execenv reuse` \
                         with the task document writes it again",
                        place.display()
                    ));
                }
                None => return Err(has_no_proof(found, &place, keys)),
                Some(_) => return Err(changed(found, &place, keys)),
            }
        }
        let file = serde_json::from_value(Value::Object(object)).with_context(doing)?;
        Ok(LaunchInput { file, warning })
    }
}

/// The launch file as it was read.
#[derive(Debug, Default)]
pub struct LaunchInput {
    /// What is in it.
    pub file: LaunchFile,
    /// What a person should know of it.
    pub warning: Option<String>,
}

/// Whether the environment was there before the key, so that nothing could prove it. The time of birth is the kernel's: an
/// agent cannot make a folder older.
fn is_older_than_key(found: &FoundEnv, keys: &KeyFile) -> bool {
    let born = found.env.tree.stamp().ok().and_then(|stamp| stamp.born);
    let made = keys.made_at().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    match (born, made) {
        (Some((seconds, nanos)), Some(made)) => Duration::new(seconds, nanos) <= made,
        _ => true, // a file system that keeps no such time
    }
}

/// An environment that was prepared without the key looks as one whose agent has removed the proof.
fn has_no_proof(found: &FoundEnv, place: &Path, keys: &KeyFile) -> anyhow::Error {
    let message = format!(
        "{} has no proof by your key {}, which is older: either the environment was prepared without that key, or an agent \
         has removed the proof, and the two cannot be told apart",
        place.display(),
        keys.shown()
    );
    unproved(found, message)
}

fn changed(found: &FoundEnv, place: &Path, keys: &KeyFile) -> anyhow::Error {
    let message = format!(
        "{} is not as `prepare` or `reuse` wrote it, by your key {}: an agent can have changed it",
        place.display(),
        keys.shown()
    );
    unproved(found, message)
}

fn unproved(found: &FoundEnv, message: String) -> anyhow::Error {
    Failure::new(Code::Unproved, message)
        .hint(format!(
            "it names what a run starts: variables, arguments, servers. `execenv reuse {} --task FILE`, with the task \
             document, writes it again",
            quoted(&found.env.path)
        ))
        .into()
}
