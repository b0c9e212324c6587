//! What a killed command, or a run that died, has left in the repositories of an environment.

use std::time::SystemTime;

use anyhow::Result;
use chrono::{DateTime, SecondsFormat, Utc};

use super::checkpoint::{Wanted, checkpoint};
use super::lock::GitLock;
use super::place::Place;
use crate::environment::{FoundEnv, Trust, ref_key};
use crate::git::{Git, NEWEST, OWN_REFS, StaleLock, is_half_written};
use crate::supervise;

/// What was found in a repository after a run had died, and done about it.
#[derive(Debug, Default)]
pub struct LeftBehind {
    /// Operations of git that are in progress: nothing is aborted.
    pub operations: Vec<&'static str>,
    /// The commit of the checkpoint that was made of the work; `None`: nothing was to be saved.
    pub saved: Option<(u64, String)>,
    /// What else a person should know.
    pub notes: Vec<String>,
}

/// Whether a killed command has left working files half switched to another commit.
pub fn is_half_switched(found: &FoundEnv, trust: Trust<'_>) -> bool {
    let places = Place::all(found, trust).unwrap_or_default();
    places.iter().any(|place| is_half_written(place.tree()))
}

/// Takes that back.
///
/// # Errors
/// While another process has the index; as git and the system report them.
pub fn take_switch_back(found: &FoundEnv, git: &Git, trust: Trust<'_>) -> Result<()> {
    for place in Place::all(found, trust)?.iter().filter(|place| is_half_written(place.tree())) {
        place.checkout(git)?.repair()?;
    }
    Ok(())
}

/// Looks at what a run that died has left: takes back what is half written, removes a stale lock on the index, and saves the
/// work beside the branch. In a folder of the user's only where the run, or one before it, has saved work already: execenv makes
/// refs there when it is asked to. `died`: nothing that is younger is of that run.
pub fn look_behind(
    found: &FoundEnv,
    git: &Git,
    trust: Trust<'_>,
    died: SystemTime,
    now: DateTime<Utc>,
) -> LeftBehind {
    let mut left = LeftBehind::default();
    let places = match Place::all(found, trust) {
        Ok(places) => places,
        Err(error) => {
            log::debug!("look for repositories: {error:#}"); // the work dir may be gone
            return left;
        }
    };
    let is_single = places.len() == 1;
    for place in &places {
        let at = place.path().display().to_string();
        if let Err(error) = look_into(found, place, is_single, (git, died, now), &mut left) {
            left.notes.push(format!("{at}: {error:#}"));
        }
    }
    if places.len() > 1 {
        left.notes.push("the work is not saved: there are several repositories".to_owned());
    }
    left
}

fn look_into(
    found: &FoundEnv,
    place: &Place,
    is_single: bool,
    (git, died, now): (&Git, SystemTime, DateTime<Utc>),
    left: &mut LeftBehind,
) -> Result<()> {
    let checkout = place.checkout(git)?;
    left.operations.extend(checkout.operations()?);
    let is_users = found.work_dir.is_user_folder();
    {
        let _lock = GitLock::acquire(&found.env)?;
        let files = checkout.repair()?;
        if files > 0 {
            left.notes.push(format!("{files} files that were half switched are as they were before"));
        }
        let removed = match is_users {
            true => StaleLock::None,
            // `git commit` closes its lock while a hook or an editor of it runs.
            false if is_git_at_work(place) => StaleLock::None,
            false => checkout.remove_stale_lock(died)?,
        };
        match removed {
            StaleLock::None => {}
            StaleLock::Removed => {
                left.notes.push("a killed git had left index.lock; it is removed".to_owned())
            }
            StaleLock::Kept => {
                left.notes.push("a git process may have the index locked (index.lock)".to_owned())
            }
        }
    }
    let own = found.require_meta()?.own.unwrap_or_default();
    if !is_single || is_users && own.checkpoints.is_empty() {
        return Ok(());
    }
    let newest = format!("{OWN_REFS}{}/{NEWEST}", ref_key(&found.env.key()));
    // One that the record does not know has no patch: it was cut short.
    let saved = checkout.held_by(&newest)?;
    let saved = saved.filter(|(commit, _)| own.checkpoints.iter().any(|one| one.sha == *commit));
    let saved = saved.map(|(_, tree)| tree);
    let message = format!("Work of a run that died, {}", now.to_rfc3339_opts(SecondsFormat::Secs, true));
    let wanted = Wanted { message: &message, on_branch: false, manual: false, saved: saved.as_deref(), now };
    let made = checkpoint(found, place, wanted, git)?;
    left.saved = made.map(|made| (made.record.n, made.record.sha));
    Ok(())
}

/// Whether a git process works in a repository.
fn is_git_at_work(place: &Place) -> bool {
    supervise::working_in(&[place.path()]).iter().any(|(_, name)| name.starts_with("git"))
}
