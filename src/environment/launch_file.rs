//! The private part of the task document, for a run: `launch/task.json`, mode 0600 in a folder with mode 0700.
//!
//! It is input, not state: `prepare` and `reuse` write it, `run` reads it, and it is removed with the work dir.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::layout::names;
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

impl LaunchFile {
    /// Its path below the env root; `None` if it would be empty.
    pub(super) fn file(&self) -> Option<PathBuf> {
        (*self != LaunchFile::default()).then(|| Path::new(names::LAUNCH).join(FILE))
    }

    /// Writes the file, or removes an old one if it would be empty.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn store(&self, env: &Tree) -> Result<()> {
        let folder = Path::new(names::LAUNCH);
        let doing = || format!("write {}/{FILE}", env.path().join(folder).display());
        if *self == LaunchFile::default() {
            return env.remove_file(&folder.join(FILE)).with_context(doing);
        }
        env.ensure_dir(folder, 0o700).with_context(doing)?;
        let bytes = serde_json::to_vec(self).with_context(doing)?;
        env.replace_unsynced(&folder.join(FILE), &bytes, 0o600, names::TEMPORARY).with_context(doing)
    }

    /// Reads the file; empty when there is none.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn load(env: &Tree) -> Result<LaunchFile> {
        let path = Path::new(names::LAUNCH).join(FILE);
        let doing = || format!("read {}", env.path().join(&path).display());
        match env.read(&path, 64 << 20).with_context(doing)? {
            None => Ok(LaunchFile::default()),
            Some(bytes) => serde_json::from_slice(&bytes).with_context(doing),
        }
    }
}
