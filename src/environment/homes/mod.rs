//! The provider's homes in an env root: building them, and replacing one version by another.
//!
//! Invariants:
//! - An env root under construction gets its homes directly ([`build`]).
//! - In an existing one, everything new is built in a scratch folder ([`names::HOMES_SCRATCH`]), with a list of the
//!   paths. One rename to [`names::HOMES_NEXT`] commits the change: from then on it is always completed, by this command
//!   or the next one; before, it has no effect. A second rename, back to the scratch name, ends it: the scratch folder
//!   may be deleted at any time.
//! - A path on the list is free, or has its old entry, or its new one: one rename moves the old entry aside, another
//!   moves the new one in, and each step checks what is still to do. So the change can be repeated from any point.
//! - Paths that are not on the list are not touched or moved: sessions, histories, caches of the agent. Entries that are
//!   already correct are not on the list, so a `reuse` that changes nothing writes nothing.
//! - The agent can put anything into the homes: paths are resolved inside open folders of the env root, a link is
//!   replaced and never followed, and removing deletes links, not their targets.

mod exports;
mod logins;
mod moved;
mod pieces;
mod swap;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use self::exports::Exports;
pub(super) use self::exports::private_file;
pub(crate) use self::exports::{check_exports, check_needs, private_exports, private_files};
pub(crate) use self::logins::Logins;
pub use self::logins::RenewedLogins;
pub(super) use self::logins::{
    build_list as build_logins, has_list as links_logins, store_list as store_logins,
};
pub(crate) use self::moved::renew_store_links;
use self::pieces::{Piece, changed_pieces, whole_pieces};
pub(super) use self::swap::is_name;
use self::swap::{Swap, new_name};
use super::locked::LockedEnv;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::provider::homes::{forgetting, homes_with_secrets};
use crate::provider::plan::HomePlan;
use crate::sys::tree::{FileKind, Tree, folders_of, is_of_full_disk};

/// The list of a change, inside its folder.
const LIST: &str = "list.json";
/// The longest list that is read, in bytes.
const MAX_LIST: u64 = 16 << 20;

/// A change that is built but not committed. Dropping it discards it.
#[derive(Debug)]
pub(super) struct Change<'a> {
    env: &'a Tree,
    decided: bool,
}

/// Writes a plan's homes into an env root under construction.
///
/// # Errors
/// As the system reports them; the caller removes the env root.
pub(super) fn build(env: &Tree, plan: &HomePlan) -> Result<()> {
    if !plan.private_exports.is_empty() {
        env.ensure_dir(Path::new(names::LAUNCH), 0o700).context("make the launch folder")?;
    }
    for piece in whole_pieces(plan)? {
        piece.write(env, &piece.place)?;
    }
    Ok(())
}

/// Builds everything that differs from the plan. `None`: nothing differs.
///
/// # Errors
/// As the system reports them; only modes may have been changed then.
fn stage<'a>(env: &'a Tree, plan: &HomePlan) -> Result<Option<Change<'a>>> {
    let pieces = changed_pieces(env, plan)?;
    if pieces.is_empty() {
        return Ok(None);
    }
    let scratch = Path::new(names::HOMES_SCRATCH);
    env.remove_all(scratch).context("remove what an interrupted change left")?;
    env.make_dir(scratch, 0o700).context("create the folder for the new homes")?;
    let change = Change { env, decided: false }; // from here on, dropping it cleans up
    let tree = env.subtree(scratch).context("open the folder for the new homes")?;
    for (number, piece) in pieces.iter().enumerate() {
        piece.write(&tree, &new_name(number))?;
    }
    if pieces.iter().any(|piece| piece.place.starts_with(names::LAUNCH) && !piece.is_removal()) {
        env.ensure_dir(Path::new(names::LAUNCH), 0o700).context("make the launch folder")?;
    }
    let list = serde_json::to_vec(&pieces.iter().map(Piece::swap).collect::<Vec<_>>())?;
    tree.replace_unsynced(Path::new(LIST), &list, 0o600, names::TEMPORARY)
        .context("write the list of new homes")?;
    // The rename that commits the change may reach the disk before what was written here.
    tree.sync_all(Path::new("")).context("sync the new homes")?;
    Ok(Some(change))
}

