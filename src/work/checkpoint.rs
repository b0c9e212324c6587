//! Saving an environment's work: as a commit beside the branch, or on it, and as a patch in a file.
//!
//! The commit comes first, then the refs that hold it, the patch, the record, and last of all the branch, where the commit goes on
//! it: a kill in between leaves a commit without a patch, or a patch that the record does not name, and the next checkpoint takes
//! another number. No branch ever has a checkpoint that the record does not know.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use super::base::{Prefer, base};
use super::chosen::refuse_chosen;
use super::diff::{BOUNDS, too_much};
use super::lock::GitLock;
use super::ours::ours;
use super::patch::{compressed, digest};
use super::place::Place;
use crate::environment::{CheckpointRecord, Durability, FoundEnv, Meta, PatchRecord, ref_key};
use crate::failure::{Code, Failure};
use crate::git::{CHECKPOINT, Changes, Git, NEWEST, NotNow, OWN_REFS, Saving, empty_tree};
use crate::layout::names;

/// How many checkpoints are kept that were not asked for.
const KEPT: usize = 20;
/// Numbers above this are not ours.
const MOST: u64 = 1 << 32;

/// What is to be saved, and how.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The message.
    pub message: &'a str,
    /// The commit goes on the branch that is checked out, not beside it.
    pub on_branch: bool,
    /// A person or a script asks for it: it is kept.
    pub manual: bool,
    /// The tree of files that is saved already: the same once more is nothing to save.
    pub saved: Option<&'a str>,
    /// The time.
    pub now: DateTime<Utc>,
}

/// A checkpoint that was made.
#[derive(Debug)]
pub struct Made {
    /// Its entry in the record.
    pub record: CheckpointRecord,
    /// The id of the tree of files.
    pub tree: String,
    /// What differs from the commit that was checked out.
    pub changes: Changes,
    /// Submodules and other repositories in the files, of which only the commit is saved.
    pub links: Vec<PathBuf>,
}

/// Saves the work. `None`: nothing differs from what is checked out.
///
/// A run may be on: neither HEAD, nor the index, nor the branch is touched, unless the commit goes on the branch.
///
/// # Errors
/// [`Code::Dirty`] where the commit cannot go on the branch now; a [`Code::Failed`] failure where there is too much; as
/// git and the system report them.
pub fn checkpoint(found: &FoundEnv, place: &Place, wanted: Wanted<'_>, git: &Git) -> Result<Option<Made>> {
    let _lock = GitLock::acquire(&found.env)?;
    let checkout = place.checkout(git)?;
    if wanted.on_branch {
        checkout.repair()?;
    }
    let head = checkout.head()?;
    if wanted.on_branch {
        refuse_chosen(found, place, &checkout, head.branch.as_deref(), None)?;
    }
    let own = found.require_meta()?.own.unwrap_or_default();
    let saving = Saving {
        head: &head,
        ours: &ours(found, place)?,
        bounds: BOUNDS,
        message: wanted.message,
        by: &git.committer(own.git_identity.as_ref()),
        saved: wanted.saved,
    };
    let saved = checkout.save(saving).map_err(|error| too_much(error, place))?;
    let Some(saved) = saved else { return Ok(None) };
    let empty = empty_tree(saved.picture.tree());
    let changes = saved.picture.changes_since(head.commit.as_deref().unwrap_or(empty))?;
    let base = base(&checkout, &head, found, Prefer::Remote)?;
    let own_refs = ref_key(&found.env.key());
    let n = next_number(found, &own.checkpoints, &checkout.numbers_of_checkpoints(&own_refs)?);
    if wanted.on_branch
        && let Some(why) = checkout.keeps_from_committing(&head)?
    {
        return Err(not_now(place, &why));
    }
    let mut refs = vec![format!("{OWN_REFS}{own_refs}/{NEWEST}")];
    refs.extend(wanted.manual.then(|| format!("{OWN_REFS}{own_refs}/{CHECKPOINT}{n}")));
    checkout.keep(&refs, &saved.commit)?;
    let from = base.as_deref().unwrap_or(empty);
    let patch = compressed(|sink| saved.picture.patch_since(from, sink))?;
    let patch = patch.map(|bytes| write_patch(found, n, &bytes)).transpose()?;
    let record = CheckpointRecord {
        n,
        sha: saved.commit.clone(),
        base_sha: base.unwrap_or_default(),
        head: head.commit.clone().unwrap_or_default(),
        branch: head.branch.clone().unwrap_or_default(),
        place: place.below().to_string_lossy().into_owned(),
        message: wanted.message.to_owned(),
        at: Some(wanted.now),
        manual: wanted.manual,
        files: changes.files.len() as u64,
        added: changes.added,
        removed: changes.removed,
        patch,
        other: serde_json::Map::new(),
    };
    let entry = record.clone();
    let mut gone = Vec::new();
    Meta::change_own(&found.env.tree, Durability::Synced, |_, own| {
        own.checkpoints.push(entry);
        gone = drop_old(&mut own.checkpoints);
    })?;
    for n in gone {
        if let Err(error) = found.env.tree.remove_file(&patch_file(n)) {
            log::warn!("remove {}: {error}", found.env.path.join(patch_file(n)).display());
        }
    }
    if wanted.on_branch {
        let beside = || format!("the work is saved beside the branch, as checkpoint {n}");
        match checkout.commit_on_branch(&saved, &head, "execenv checkpoint") {
            Ok(Ok(())) => {}
            // A git process was quicker.
            Ok(Err(why)) => return Err(not_now(place, &why).context(beside())),
            Err(error) => return Err(error.context(beside())),
        }
    }
    let links = saved.picture.links().to_vec();
    let tree = saved.picture.tree().to_owned();
    Ok(Some(Made { record, tree, changes, links }))
}

