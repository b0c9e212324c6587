//! Keeping a root within its bounds: the trash goes first, then environments, the oldest finished one first.

use std::path::Path;

use anyhow::{Context, Result};

use super::bounds::{Account, Candidate};
use super::cycle::{Cycle, Sink, halved, look_at_folder};
use super::decide::{Action, Decision, Reason, decide};
use super::reclaim::{Judged, carry_out};
use super::sweep::sweep;
use crate::environment::trash;
use crate::sys::remove::measure;
use crate::sys::space::free_space;
use crate::sys::tree::Kind;

/// Brings the root within its bounds as far as that can be, and tells of every environment that they might have taken.
pub(super) fn evict(cycle: &mut Cycle<'_>, sink: &mut Sink<'_>) -> Result<()> {
    let bounds = cycle.request.bounds;
    if !bounds.any() {
        return Ok(());
    }
    let mut candidates = std::mem::take(&mut cycle.candidates);
    candidates.sort_unstable();
    let untold = candidates.iter().filter(|candidate| !candidate.told).count() as u64;
    let mut account = open_account(cycle, untold)?;
    empty_trash(cycle, &mut account)?;
    let mut candidates = candidates.into_iter();
    for candidate in candidates.by_ref() {
        cycle.summary.interrupted |= cycle.request.is_stopped();
        let reason = bounds.unmet(&account).filter(|_| !cycle.summary.interrupted);
        let Some(judged) = judge(cycle, &candidate, reason) else {
            account.count = account.count.saturating_sub(1); // it has gone by itself
            continue;
        };
        if judged.is_gone() && !cycle.touched.contains(&candidate.workspace) {
            cycle.touched.push(candidate.workspace.clone());
        }
        let would_go = cycle.request.dry_run && judged.decision.action.removes() && judged.outcome.is_none();
        if judged.is_gone() || would_go {
            account.count = account.count.saturating_sub(1);
            let for_good = reason.is_some_and(|reason| reason != Reason::OverMaxCount)
                || cycle.request.trash_ttl.is_zero();
            if for_good {
                account.free(judged.bytes);
            }
        }
        tell(cycle, &candidate, &judged, sink)?;
    }
    if !cycle.request.dry_run && bounds.min_free.is_some() {
        account.disk_free = disk_free(cycle)?; // the disk knows better than any sum
    }
    cycle.summary.bounds = bounds.reports(&account);
    Ok(())
}

fn tell(cycle: &mut Cycle<'_>, candidate: &Candidate, judged: &Judged, sink: &mut Sink<'_>) -> Result<()> {
    if candidate.told {
        if judged.decision.action == Action::Skip {
            return Ok(());
        }
        cycle.summary.uncount_left();
    }
    cycle.summary.count(judged, cycle.request.dry_run);
    sink(judged)
}

/// Looks at a candidate once more and takes it for `reason`, or leaves it.
fn judge(cycle: &Cycle<'_>, candidate: &Candidate, reason: Option<Reason>) -> Option<Judged> {
    let request = cycle.request;
    let mut facts = look_at_folder(request, cycle.tree, &candidate.workspace, &candidate.key)?;
    let parent = cycle.parents.of(&facts);
    let own = decide(&facts, &parent, &request.policy, request.now);
    let Some(reason) = reason else {
        return Some(Judged::new(facts, parent, Decision { action: Action::Skip, ..own }));
    };
    facts.look_at_lock(cycle.tree, &candidate.key);
    // Somebody may have taken it into use since.
    if Candidate::of(&facts, &parent, request.now).is_none_or(|now| now.at != candidate.at) {
        let decision = decide(&facts, &parent, &request.policy, request.now);
        return Some(Judged::new(facts, parent, Decision { action: Action::Skip, ..decision }));
    }
    let judged = Judged::new(facts, parent, Decision { action: Action::Clean, reason });
    Some(carry_out(request, cycle.tree, judged, reason != Reason::OverMaxCount))
}

fn open_account(cycle: &Cycle<'_>, untold: u64) -> Result<Account> {
    let bounds = cycle.request.bounds;
    let summary = &cycle.summary;
    let gone = summary.cleaned + summary.orphaned;
    // Candidates that were not told of yet are not counted yet.
    let told = summary.scanned - gone;
    let mut account = Account {
        total: if bounds.max_total.is_some() { total(cycle) } else { 0 },
        count: told + untold,
        disk_free: if bounds.min_free.is_some() { disk_free(cycle)? } else { 0 },
        freed: 0,
    };
    if cycle.request.dry_run {
        account.free(would_free(cycle)); // which still stands, so it was added up
    } else {
        account.freed = summary.bytes_freed;
    }
    Ok(account)
}

/// What the cycle would have freed for good before the bounds are looked at.
fn would_free(cycle: &Cycle<'_>) -> u64 {
    let summary = &cycle.summary;
    if cycle.request.trash_ttl.is_zero() { summary.bytes_reclaimed } else { summary.bytes_freed }
}

fn disk_free(cycle: &Cycle<'_>) -> Result<u64> {
    let path = cycle.tree.path();
    free_space(path).with_context(|| format!("ask how much is free on the disk of {}", path.display()))
}

/// What everything below the root takes, in bytes.
fn total(cycle: &Cycle<'_>) -> u64 {
    let root = cycle.tree.path();
    let mut folders = Vec::new();
    let mut sum = 0;
    for name in cycle.tree.names(Path::new("")).unwrap_or_default() {
        if let Ok(Some(Kind::File { .. })) = cycle.tree.kind(Path::new(&name)) {
            // Folders are measured; what lies beside them has to be added.
            sum += root.join(&name).symlink_metadata().map_or(0, |file| file.len());
        }
        let below = cycle.tree.names(Path::new(&name)).unwrap_or_default();
        folders.extend(below.into_iter().map(|key| root.join(&name).join(key)));
    }
    let two = folders.len() >= 64;
    for bytes in halved(folders, two, |folder| measure(&folder).bytes) {
        sum += bytes;
    }
    sum
}

/// The trash is the first to go, its oldest entry first.
fn empty_trash(cycle: &mut Cycle<'_>, account: &mut Account) -> Result<()> {
    let request = cycle.request;
    for entry in trash::entries(request.root, cycle.tree)? {
        cycle.summary.interrupted |= request.is_stopped();
        if request.bounds.short_of_bytes(account).is_none() || cycle.summary.interrupted {
            return Ok(());
        }
        let bytes = trash::size_of(request.root, &entry);
        if !request.dry_run {
            match sweep(request, cycle.tree, &entry) {
                Ok(true) => cycle.summary.bytes_freed += bytes,
                Ok(false) => continue,
                Err(error) => {
                    log::error!("{error:#}");
                    cycle.summary.failed += 1;
                    continue;
                }
            }
        }
        account.free(bytes);
        cycle.summary.trash_swept += 1;
    }
    if request.dry_run && request.bounds.short_of_bytes(account).is_some() {
        // What this cycle would have put into the trash would be emptied out of it again.
        account.free(cycle.summary.bytes_reclaimed - would_free(cycle));
    }
    Ok(())
}
