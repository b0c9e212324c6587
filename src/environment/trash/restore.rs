//! What comes back from the trash.

use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, Duration, Utc};

use super::entries::TrashEntry;
use crate::environment::key::KeyFile;
use crate::environment::lock::{EnvLock, staging_lock};
use crate::environment::record::{Durability, Meta};
use crate::environment::repository::{Known, Leaving, place_of};
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::sys::tree::Tree;

/// Restores an entry to its original path or, with `to`, as this new folder, and reserves the environment for the time of `lease`: its age is unchanged,
/// so the next cycle of `gc` would remove it again otherwise.
///
/// # Errors
/// A [`Code::Occupied`] failure if the path is taken.
pub(crate) fn restore(
    tree: &Tree,
    entry: &TrashEntry,
    to: Option<&Path>,
    (keys, lease): (&KeyFile, Duration),
    now: DateTime<Utc>,
) -> Result<()> {
    if let Some(to) = to {
        return restore_as(tree, entry, to, (keys, lease), now);
    }
    let doing = || format!("restore {}", entry.origin.display());
    if !entry.parsed.has_origin() {
        let message = format!("the place of {} did not fit into its name", entry.name);
        return Err(Failure::new(Code::BadPath, message)
            .hint(format!("name the place: `execenv trash restore {} --to DIR`", entry.name))
            .into());
    }
    let workspace = Path::new(&entry.parsed.workspace);
    // While this lock is held, gc removes no empty workspace.
    let _staging = staging_lock(tree)?;
    tree.ensure_dir(workspace, 0o755).with_context(doing)?;
    let mut target = workspace.join(&entry.parsed.key);
    if entry.parsed.work_dir_only {
        target.push(names::WORK_DIR);
    }
    let place = Path::new(names::TRASH).join(&entry.name);
    // The lease is written before the environment is back, so that no cycle of gc can come in between.
    let promised = if entry.parsed.work_dir_only { target.parent().unwrap_or(&target) } else { &place };
    let env_root = tree.path().join(workspace).join(&entry.parsed.key);
    if let Err(error) = promise(tree, promised, &env_root, lease, now) {
        log::warn!("the next `gc` may remove {} again: {error:#}", env_root.display());
    }
    match tree.move_to(&place, tree, &target) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::new(Code::Occupied, format!("{} is there already", entry.origin.display()))
                .hint(format!(
                    "restore it as another folder: `execenv trash restore {} --to DIR`",
                    entry.name
                ))
                .into())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && entry.parsed.work_dir_only => {
            Err(Failure::new(Code::NoEnv, format!("the environment of {} is gone", entry.origin.display()))
                .hint("restore the environment first")
                .into())
        }
        other => other.with_context(doing),
    }
}

/// Restores an entry as the new folder `to`, which may lie anywhere on the file system of the root.
fn restore_as(
    tree: &Tree,
    entry: &TrashEntry,
    to: &Path,
    (keys, lease): (&KeyFile, Duration),
    now: DateTime<Utc>,
) -> Result<()> {
    let shown = to.display();
    let doing = || format!("restore {} as {shown}", entry.name);
    let (Some(above), Some(name)) = (to.parent(), to.file_name()) else {
        let message = format!("`--to {shown}` is not a folder that can be created");
        return Err(Failure::new(Code::BadPath, message).hint("name a folder that does not exist").into());
    };
    let place = Path::new(names::TRASH).join(&entry.name);
    let folder = Tree::open(above).with_context(doing)?;
    let _staging = staging_lock(tree)?;
    if !entry.parsed.work_dir_only
        && let Err(error) = promise(tree, &place, to, lease, now)
    {
        log::warn!("the next `gc` may remove {shown} again if it lies in a workspaces root: {error:#}");
    }
    match tree.move_to(&place, &folder, Path::new(name)) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::new(Code::Occupied, format!("{shown} is there already"))
                .hint("name a folder that does not exist")
                .into())
        }
        Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => {
            let from = tree.path().join(&place);
            Err(Failure::new(Code::Failed, format!("{shown} is on another file system than the trash"))
                .hint(format!("copy it: `cp -a {} {shown}`", from.display()))
                .into())
        }
        other => other.with_context(doing),
    }?;
    if let Err(error) = follow(tree, entry, (&folder, Path::new(name)), keys) {
        log::warn!("its repository looks for the worktree at the former place: {error:#}");
    }
    Ok(())
}

/// Tells the repository of a worktree where that is now: it was restored as `name` in `folder`.
fn follow(tree: &Tree, entry: &TrashEntry, (folder, name): (&Tree, &Path), keys: &KeyFile) -> Result<()> {
    let files = if entry.parsed.work_dir_only { name.to_owned() } else { name.join(names::WORK_DIR) };
    let Ok(opened) = folder.plain_subtree(&files) else { return Ok(()) };
    let home = Path::new(&entry.parsed.workspace).join(&entry.parsed.key);
    let place = place_of(&tree.path().join(&home));
    let env = match entry.parsed.work_dir_only {
        true => tree.plain_subtree(&home),
        false => folder.plain_subtree(name),
    };
    let env = env.ok();
    let (env, key) = (env.as_ref(), &*entry.parsed.key);
    let leaving = Leaving { env, folder: Some(&opened), place: &place, key, known: Known::Nothing };
    match leaving.proved(keys) {
        None => Ok(()),
        Some(Ok(registered)) => registered.move_to(&folder.path().join(files)),
        Some(Err(common)) => anyhow::bail!(
            "nothing proves that execenv made the worktree in {}; `git worktree repair` there, with the new path, mends it",
            common.display()
        ),
    }
}

/// Writes a lease into the record of the environment at `place`; one without a record gets a new modification time.
fn promise(tree: &Tree, place: &Path, env_root: &Path, lease: Duration, now: DateTime<Utc>) -> Result<()> {
    let env = tree.subtree(place).with_context(|| format!("open {}", tree.path().join(place).display()))?;
    let Ok(Some(_)) = Meta::load(&env) else { return Ok(env.set_modified(now.into())?) };
    let Ok(_lock) = EnvLock::try_hold(&env, true) else { return Ok(()) }; // a process that holds it needs no lease
    let until = now.checked_add_signed(lease).unwrap_or(DateTime::<Utc>::MAX_UTC);
    Meta::change(&env, Durability::Synced, |meta| {
        let mut own = meta.own_or_rebuilt(&env);
        if meta.own.is_none() {
            own.work_dir = env_root.join(names::WORK_DIR); // where it will be, not in the trash
        }
        own.lease_until = own.lease_until.max(Some(until));
        meta.own = Some(own);
    })?;
    Ok(())
}
