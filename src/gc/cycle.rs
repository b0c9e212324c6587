//! One cycle over a workspaces root.
//!
//! In this order: what a killed prepare or cycle left; every environment by its own; repositories; stores; the trash;
//! the bounds. Each step leaves a root that the next cycle understands, wherever it is cut off.

use std::path::Path;

use anyhow::Result;

use super::dry_run::DryRun;
use super::effects::{Disk, Effects};
use super::evict::evict;
use super::parents::Parents;
use super::request::GcRequest;
use super::state::{Cycle, Sink};
use super::summary::Summary;
use crate::environment::WorkspacesRoot;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::sys::lock;
use crate::sys::tree::Tree;

/// Runs one cycle. Each environment is handed to `sink` as soon as it is dealt with, in the order of the names;
/// those that a bound might take come last, the oldest first.
///
/// # Errors
/// When the root cannot be read or is not one; trouble with single environments is in their reports.
pub fn cycle(request: &GcRequest<'_>, sink: &mut Sink<'_>) -> Result<Summary> {
    let Some(tree) = request.root.open()? else { return Ok(Summary::default()) };
    refuse_unmarked(request.root, &tree)?;
    let disk = Disk { request, tree: &tree };
    let effects: &dyn Effects = if request.dry_run { &DryRun::new(disk) } else { &disk };
    let Some(_only_one) = effects.begin()? else {
        let held_by = lock::holder(&tree, &Path::new(names::LOCKS).join(names::GC_LOCK));
        return Ok(Summary { already_running: true, held_by, ..Summary::default() });
    };
    let mut cycle = Cycle {
        request,
        tree: &tree,
        effects,
        parents: Parents::new(request.server.clone(), request.jobs, request.stop),
        summary: Summary::default(),
        candidates: Vec::new(),
        touched: Vec::new(),
    };
    cycle.summary.failed += effects.finish_interrupted_work()?;
    cycle.collect(sink)?;
    cycle.keep_repos();
    cycle.prune_stores();
    cycle.sweep_trash()?;
    evict(&mut cycle, sink)?;
    effects.remove_empty_workspaces(&cycle.touched)?;
    cycle.count_trash()?;
    cycle.count_left();
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

impl Cycle<'_> {
    /// Counts what a stopped cycle did not come to; of one workspace only it is not known without reading every record.
    fn count_left(&mut self) {
        if !self.stopped() || self.request.workspace.is_some() {
            return;
        }
        let root = self.request.root;
        let workspaces = root.workspaces(self.tree).unwrap_or_default();
        let all: usize =
            workspaces.iter().map(|name| root.keys(self.tree, name).map_or(0, |keys| keys.len())).sum();
        let gone = self.summary.cleaned + self.summary.orphaned;
        self.summary.not_reached =
            Some((all as u64).saturating_sub(self.summary.scanned.saturating_sub(gone)));
    }

    fn keep_repos(&mut self) {
        let Some(policy) = &self.request.repos else { return };
        if self.stopped() {
            return;
        }
        let report = self.effects.keep_repos(policy);
        self.note_repos(report);
    }

    fn prune_stores(&mut self) {
        let Some(policy) = &self.request.stores else { return };
        if self.stopped() {
            return;
        }
        match self.effects.prune_stores(policy) {
            Ok(pruned) => {
                for store in &pruned {
                    log::info!(
                        "removed {}: unused, or of an environment that is gone",
                        store.store.display()
                    );
                }
                let bytes: u64 = pruned.iter().map(|store| store.bytes).sum();
                self.summary.stores_pruned = pruned.len() as u64;
                self.summary.bytes_reclaimed += bytes;
                self.summary.bytes_freed += bytes;
            }
            Err(error) => self.fail(&error),
        }
    }
}