/// Removes the files with secrets from the homes of an environment that is cleaned up; conversations stay. A `reuse`
/// creates the files again.
///
/// # Errors
/// As the system reports them; the next clean-up removes the rest.
fn forget_secrets(env: &Tree) -> Result<()> {
    // An agent may have removed all permissions from its home, even its own.
    for name in homes_with_secrets().map(Path::new) {
        if env.kind(name)? == Some(FileKind::Dir) && env.mode(name)? != Some(0o700) {
            env.set_dir_mode(name, 0o700)?;
        }
    }
    let plan = forgetting(env)?;
    match stage(env, &plan) {
        Ok(Some(change)) => change.carry_out(),
        Ok(None) => Ok(()),
        // A full disk has no room for a list of what goes, nor for a file without its secrets: the whole file goes.
        Err(error) if is_of_full_disk(&error) => {
            log::debug!("{error:#}");
            env.remove_all(Path::new(names::HOMES_SCRATCH))?;
            for piece in changed_pieces(env, &plan)? {
                env.remove_all(&piece.place).with_context(|| format!("remove {}", piece.place.display()))?;
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}

impl Change<'_> {
    /// Commits the change and carries it out.
    ///
    /// # Errors
    /// As the system reports them. Once the change is committed, the next command continues it.
    pub(super) fn carry_out(mut self) -> Result<()> {
        self.env
            .move_to(Path::new(names::HOMES_SCRATCH), self.env, Path::new(names::HOMES_NEXT))
            .context("commit the new homes")?;
        self.decided = true;
        self.env.sync().context("sync the environment")?;
        go_on(self.env)
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        if !self.decided
            && let Err(error) = self.env.remove_all(Path::new(names::HOMES_SCRATCH))
        {
            log::debug!("{}: {error}", self.env.path().display()); // the next change removes it
        }
    }
}

/// Whether a change is committed but not completed.
pub(crate) fn is_unfinished(env: &Tree) -> bool {
    !matches!(env.kind(Path::new(names::HOMES_NEXT)), Ok(None))
}

impl LockedEnv {
    /// Builds everything that differs from the plan; call [`LockedEnv::recover_homes`] first. `None`: nothing differs.
    ///
    /// # Errors
    /// As the system reports them; only modes may have been changed then.
    pub(super) fn stage_homes(&self, plan: &HomePlan) -> Result<Option<Change<'_>>> {
        stage(&self.env.tree, plan)
    }

    /// Removes the files with secrets from the homes; conversations stay. A `reuse` creates the files again.
    ///
    /// # Errors
    /// As the system reports them; the next clean-up removes the rest.
    pub(super) fn forget_secrets(&self) -> Result<()> {
        forget_secrets(&self.env.tree)
    }

    /// Completes an interrupted change of the homes that was committed; discards one that was not.
    ///
    /// # Errors
    /// [`Code::Incomplete`] or [`Code::UnreadableState`]; completed steps are not undone.
    pub(super) fn recover_homes(&self) -> Result<()> {
        recover(&self.env.tree)
    }
}

/// Whether there is anything for [`LockedEnv::recover_homes`] to do.
pub(crate) fn has_leftovers(env: &Tree) -> bool {
    is_unfinished(env) || !matches!(env.kind(Path::new(names::HOMES_SCRATCH)), Ok(None))
}

/// Completes an interrupted change that was committed; discards one that was not.
///
/// # Errors
/// [`Code::Incomplete`] or [`Code::UnreadableState`]; completed steps are not undone.
fn recover(env: &Tree) -> Result<()> {
    match env.kind(Path::new(names::HOMES_NEXT)).context("look for unfinished homes")? {
        None => {}
        Some(FileKind::Dir) => go_on(env)?,
        // Not execenv's: a change is a folder.
        Some(_) => env
            .remove_file(Path::new(names::HOMES_NEXT))
            .context("remove a file in the place of new homes")?,
    }
    if env.kind(Path::new(names::HOMES_SCRATCH)).context("look for unfinished homes")?.is_some() {
        env.remove_all(Path::new(names::HOMES_SCRATCH)).context("remove what an interrupted change left")?;
    }
    Ok(())
}

/// Carries out a committed change, from the step at which it stopped.
fn go_on(env: &Tree) -> Result<()> {
    let next = env.subtree(Path::new(names::HOMES_NEXT)).context("open the new homes")?;
    let list = load_list(&next)?;
    for (number, swap) in list.iter().enumerate() {
        swap.go_on(env, &next, number).map_err(|error| {
            let place = env.path().join(swap.place());
            Failure::new(Code::Incomplete, format!("{} could not be renewed: {error:#}", place.display()))
                .hint(format!(
                    "fix the cause, then run `execenv doctor --fix`; or replace {}: `execenv prepare`",
                    env.path().display()
                ))
        })?;
    }
    // Each piece must be in its place on the disk before the change that can be repeated is over.
    let places: Vec<PathBuf> = list.iter().map(Swap::place).collect();
    env.sync_entries(&folders_of(places.iter().map(PathBuf::as_path))).context("sync the homes")?;
    drop(next);
    let scratch = Path::new(names::HOMES_SCRATCH);
    env.remove_all(scratch)
        .and_then(|()| env.move_to(Path::new(names::HOMES_NEXT), env, scratch))
        .context("end the change of homes")?;
    if let Err(error) = env.remove_all(scratch) {
        log::debug!("{}: {error}", env.path().display()); // the next command removes it
    }
    Ok(())
}

fn load_list(next: &Tree) -> Result<Vec<Swap>> {
    let damaged = |why: String| {
        Failure::new(Code::UnreadableState, format!("{} is damaged: {why}", next.path().join(LIST).display()))
            .hint("replace the environment: `execenv prepare` with its task")
    };
    let bytes = next.read(Path::new(LIST), MAX_LIST).map_err(|error| damaged(error.to_string()))?;
    let bytes = bytes.ok_or_else(|| damaged("the file is missing".into()))?;
    let swaps: Vec<Swap> = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    // The agent can write to the list.
    match swaps.iter().find(|swap| !swap.is_within_homes()) {
        Some(swap) => Err(damaged(format!("{:?} is not in a home", swap.place())).into()),
        None => Ok(swaps),
    }
}

#[cfg(test)]
mod tests;
