//! Rebuilding a work dir from what was saved of it.
//!
//! The files are made of a commit that can be found again and of a patch, in the store of objects, before anything in the work
//! dir is touched: a patch that does not fit changes nothing. Then index and files become those of the result, by one call to
//! git. A kill in between leaves some files changed; the same command again goes on, because what is missing is no work.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use super::checkpoint::patch_file;
use super::lock::GitLock;
use super::missing::{By, ensure};
use super::ours::ours;
use super::patch::{MOST, digest, plain};
use super::place::{Place, shown};
use super::reattach::reattach;
use crate::environment::{CheckpointRecord, Durability, EnvStatus, LockedEnv, Meta, Trust};
use crate::failure::{Code, Failure};
use crate::git::{Bounds, Changes, Checkout, Git, Objects, Picture, is_commit_id};
use crate::layout::names;

/// What is in a work dir is compared, whatever it is.
const NO_BOUNDS: Bounds = Bounds { files: usize::MAX, bytes: u64::MAX };

/// What a work dir is rebuilt from.
#[derive(Clone, Debug)]
pub enum Source {
    /// The last checkpoint.
    Last,
    /// The checkpoint of this number.
    Number(u64),
    /// A file of the user's, and its name: a patch, plain, compressed, or either as base64 text.
    File(Vec<u8>, PathBuf),
}

/// How it is rebuilt.
#[derive(Clone, Debug)]
pub struct Restoring<'a> {
    /// From what.
    pub source: Source,
    /// The commit that the patch begins from; `None`: as recorded.
    pub base: Option<&'a str>,
    /// Commit the result on the branch.
    pub commit: bool,
    /// The folder of the work dir with the repository (`--in`); `None`: as recorded, else the only one.
    pub inside: Option<&'a Path>,
    /// The time.
    pub now: DateTime<Utc>,
}

/// A work dir that was rebuilt.
#[derive(Debug)]
pub struct Restored {
    /// The repository's folder.
    pub repository: PathBuf,
    /// The number of the checkpoint; `None`: from a file.
    pub n: Option<u64>,
    /// The commit that the patch began from; `None`: from nothing.
    pub base: Option<String>,
    /// The branch that is checked out.
    pub branch: Option<String>,
    /// How many files were written or removed.
    pub written: usize,
    /// What differs from the commit that is checked out.
    pub changes: Changes,
    /// The commit that was made of it.
    pub commit: Option<String>,
    /// The address from which that commit was fetched.
    pub fetched: Option<String>,
    /// Execenv's own files are not in the work dir any more.
    pub lacks_sidecars: bool,
    /// The commands of the repository do not run there any more, because of what was restored.
    pub ends_setup: bool,
}

/// Rebuilds the work dir.
///
/// # Errors
/// [`Code::NoCheckpoint`] where nothing of this number was saved; [`Code::UnknownBase`] where the commit is not there that the
/// patch begins from; [`Code::Occupied`] where the patch does not fit, or the work dir holds work; a [`Code::Failed`] failure
/// for a file that is not as it was written.
pub fn restore(env: &LockedEnv, wanted: &Restoring<'_>, trust: Trust<'_>, git: &Git) -> Result<Restored> {
    let own = env.require_meta()?.own.unwrap_or_default();
    let checkpoint = match &wanted.source {
        Source::File(..) => None,
        source => Some(find(env, &own.checkpoints, source)?),
    };
    let recorded = checkpoint.map(|one| Path::new(&one.place)).filter(|place| *place != Path::new(""));
    reattach(env, own.repository.as_ref(), trust)?;
    let place = match (wanted.inside, recorded) {
        (None, Some(recorded)) => {
            Place::find(env, Some(recorded), trust).map_err(|error| without_repository(error, recorded))
        }
        (inside, _) => Place::find(env, inside, trust),
    }?;
    let checkout = place.checkout(git)?;
    let head = checkout.head()?;
    let recorded = own.repository.as_ref().map(|repository| repository.base_commit.clone());
    let base = match (wanted.base, checkpoint) {
        (Some(base), _) => Some(base.to_owned()),
        (None, Some(one)) => Some(one.base_sha.clone()).filter(|base| !base.is_empty()),
        (None, None) => recorded.filter(|id| is_commit_id(id)).or_else(|| head.commit.clone()),
    };
    // Not under the lock: it may take long.
    let fetched = match &base {
        Some(base) => {
            let by = if wanted.base.is_some() { By::User } else { By::Record };
            ensure(&place, &checkout, base, by)?
        }
        None => None,
    };
    let _lock = GitLock::acquire(&env.env)?;
    checkout.repair()?;
    let head = checkout.head()?;
    let tree = tree_of(env, &place, &checkout, checkpoint, &wanted.source, base.as_deref())?;
    let written = refuse_work(env, &place, &checkout, head.tree.as_deref(), &tree)?;
    let ends_setup = checkpoint.is_none() && !own.was_sandboxed() && own.setup.is_some();
    if checkpoint.is_none() {
        // Nothing says who wrote a patch, so it counts as one of an agent in a sandbox.
        Meta::change_own(&env.env.tree, Durability::Synced, |_, own| own.from_sandbox = true)?;
    }
    checkout.write_files(&tree)?;
    let by = git.committer(own.git_identity.as_ref());
    let name = checkpoint.map_or_else(|| "a patch".to_owned(), |one| format!("checkpoint {}", one.n));
    let picture = checkout.picture(&ours(env, &place)?, NO_BOUNDS, Objects::Dropped)?;
    let from = head.commit.clone().unwrap_or_else(|| crate::git::empty_tree(&tree).to_owned());
    let changes = picture.changes_since(&from)?;
    drop(picture);
    let commit = match wanted.commit && head.tree.as_deref() != Some(&tree) {
        true => Some(checkout.commit_tree(&tree, &format!("restore {name}\n"), &by)?),
        false => None,
    };
    Meta::change_own(&env.env.tree, Durability::Synced, |_, own| {
        if own.status != EnvStatus::Cleaned {
            own.status = EnvStatus::Prepared;
        }
        own.used_at = Some(wanted.now);
    })?;
    Ok(Restored {
        repository: place.path().to_owned(),
        n: checkpoint.map(|one| one.n),
        base,
        fetched,
        branch: head.branch,
        written,
        changes,
        commit,
        lacks_sidecars: lacks_sidecars(env)?,
        ends_setup,
    })
}

