//! Candidates for completion: the shell asks the program itself, so that ENV completes to environments that exist.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap_complete::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};

use super::global::GlobalArgs;
use super::settings::Settings;
use crate::brief::Platform;
use crate::environment::{WorkspacesRoot, trash, upstream_roots};
use crate::gc::look;
use crate::order;
use crate::output::show_age;
use crate::provider;
use crate::sys::clock;
use crate::sys::tree::Tree;

/// The most candidates: more do not help the user.
const MOST: usize = 200;

/// How ENV arguments complete: from what is on disk.
pub(crate) fn env_completer() -> ArgValueCompleter {
    ArgValueCompleter::new(environments)
}

/// Completes an entry of the trash.
pub(crate) fn trash_completer() -> ArgValueCompleter {
    ArgValueCompleter::new(trash)
}

/// Completes a workspace's name.
pub(crate) fn workspace_completer() -> ArgValueCompleter {
    ArgValueCompleter::new(workspaces)
}

/// The workspaces root of the settings, if it can be opened, and the time.
fn open_root() -> Option<(WorkspacesRoot, Tree, DateTime<Utc>)> {
    let settings = Settings::resolve(&GlobalArgs::default(), std::env::vars_os().collect()).ok()?;
    let now = clock::now(settings.variable("EXECENV_TEST_NOW"));
    let root = WorkspacesRoot::new(settings.workspaces_root);
    let tree = root.open().ok()??;
    Some((root, tree, now))
}

/// The names of the workspaces below the root.
fn workspaces(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some((root, tree, _)) = open_root() else { return Vec::new() };
    let names = root.workspaces(&tree).unwrap_or_default().into_iter();
    let matching = names.filter(|name| name.as_bytes().starts_with(current.as_encoded_bytes()));
    matching.take(MOST).map(CompletionCandidate::new).collect()
}

/// The keys of the entries in the trash, each once.
fn trash(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some((root, tree, _)) = open_root() else { return Vec::new() };
    let entries = trash::entries(&root, &tree).unwrap_or_default();
    let keys = order::map(entries.into_iter().map(|entry| (entry.parsed.key, entry.parsed.workspace)));
    let matching = keys.into_iter().filter(|(key, _)| key.as_bytes().starts_with(current.as_encoded_bytes()));
    let shown = matching.take(MOST);
    shown.map(|(key, workspace)| CompletionCandidate::new(key).help(Some(workspace.into()))).collect()
}

/// The agent CLIs, and the variants of an option whose words are not those of its parser.
pub(crate) fn provider_completer() -> ArgValueCandidates {
    ArgValueCandidates::new(|| provider::all().map(|row| CompletionCandidate::new(row.name)).collect())
}

/// What `--platform-cli` usually is.
pub(crate) fn platform_completer() -> ArgValueCandidates {
    ArgValueCandidates::new(|| [Platform::DEFAULT_CLI, "none"].map(CompletionCandidate::new).into())
}

/// What `--server` can be besides an address.
pub(crate) fn server_completer() -> ArgValueCandidates {
    ArgValueCandidates::new(|| ["multica", "none"].map(CompletionCandidate::new).into())
}

/// The profiles of `multica`.
pub(crate) fn profile_completer() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let home = dirs::home_dir().unwrap_or_default();
        let profiles = upstream_roots(&home).into_iter().map(|root| root.profile);
        profiles.filter(|name| name != "default").map(CompletionCandidate::new).collect()
    })
}

/// The keys of the environments below the root, each with its workspace, status and age.
fn environments(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some((root, tree, now)) = open_root() else { return Vec::new() };
    let begins = current.as_encoded_bytes();
    let mut found = Vec::new();
    for workspace in root.workspaces(&tree).unwrap_or_default() {
        for key in root.keys(&tree, &workspace).unwrap_or_default() {
            if key.as_encoded_bytes().starts_with(begins) && found.len() < MOST {
                let help = described(&tree, &workspace, Path::new(&key), now);
                found.push(CompletionCandidate::new(key).help(Some(help.into())));
            }
        }
    }
    found.extend(folders(current));
    found
}

/// What helps to choose an environment: "default, completed, 3h ago".
fn described(tree: &Tree, workspace: &str, key: &Path, now: DateTime<Utc>) -> String {
    let Some(facts) = look(tree, workspace, key, now) else { return workspace.to_owned() };
    let age = facts.last_used.map(|at| format!(", {} ago", show_age(now - at))).unwrap_or_default();
    format!("{workspace}, {}{age}", facts.status.word())
}

/// Folders, because a path is also accepted for ENV.
fn folders(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(text) = current.to_str().filter(|text| text.contains('/')) else { return Vec::new() };
    let (folder, begin) = text.rsplit_once('/').unwrap_or_default();
    let listed = std::fs::read_dir(PathBuf::from(format!("{folder}/")));
    let names = listed.into_iter().flatten().flatten().filter(|entry| entry.path().is_dir());
    let matching =
        names.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| name.starts_with(begin));
    matching.take(MOST).map(|name| CompletionCandidate::new(format!("{folder}/{name}"))).collect()
}
