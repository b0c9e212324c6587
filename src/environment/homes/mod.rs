//! The provider's homes in an env root, and how one set of them takes the place of another.
//!
//! Invariants:
//! - An env root under construction gets its homes directly ([`build`]).
//! - In one that stands, everything new is built under a name that means nothing ([`names::HOMES_SCRATCH`]), with the
//!   list of what goes where. One rename makes it a decided change ([`names::HOMES_NEXT`]); from then on it only goes
//!   forward, whoever carries it on. Before, it never happened. A second rename, back to the first name, says that it
//!   is over: what lies there is rubbish at any time.
//! - A place on the list is empty, or has its old thing, or its new one: old things move aside by one rename, new ones
//!   come by one, and each step looks what is still to do. So it may be repeated from anywhere.
//! - What is not on the list is not touched, not even moved: sessions, histories, caches of the agent's. What is as it
//!   should be is not on the list, so that an idle reuse writes nothing.
//! - The agent owns the homes and may have put anything there: places are taken inside an open real folder of the env
//!   root, a link is replaced and never followed, removing takes links and not what they lead to.

mod exports;
mod logins;
mod pieces;
mod swap;

use std::path::Path;

use anyhow::{Context, Result};

pub(super) use self::exports::private_file;
pub(crate) use self::exports::{check_exports, check_needs, private_exports, private_files};
pub(crate) use self::logins::{LoginLink, login_links, replaced_logins};
use self::pieces::{Piece, changed_pieces, whole_pieces};
pub(super) use self::swap::is_name;
use self::swap::{Swap, new_name};
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::provider::homes::{forgetting, homes_with_secrets};
use crate::provider::plan::HomePlan;
use crate::sys::tree::{FileKind, Tree};

/// The list of a change, inside its folder.
const LIST: &str = "list.json";
/// The longest list that is read, in bytes.
const MAX_LIST: u64 = 16 << 20;

/// A change that has been built and not decided. To drop it is to give it up.
#[derive(Debug)]
pub(super) struct Change<'a> {
    env: &'a Tree,
    decided: bool,
}

/// Writes a plan's homes into an env root under construction.
///
/// # Errors
/// As the system reports them; the caller throws the env root away.
pub(super) fn build(env: &Tree, plan: &HomePlan) -> Result<()> {
    if !plan.private_exports.is_empty() {
        env.ensure_dir(Path::new(names::LAUNCH), 0o700).context("make the launch folder")?;
    }
    for piece in whole_pieces(plan)? {
        piece.write(env, &piece.place)?;
    }
    Ok(())
}

/// Builds what is not yet as the plan says. `None`: everything is. The caller holds the lock, and has recovered.
///
/// # Errors
/// As the system reports them; nothing but modes has been changed then.
pub(super) fn stage<'a>(env: &'a Tree, plan: &HomePlan) -> Result<Option<Change<'a>>> {
    let pieces = changed_pieces(env, plan)?;
    if pieces.is_empty() {
        return Ok(None);
    }
    let scratch = Path::new(names::HOMES_SCRATCH);
    env.remove_all(scratch).context("remove what an earlier change has left")?;
    env.make_dir(scratch, 0o700).context("make room for the new homes")?;
    let change = Change { env, decided: false }; // from here on it tidies up after itself
    let tree = env.subtree(scratch).context("open the room for the new homes")?;
    for (number, piece) in pieces.iter().enumerate() {
        piece.write(&tree, &new_name(number))?;
    }
    if pieces.iter().any(|piece| piece.place.starts_with(names::LAUNCH) && !piece.is_removal()) {
        env.ensure_dir(Path::new(names::LAUNCH), 0o700).context("make the launch folder")?;
    }
    let list = serde_json::to_vec(&pieces.iter().map(Piece::swap).collect::<Vec<_>>())?;
    tree.replace(Path::new(LIST), &list, 0o600, names::TEMPORARY).context("write the list of new homes")?;
    Ok(Some(change))
}

