//! Clean-up: removes the sidecars from a user folder, then the work dir or the whole env root, never a user folder.

mod forced;
mod report;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use self::forced::save_by_force;
pub(crate) use self::report::retained_for;
pub use self::report::{CleanupOptions, CleanupOutcome, CleanupReport, Kept};
use super::busy::{self, Held};
use super::homes::Logins;
use super::locked::{LockedEnv, LockedRoot};
use super::lookup::FoundEnv;
use super::occupants::Occupants;
use super::path::quoted;
use super::record::{Durability, EnvStatus, LockedRecord, Meta};
use super::repository::{BranchRule, Deletion};
use super::root::{EnvRoot, WorkspacesRoot};
use super::trash::{delete, half_deleted_of, refuse_mount};
use super::trust::Trust;
use super::unsaved::unsaved_work;
use crate::git::{Git, Unsaved};
use crate::layout::{self, names};
use crate::sidecar::TakenBack;
use crate::sys::remove::Stopped;
use crate::sys::tree::{FileKind, Tree, is_of_full_disk};
use crate::sys::walk::{Size, measure};

/// Cleans up one environment. A second time is a no-op. Once `stop` is set, it does not begin to remove, or stops removing:
/// what is left then is out of sight, and the next command deletes it.
///
/// # Errors
/// When the root cannot be opened; what goes wrong with the environment itself is in the report.
pub fn cleanup(
    root: &WorkspacesRoot,
    found: FoundEnv,
    options: CleanupOptions,
    trust: Trust<'_>,
    git: &Git,
    stop: &AtomicBool,
    now: DateTime<Utc>,
) -> Result<CleanupReport> {
    let mut report = CleanupReport::nothing_to_do(found.env.path.clone());
    // What was found may have been changed until the lock was taken.
    let found = match LockedRoot::try_hold(found.env, true) {
        Ok(locked) => match locked.read_even_damaged() {
            Ok(found) => found,
            Err(error) => return Ok(report.unreadable(&error)),
        },
        Err(Held::ByOther) => {
            let holder = busy::holder_of_env(&report.root_dir);
            let why = format!("a live process has it{}", busy::by(holder.as_ref()));
            return Ok(retained(report, CleanupOutcome::RetainedLive, &why));
        }
        Err(Held::NoLockFile | Held::Moved) => {
            return Ok(retained(report, CleanupOutcome::Raced, "it has gone meanwhile"));
        }
        Err(held @ Held::Unknown(_)) => return Err(busy::busy(&report.root_dir, &held)),
    };
    let lock =
        found.lock_handle().with_context(|| format!("hold the lock of {}", report.root_dir.display()))?;
    let git = &git.clone().holding(lock);
    let env = &found.env;
    let is_damaged = found.meta.is_none() && !matches!(env.tree.kind(Path::new(names::META)), Ok(None));
    if let Some(meta) = &found.meta {
        meta.refuse_newer(&env.tree)?;
        found.forget_dead_run();
    }
    let root_tree = Tree::open(env.path.parent().and_then(Path::parent).unwrap_or(root.path()))
        .with_context(|| format!("open the root of {}", env.path.display()))?;

    let goes = if options.all { env.path.clone() } else { env.path.join(names::WORK_DIR) };
    if (options.all || !found.work_dir.is_user_folder())
        && let Err(error) = refuse_mount(&goes)
    {
        report.errors.push(format!("{error:#}"));
        return Ok(retained(report, CleanupOutcome::Failed, "something is mounted in it"));
    }

    // What is saved by force is written into the repository, which has to know the worktree.
    if options.force
        && !options.trash
        && let Err(error) = found.reattach(trust.keys)
    {
        log::warn!("{error:#}");
    }
    // What is moved to the trash can be restored, with unsaved work.
    let is_only_set_up = options.undoes && found.meta.as_ref().is_some_and(Meta::is_only_set_up);
    let unsaved =
        if options.trash || is_only_set_up { Vec::new() } else { unsaved_work(&found, options.all, git) };
    if stop.load(Ordering::Relaxed) {
        report.hint = Some("repeat the command".to_owned());
        report.is_stopped = true;
        return Ok(retained(report, CleanupOutcome::Failed, "stopped: nothing was removed"));
    }
    let mut saved = Vec::new();
    let mut options = options;
    if !options.trash {
        let mut unsaved = unsaved;
        if options.force {
            let git = git.clone().noting(found.sandbox_notes(trust)?);
            let forced = save_by_force(&found, unsaved, &git, now, &mut report);
            (saved, unsaved) = (forced.refs, forced.failed);
            options.trash = !forced.only_here.is_empty();
            report.notices.extend(forced.only_here);
        }
        if let Some(outcome) = retained_for(&unsaved) {
            report.outcome = outcome;
            let kept = |Unsaved { path, what, reasons, .. }| Kept { path, why: what, unsaved: reasons };
            report.kept.extend(unsaved.into_iter().map(kept));
            let tried =
                "fix the cause or copy that work, then repeat the command; `--trash` keeps it for a while";
            report.hint = options.force.then(|| tried.to_owned());
            return Ok(report);
        }
    }
    let removes_folder = options.all || !found.work_dir.is_user_folder();
    if removes_folder
        && !options.force
        && let Some(who) = Occupants::but_ancestors().of(&goes)
    {
        report.hint = Some(
            "end it, or let it leave the folder, then repeat the command; `--force` removes it all the same"
                .to_owned(),
        );
        return Ok(retained(report, CleanupOutcome::RetainedLive, &who));
    }
    let seal = trust.keys.seal(&env.key());
    let logins = Logins::recorded(&env.tree, seal.as_ref());
    match logins.settle_for_removal(&env.tree, options.renewed_logins).or_stuck() {
        Ok(notices) => report.notices.extend(notices),
        Err(error) => {
            report.outcome = CleanupOutcome::Failed;
            return Ok(report.failed(&error));
        }
    }
    report.teardown = found.tear_down(trust);
    report.notices.extend(report.teardown.notice());
    if report.teardown.is_stopped() {
        report.hint = Some("repeat the command: the teardown begins again".to_owned());
        report.is_stopped = true;
        return Ok(retained(
            report,
            CleanupOutcome::Failed,
            "stopped during the teardown: nothing was removed",
        ));
    }
    // Taken before the first sidecar goes: that they went must be recorded.
    let record = if options.all { None } else { Some(Meta::lock(&env.tree)?) };
    let checkpointed = found.checkpointed_in_user_folder(trust, git);
    // The record of a folder that is not as it was must outlive the attempt, whatever is forced.
    let taken_back = match found.take_sidecars_back(trust, None) {
        Ok(taken) => taken,
        Err(_) if options.force && found.is_deleted() => TakenBack::default(),
        Err(error) => {
            report.kept.extend(found.places_left().into_iter().map(|(path, why)| Kept::new(path, why)));
            if !options.forget {
                return Ok(report.not_taken_back(&error));
            }
            TakenBack::default()
        }
    };
    report.removed.extend(taken_back.removed);
    report.kept.extend(taken_back.kept.into_iter().map(|(path, why)| Kept::new(path, why)));
    for copy in taken_back.copies {
        let path = env.path.join(copy);
        report.kept.push(Kept::new(path, "a copy of an edited sidecar"));
    }
    if !taken_back.errors.is_empty() && !options.forget {
        report.errors.extend(taken_back.errors);
        report.outcome = CleanupOutcome::Failed;
        return Ok(report);
    }
    if is_damaged && !options.all {
        let why = "its record is damaged; `--all` removes the whole env root";
        report.hint = Some(format!("`execenv cleanup --all {}`", quoted(&report.root_dir)));
        return Ok(retained(report, CleanupOutcome::RetainedUnreadable, why));
    }
    let rule = match options {
        CleanupOptions { keep_branch: true, .. } => BranchRule::Keep,
        CleanupOptions { force: true, .. } => BranchRule::Always,
        _ => BranchRule::UnlessOnlyCopy,
    };
    let deletion = Deletion::new(git, trust.keys, &trust.hooks.trusted, stop).branches(rule).naming(saved);
    found.release_refs(&checkpointed, &deletion);
    let done = take_down(&root_tree, found, record, options, (&deletion, now), &mut report);
    report.kept.extend(deletion.kept().into_iter().map(|(path, what)| Kept::new(path, what)));
    if let Err(error) = done {
        report = report.failed(&error);
        report.outcome = CleanupOutcome::Failed;
    }
    Ok(report)
}

