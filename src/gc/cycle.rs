//! One cycle over a workspaces root.
//!
//! In this order: what a dead prepare or a dead cycle left; every environment by its own; repositories; the trash;
//! the bounds. Each step leaves a root that the next cycle understands, wherever it is cut off.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use chrono::{DateTime, Duration, Utc};

use super::artifacts::Patterns;
use super::bounds::{Bounds, Candidate};
use super::decide::{Action, Policy, decide, protection};
use super::evict::evict;
use super::facts::{Facts, MetaState, look_at_record};
use super::parents::Parents;
use super::reclaim::{Judged, deal_with};
use super::staging::sweep_staging;
use super::summary::Summary;
use crate::environment::{EnvRoot, WorkspacesRoot, is_environment, prune_stores, staging_lock_alone, trash};
use crate::failure::{Code, Failure};
use crate::git::Git;
use crate::layout::{self, StoreKind, names};
use crate::repos::{self, RepoPolicy, RepoReport};
use crate::server::{Connection, Parent};
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
    /// What can be built again.
    pub patterns: Patterns,
    /// The bounds to keep the root within.
    pub bounds: Bounds,
    /// What becomes of repository caches; `None`: they are left alone.
    pub repos: Option<RepoPolicy>,
    /// How long agents' stores are kept that nobody uses; `None`: they are left alone.
    pub stores: Option<StorePolicy>,
    /// Whom to ask about parents; `None`: age decides.
    pub server: Option<Connection>,
    /// How many questions may be under way at a time.
    pub jobs: usize,
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

/// How long stores of agents are kept that nobody mounts, by what they hold (`providers.md` N-18, 8.1). `None`: for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorePolicy {
    /// Conversations.
    pub session_ttl: Option<Duration>,
    /// What an agent remembers from one conversation to the next.
    pub memory_ttl: Option<Duration>,
}

impl StorePolicy {
    /// What is not known stays.
    fn ttl(&self, store: &Path) -> Option<Duration> {
        match layout::store_kind(store.iter().next()?.to_str()?)? {
            StoreKind::Conversations => self.session_ttl,
            StoreKind::Memories => self.memory_ttl,
            StoreKind::Cache => None,
        }
    }
}

impl GcRequest<'_> {
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Where a cycle tells of each environment as soon as it is dealt with.
pub type Sink<'a> = dyn FnMut(&Judged) -> Result<()> + 'a;

/// What a cycle knows while it goes on.
pub(super) struct Cycle<'a> {
    pub(super) request: &'a GcRequest<'a>,
    pub(super) tree: &'a Tree,
    pub(super) parents: Parents<'a>,
    pub(super) summary: Summary,
    /// What the bounds may take, where there are any.
    pub(super) candidates: Vec<Candidate>,
    /// Workspaces out of which something went.
    pub(super) touched: Vec<String>,
    /// In a dry run: the bytes of what would have gone to the trash by its age, in that order.
    pub(super) would_be_trashed: Vec<u64>,
    /// In a dry run: entries of the trash that would have gone for good.
    pub(super) would_be_swept: BTreeSet<String>,
}

/// Runs one cycle. Each environment is handed to `sink` as soon as it is dealt with, in the order of the names;
/// those that a bound might take come last, the oldest first.
///
/// # Errors
/// When the root cannot be read or is not one; trouble with single environments is in their reports.
pub fn cycle(request: &GcRequest<'_>, sink: &mut Sink<'_>) -> Result<Summary> {
    let Some(tree) = request.root.open()? else { return Ok(Summary::default()) };
    refuse_unmarked(request.root, &tree)?;
    let _only_one = match request.dry_run {
        true => None,
        false => match only_cycle(&tree)? {
            None => return Ok(Summary { already_running: true, ..Summary::default() }),
            lock => lock,
        },
    };
    let mut cycle = Cycle {
        request,
        tree: &tree,
        parents: Parents::new(request.server.clone(), request.jobs, request.stop),
        summary: Summary::default(),
        candidates: Vec::new(),
        touched: Vec::new(),
        would_be_trashed: Vec::new(),
        would_be_swept: BTreeSet::new(),
    };
    if !request.dry_run {
        cycle.finish_what_died()?;
    }
    cycle.collect(sink)?;
    cycle.keep_repos();
    cycle.prune_stores();
    cycle.sweep_trash()?;
    evict(&mut cycle, sink)?;
    cycle.remove_empty_workspaces()?;
    cycle.count_trash()?;
    cycle.summary.requests = cycle.parents.requests();
    cycle.summary.server_trouble = cycle.parents.trouble();
    cycle.summary.server_is_of_no_use = cycle.parents.is_of_no_use();
    Ok(cycle.summary)
}

