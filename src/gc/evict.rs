//! Keeps a root within its bounds: the trash is emptied first, then shared repositories that no checkout uses go, which can be
//! cloned again, then environments, the oldest finished one first.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::bounds::{Account, Bounds, Candidate};
use super::decide::{Action, Decision, Reason, decide};
use super::effects::TrashItem;
use super::facts::MetaState;
use super::hold::HeldEnv;
use super::judged::Judged;
use super::look::{look_at_folder, look_at_record};
use super::reach::out_of_reach;
use super::reclaim::take;
use super::state::{Cycle, Sink};
use crate::layout::names;
use crate::order;
use crate::repos::{IdleRepo, RepoPolicy};

/// Brings the root within its bounds as far as possible, and reports every environment that they might have taken.
pub(super) fn evict(cycle: &mut Cycle<'_>, sink: &mut Sink<'_>) -> Result<()> {
    let bounds = cycle.request.bounds;
    if !bounds.any() {
        return Ok(());
    }
    let mut candidates = std::mem::take(&mut cycle.candidates);
    order::sort(&mut candidates);
    // A cycle that ended before it had seen everything does not know how the bounds stand.
    let mut account = match cycle.stopped() {
        true => None,
        false => Some(open_account(cycle, &candidates)?),
    };
    let mut in_vain = Vec::new();
    let mut attainable = bounds;
    if let Some(account) = &mut account {
        let trash = old_enough(cycle)?;
        let policy = policy_for_repos(cycle, &bounds);
        let asks = policy.as_ref().filter(|_| bounds.short_of_bytes(account).is_some());
        let idle = asks.map(|policy| cycle.effects.idle_repos(policy)).unwrap_or_default();
        if !bounds.as_far_as_possible {
            in_vain = out_of_reach(cycle, &bounds, account, (&trash, &idle), &candidates);
            attainable = in_vain.iter().fold(bounds, |bounds, (bound, _)| bounds.without(*bound));
        }
        empty_trash(cycle, &attainable, account, &trash);
        if let Some(policy) = policy {
            evict_repos(cycle, &attainable, account, (&policy, &idle));
        }
    }
    for candidate in candidates {
        let reason =
            account.as_ref().and_then(|account| attainable.unmet(account)).filter(|_| !cycle.stopped());
        // A bound on bytes is not met by what lies in the trash.
        let for_good = cycle.request.trash_ttl.is_zero() || reason != Some(Reason::OverMaxCount);
        let judged = match reason {
            Some(reason) => remove(cycle, &candidate, reason, for_good),
            None => spare(cycle, &candidate),
        };
        if let Some(account) = account.as_mut().filter(|_| judged.as_ref().is_none_or(Judged::is_gone)) {
            account.count = account.count.saturating_sub(1);
            account.free(judged.as_ref().filter(|_| for_good).map_or(0, |judged| judged.bytes));
        }
        let Some(judged) = judged else { continue }; // it has gone by itself
        if candidate.reported.is_some() {
            if !judged.is_gone() && judged.outcome.is_none() {
                continue;
            }
            cycle.summary.uncount_left();
        }
        cycle.report(&judged, sink)?;
    }
    if let Some(account) = &mut account {
        if bounds.min_free.is_some() {
            account.disk_free = cycle.effects.disk_free()?; // the disk knows better than any sum
        }
        cycle.summary.bounds = bounds.reports(account);
        for report in &mut cycle.summary.bounds {
            let could_free = in_vain.iter().find(|(bound, _)| *bound == report.bound && !report.met);
            report.could_free = could_free.map(|(_, bytes)| *bytes);
        }
    }
    Ok(())
}

/// Removes a candidate for `reason`, if it is still one. `None`: it is gone.
fn remove(cycle: &Cycle<'_>, candidate: &Candidate, reason: Reason, for_good: bool) -> Option<Judged> {
    let root_dir = candidate.root_dir(cycle.tree);
    let held = match cycle.effects.hold(&root_dir, None) {
        Ok(Ok(held)) => held,
        Ok(Err(_)) => return spare(cycle, candidate),
        Err(error) => {
            let mut judged = spare(cycle, candidate)?;
            judged.note(Err(error));
            return Some(judged);
        }
    };
    let HeldEnv { facts, .. } = &held;
    let parent = cycle.parents.of(facts);
    // Someone may have used it since.
    let now = Candidate::of(facts, &parent, &cycle.request.bounds, cycle.request.now);
    if now.is_none_or(|now| now.at != candidate.at) {
        drop(held);
        return spare(cycle, candidate);
    }
    let mut judged = Judged::new(facts.clone(), parent, Decision { action: Action::Clean, reason });
    let done = take(cycle.request, cycle.effects, &mut judged, held, for_good);
    judged.note(done);
    Some(judged)
}

