//! Candidates for completion: the shell asks the program itself, so that ENV completes to environments that exist.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;

use clap_complete::{ArgValueCompleter, CompletionCandidate};

use super::global::GlobalArgs;
use super::settings::Settings;
use crate::environment::{WorkspacesRoot, trash};
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
/// The workspaces root of the settings, if it can be opened.
fn open_root() -> Option<(WorkspacesRoot, Tree)> {
    let settings = Settings::resolve(&GlobalArgs::default(), std::env::vars_os().collect()).ok()?;
    let root = WorkspacesRoot::new(settings.workspaces_root);
    let tree = root.open().ok()??;
    Some((root, tree))
}

/// The names of the workspaces below the root.
fn workspaces(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some((root, tree)) = open_root() else { return Vec::new() };
    let names = root.workspaces(&tree).unwrap_or_default().into_iter();
    let matching = names.filter(|name| name.as_bytes().starts_with(current.as_encoded_bytes()));
    matching.take(MOST).map(CompletionCandidate::new).collect()
}

/// The keys of the entries in the trash, each once.
fn trash(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some((root, tree)) = open_root() else { return Vec::new() };
    let entries = trash::entries(&root, &tree).unwrap_or_default();
    let keys: BTreeMap<String, String> =
        entries.into_iter().map(|entry| (entry.parsed.key, entry.parsed.workspace)).collect();
    let matching = keys.into_iter().filter(|(key, _)| key.as_bytes().starts_with(current.as_encoded_bytes()));
    let shown = matching.take(MOST);
    shown.map(|(key, workspace)| CompletionCandidate::new(key).help(Some(workspace.into()))).collect()
}

/// The keys of the environments below the root.
fn environments(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some((root, tree)) = open_root() else { return Vec::new() };
    let begins = current.as_encoded_bytes();
    let mut found = Vec::new();
    for workspace in root.workspaces(&tree).unwrap_or_default() {
        for key in root.keys(&tree, &workspace).unwrap_or_default() {
            if key.as_encoded_bytes().starts_with(begins) && found.len() < MOST {
                found.push(CompletionCandidate::new(key).help(Some(workspace.clone().into())));
            }
        }
    }
    found.extend(folders(current));
    found
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
