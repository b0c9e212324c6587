//! One cycle over a workspaces root.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use chrono::{DateTime, Duration, Utc};

use super::decide::{Action, Decision, Policy, decide};
use super::facts::{Facts, LockState, folder_time, look, look_at_record};
use super::staging::{exclusive, sweep_staging};
use crate::environment::{
    EnvLock, EnvRoot, Found, Held, Meta, Outcome, TrashEntry, WorkspacesRoot, looks_like_env_root,
    retained_for, trash, unsaved_in_trash, unsaved_work,
};
use crate::failure::{Code, Failure};
use crate::git::Git;
use crate::sys::remove::measure;
use crate::sys::tree::Tree;

/// How many environments are looked at before their decisions are handed on: bounds the memory of a cycle.
const BATCH: usize = 2_048;
/// How many of them are dealt with before they are reported.
const GROUP: usize = 256;
/// From how many on it is worth a second thread.
const WORTH_A_THREAD: usize = 16;

/// What a cycle is to do.
#[derive(Debug)]
pub struct GcRequest<'a> {
    /// The root.
    pub root: &'a WorkspacesRoot,
    /// The ages to go by.
    pub policy: Policy,
    /// How long the trash keeps things; zero: what goes, goes at once.
    pub trash_ttl: Duration,
    /// Decide and report, change nothing.
    pub dry_run: bool,
    /// Only this workspace.
    pub workspace: Option<String>,
    /// The present time.
    pub now: DateTime<Utc>,
    /// Asked about work that would be lost.
    pub git: &'a Git,
    /// Set when somebody asks the cycle to end.
    pub stop: &'a AtomicBool,
}

/// One environment, judged and dealt with.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What the decision rests on.
    pub facts: Facts,
    /// The decision.
    pub decision: Decision,
    /// What came of it; `None` for what was left or only looked at.
    pub outcome: Option<Outcome>,
    /// What went wrong, or what keeps it.
    pub error: Option<String>,
    /// What it takes on the disk; measured only where it goes.
    pub bytes: u64,
}

/// A cycle's counts, by upstream's names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Environments that were looked at.
    pub scanned: u64,
    /// Removed as done, or to be in a dry run.
    pub cleaned: u64,
    /// Removed as unknown, or to be in a dry run.
    pub orphaned: u64,
    /// Left.
    pub skipped: u64,
    /// Of the left ones, held by a live process.
    pub active: u64,
    /// Should have gone and could not go.
    pub failed: u64,
    /// Bytes of what was removed.
    pub bytes_reclaimed: u64,
    /// Entries in the trash at the end.
    pub trash_entries: u64,
    /// Entries that left the trash for good.
    pub trash_swept: u64,
    /// What the entries that are left take on the disk.
    pub trash_bytes: u64,
    /// Another cycle is at work in this root: nothing was done.
    pub already_running: bool,
    /// The cycle was asked to end before its end.
    pub interrupted: bool,
}

/// Runs one cycle. Each environment is handed to `sink` as soon as it is dealt with, in the order of the names.
///
/// # Errors
/// When the root cannot be read or is not one; trouble with single environments is in their reports.
pub fn cycle(request: &GcRequest<'_>, sink: &mut dyn FnMut(&Judged) -> Result<()>) -> Result<Summary> {
    let mut summary = Summary::default();
    let Some(tree) = request.root.open()? else { return Ok(summary) };
    refuse_unmarked(request.root, &tree)?;
    let _only_one = if request.dry_run {
        None
    } else {
        match only_cycle(&tree)? {
            None => {
                summary.already_running = true;
                return Ok(summary);
            }
            lock => lock,
        }
    };
    if !request.dry_run {
        sweep_staging(request.root, &tree, true, request.now)?;
        for name in trash::half_deleted(&tree)? {
            if let Err(error) = trash::delete(&tree, &name) {
                log::error!("{error:#}");
                summary.failed += 1;
            }
        }
    }
    for workspace in request.root.workspaces(&tree)? {
        if request.workspace.as_ref().is_some_and(|wanted| *wanted != workspace) {
            continue;
        }
        if stopped(request, &mut summary) {
            break;
        }
        collect_workspace(request, &tree, &workspace, &mut summary, sink)?;
    }
    sweep_trash(request, &tree, &mut summary)?;
    Ok(summary)
}

fn refuse_unmarked(root: &WorkspacesRoot, tree: &Tree) -> Result<()> {
    if WorkspacesRoot::is_marked(tree)? {
        return Ok(());
    }
    Err(Failure::new(Code::BadPath, format!("{} is not a workspaces root", root.path().display()))
        .hint("name the folder that `execenv prepare` uses; gc removes nothing from any other")
        .into())
}

fn only_cycle(tree: &Tree) -> Result<Option<File>> {
    let locks = Path::new(WorkspacesRoot::LOCKS);
    tree.ensure_dir(locks, 0o755).context("make the folder for locks")?;
    let file = tree.open_lock(&locks.join("gc"), true).context("open the collector's lock")?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).context("take the collector's lock"),
    }
}