/// Reports a candidate that stays. `None`: it is gone.
fn spare(cycle: &Cycle<'_>, candidate: &Candidate) -> Option<Judged> {
    let Candidate { workspace, key, .. } = candidate;
    let mut facts = look_at_folder(cycle.request, cycle.tree, workspace, key)?;
    facts.look_at_lock(cycle.tree);
    let parent = cycle.parents.of(&facts);
    let decision = decide(&facts, &parent, &cycle.request.policy, cycle.request.now);
    let mut judged = Judged::new(facts, parent, decision);
    match judged.decision.action {
        Action::Skip => {}
        // This cycle has been there.
        Action::Artifacts | Action::Managed => judged.mark_swept(cycle.request),
        // It has come to this since the cycle looked at it: for the next cycle.
        Action::Clean | Action::Orphan => judged.decision.action = Action::Skip,
    }
    Some(judged)
}

fn open_account(cycle: &Cycle<'_>, candidates: &[Candidate]) -> Result<Account> {
    let (bounds, summary, effects) = (cycle.request.bounds, &cycle.summary, cycle.effects);
    let gone = summary.cleaned + summary.orphaned;
    // Candidates that were not reported yet are not counted yet.
    let uncounted = candidates.iter().filter(|candidate| candidate.reported.is_none()).count() as u64;
    Ok(Account {
        total: if bounds.max_total.is_some() { effects.total_bytes() } else { 0 },
        count: summary.scanned - gone + uncounted,
        disk_free: if bounds.min_free.is_some() { effects.disk_free()? } else { 0 },
        freed: summary.bytes_freed,
    })
}

/// What of the trash is old enough for a bound, the oldest entry first.
fn old_enough(cycle: &Cycle<'_>) -> Result<Vec<TrashItem>> {
    let request = cycle.request;
    let mut items = cycle.effects.trash()?;
    items.retain(|item| !request.bounds.is_too_young(last_use(cycle, item), request.now));
    Ok(items)
}

/// When what lies in the trash was last used: by its record, else when it was put there.
fn last_use(cycle: &Cycle<'_>, item: &TrashItem) -> Option<DateTime<Utc>> {
    let now = cycle.request.now;
    let by_record = |folder: &Path, key: &OsStr| {
        let facts = look_at_record(cycle.tree, folder.to_str()?, Path::new(key), now)?;
        facts.last_used.filter(|_| facts.meta == MetaState::Read)
    };
    match item {
        TrashItem::WouldBe { root_dir, .. } => {
            by_record(Path::new(root_dir.parent()?.file_name()?), root_dir.file_name()?)
        }
        TrashItem::Entry(entry) => by_record(Path::new(names::TRASH), entry.name.as_ref())
            .or_else(|| DateTime::from_timestamp(entry.parsed.at, 0)),
    }
}

/// Deletes from the trash as long as a bound on bytes is not met.
fn empty_trash(cycle: &mut Cycle<'_>, bounds: &Bounds, account: &mut Account, items: &[TrashItem]) {
    for item in items {
        if bounds.short_of_bytes(account).is_none() || cycle.stopped() {
            return;
        }
        account.free(cycle.sweep(item).unwrap_or(0));
    }
}

/// How shared repositories are looked at for the bounds. `None`: they are left alone.
fn policy_for_repos(cycle: &Cycle<'_>, bounds: &Bounds) -> Option<RepoPolicy> {
    // Zero would mean that age is no reason.
    let young = bounds.keep_younger.to_std().unwrap_or_default().max(std::time::Duration::from_secs(1));
    cycle.request.repos.as_ref().map(|policy| RepoPolicy { repo_ttl: Some(young), ..policy.clone() })
}

/// Removes shared repositories that no checkout uses as long as a bound on bytes is not met.
fn evict_repos(
    cycle: &mut Cycle<'_>,
    bounds: &Bounds,
    account: &mut Account,
    (policy, idle): (&RepoPolicy, &[IdleRepo]),
) {
    for repo in idle {
        if bounds.short_of_bytes(account).is_none() || cycle.stopped() {
            return;
        }
        let report = cycle.effects.evict_repo(policy, repo);
        account.free(report.bytes_reclaimed);
        cycle.note_repos(report);
    }
}