fn take_down(
    root_tree: &Tree,
    found: LockedEnv,
    record: Option<LockedRecord>,
    options: CleanupOptions,
    (deletion, now): (&Deletion<'_>, DateTime<Utc>),
    report: &mut CleanupReport,
) -> Result<()> {
    let env = &found.env;
    if options.all {
        let (path, workspace) = (env.path.clone(), env.workspace());
        let size = env.tree.measure().unwrap_or_default();
        report.bytes += size.bytes;
        if options.trash {
            found.put_aside(root_tree, false, now)?;
            report.outcome = CleanupOutcome::Trashed;
        } else {
            unless_stopped(found.delete(root_tree, now, deletion), "`execenv gc`", root_tree, size, report)?;
        }
        report.removed.push(path);
        // What was removed on request is not there again after a power cut, the files with secrets least of all.
        root_tree.sync_entries(&[workspace, names::TRASH.to_owned()]).context("sync the workspace")?;
        return Ok(());
    }
    // The record first: from here on no run starts in it, even after a crash.
    let mark = |record: LockedRecord| -> Result<()> {
        record.change(&env.tree, Durability::Synced, |meta| {
            let mut own = meta.own_or_rebuilt(&env.tree);
            if own.status != EnvStatus::Cleaned {
                own.status = EnvStatus::Cleaned;
                own.used_at = Some(now);
                own.lease_until = None;
                own.ports.clear();
                meta.own = Some(own);
            }
        })?;
        env.tree.sync().context("sync the environment")
    };
    let marked = record.filter(|_| found.meta.is_some()).map_or(Ok(()), mark);
    let without_room = match marked {
        // On a full disk the removal makes the room; until then a run finds no work dir.
        Err(error) if is_of_full_disk(&error) => true,
        other => other.map(|()| false)?,
    };
    found.sweep_temporaries();
    // The homes stay, so an interrupted change of them is completed. A failure does not stop the clean-up.
    if let Err(error) = found.recover_homes() {
        report.errors.push(format!("{error:#}"));
    }
    // An error is reported at the end: everything else is still removed.
    let forgotten = found.forget_secrets().context("remove the files with secrets");
    for name in layout::gone_with_work_dir().filter(|name| *name != names::WORK_DIR) {
        env.tree.remove_all(Path::new(name)).with_context(|| format!("remove {name}"))?;
    }
    finish_earlier(root_tree, env, deletion, report)?;
    if !report.is_stopped {
        remove_work_dir(root_tree, &found, options, (deletion, now), report)?;
    }
    if without_room {
        mark(Meta::lock(&env.tree)?)?;
    }
    env.tree.sync().context("sync the environment")?;
    forgotten
}

fn remove_work_dir(
    root_tree: &Tree,
    found: &LockedEnv,
    options: CleanupOptions,
    (deletion, now): (&Deletion<'_>, DateTime<Utc>),
    report: &mut CleanupReport,
) -> Result<()> {
    let env = &found.env;
    if found.work_dir.is_user_folder() || env.tree.kind(Path::new(names::WORK_DIR)).ok().flatten().is_none() {
        return Ok(());
    }
    let work_dir = env.path.join(names::WORK_DIR);
    if env.tree.kind(Path::new(names::WORK_DIR)).ok().flatten() == Some(FileKind::Link) {
        env.tree
            .remove_file(Path::new(names::WORK_DIR))
            .context("remove the link in the work dir's place")?;
    } else {
        let size = env.tree.subtree(Path::new(names::WORK_DIR)).and_then(|tree| tree.measure());
        let size = size.unwrap_or_default();
        report.bytes += size.bytes;
        if options.trash {
            found.put_aside(root_tree, true, now)?;
            report.outcome = CleanupOutcome::Trashed;
        } else {
            let way = way_to_go_on(&found.env.path);
            unless_stopped(found.delete_work_dir(root_tree, now, deletion), &way, root_tree, size, report)?;
        }
    }
    report.removed.push(work_dir);
    Ok(())
}

/// Deletes what an earlier clean-up of the environment, which was stopped, has left of its work dir in the trash.
fn finish_earlier(
    root_tree: &Tree,
    env: &EnvRoot,
    deletion: &Deletion<'_>,
    report: &mut CleanupReport,
) -> Result<()> {
    for name in half_deleted_of(root_tree, env)? {
        let size = measure(&root_tree.path().join(names::TRASH).join(&name));
        let way = way_to_go_on(&env.path);
        unless_stopped(delete(root_tree, &name, deletion), &way, root_tree, size, report)?;
        if report.is_stopped {
            break;
        }
    }
    Ok(())
}

/// What deletes the rest of a work dir whose removal was stopped.
fn way_to_go_on(env: &Path) -> String {
    format!("`execenv cleanup {}` or `execenv gc`", quoted(env))
}

/// A removal that was asked to end is no failure: what is left lies in the trash, where no command restores it and the next
/// one deletes it. `way` is that command.
fn unless_stopped(
    removed: Result<()>,
    way: &str,
    root_tree: &Tree,
    size: Size,
    report: &mut CleanupReport,
) -> Result<()> {
    let Err(error) = removed else { return Ok(()) };
    let Some(stopped) = Stopped::find(&error) else { return Err(error) };
    let why = format!(
        "stopped: {} of {} entries were deleted; {way} deletes the rest",
        stopped.removed,
        size.entries + 1 // the folder itself
    );
    report.kept.push(Kept::new(root_tree.path().join(names::TRASH), why));
    report.is_stopped = true;
    Ok(())
}

fn retained(mut report: CleanupReport, outcome: CleanupOutcome, why: &str) -> CleanupReport {
    report.outcome = outcome;
    report.kept.push(Kept::new(report.root_dir.clone(), why));
    report
}