/// Takes the files with secrets out of the homes of an environment that is cleaned up; conversations stay. A `reuse`
/// makes them again. The caller holds the lock, and has recovered.
///
/// # Errors
/// As the system reports them; what is left goes with the next clean-up.
pub(super) fn forget_secrets(env: &Tree) -> Result<()> {
    // An agent may have removed all permissions from its home, even its own.
    for name in homes_with_secrets().map(Path::new) {
        if env.kind(name)? == Some(FileKind::Dir) && env.mode(name)? != Some(0o700) {
            env.set_dir_mode(name, 0o700)?;
        }
    }
    let plan = forgetting(env)?;
    match stage(env, &plan)? {
        Some(change) => change.carry_out(),
        None => Ok(()),
    }
}

impl Change<'_> {
    /// Decides the change and carries it through.
    ///
    /// # Errors
    /// As the system reports them. Once decided, the next command goes on with it.
    pub(super) fn carry_out(mut self) -> Result<()> {
        self.env
            .move_to(Path::new(names::HOMES_SCRATCH), self.env, Path::new(names::HOMES_NEXT))
            .context("decide on the new homes")?;
        self.decided = true;
        go_on(self.env)
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        if !self.decided
            && let Err(error) = self.env.remove_all(Path::new(names::HOMES_SCRATCH))
        {
            log::debug!("{}: {error}", self.env.path().display()); // the next change takes it away
        }
    }
}

/// Whether a change has been decided and is not over.
pub(crate) fn is_unfinished(env: &Tree) -> bool {
    !matches!(env.kind(Path::new(names::HOMES_NEXT)), Ok(None))
}

/// Whether there is anything for [`recover`] to do.
pub(crate) fn has_leftovers(env: &Tree) -> bool {
    is_unfinished(env) || !matches!(env.kind(Path::new(names::HOMES_SCRATCH)), Ok(None))
}

/// Goes on with a change that was cut short after it was decided; takes one away that was not. The caller holds the
/// lock.
///
/// # Errors
/// [`Code::Incomplete`] or [`Code::UnreadableState`]; what has been done by then stays done.
pub(crate) fn recover(env: &Tree) -> Result<()> {
    match env.kind(Path::new(names::HOMES_NEXT)).context("look for unfinished homes")? {
        None => {}
        Some(FileKind::Dir) => go_on(env)?,
        // Nothing of ours: a change is a folder.
        Some(_) => env.remove_file(Path::new(names::HOMES_NEXT)).context("remove what is no change")?,
    }
    if env.kind(Path::new(names::HOMES_SCRATCH)).context("look for unfinished homes")?.is_some() {
        env.remove_all(Path::new(names::HOMES_SCRATCH)).context("remove what a change has left")?;
    }
    Ok(())
}

/// Carries a decided change through, from wherever it stopped.
fn go_on(env: &Tree) -> Result<()> {
    let next = env.subtree(Path::new(names::HOMES_NEXT)).context("open the new homes")?;
    for (number, swap) in load_list(&next)?.iter().enumerate() {
        swap.go_on(env, &next, number).map_err(|error| {
            let place = env.path().join(swap.place());
            Failure::new(Code::Incomplete, format!("{} could not be renewed: {error:#}", place.display()))
                .hint(format!(
                    "fix the cause, then run `execenv doctor --fix`; or replace {}: `execenv prepare`",
                    env.path().display()
                ))
        })?;
    }
    drop(next);
    let scratch = Path::new(names::HOMES_SCRATCH);
    env.remove_all(scratch)
        .and_then(|()| env.move_to(Path::new(names::HOMES_NEXT), env, scratch))
        .context("conclude the change of homes")?;
    if let Err(error) = env.remove_all(scratch) {
        log::debug!("{}: {error}", env.path().display()); // rubbish: the next command takes it away
    }
    Ok(())
}

fn load_list(next: &Tree) -> Result<Vec<Swap>> {
    let damaged = |why: String| {
        Failure::new(Code::UnreadableState, format!("{} is damaged: {why}", next.path().join(LIST).display()))
            .hint("replace the environment: `execenv prepare` with its task")
    };
    let bytes = next.read(Path::new(LIST), MAX_LIST).map_err(|error| damaged(error.to_string()))?;
    let bytes = bytes.ok_or_else(|| damaged("it is not there".into()))?;
    let swaps: Vec<Swap> = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    // The list lies within the agent's reach.
    match swaps.iter().find(|swap| !swap.is_within_homes()) {
        Some(swap) => Err(damaged(format!("{:?} is no home", swap.place())).into()),
        None => Ok(swaps),
    }
}

#[cfg(test)]
mod tests;
