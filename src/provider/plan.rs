//! The plan of what an environment gets for its provider, besides the context in the work dir: homes in the env root,
//! files in the work dir, variables.
//!
//! A provider's module looks at the user's own set-up, which it only reads, and returns a [`HomePlan`], which is plain data.
//! `environment` carries plans out: a crash leaves the old home or the new one, for every provider.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::mcp_reader;
use crate::failure::Failure;
use crate::skills::files::PlannedSkill;
use crate::sys::tree::Tree;
use crate::task::TaskDocument;

/// The variables that the shell form exports for every provider: where the environment is, and where to work.
pub const ALWAYS_EXPORTED: [&str; 2] = ["EXECENV_ROOT", "EXECENV_WORKDIR"];

/// The MCP servers that a task document asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Mcp {
    /// The document says nothing about servers: the user's own configuration applies.
    #[default]
    Unmanaged,
    /// The agent sees exactly these servers, which may be none, but for those that are [switched off](is_switched_on):
    /// they reach no agent, and neither does a server of the user's with the same name. Values may be secrets.
    Managed(Map<String, Value>),
}

impl Mcp {
    /// Reads the servers of a task document: three states, and each server in the one form of [`mcp_reader`].
    ///
    /// # Errors
    /// A [`Code::BadDocument`](crate::failure::Code::BadDocument) failure that names server and key.
    pub fn parse(config: Option<&Value>) -> Result<Mcp, Failure> {
        match config {
            None | Some(Value::Null) => Ok(Mcp::Unmanaged),
            Some(config) => mcp_reader::read(config).map(Mcp::Managed),
        }
    }
}

/// Whether an agent may see this server. Not every agent CLI knows a switch (`"disabled": true`, `"enabled": false`):
/// Claude Code and Cursor would start the server.
pub fn is_switched_on(server: &Value) -> bool {
    server["disabled"] != true && server["enabled"] != false
}

/// Whether the agent sees the user's own servers when a task manages servers (decision D10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum McpMode {
    /// The agent does not see them.
    #[default]
    Strict,
    /// The agent sees them too; of two with the same name, the task's wins.
    Merge,
}

/// The system that the agent will run on. A value, so that every row of a policy is a test anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Os {
    /// Linux, and whatever else behaves like it.
    Linux,
    /// macOS.
    MacOs,
}

impl Os {
    /// The system that this program was built for.
    pub const PRESENT: Os = if cfg!(target_os = "macos") { Os::MacOs } else { Os::Linux };
}

/// Options of the command line that concern homes.
#[derive(Clone, Debug, Default)]
pub struct HomeOptions {
    /// `--mcp-mode`.
    pub mcp_mode: McpMode,
    /// `--agent-memory on`: what an agent CLI remembers from one task to the next stays switched on.
    pub keeps_memory: bool,
    /// `--codex-version`: free text with a version in it; empty: not known.
    pub codex_version: String,
    /// `--codex-sandbox`; `None`: by system and version (decision D9).
    pub codex_sandbox: Option<String>,
    /// `--codex-network`; `None`: on, wherever the sandbox can have one.
    pub codex_network: Option<bool>,
    /// The OpenClaw program, already found. `None`: it is not here.
    pub openclaw: Option<PathBuf>,
    /// Set on an interrupt; a provider's program that is being asked something is ended, too.
    pub stop: Arc<AtomicBool>,
}

/// Everything that a provider's plan may depend on. Besides this it reads files below the user's home and where a variable
/// of the environment points; it never changes them.
#[derive(Clone, Copy, Debug)]
pub struct HomeRequest<'a> {
    /// The task.
    pub task: &'a TaskDocument,
    /// Its workspace.
    pub workspace_id: &'a str,
    /// Where the env root will be. On a first prepare nothing stands there yet.
    pub env_root: &'a Path,
    /// Where the agent will run.
    pub work_dir: &'a Path,
    /// The work dir is a folder of the user's.
    pub is_local: bool,
    /// The folder for what outlives an environment, below the workspaces root. It need not exist.
    pub stores: &'a Path,
    /// The user's home.
    pub user_home: Option<&'a Path>,
    /// The variables that `execenv` was started with.
    pub inherited: &'a [(OsString, OsString)],
    /// Variables that the agent gets from the platform, whatever the provider.
    pub given: &'a BTreeMap<String, String>,
    /// The task's skills.
    pub skills: &'a [PlannedSkill],
    /// The task's MCP servers.
    pub mcp: &'a Mcp,
    /// Options of the command line.
    pub options: &'a HomeOptions,
    /// The env root as it stands, when it is used again.
    pub present: Option<&'a Tree>,
    /// The folders elsewhere that git writes when it commits in the work dir. Asked only by a provider whose sandbox needs them.
    pub git_folders: LookedFor<'a>,
    /// The system.
    pub os: Os,
    /// The present time.
    pub now: DateTime<Utc>,
}

/// Folders that are looked for only where they matter.
#[derive(Clone, Copy)]
pub struct LookedFor<'a>(pub &'a dyn Fn() -> Vec<PathBuf>);

impl fmt::Debug for LookedFor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LookedFor")
    }
}

