//! Measures every environment of a root in one pass, and what lies beside them.

use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::parts::Parts;
use super::{Scan, Stores, TaskUsage};
use crate::environment::{EnvStatus, Identity, Meta, WorkspacesRoot, count_stores, is_environment, trash};
use crate::gc::artifacts::{Patterns, weigh_folders};
use crate::gc::facts::LockState;
use crate::gc::look::lock_of;
use crate::layout::names;
use crate::progress::Progress;
use crate::sys::tree::{FileKind, Tree};

/// A folder of a task, by its names.
type Task = (String, OsString);

/// Measures a root. One that does not exist is empty.
///
/// # Errors
/// When the root cannot be read. A workspace that cannot be read is left out.
pub fn look(
    root: &WorkspacesRoot,
    patterns: &Patterns,
    now: DateTime<Utc>,
    progress: &Progress,
) -> Result<Scan> {
    let Some(tree) = root.open()? else { return Ok(Scan::default()) };
    let found = tasks(root, &tree)?;
    progress.expect(Some(found.len() as u64), "environments");
    let next = AtomicUsize::new(0);
    let work = || {
        let claim = || found.get(next.fetch_add(1, Ordering::Relaxed));
        let look = |task| {
            let seen = look_at_task(&tree, task, patterns, now);
            progress.count();
            progress.add_bytes(seen.as_ref().map_or(0, |task| task.size_bytes), "measured");
            seen
        };
        let looked = std::iter::from_fn(|| claim().map(look));
        looked.flatten().collect::<Vec<TaskUsage>>()
    };
    // The time is spent in system calls: a second thread nearly halves it.
    let tasks = std::thread::scope(|scope| {
        let other =
            (found.len() > 1).then(|| std::thread::Builder::new().spawn_scoped(scope, work).ok()).flatten();
        let mut all = work();
        match other.map(std::thread::ScopedJoinHandle::join) {
            None => {}
            Some(Ok(rest)) => all.extend(rest),
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
        all
    });
    Ok(Scan { tasks, stores: stores(root, &tree)? })
}

/// How many environments a root has; 0 where it cannot be read.
pub fn count_tasks(root: &WorkspacesRoot) -> usize {
    let tree = root.open().ok().flatten();
    tree.and_then(|tree| tasks(root, &tree).ok()).map_or(0, |tasks| tasks.len())
}

/// Every environment, whoever made it. Other folders count as what lies beside environments.
fn tasks(root: &WorkspacesRoot, tree: &Tree) -> Result<Vec<Task>> {
    let mut found = Vec::new();
    for workspace in root.workspaces(tree)? {
        let keys = root.keys(tree, &workspace).unwrap_or_default();
        found.extend(keys.into_iter().map(|key| (workspace.clone(), key)));
    }
    Ok(found)
}

fn look_at_task(
    tree: &Tree,
    (workspace, key): &Task,
    patterns: &Patterns,
    now: DateTime<Utc>,
) -> Option<TaskUsage> {
    let env = tree.subtree(&Path::new(workspace).join(key)).ok()?;
    let mut parts = Parts::default();
    let (size, artifacts) =
        weigh_folders(&env, patterns, &mut |folder, bytes, artifacts| parts.add(folder, bytes, artifacts));
    let meta = Meta::load(&env).ok().flatten();
    let kind = meta.as_ref().map(kind).filter(|kind| !kind.is_empty());
    Some(TaskUsage {
        workspace_id: Some(Identity::of(&env, meta.as_ref()).workspace_id)
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| workspace.clone()),
        workspace: workspace.clone(),
        workspace_short: short(workspace),
        task_short: key.to_string_lossy().into_owned(),
        path: env.path().to_string_lossy().into_owned(),
        kind: kind.unwrap_or("unknown").to_owned(),
        status: status(&env, meta.as_ref()).word(),
        parent_status: String::new(),
        parent_id: meta.as_ref().map_or("", parent_id).to_owned(),
        age_seconds: age_seconds(env.path(), meta.as_ref(), now),
        size_bytes: size.bytes,
        artifact_size_bytes: artifacts.bytes,
        parts: parts.of_whole(size.bytes),
    })
}

/// The status of an environment, from its record and its lock.
fn status(env: &Tree, meta: Option<&Meta>) -> EnvStatus {
    let is_live = matches!(lock_of(env), LockState::Held | LockState::Unknown);
    let recorded = meta.map_or(EnvStatus::Unknown, Meta::status);
    recorded.seen(meta.is_none_or(|meta| meta.own.is_none()), is_live)
}

