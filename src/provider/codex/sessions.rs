//! Where a task's conversations lie.
//!
//! They are private to the task: Codex reads every rollout below `sessions` at its start. A task in a folder of the
//! user's has an environment that may be gone before the next turn: its conversations lie in a store, by agent and
//! issue or chat.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::draft::Draft;
use super::shared::SharedHome;
use crate::layout::names;
use crate::order;
use crate::provider::plan::{HomeEntry, HomeRequest, MOST_COPIED};
use crate::sys::tree::{FileKind, Tree};
use crate::task::{TaskDocument, hex};

const FOLDER: &str = "sessions";

/// The store's place below [`HomeRequest::stores`]; `None` for a task without issue and chat.
pub(super) fn store(task: &TaskDocument) -> Option<PathBuf> {
    let agent = match reduced(task.agent_id()) {
        id if id.is_empty() => "_".to_owned(),
        id => id,
    };
    let (issue, chat) = (reduced(&task.issue_id), reduced(&task.chat_session_id));
    let conversation = match (issue.is_empty(), chat.is_empty()) {
        (false, _) => issue,
        (true, false) => format!("chat_{chat}"),
        (true, true) => return None,
    };
    Some(Path::new(names::CODEX_SESSIONS).join(agent).join(conversation))
}

/// An id as a folder name, the same for the same id. One that is too long for a name is named by its digest.
fn reduced(id: &str) -> String {
    use sha2::{Digest, Sha256};
    let reduced: String =
        id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).collect();
    if reduced.len() <= 128 { reduced } else { hex(&Sha256::digest(reduced.as_bytes())) }
}

/// What becomes of `sessions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// What is there is the task's.
    Keep,
    /// An empty folder.
    Fresh,
    /// A link to the store.
    Store(PathBuf),
}

/// Decides by what stands there now: its kind and, for a link, its target.
pub(super) fn decide(
    present: Option<FileKind>,
    link: Option<&Path>,
    is_local: bool,
    store: Option<PathBuf>,
) -> Place {
    match (present, store) {
        // Conversations may be in it. They are never given up for a store.
        (Some(FileKind::Dir), _) => Place::Keep,
        (_, Some(store)) if is_local || link == Some(&store) => Place::Store(store),
        _ => Place::Fresh,
    }
}

/// Plans `sessions`, and a copy of the conversation to resume if that lies elsewhere.
pub(super) fn plan(draft: &mut Draft<'_>, request: &HomeRequest<'_>, shared: Option<&SharedHome>) {
    let store = store(request.task).map(|relative| request.stores.join(relative));
    let (present, link) = (draft.kind(FOLDER), draft.link(FOLDER));
    let id = &request.task.prior_session_id;
    let users = shared.map(|shared| shared.path.join(FOLDER));
    let place = decide(present, link.as_deref(), request.is_local, store.clone());
    let is_other_link = link.is_some() && link != store;
    if place != Place::Keep && is_other_link {
        // They index the conversations of the folder that was linked here.
        for name in indexes(draft.present) {
            draft.drop_old(name);
        }
    }
    match place {
        Place::Keep => {}
        Place::Store(store) => {
            draft.put(FOLDER, HomeEntry::Link { target: store.clone() });
            let is_there = find_in(&store, id).is_some();
            let user = users.filter(|_| !is_there).and_then(|users| Some((find_in(&users, id)?, users)));
            if let Some((rollout, users)) = user {
                let source = users.join(&rollout);
                warn_if_big(draft, &source);
                draft.store_files.push((store.join(rollout), source));
            }
            draft.stores.push(store);
        }
        Place::Fresh => {
            draft.put(FOLDER, HomeEntry::Dir { mode: 0o700 });
            let in_store = store.and_then(|store| Some((find_in(&store, id)?, store)));
            if let Some((rollout, store)) = in_store {
                // Both are the agent's: the conversation continues in the store.
                let source = store.join(&rollout);
                draft.put(Path::new(FOLDER).join(rollout), HomeEntry::Shared { source });
            } else if let Some((rollout, users)) = users.and_then(|users| Some((find_in(&users, id)?, users)))
            {
                let source = users.join(&rollout);
                warn_if_big(draft, &source);
                draft.put(Path::new(FOLDER).join(rollout), HomeEntry::Copied { source });
            }
        }
    }
}

fn find_in(folder: &Path, id: &str) -> Option<PathBuf> {
    find_rollout(&Tree::open(folder).ok()?, id).ok().flatten()
}

/// A conversation of the user's own is resumed in a copy: Codex appends to a rollout, and the user's home stays as it
/// is. Only one that cannot be copied at all is shared.
fn warn_if_big(draft: &mut Draft<'_>, source: &Path) {
    if source.metadata().is_ok_and(|metadata| metadata.len() > MOST_COPIED) {
        draft.warnings.push(
            "the conversation to resume is too big to copy: unless the file system can share its blocks, the agent \
             appends to your own file"
                .to_owned(),
        );
    }
}

/// The databases in which Codex indexes its sessions.
fn indexes(home: Option<&Tree>) -> Vec<OsString> {
    let names = home.and_then(|home| home.names(Path::new("")).ok()).unwrap_or_default();
    let is_index = |name: &OsString| {
        let name = name.to_string_lossy();
        let endings = [".sqlite", ".sqlite-shm", ".sqlite-wal"];
        name.starts_with("state_") && endings.iter().any(|ending| name.ends_with(ending))
    };
    names.into_iter().filter(is_index).collect()
}

/// The rollout of a session: `rollout-…-ID.jsonl`, perhaps compressed, in the folder or below its year, month and
/// day. The path is relative to `sessions`. No id of Codex's, no rollout.
///
/// A conversation is resumed only if this finds one.
///
/// # Errors
/// When `sessions` itself cannot be listed.
pub fn find_rollout(sessions: &Tree, id: &str) -> io::Result<Option<PathBuf>> {
    if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Ok(None);
    }
    let top = sessions.names(Path::new(""))?;
    if let Some(flat) = rollout_among(sessions, Path::new(""), &top, id) {
        return Ok(Some(flat));
    }
    // The newest first: it is the likely one.
    for day in folders(sessions, &folders(sessions, &folders(sessions, &[PathBuf::new()]))) {
        let names = sessions.names(&day).unwrap_or_default();
        if let Some(found) = rollout_among(sessions, &day, &names, id) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The folders in some folders, the last by name first.
fn folders(tree: &Tree, above: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in above {
        let mut names = tree.names(folder).unwrap_or_default();
        order::sort(&mut names);
        let paths = names.iter().rev().map(|name| folder.join(name));
        found.extend(paths.filter(|path| matches!(tree.kind(path), Ok(Some(FileKind::Dir)))));
    }
    found
}

fn rollout_among(tree: &Tree, folder: &Path, names: &[OsString], id: &str) -> Option<PathBuf> {
    let is_it = |name: &&OsString| name.to_str().is_some_and(|name| is_rollout_of(name, id));
    let mut paths = names.iter().filter(is_it).map(|name| folder.join(name));
    // A rollout from another file system is a link.
    paths.find(|path| matches!(tree.kind(path), Ok(Some(FileKind::File { .. } | FileKind::Link))))
}

fn is_rollout_of(name: &str, id: &str) -> bool {
    let Some((stem, ending)) = name.split_once(".jsonl") else { return false };
    let is_whole = ending.is_empty() || ending == ".zst" || ending == ".gz";
    let before = stem.strip_prefix("rollout-").and_then(|stem| stem.strip_suffix(id));
    is_whole && before.is_some_and(|before| before.ends_with('-'))
}

#[cfg(test)]
mod tests;