impl HomeRequest<'_> {
    /// A variable of the environment, if it is there, is text, and is not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let found = self.inherited.iter().find(|(key, _)| key == name)?;
        found.1.to_str().filter(|value| !value.is_empty())
    }
}

/// The most that is copied of a file of the user's whose blocks cannot be shared, in bytes.
pub const MOST_COPIED: u64 = 256 << 20;

/// What is to stand in the env root, in the work dir and in the agent's variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HomePlan {
    /// Folders and files of the env root.
    pub homes: Vec<Home>,
    /// Files of the work dir, listed in the sidecar manifest.
    pub sidecars: Vec<HomeSidecar>,
    /// Variables that the agent must be started with. Paths and switches: they are shown, and lie in the record.
    pub exports: BTreeMap<String, String>,
    /// The same for values that are secrets, or hold some: kept in files with mode 0600, never shown.
    pub private_exports: BTreeMap<String, String>,
    /// Folders below [`HomeRequest::stores`] that a link of the plan leads to: made (0700, each level) before.
    pub stores: Vec<PathBuf>,
    /// Files that a store begins with, each with the file of the user's that it is copied from, as by
    /// [`HomeEntry::Copied`]. One that is there stays as it is.
    pub store_files: Vec<(PathBuf, PathBuf)>,
    /// Files below [`HomeRequest::stores`], by relative path, that only save time: written whole with mode 0600, after
    /// everything else. A failure to write one is only logged.
    pub caches: Vec<(PathBuf, Vec<u8>)>,
    /// What a person should know. No secret, and no path that a user chose, where a classifier could match it.
    pub warnings: Vec<String>,
}

/// One folder or file at the top of the env root that is the provider's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Its name in the env root, such as `codex-home`.
    pub name: &'static str,
    /// What it is to be.
    pub content: HomeContent,
}

/// What stands at a [`Home`]'s name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HomeContent {
    /// Nothing: what an earlier `prepare` has put there is removed.
    Nothing,
    /// One file.
    File {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Its mode from the first moment.
        mode: u32,
    },
    /// A folder.
    Folder {
        /// Its mode; enforced on a folder that is there already.
        mode: u32,
        /// What is in it: parents before children, paths relative to the folder. An entry replaces whatever an older
        /// home has at its top-level name.
        entries: Vec<(PathBuf, HomeEntry)>,
        /// Top-level names of an older home that go although nothing replaces them. Every other one is the agent's
        /// and stays: sessions, histories, caches.
        dropped: Vec<OsString>,
    },
}

/// Something inside a home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HomeEntry {
    /// A folder.
    Dir {
        /// Its mode.
        mode: u32,
    },
    /// A folder whose older content is the agent's and stays; only what the plan names below it is replaced.
    Kept {
        /// Its mode; enforced on a folder that is there already.
        mode: u32,
    },
    /// Nothing: what an older home has here is removed. Only below an [`HomeEntry::Kept`].
    Absent,
    /// A file with a content of ours.
    File {
        /// Its bytes.
        bytes: Vec<u8>,
        /// Its mode from the first moment.
        mode: u32,
    },
    /// A symbolic link to something of the user's, or in a store.
    Link {
        /// Its target; absolute.
        target: PathBuf,
    },
    /// A file of the task's own that begins as a file of the user's. Where the file system shares no blocks and it has
    /// more than [`MOST_COPIED`] bytes, a second name for the user's.
    Copied {
        /// The file; absolute.
        source: PathBuf,
    },
    /// A second name for a file that is too big to copy; a symbolic link where the file systems differ.
    Shared {
        /// The file; absolute.
        source: PathBuf,
    },
}

/// A file of the work dir.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeSidecar {
    /// Its place, relative to the work dir.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its mode from the first moment.
    pub mode: u32,
    /// What to do where something stands already.
    pub if_taken: IfTaken,
}

/// What to do where something stands at a sidecar's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfTaken {
    /// Fail: without our file the environment would not be what was asked for.
    Refuse,
    /// Keep it, and warn with this text.
    Leave(String),
    /// Keep it: it does as well.
    Keep,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn servers_have_three_states() {
        let managed = |value: Value| Mcp::Managed(value.as_object().cloned().unwrap_or_default());
        for (config, expected) in [
            (None, Mcp::Unmanaged),
            (Some(json!(null)), Mcp::Unmanaged),
            (Some(json!({})), managed(json!({}))),
            (Some(json!({"mcpServers": null})), managed(json!({}))),
            (Some(json!({"mcpServers": {}, "other": 1})), managed(json!({}))),
            (Some(json!({"mcpServers": {"a": {"command": "c"}}})), managed(json!({"a": {"command": "c"}}))),
            (
                Some(json!({"mcpServers": {"a": {"disabled": true}, "b": {"enabled": false}}})),
                managed(json!({"a": {"disabled": true}, "b": {"enabled": false}})),
            ),
        ] {
            assert_eq!(Mcp::parse(config.as_ref()).unwrap(), expected, "{config:?}");
        }
        assert!(Mcp::parse(Some(&json!([]))).is_err());
    }
}