fn refuse_unmarked(root: &WorkspacesRoot, tree: &Tree) -> Result<()> {
    if WorkspacesRoot::is_marked(tree)? {
        return Ok(());
    }
    let mark = root.path().join(names::MARK);
    Err(Failure::new(Code::BadPath, format!("{} is not a workspaces root", root.path().display()))
        .hint(format!(
            "name the folder that `execenv prepare` uses; if it is one all the same: `touch {}`",
            mark.display()
        ))
        .into())
}

fn only_cycle(tree: &Tree) -> Result<Option<File>> {
    let locks = Path::new(names::LOCKS);
    let opening = || format!("open the collector's lock in {}", tree.path().join(locks).display());
    tree.ensure_dir(locks, 0o755).with_context(opening)?;
    let file = tree.open_lock(&locks.join(names::GC_LOCK), true).with_context(opening)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).with_context(opening),
    }
}

impl Cycle<'_> {
    pub(super) fn stopped(&mut self) -> bool {
        self.summary.interrupted |= self.request.is_stopped();
        self.summary.interrupted
    }

    fn finish_what_died(&mut self) -> Result<()> {
        sweep_staging(self.request.root, self.tree, true, self.request.now)?;
        for name in trash::half_deleted(self.tree)? {
            if let Err(error) = trash::delete(self.tree, &name) {
                log::error!("{error:#}");
                self.summary.failed += 1;
            }
        }
        Ok(())
    }

    /// Looks at every environment, a batch at a time: across workspaces, so that a server is asked in few rounds.
    fn collect(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        let mut batch: Vec<(String, PathBuf)> = Vec::with_capacity(BATCH);
        for workspace in self.request.root.workspaces(self.tree)? {
            if self.request.workspace.as_ref().is_some_and(|wanted| *wanted != workspace) {
                continue;
            }
            for key in self.keys(&workspace) {
                batch.push((workspace.clone(), key));
                if batch.len() == BATCH {
                    self.deal_with_batch(&batch, sink)?;
                    batch.clear();
                }
                if self.summary.interrupted {
                    return Ok(());
                }
            }
        }
        self.deal_with_batch(&batch, sink)
    }

    fn keys(&self, workspace: &str) -> Vec<PathBuf> {
        let names = match self.tree.names(Path::new(workspace)) {
            Ok(names) => names,
            Err(error) => {
                log::warn!("cannot list {}: {error}", self.tree.path().join(workspace).display());
                return Vec::new();
            }
        };
        let visible = names.into_iter().filter(|name| !name.as_encoded_bytes().starts_with(b"."));
        let mut keys: Vec<PathBuf> = visible.map(PathBuf::from).collect();
        keys.sort_unstable();
        keys
    }

    fn deal_with_batch(&mut self, batch: &[(String, PathBuf)], sink: &mut Sink<'_>) -> Result<()> {
        if batch.is_empty() || self.stopped() {
            return Ok(());
        }
        let (request, tree) = (self.request, self.tree);
        let looked =
            halved(batch.iter().collect(), batch.len() >= 64, |(workspace, key): &(String, PathBuf)| {
                look_at_folder(request, tree, workspace, key)
            });
        let looked: Vec<Facts> = looked.into_iter().flatten().collect();
        self.parents.ask(looked.iter().filter(|facts| protection(facts, request.now).is_none()));
        let parents: Vec<Parent> = looked.iter().map(|facts| self.parents.of(facts)).collect();
        let mut looked = looked.into_iter().zip(parents);
        loop {
            let group: Vec<(Facts, Parent)> = looked.by_ref().take(GROUP).collect();
            if group.is_empty() {
                return Ok(());
            }
            let due = group.iter().filter(|(facts, parent)| goes(facts, parent, request)).count();
            let dealt = halved(group, due >= WORTH_A_THREAD, |(facts, parent)| {
                (!request.is_stopped()).then(|| deal_with(request, tree, facts, parent))
            });
            let is_cut = dealt.iter().any(Option::is_none);
            for judged in dealt.into_iter().flatten() {
                let candidate = self.candidate(&judged);
                // What a bound may still take is told of when that is clear.
                if candidate.as_ref().is_none_or(|candidate| candidate.told.is_some()) {
                    let for_good = request.trash_ttl.is_zero();
                    if judged.would_go(request) && !for_good {
                        self.would_be_trashed.push(judged.bytes);
                    }
                    self.tell(&judged, for_good, sink)?;
                }
                self.candidates.extend(candidate);
            }
            if is_cut {
                self.summary.interrupted = true;
                return Ok(());
            }
        }
    }

    /// Counts an environment that is dealt with, and hands it on. `for_good`: it is not, or would not be, in the trash.
    pub(super) fn tell(&mut self, judged: &Judged, for_good: bool, sink: &mut Sink<'_>) -> Result<()> {
        if judged.is_gone() && !self.touched.contains(&judged.facts.workspace) {
            self.touched.push(judged.facts.workspace.clone());
        }
        self.summary.count(judged, self.request.dry_run, for_good);
        sink(judged)
    }

    fn candidate(&self, judged: &Judged) -> Option<Candidate> {
        if !self.request.bounds.any() || judged.decision.action.removes() {
            return None;
        }
        let mut candidate = Candidate::of(&judged.facts, &judged.parent, self.request.now)?;
        candidate.told = (judged.decision.action != Action::Skip).then_some(judged.bytes);
        Some(candidate)
    }

    fn keep_repos(&mut self) {
        let Some(policy) = &self.request.repos else { return };
        if self.stopped() {
            return;
        }
        let report: RepoReport =
            repos::upkeep(self.request.root, self.tree, self.request.git, policy, self.request.stop);
        for note in &report.notes {
            log::warn!("{note}");
        }
        self.summary.failed += report.failed;
        self.summary.bytes_reclaimed += report.bytes_reclaimed;
        self.summary.bytes_freed += report.bytes_reclaimed; // no repository goes to the trash
        self.summary.repos = report;
    }

    fn prune_stores(&mut self) {
        let Some(policy) = &self.request.stores else { return };
        if self.stopped() {
            return;
        }
        let ttl = |store: &Path| policy.ttl(store);
        match prune_stores(self.tree, self.request.now, &ttl, self.request.dry_run) {
            Ok(pruned) => {
                for store in &pruned {
                    log::info!("store {} has not been used for long", store.store.display());
                }
                let bytes: u64 = pruned.iter().map(|store| store.bytes).sum();
                self.summary.stores_pruned = pruned.len() as u64;
                self.summary.bytes_reclaimed += bytes;
                self.summary.bytes_freed += bytes;
            }
            Err(error) => {
                log::error!("{error:#}");
                self.summary.failed += 1;
            }
        }
    }

    /// Only an empty one goes, only when this cycle emptied it, and only while nobody prepares in it.
    fn remove_empty_workspaces(&mut self) -> Result<()> {
        if self.touched.is_empty() {
            return Ok(());
        }
        if let Some(_alone) = staging_lock_alone(self.tree)? {
            for workspace in &self.touched {
                let _ = self.tree.remove_dir(Path::new(workspace));
            }
        }
        Ok(())
    }
}