fn stopped(request: &GcRequest<'_>, summary: &mut Summary) -> bool {
    summary.interrupted |= request.stop.load(Ordering::Relaxed);
    summary.interrupted
}

fn collect_workspace(
    request: &GcRequest<'_>,
    tree: &Tree,
    workspace: &str,
    summary: &mut Summary,
    sink: &mut dyn FnMut(&Judged) -> Result<()>,
) -> Result<()> {
    let names = match tree.names(Path::new(workspace)) {
        Ok(names) => names,
        Err(error) => {
            log::warn!("cannot list {}: {error}", tree.path().join(workspace).display());
            return Ok(());
        }
    };
    let mut keys: Vec<PathBuf> = names
        .into_iter()
        .filter(|name| !name.as_encoded_bytes().starts_with(b"."))
        .map(PathBuf::from)
        .collect();
    keys.sort_unstable();
    let mut removed = false;
    for batch in keys.chunks(BATCH) {
        if stopped(request, summary) {
            return Ok(());
        }
        let looked = halved(batch.iter().collect(), batch.len() >= 64, |key: &PathBuf| {
            look_at_folder(request, tree, workspace, key)
        });
        let mut looked = looked.into_iter().flatten();
        loop {
            let group: Vec<Facts> = looked.by_ref().take(GROUP).collect();
            if group.is_empty() {
                break;
            }
            let due = group.iter().filter(|facts| goes(facts, request)).count();
            let dealt = halved(group, due >= WORTH_A_THREAD, |facts| {
                (!request.stop.load(Ordering::Relaxed)).then(|| deal_with(request, tree, facts))
            });
            let complete = dealt.iter().all(Option::is_some);
            for judged in dealt.into_iter().flatten() {
                removed |= judged.is_gone();
                summary.count(&judged, request.dry_run);
                sink(&judged)?;
            }
            if !complete && stopped(request, summary) {
                return Ok(());
            }
        }
    }
    if removed {
        // Only an empty one goes, only when this cycle emptied it, and only while nobody prepares in it.
        if let Some(_alone) = exclusive(tree)? {
            let _ = tree.remove_dir(Path::new(workspace));
        }
    }
    Ok(())
}

/// Does the same to each, the later half on a second thread if that is asked for: the time goes into system calls.
fn halved<T: Send, R: Send>(mut items: Vec<T>, two: bool, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    if !two {
        return items.into_iter().map(work).collect();
    }
    let right = items.split_off(items.len() / 2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| right.into_iter().map(&work).collect::<Vec<R>>());
        let mut all: Vec<R> = items.into_iter().map(&work).collect();
        match other.join() {
            Ok(rest) => all.extend(rest),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        all
    })
}

fn goes(facts: &Facts, request: &GcRequest<'_>) -> bool {
    decide(facts, &request.policy, request.now).action != Action::Skip
}

/// Plain files and links between the environments are nobody's business.
fn look_at_folder(request: &GcRequest<'_>, tree: &Tree, workspace: &str, key: &Path) -> Option<Facts> {
    let mut facts = look_at_record(tree, workspace, key)?;
    // A record proves a folder; without one it has to be looked at.
    if facts.meta != super::MetaState::Read && !facts.root_dir.symlink_metadata().is_ok_and(|m| m.is_dir()) {
        return None;
    }
    // A folder that only stands two levels down is nobody's environment.
    if facts.meta == super::MetaState::Missing && !looks_like_env_root(tree, &Path::new(workspace).join(key))
    {
        return None;
    }
    if goes(&facts, request) || facts.status.is_active() {
        facts.look_at_lock(tree, workspace, key);
    }
    Some(facts)
}

fn deal_with(request: &GcRequest<'_>, tree: &Tree, facts: Facts) -> Judged {
    let decision = decide(&facts, &request.policy, request.now);
    let mut judged = Judged { facts, decision, outcome: None, error: None, bytes: 0 };
    if decision.action == Action::Skip {
        return judged;
    }
    judged.bytes = measure(&judged.facts.root_dir).bytes;
    if request.dry_run {
        judged.keep_unsaved(request);
        return judged;
    }
    match reclaim(request, tree, &mut judged) {
        Ok(outcome) => judged.outcome = Some(outcome),
        Err(error) => {
            judged.outcome = Some(Outcome::Failed);
            judged.error = Some(format!("{error:#}"));
        }
    }
    judged
}