fn not_now(place: &Place, why: &NotNow) -> anyhow::Error {
    let message = format!("cannot commit on a branch in {}: {why}", place.path().display());
    let hint = match why {
        NotNow::NoBranch => "`execenv branch ENV NAME` begins one; without `--on-branch` none is needed",
        NotNow::Operation(_) => "without `--on-branch` the work is saved beside it, and it stays as it is",
        NotNow::IndexLocked => "try again; if no git is running there, remove the lock",
    };
    Failure::new(Code::Dirty, message).hint(hint).into()
}

/// The file of a patch, below the env root.
pub(super) fn patch_file(n: u64) -> PathBuf {
    Path::new(names::OUTPUT).join(names::CHECKPOINTS).join(format!("{n}{PATCH}"))
}

const PATCH: &str = ".patch.gz";

/// One more than any number in the record, among the files and among the refs: an earlier environment of the task may have left
/// some.
fn next_number(found: &FoundEnv, recorded: &[CheckpointRecord], refs: &[u64]) -> u64 {
    let folder = Path::new(names::OUTPUT).join(names::CHECKPOINTS);
    let files = found.env.tree.names(&folder).unwrap_or_default();
    let number = |name: &std::ffi::OsString| name.to_str()?.strip_suffix(PATCH)?.parse::<u64>().ok();
    let taken = files.iter().filter_map(number).chain(recorded.iter().map(|one| one.n));
    let taken = taken.chain(refs.iter().copied());
    taken.filter(|n| *n < MOST).max().unwrap_or(0) + 1
}

fn write_patch(found: &FoundEnv, n: u64, bytes: &[u8]) -> Result<PatchRecord> {
    let (tree, file) = (&found.env.tree, patch_file(n));
    let folder = Path::new(names::OUTPUT).join(names::CHECKPOINTS);
    tree.ensure_dir(Path::new(names::OUTPUT), 0o755)
        .and_then(|()| tree.ensure_dir(&folder, 0o755))
        .and_then(|()| tree.replace(&file, bytes, 0o600, names::TEMPORARY))
        .and_then(|()| tree.sync_entries(&[&folder, Path::new(names::OUTPUT)]))
        .with_context(|| format!("write {}", found.env.path.join(&file).display()))?;
    Ok(PatchRecord {
        file: file.to_string_lossy().into_owned(),
        bytes: bytes.len() as u64,
        sha256: digest(bytes),
        other: serde_json::Map::new(),
    })
}

/// Takes the oldest checkpoints that were not asked for out of the list; returns their numbers.
fn drop_old(checkpoints: &mut Vec<CheckpointRecord>) -> Vec<u64> {
    let automatic = checkpoints.iter().filter(|one| !one.manual).count();
    let mut too_many = automatic.saturating_sub(KEPT);
    let mut gone = Vec::new();
    checkpoints.retain(|one| {
        let goes = !one.manual && too_many > 0;
        if goes {
            too_many -= 1;
            gone.push(one.n);
        }
        !goes
    });
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_and_those_that_were_asked_for_stay() {
        let one = |n| CheckpointRecord { n, manual: n % 10 == 0, ..CheckpointRecord::default() };
        let mut list: Vec<CheckpointRecord> = (1..=30).map(one).collect();
        assert_eq!(drop_old(&mut list), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(list.len(), 23);
        assert_eq!(drop_old(&mut list), [0_u64; 0]);
    }
}