/// Does the same to each, the later half on a second thread if that is asked for: the time goes into system calls.
pub(super) fn halved<T: Send, R: Send>(mut items: Vec<T>, two: bool, work: impl Fn(T) -> R + Sync) -> Vec<R> {
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

fn goes(facts: &Facts, parent: &Parent, request: &GcRequest<'_>) -> bool {
    decide(facts, parent, &request.policy, request.now).action != Action::Skip
}

/// Plain files and links between the environments are nobody's business.
pub(super) fn look_at_folder(
    request: &GcRequest<'_>,
    tree: &Tree,
    workspace: &str,
    key: &Path,
) -> Option<Facts> {
    let mut facts = look_at_record(tree, workspace, key)?;
    // A record proves an environment; without one it has to be looked at.
    if facts.meta != MetaState::Read && !is_environment(tree, &Path::new(workspace).join(key)) {
        return None;
    }
    facts.look_closer(request, tree, key);
    Some(facts)
}

impl Facts {
    /// Looks at what costs more than the record, as far as the decision may depend on it.
    fn look_closer(&mut self, request: &GcRequest<'_>, tree: &Tree, key: &Path) {
        if self.meta == MetaState::Read
            && request.policy.artifact_ttl.is_some_and(|ttl| {
                self.completed_at.map_or(self.kind == "issue", |at| request.now - at > ttl)
            })
        {
            self.look_at_cache(tree, key);
        }
        // Without a server the answer is the same whoever is asked; with one nobody is asked about what is held.
        if request.server.is_some() || goes(self, &Parent::Offline, request) || self.status.is_active() {
            self.look_at_lock(tree, key);
        }
    }
}

/// The decision on one environment, with everything it rests on; changes nothing. Bounds are not asked: they are about
/// the whole root.
///
/// # Errors
/// When the environment cannot be opened.
pub fn explain(request: &GcRequest<'_>, env_root: &Path) -> Result<Judged> {
    let env = EnvRoot::open(env_root)?;
    let root =
        env_root.parent().and_then(Path::parent).context("an env root lies two levels below its root")?;
    let tree = Tree::open(root).with_context(|| format!("open {}", root.display()))?;
    let key = PathBuf::from(env_root.file_name().unwrap_or_default());
    let mut facts = look_at_record(&tree, &env.workspace(), &key)
        .with_context(|| format!("look at {}", env_root.display()))?;
    facts.look_closer(request, &tree, &key);
    facts.look_at_lock(&tree, &key);
    let mut parents = Parents::new(request.server.clone(), request.jobs, request.stop);
    parents.ask(std::iter::once(&facts).filter(|facts| protection(facts, request.now).is_none()));
    let parent = parents.of(&facts);
    let mut judged = deal_with(request, &tree, facts, parent);
    judged.bytes = measure(env_root).bytes;
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