/// Removes one environment, after looking again under its lock.
fn reclaim(request: &GcRequest<'_>, tree: &Tree, judged: &mut Judged) -> Result<Outcome> {
    let env = match EnvRoot::open(&judged.facts.root_dir) {
        Err(_) if !judged.facts.root_dir.exists() => return Ok(Outcome::Raced),
        other => other?,
    };
    let first = &judged.facts;
    if first.by_folder && folder_time(&env.path).flatten() != first.last_used {
        return Ok(Outcome::Raced);
    }
    // Made where there is none: without it a prepare could move in while git is asked.
    let _lock = match EnvLock::try_hold(&env.tree, true) {
        Ok(lock) => lock,
        Err(Held::Moved | Held::NoLockFile) => return Ok(Outcome::Raced),
        Err(Held::ByOther | Held::Unknown(_)) => return Ok(Outcome::RetainedLive),
    };
    let key = Path::new(env.path.file_name().unwrap_or_default()); // which need not be text
    let Some(mut again) = look_at_record(tree, &env.workspace(), key) else {
        return Ok(Outcome::Raced);
    };
    again.lock = LockState::Free; // it is ours
    if first.lock == LockState::None && first.by_folder && again.by_folder {
        again.last_used = first.last_used; // the new lock file has renewed it
    }
    if decide(&again, &request.policy, request.now) != judged.decision {
        return Ok(Outcome::Raced);
    }
    // Last of all, right before it would go.
    if judged.keep_unsaved(request) {
        return Ok(judged.outcome.unwrap_or(Outcome::Failed));
    }
    if request.trash_ttl.is_zero() {
        trash::delete_env(tree, &env, false, request.now)?;
        Ok(Outcome::Removed)
    } else {
        trash::put_aside(tree, &env, false, request.now)?;
        Ok(Outcome::Trashed)
    }
}

impl Judged {
    /// Whether it has been taken.
    pub fn is_gone(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Removed | Outcome::Trashed))
    }

    /// Keeps an environment that holds work which is nowhere else: its time in the trash is short. `true`: it stays.
    fn keep_unsaved(&mut self, request: &GcRequest<'_>) -> bool {
        let Ok(env) = EnvRoot::open(&self.facts.root_dir) else { return false };
        let found = Found { meta: Meta::load(&env.tree).ok().flatten(), env };
        let unsaved = unsaved_work(&found, request.git);
        let retained = retained_for(&unsaved);
        if let Some(first) = unsaved.first() {
            self.outcome = retained;
            self.error = Some(format!("{}: {}", first.path.display(), first.what));
            self.bytes = 0;
        }
        retained.is_some()
    }
}

impl Summary {
    fn count(&mut self, judged: &Judged, dry_run: bool) {
        self.scanned += 1;
        let would_go = dry_run && judged.outcome.is_none();
        let gone = judged.is_gone() || would_go;
        match judged.decision.action {
            Action::Clean if gone => self.cleaned += 1,
            Action::Orphan if gone => self.orphaned += 1,
            _ => {
                self.skipped += 1;
                self.active +=
                    u64::from(judged.facts.is_held() || judged.outcome == Some(Outcome::RetainedLive));
                self.failed += u64::from(judged.outcome == Some(Outcome::Failed));
                return;
            }
        }
        self.bytes_reclaimed += judged.bytes;
    }
}

fn sweep_trash(request: &GcRequest<'_>, tree: &Tree, summary: &mut Summary) -> Result<()> {
    for entry in trash::entries(request.root, tree)? {
        let age = request.now.timestamp() - entry.parsed.at;
        let due = age > request.trash_ttl.num_seconds() || request.trash_ttl.is_zero();
        if due && !request.dry_run && !stopped(request, summary) {
            match sweep(request, tree, &entry) {
                Ok(true) => {
                    summary.trash_swept += 1;
                    continue;
                }
                Ok(false) => {}
                Err(error) => {
                    log::warn!("{error:#}");
                    summary.failed += 1;
                }
            }
        }
        summary.trash_entries += 1;
        summary.trash_bytes += trash::size_of(request.root, &entry);
    }
    Ok(())
}

/// Deletes an entry for good, unless it holds work that is nowhere else: a prepare in the place of an older
/// environment puts that one aside as it is. `false`: it stays.
fn sweep(request: &GcRequest<'_>, tree: &Tree, entry: &TrashEntry) -> Result<bool> {
    if let Some(first) = unsaved_in_trash(request.root, tree, entry, request.git).first() {
        log::warn!(
            "kept {} in the trash: {}: {}; `execenv trash restore` gives it back, `execenv trash empty` lets it go",
            entry.name,
            first.path.display(),
            first.what
        );
        return Ok(false);
    }
    trash::delete(tree, &entry.name)?;
    Ok(true)
}

/// The decision on one environment, with everything it rests on; changes nothing.
///
/// # Errors
/// When the environment cannot be opened.
pub fn explain(request: &GcRequest<'_>, env_root: &Path) -> Result<Judged> {
    let env = EnvRoot::open(env_root)?;
    let root =
        env_root.parent().and_then(Path::parent).context("an env root lies two levels below its root")?;
    let tree = Tree::open(root).with_context(|| format!("open {}", root.display()))?;
    let facts = look(&tree, &env.workspace(), Path::new(&env.key()))
        .with_context(|| format!("look at {}", env_root.display()))?;
    let decision = decide(&facts, &request.policy, request.now);
    let bytes = measure(&facts.root_dir).bytes;
    let mut judged = Judged { facts, decision, outcome: None, error: None, bytes };
    if decision.action != Action::Skip {
        judged.keep_unsaved(request);
    }
    Ok(judged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_threads_keep_the_order() {
        for count in 0..5 {
            let items: Vec<i32> = (0..count).collect();
            for two in [false, true] {
                assert_eq!(halved(items.clone(), two, |item| item), items);
            }
        }
    }
}
