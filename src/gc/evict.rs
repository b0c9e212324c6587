//! Keeping a root within its bounds: the trash goes first, then environments, the oldest finished one first.

use std::path::Path;

use anyhow::{Context, Result};

use super::bounds::{Account, Candidate};
use super::cycle::{Cycle, Sink, halved, look_at_folder};
use super::decide::{Action, Decision, Reason, decide};
use super::reclaim::{Judged, carry_out};
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
    // A cycle that ended before it had seen everything does not know how the bounds stand.
    let mut account = match cycle.stopped() {
        true => None,
        false => Some(open_account(cycle, &candidates)?),
    };
    if let Some(account) = &mut account {
        empty_trash(cycle, account)?;
    }
    for candidate in candidates {
        let reason = account.as_ref().and_then(|account| bounds.unmet(account)).filter(|_| !cycle.stopped());
        let judged = judge(cycle, &candidate, reason);
        let leaves = judged.as_ref().is_none_or(|judged| judged.is_gone() || judged.would_go(cycle.request));
        let for_good = goes_for_good(cycle, reason);
        if let Some(account) = account.as_mut().filter(|_| leaves) {
            account.count = account.count.saturating_sub(1);
            account.free(judged.as_ref().filter(|_| for_good).map_or(0, |judged| judged.bytes));
        }
        let Some(judged) = judged else { continue }; // it has gone by itself
        if candidate.told.is_some() {
            if judged.decision.action == Action::Skip {
                continue;
            }
            cycle.summary.uncount_left();
        }
        cycle.tell(&judged, for_good, sink)?;
    }
    if let Some(account) = &mut account {
        if !cycle.request.dry_run && bounds.min_free.is_some() {
            account.disk_free = disk_free(cycle)?; // the disk knows better than any sum
        }
        cycle.summary.bounds = bounds.reports(account);
    }
    Ok(())
}

/// A bound on bytes is not met by what lies in the trash.
fn goes_for_good(cycle: &Cycle<'_>, reason: Option<Reason>) -> bool {
    cycle.request.trash_ttl.is_zero() || reason.is_some_and(|reason| reason != Reason::OverMaxCount)
}

/// Looks at a candidate once more and takes it for `reason`, or leaves it.
fn judge(cycle: &Cycle<'_>, candidate: &Candidate, reason: Option<Reason>) -> Option<Judged> {
    let request = cycle.request;
    let mut facts = look_at_folder(request, cycle.tree, &candidate.workspace, &candidate.key)?;
    let parent = cycle.parents.of(&facts);
    let own = decide(&facts, &parent, &request.policy, request.now);
    let Some(reason) = reason else {
        let mut judged = Judged::new(facts, parent, own);
        if own.action != Action::Skip {
            judged.call_it_swept(request); // this cycle has been there
        }
        return Some(judged);
    };
    facts.look_at_lock(cycle.tree, &candidate.key);
    // Somebody may have taken it into use since.
    if Candidate::of(&facts, &parent, request.now).is_none_or(|now| now.at != candidate.at) {
        let decision = decide(&facts, &parent, &request.policy, request.now);
        return Some(Judged::new(facts, parent, Decision { action: Action::Skip, ..decision }));
    }
    let judged = Judged::new(facts, parent, Decision { action: Action::Clean, reason });
    let mut judged = carry_out(request, cycle.tree, judged, goes_for_good(cycle, Some(reason)));
    if judged.would_go(request) {
        // Its artifacts would have gone before.
        judged.bytes = judged.bytes.saturating_sub(candidate.told.unwrap_or(0));
    }
    Some(judged)
}

fn open_account(cycle: &Cycle<'_>, candidates: &[Candidate]) -> Result<Account> {
    let bounds = cycle.request.bounds;
    let summary = &cycle.summary;
    let gone = summary.cleaned + summary.orphaned;
    // Candidates that were not told of yet are not counted yet.
    let untold = candidates.iter().filter(|candidate| candidate.told.is_none()).count() as u64;
    let mut account = Account {
        total: if bounds.max_total.is_some() { total(cycle) } else { 0 },
        count: summary.scanned - gone + untold,
        disk_free: if bounds.min_free.is_some() { disk_free(cycle)? } else { 0 },
        freed: 0,
    };
    if cycle.request.dry_run {
        account.free(summary.bytes_freed); // which still stands, so it was added up
    } else {
        account.freed = summary.bytes_freed;
    }
    Ok(account)
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
    let bounds = cycle.request.bounds;
    for entry in cycle.trash_entries()? {
        if bounds.short_of_bytes(account).is_none() || cycle.stopped() {
            return Ok(());
        }
        account.free(cycle.sweep(&entry).unwrap_or(0));
    }
    // What a dry run would have put into the trash would be emptied out of it again.
    for bytes in std::mem::take(&mut cycle.would_be_trashed) {
        if bounds.short_of_bytes(account).is_none() {
            return Ok(());
        }
        account.free(bytes);
        cycle.summary.trash_swept += 1;
        cycle.summary.bytes_freed += bytes;
    }
    Ok(())
}
