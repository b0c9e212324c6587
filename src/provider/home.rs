//! What an environment gets for its provider besides the context in the work dir: homes and files of its own in the
//! env root, files in the work dir, variables.
//!
//! A provider's module looks at the user's own set-up, which it only reads, and answers a [`HomePlan`]: plain data.
//! `environment` carries plans out, so that a crash leaves the old home or the new one, whoever the provider is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{codex, copilot, cursor, gemini, hermes};
use crate::skills::files::PlannedSkill;
use crate::sys::tree::{Kind, Tree};
use crate::task::TaskDocument;

/// The variables that the shell form exports for every provider: where the environment is, and where to work.
pub const ALWAYS_EXPORTED: [&str; 2] = ["EXECENV_ROOT", "EXECENV_WORKDIR"];

/// The MCP servers that a task document asks for (`providers.md` 1.1.1).
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Mcp {
    /// Nothing is said: the user's own set-up stays as it is.
    #[default]
    Unmanaged,
    /// The agent sees exactly these servers, which may be none. Values may be secrets.
    Managed(Map<String, Value>),
}

impl Mcp {
    /// Reads the servers of a task document: three states. `None`: it is no object of named servers.
    pub fn parse(config: Option<&Value>) -> Option<Mcp> {
        let config = match config {
            None | Some(Value::Null) => return Some(Mcp::Unmanaged),
            Some(config) => config.as_object()?,
        };
        let servers = match config.get("mcpServers") {
            None | Some(Value::Null) => Map::new(),
            Some(servers) => servers.as_object()?.clone(),
        };
        let are_named = servers.iter().all(|(name, server)| !name.trim().is_empty() && server.is_object());
        are_named.then_some(Mcp::Managed(servers))
    }
}

/// What becomes of the user's own servers when a task manages them (decision D10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum McpMode {
    /// They are not seen.
    #[default]
    Strict,
    /// They are seen too; a managed one of the same name goes before.
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

/// What the command line says of homes.
#[derive(Clone, Debug, Default)]
pub struct HomeOptions {
    /// `--mcp-mode`.
    pub mcp_mode: McpMode,
    /// `--codex-version`: free text with a version in it; empty: not known.
    pub codex_version: String,
    /// `--codex-sandbox`; `None`: by system and version (decision D9).
    pub codex_sandbox: Option<String>,
    /// The OpenClaw program, already found. `None`: it is not here.
    pub openclaw: Option<PathBuf>,
    /// Set when somebody asks for the end: a program that is being asked something ends, too.
    pub stop: Arc<AtomicBool>,
}

/// Everything that a provider's module may go by. What is not in here it must not look at, except files below the
/// user's home and where a variable of the environment points, which it only reads.
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
    /// What the command line says.
    pub options: &'a HomeOptions,
    /// The env root as it stands, when it is used again.
    pub present: Option<&'a Tree>,
    /// The system.
    pub os: Os,
    /// The present time.
    pub now: DateTime<Utc>,
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
    /// [`Entry::Copied`]. One that is there stays as it is.
    pub store_files: Vec<(PathBuf, PathBuf)>,
    /// Files below [`HomeRequest::stores`], by relative path, that only save time: written whole with mode 0600, after
    /// everything else. One that cannot be written is nothing to speak of.
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
    /// Nothing: what an earlier prepare has put there goes.
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
        entries: Vec<(PathBuf, Entry)>,
        /// Top-level names of an older home that go although nothing replaces them. Every other one is the agent's
        /// and stays: sessions, histories, caches.
        dropped: Vec<OsString>,
    },
}

/// Something inside a home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
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
    /// Nothing: what an older home has here goes. Only below an [`Entry::Kept`].
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
        /// What it says; absolute.
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
    /// Refuse: the environment would not be what was asked for.
    Refuse,
    /// Leave it, and say this.
    Leave(String),
}

/// What the task's provider needs besides the context in the work dir. Nothing is changed.
///
/// # Errors
/// Where what was asked for cannot be had: the environment must not be made then.
pub fn plan(request: &HomeRequest<'_>) -> Result<HomePlan> {
    let said = super::channel::check(request)?;
    let mut plan = match MODULES.iter().find(|(name, _)| *name == request.task.provider) {
        Some((_, plan)) => plan(request)?,
        None => HomePlan::default(),
    };
    plan.warnings.extend(said);
    let left_behind = left_behind(request, &plan)?;
    plan.homes.extend(left_behind);
    Ok(plan)
}

/// Homes that are folders, and what in them makes the agent see what was asked for. It may hold secrets.
static OWN_FILES: &[(&str, &[&str])] = &[
    (codex::HOME_NAME, &codex::SECRET),
    (copilot::HOME, &[copilot::SERVERS]),
    (gemini::FOLDER, &[gemini::SETTINGS]),
    (hermes::HOME, &hermes::OURS),
];

