//! Completions: the shell asks the program itself, so that ENV completes from what is on disk.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::CompletionCandidate;
use clap_complete::env::{CompleteEnv, Shells};

use super::args::{Cli, GlobalArgs};
use super::settings::Settings;
use crate::environment::{WorkspacesRoot, trash};
use crate::sys::tree::Tree;

/// The variable by which a shell's script asks for candidates; a private one, because other programs use `COMPLETE`.
const VARIABLE: &str = "EXECENV_COMPLETE";
/// More candidates than this help nobody.
const MOST: usize = 200;

/// Answers a shell that asks for candidates. `None`: nobody asks.
pub(super) fn answer(arguments: &[OsString]) -> Option<u8> {
    #[expect(clippy::disallowed_methods, reason = "variables are read in `cli`")]
    std::env::var_os(VARIABLE)?;
    let current_dir = std::env::current_dir().ok();
    let completer = CompleteEnv::with_factory(Cli::command).var(VARIABLE).bin("execenv").completer("execenv");
    match completer.try_complete(arguments.iter().cloned(), current_dir.as_deref()) {
        Ok(true) => Some(0),
        Ok(false) => None,
        Err(_) => Some(1),
    }
}

/// The script that a shell loads; `shell` by its name.
///
/// # Errors
/// Never in practice: writing to memory does not fail.
pub fn registration(shell: &str) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(completer) = Shells::builtins().completer(shell) {
        completer.write_registration(VARIABLE, "execenv", "execenv", "execenv", &mut bytes)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The root that the variables and the configuration name, if it can be opened.
fn open_root() -> Option<(WorkspacesRoot, Tree)> {
    let settings = Settings::resolve(&GlobalArgs::default(), std::env::vars_os().collect()).ok()?;
    let root = WorkspacesRoot::new(settings.workspaces_root);
    let tree = root.open().ok()??;
    Some((root, tree))
}

/// The names of the workspaces below the root.
pub(super) fn workspaces(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some((root, tree)) = open_root() else { return Vec::new() };
    let names = root.workspaces(&tree).unwrap_or_default().into_iter();
    let matching = names.filter(|name| name.as_bytes().starts_with(current.as_encoded_bytes()));
    matching.take(MOST).map(CompletionCandidate::new).collect()
}

/// The keys of what is in the trash, each once.
pub(super) fn trash(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some((root, tree)) = open_root() else { return Vec::new() };
    let entries = trash::entries(&root, &tree).unwrap_or_default();
    let keys: BTreeMap<String, String> =
        entries.into_iter().map(|entry| (entry.parsed.key, entry.parsed.workspace)).collect();
    let matching = keys.into_iter().filter(|(key, _)| key.as_bytes().starts_with(current.as_encoded_bytes()));
    let shown = matching.take(MOST);
    shown.map(|(key, workspace)| CompletionCandidate::new(key).help(Some(workspace.into()))).collect()
}

/// The keys of the environments below the root.
pub(super) fn environments(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some((root, tree)) = open_root() else { return Vec::new() };
    let begins = current.as_encoded_bytes();
    let mut found = Vec::new();
    for workspace in root.workspaces(&tree).unwrap_or_default() {
        for key in tree.names(Path::new(&workspace)).unwrap_or_default() {
            let bytes = key.as_encoded_bytes();
            if bytes.starts_with(begins) && !bytes.starts_with(b".") && found.len() < MOST {
                found.push(CompletionCandidate::new(key).help(Some(workspace.clone().into())));
            }
        }
    }
    found.extend(folders(current));
    found
}

/// A path names an environment, too.
fn folders(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(text) = current.to_str().filter(|text| text.contains('/')) else { return Vec::new() };
    let (folder, begin) = text.rsplit_once('/').unwrap_or_default();
    let listed = std::fs::read_dir(PathBuf::from(format!("{folder}/")));
    let names = listed.into_iter().flatten().flatten().filter(|entry| entry.path().is_dir());
    let matching =
        names.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| name.starts_with(begin));
    matching.take(MOST).map(|name| CompletionCandidate::new(format!("{folder}/{name}"))).collect()
}