/// The short form of an id that multica shows: its first eight characters without dashes.
fn short(id: &str) -> String {
    id.chars().filter(|c| *c != '-').take(8).collect()
}

fn kind(meta: &Meta) -> &str {
    // Records from before multica's second version name only the issue.
    if meta.kind.is_empty() && !meta.issue_id.is_empty() { "issue" } else { &meta.kind }
}

fn parent_id(meta: &Meta) -> &str {
    match kind(meta) {
        "issue" => &meta.issue_id,
        "chat" => &meta.chat_session_id,
        "autopilot_run" => &meta.autopilot_run_id,
        "quick_create" => &meta.task_id,
        _ => "",
    }
}

/// Time since the last run ended, else since the record was written; without a record, since the folder changed.
fn age_seconds(env: &Path, meta: Option<&Meta>, now: DateTime<Utc>) -> u64 {
    let since = |at: DateTime<Utc>| u64::try_from((now - at).num_seconds()).unwrap_or(0);
    let ended = meta.and_then(|meta| meta.completed_at).map(since).filter(|age| *age > 0);
    let file = meta.map_or_else(|| env.to_owned(), |_| env.join(names::META));
    let changed = || file.symlink_metadata().and_then(|metadata| metadata.modified()).ok();
    ended.or_else(|| changed().map(|at: SystemTime| since(at.into()))).unwrap_or(0)
}

fn stores(root: &WorkspacesRoot, tree: &Tree) -> Result<Stores> {
    let bytes = |name: &str| {
        let folder = tree.subtree(Path::new(name)).ok();
        folder.and_then(|folder| folder.measure().ok()).map_or(0, |size| size.bytes)
    };
    Ok(Stores {
        repo_cache_size_bytes: bytes(names::REPOS),
        repo_cache_count: repositories(tree),
        trash_size_bytes: bytes(names::TRASH),
        trash_count: trash::entries(root, tree)?.len() as u64,
        stores_size_bytes: bytes(names::STORES),
        stores_count: count_stores(tree),
        other_size_bytes: other(root, tree)?,
    })
}

/// The size of what the report does not name otherwise, so that its sum is that of all files.
fn other(root: &WorkspacesRoot, tree: &Tree) -> Result<u64> {
    let bytes = |path: &Path| match tree.kind(path) {
        Ok(Some(FileKind::Dir)) => {
            tree.subtree(path).and_then(|folder| folder.measure()).map_or(0, |size| size.bytes)
        }
        Ok(Some(FileKind::File { .. })) => {
            tree.path().join(path).symlink_metadata().map_or(0, |metadata| metadata.len())
        }
        _ => 0,
    };
    let workspaces = root.workspaces(tree)?;
    let reported = [names::REPOS, names::TRASH, names::STORES];
    let mut sum = 0;
    for name in tree.names(Path::new(""))? {
        let name = Path::new(&name);
        if !workspaces.iter().any(|workspace| name == Path::new(workspace)) {
            sum += if reported.iter().any(|known| name == Path::new(known)) { 0 } else { bytes(name) };
            continue;
        }
        let below = tree.names(name).unwrap_or_default();
        let beside = below.iter().filter(|key| !is_environment(tree, &name.join(key)));
        sum += beside.map(|key| bytes(&name.join(key))).sum::<u64>();
    }
    Ok(sum)
}

/// Folders two levels down that look like bare repositories.
fn repositories(tree: &Tree) -> u64 {
    let Ok(cache) = tree.subtree(Path::new(names::REPOS)) else { return 0 };
    let is_bare = |path: &Path| {
        matches!(cache.kind(&path.join("HEAD")), Ok(Some(FileKind::File { .. })))
            && matches!(cache.kind(&path.join("objects")), Ok(Some(FileKind::Dir)))
    };
    let mut count = 0;
    for workspace in cache.names(Path::new("")).unwrap_or_default() {
        let workspace = Path::new(&workspace);
        if !matches!(cache.kind(workspace), Ok(Some(FileKind::Dir))) {
            continue; // a link does not count
        }
        let names = cache.names(workspace).unwrap_or_default();
        count += names.iter().filter(|name| is_bare(&workspace.join(name))).count() as u64;
    }
    count
}