impl HomePlan {
    /// The files of the env root without which an agent would quietly run with another set-up than was asked for.
    pub fn needed(&self) -> Vec<PathBuf> {
        let mut needed = Vec::new();
        for Home { name, content } in &self.homes {
            match content {
                HomeContent::Nothing => {}
                HomeContent::File { .. } => needed.push(PathBuf::from(name)),
                HomeContent::Folder { entries, .. } => {
                    let own = OWN_FILES.iter().find(|(home, _)| home == name).map_or(&[][..], |(_, own)| own);
                    let is_own = |path: &Path| own.iter().any(|own| path == Path::new(own));
                    let files = entries.iter().filter(|(_, entry)| matches!(entry, Entry::File { .. }));
                    needed.extend(
                        files.filter(|(path, _)| is_own(path)).map(|(path, _)| Path::new(name).join(path)),
                    );
                }
            }
        }
        needed
    }
}

/// What becomes of the homes of another provider that the environment was for before (decision D19): files with secrets
/// go, conversations stay.
fn left_behind(request: &HomeRequest<'_>, plan: &HomePlan) -> Result<Vec<Home>> {
    match request.present {
        Some(present) => without_secrets(present, |name| plan.homes.iter().all(|home| home.name != name)),
        None => Ok(Vec::new()),
    }
}

/// What takes the secrets out of an environment that nobody can run in any more, whoever it was for. Conversations stay.
///
/// # Errors
/// When a home cannot be listed.
pub(crate) fn forgetting(present: &Tree) -> Result<HomePlan> {
    let mut homes = without_secrets(present, |_| true)?;
    homes.extend(cursor::forgotten(present)?);
    Ok(HomePlan { homes, ..HomePlan::default() })
}

/// The names of the homes that [`forgetting`] looks into.
pub(crate) fn homes_with_secrets() -> impl Iterator<Item = &'static str> {
    OWN_FILES.iter().map(|(name, _)| *name).chain([cursor::DATA])
}

fn without_secrets(present: &Tree, is_chosen: impl Fn(&str) -> bool) -> Result<Vec<Home>> {
    let is_foreign =
        |name: &str| matches!(present.kind(Path::new(name)), Ok(Some(Kind::Dir))) && is_chosen(name);
    let mut homes = Vec::new();
    for (name, ours) in OWN_FILES.iter().filter(|(name, _)| *name != codex::HOME_NAME && is_foreign(name)) {
        homes.push(super::user_file::given_up_in(present, name, ours)?);
    }
    // Its links stay: one may lead to the store with the conversations.
    if is_foreign(codex::HOME_NAME) {
        let dropped = codex::secrets_in(&present.subtree(Path::new(codex::HOME_NAME))?);
        let content = HomeContent::Folder { mode: 0o700, entries: Vec::new(), dropped };
        homes.push(Home { name: codex::HOME_NAME, content });
    }
    Ok(homes)
}

/// Whether a provider has a module that plans for it.
#[cfg(test)]
pub(super) fn is_planned(provider: &str) -> bool {
    MODULES.iter().any(|(name, _)| *name == provider)
}

type Module = fn(&HomeRequest<'_>) -> Result<HomePlan>;

/// The providers that need more than the context in the work dir, one line each.
static MODULES: &[(&str, Module)] = &[
    ("claude", super::claude::plan),
    ("codex", super::codex::plan),
    ("copilot", super::copilot::plan),
    ("cursor", super::cursor::plan),
    ("dsh", super::dsh::plan),
    ("gemini", super::gemini::plan),
    ("hermes", super::hermes::plan),
    ("openclaw", super::openclaw::plan),
    ("opencode", super::opencode::plan),
    ("qwen", super::qwen::plan),
    ("qwenpaw", super::qwenpaw::plan),
    ("reasonix", super::reasonix::plan),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn servers_have_three_states() {
        let managed = |value: Value| Some(Mcp::Managed(value.as_object().cloned().unwrap_or_default()));
        for (config, expected) in [
            (None, Some(Mcp::Unmanaged)),
            (Some(json!(null)), Some(Mcp::Unmanaged)),
            (Some(json!({})), managed(json!({}))),
            (Some(json!({"mcpServers": null})), managed(json!({}))),
            (Some(json!({"mcpServers": {}, "other": 1})), managed(json!({}))),
            (Some(json!({"mcpServers": {"a": {"command": "c"}}})), managed(json!({"a": {"command": "c"}}))),
            (Some(json!({"mcpServers": {"a": 42}})), None),
            (Some(json!({"mcpServers": {" ": {}}})), None),
            (Some(json!({"mcpServers": []})), None),
            (Some(json!([])), None),
            (Some(json!("x")), None),
        ] {
            assert_eq!(Mcp::parse(config.as_ref()), expected, "{config:?}");
        }
    }
}