/// The record names the folder, not the user, who has typed nothing wrong where it is gone.
fn without_repository(error: anyhow::Error, recorded: &Path) -> anyhow::Error {
    if Failure::code_of(&error) != Code::Usage {
        return error;
    }
    let message =
        format!("the repository of the checkpoint, {} in the work dir, is gone", recorded.display());
    Failure::new(Code::Failed, message)
        .hint("make it again (`execenv checkout`, `git clone`, `git init`), then repeat the command; `--in DIR` names another")
        .into()
}

/// The checkpoint that is meant.
fn find<'r>(
    env: &LockedEnv,
    recorded: &'r [CheckpointRecord],
    source: &Source,
) -> Result<&'r CheckpointRecord> {
    let path = env.env.path.display();
    let (found, message) = match source {
        Source::Number(n) => {
            (recorded.iter().find(|one| one.n == *n), format!("{path} has no checkpoint {n}"))
        }
        _ => (recorded.iter().max_by_key(|one| one.n), format!("{path} has no checkpoint")),
    };
    let numbers: Vec<String> = recorded.iter().rev().take(10).map(|one| one.n.to_string()).collect();
    let hint = match numbers.is_empty() {
        true => "`--from FILE` takes a patch from elsewhere".to_owned(),
        false => format!("there are: {}", numbers.join(", ")),
    };
    found.ok_or_else(|| Failure::new(Code::NoCheckpoint, message).hint(hint).into())
}

/// The tree that the work dir gets.
fn tree_of(
    env: &LockedEnv,
    place: &Place,
    checkout: &Checkout,
    checkpoint: Option<&CheckpointRecord>,
    source: &Source,
    base: Option<&str>,
) -> Result<String> {
    // It is there by now.
    let base = match base {
        Some(base) => Some(checkout.commit_of(base)?.unwrap_or_else(|| base.to_owned())),
        None => None,
    };
    let base = base.as_deref();
    let (patch, name) = match (source, checkpoint) {
        (Source::File(bytes, path), _) => (plain(bytes, path)?, path.clone()),
        (_, Some(one)) => match &one.patch {
            Some(patch) => (read_patch(env, one.n, &patch.sha256)?, env.env.path.join(patch_file(one.n))),
            // Its patch would have been too long.
            None => return tree_of_commit(place, checkout, one),
        },
        (_, None) => (Vec::new(), PathBuf::new()),
    };
    checkout.patched(base, patch)?.map_err(|words| {
        let message =
            format!("the patch {} does not fit {}", name.display(), base.unwrap_or("an empty folder"));
        let failure = Failure::new(Code::Occupied, message)
            .hint("nothing was changed; `--base` names the commit that it was made from");
        anyhow::anyhow!(words.0).context(failure)
    })
}

fn tree_of_commit(place: &Place, checkout: &Checkout, one: &CheckpointRecord) -> Result<String> {
    if is_commit_id(&one.sha) && checkout.has_commit(&one.sha)? {
        return Ok(one.sha.clone());
    }
    let message = format!(
        "checkpoint {} has no patch, and its commit {} is not in {}",
        one.n,
        one.sha.escape_debug(),
        place.path().display()
    );
    Err(Failure::new(Code::UnknownBase, message).hint("choose another one: `--from N`").into())
}

fn read_patch(env: &LockedEnv, n: u64, sha256: &str) -> Result<Vec<u8>> {
    let (file, shown) = (patch_file(n), env.env.path.join(patch_file(n)));
    let reading = || format!("read {}", shown.display());
    let bytes = env.env.tree.read(&file, MOST as u64).with_context(reading)?;
    let bytes = bytes.with_context(|| format!("{} does not exist", shown.display()))?;
    if digest(&bytes) != sha256 {
        let message = format!("{} is not as `checkpoint` wrote it", shown.display());
        return Err(Failure::new(Code::Failed, message)
            .hint("choose another one: `--from N`; `--from FILE` takes it as it is")
            .into());
    }
    plain(&bytes, &shown)
}

/// Refuses to replace files that hold work. What was deleted is none: that is why a work dir is rebuilt. Returns how many files are
/// to be written or removed.
fn refuse_work(
    env: &LockedEnv,
    place: &Place,
    checkout: &Checkout,
    head: Option<&str>,
    tree: &str,
) -> Result<usize> {
    let ours = ours(env, place)?;
    let picture = checkout.picture(&ours, NO_BOUNDS, Objects::Dropped)?;
    let empty = crate::git::empty_tree(tree);
    // What is in the result is not lost.
    let is_kept = |changes: &Changes| -> BTreeSet<PathBuf> {
        let files = changes.files.iter().filter(|file| file.action != b'D');
        files.map(|file| file.path.clone()).collect()
    };
    let to_do = picture.changes_since(tree)?;
    let (changed, differing) = (is_kept(&picture.changes_since(head.unwrap_or(empty))?), is_kept(&to_do));
    let lost: Vec<PathBuf> = changed.intersection(&differing).cloned().collect();
    let path = place.path().display();
    let refuse = |what: &str, files: &[PathBuf], hint: String| {
        let message = format!("{path} holds {what} that would be replaced: {}", shown(files));
        Err(Failure::new(Code::Retained, message).hint(hint).into())
    };
    if !lost.is_empty() {
        let hint = format!("save it first: `execenv checkpoint {} -m MESSAGE --on-branch`", env.env.key());
        return refuse("uncommitted work", &lost, hint);
    }
    let unmerged: Vec<PathBuf> = checkout.conflicts()?.into_iter().map(|conflict| conflict.path).collect();
    if !unmerged.is_empty() {
        return refuse("a merge with conflicts", &unmerged, "finish or abort it first".to_owned());
    }
    let staged = only_staged(&checkout.staged_picture(&ours)?, &picture, head.unwrap_or(empty), tree)?;
    if !staged.is_empty() {
        return refuse("staged work", &staged, "commit or unstage it first".to_owned());
    }
    let mut ignored = checkout.in_the_way(tree)?;
    ignored.retain(|file| !ours.absent.contains(file) && !ours.instead.contains_key(file));
    if !ignored.is_empty() {
        return refuse("files that git does not know", &ignored, "move or remove them first".to_owned());
    }
    Ok(to_do.files.len())
}

/// The files whose staged version is neither committed, nor in the working files, nor in the result.
fn only_staged(staged: &Picture<'_>, working: &Picture<'_>, head: &str, tree: &str) -> Result<Vec<PathBuf>> {
    let differing = |changes: Changes| -> BTreeSet<PathBuf> {
        let files = changes.files.into_iter().filter(|file| file.action != b'D');
        files.map(|file| file.path).collect()
    };
    let mut only = differing(staged.changes_since(head)?);
    // As a rule nothing is staged.
    if !only.is_empty() {
        let (of_tree, of_files) = (staged.changes_since(tree)?, staged.changes_since_picture(working)?);
        let (of_tree, of_files) = (differing(of_tree), differing(of_files));
        only.retain(|path| of_tree.contains(path) && of_files.contains(path));
    }
    Ok(only.into_iter().collect())
}

/// Whether the context file and the like are gone with the work dir.
fn lacks_sidecars(env: &LockedEnv) -> Result<bool> {
    let manifest = crate::sidecar::Manifest::load(&env.env.tree)?.unwrap_or_default();
    let work_dir = env.work_dir_path();
    let is_gone = |path: &PathBuf| {
        let relative = path.strip_prefix(&work_dir).map(|relative| Path::new(names::WORK_DIR).join(relative));
        relative.is_ok_and(|relative| matches!(env.env.tree.kind(&relative), Ok(None)))
    };
    Ok(!env.work_dir.is_user_folder() && manifest.files.iter().any(is_gone))
}
