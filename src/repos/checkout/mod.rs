//! A checkout of a shared repository, as a folder of a work dir.
//!
//! It is built beside the work dir and gets its place by one rename; before that nothing of it is in the work dir. Where a
//! checkout fails, its branch and its registration are taken back. What a killed one leaves goes
//! with the next checkout, with `doctor --fix`, and in the shared repository with `gc`, because its folder is missing.

mod isolated;
mod left;
mod linked;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, ensure};

use super::bare::BareRepo;
use super::git_locks::without_new_locks;
use super::shared::{SharedRepo, fetch_limit};
use crate::failure::{Code, Failure};
use crate::git::{Base, Branch, Registered};
use crate::sys::tree::{FileKind, Tree};
use left::{BUILDING, lock_reason};
pub(super) use left::{HalfBuilt, half_built};

/// The largest `.gitattributes` that is searched for filters, in bytes.
const MOST_OF_ATTRIBUTES: u64 = 1 << 20;

/// How a checkout belongs to the shared repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is a worktree of it: objects and branches are in the shared repository.
    Linked,
    /// It is a clone that stands alone, for an agent that can write in its work dir only.
    Isolated,
}

impl Mode {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Linked => "linked",
            Mode::Isolated => "isolated",
        }
    }
}

/// What is checked out, and where.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The open env root.
    pub env: &'a Tree,
    /// The open work dir.
    pub work_dir: &'a Tree,
    /// The name of the registration, as far as it is free.
    pub key: &'a str,
    /// The branch to create, without `refs/heads/`; where it is taken, with a number.
    pub branch: &'a str,
    /// The branch, tag or commit to begin from; `None`: the default branch.
    pub asked: Option<&'a str>,
    /// How it belongs to the shared repository.
    pub mode: Mode,
    /// Folders that are checked out; empty: all of them.
    pub sparse: &'a [String],
    /// Each commit names the platform's agent as a co-author.
    pub coauthor: bool,
}

/// A checkout that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// Its folder.
    pub path: PathBuf,
    /// Its branch, without `refs/heads/`.
    pub branch: String,
    /// Where it began.
    pub base: Base,
    /// How it belongs to the shared repository.
    pub mode: Mode,
    /// For a person: what was left out.
    pub notes: Vec<String>,
}

/// A checkout that was placed in the work dir, and can be taken back.
pub struct Placed<'a> {
    /// What it is.
    pub checkout: Checkout,
    building: Building<'a>,
    work_dir: &'a Tree,
    /// Its registration in the shared repository, if it has one.
    registered: Option<Registered>,
}

/// The place of a checkout: a free name in the work dir.
fn place<'a>(work_dir: &Tree, name: &'a str) -> Result<&'a Path> {
    let path = Path::new(name);
    let shown = work_dir.path().join(path);
    match work_dir.kind(path).with_context(|| format!("look at {}", shown.display()))? {
        None => Ok(path),
        Some(_) => Err(Failure::new(Code::Occupied, format!("{} is there already", shown.display()))
            .hint("work in it as it is (`git -C DIR fetch` gets what is new), or move it away and repeat the command")
            .into()),
    }
}

/// Refuses a checkout for which there is no place, before anything is fetched.
///
/// # Errors
/// A [`Code::Occupied`] failure.
pub fn check_place(work_dir: &Tree, url: &super::RepoUrl) -> Result<()> {
    place(work_dir, &url.folder_name()).map(drop)
}

impl SharedRepo<'_> {
    /// Checks the repository out into a new folder of the work dir, on a new branch.
    ///
    /// # Errors
    /// [`Code::Occupied`] when something is in the place; as git and the system report them. Nothing is left behind then.
    pub fn check_out<'w>(&self, wanted: Wanted<'w>) -> Result<Placed<'w>> {
        let name = self.url.folder_name();
        let place = place(wanted.work_dir, &name)?;
        let base = self.base(wanted.asked)?;
        let target = wanted.work_dir.path().join(place);
        self.sweep(wanted.env);
        let building = Building::begin(wanted.env)?;
        let doing = || format!("check out {}", self.url);
        let made = match wanted.mode {
            Mode::Linked => self
                .link(&wanted, &building, &target, place, &base)
                .map(|made| (made.branch, Some(made.registered))),
            Mode::Isolated => self.isolate(&wanted, &building, place, &base).map(|branch| (branch, None)),
        };
        let (branch, registered) = made.with_context(doing)?;
        let notes = notes(wanted.work_dir, place, &target);
        let checkout = Checkout { path: target, branch, base, mode: wanted.mode, notes };
        Ok(Placed { checkout, building, work_dir: wanted.work_dir, registered })
    }

    /// Takes a checkout back that was just made: its folder, its registration, and its branch, unless that has moved.
    ///
    /// # Errors
    /// As git and the system report them.
    pub fn take_back(&self, placed: Placed<'_>) -> Result<()> {
        let Placed { checkout, building, work_dir, registered } = placed;
        let name = self.url.folder_name();
        let removing = || format!("remove {}", checkout.path.display());
        let place = Path::new(&name);
        let is_it = work_dir.plain_subtree(place);
        let is_it = is_it.and_then(|there| Ok(there.identity()? == building.folder.identity()?));
        ensure!(
            is_it.with_context(removing)?,
            "another folder is in the place of {}",
            checkout.path.display()
        );
        // Beside the work dir again, where it is removed as one that was not completed.
        work_dir.move_to(place, building.env, &building.name).with_context(removing)?;
        match registered {
            Some(registered) => self.unregister(&registered, &checkout.branch, &checkout.base.commit),
            None => Ok(()),
        }
    }

    /// Removes a registration that a checkout has made, and its branch, if that has no commit of its own.
    fn unregister(&self, registered: &Registered, branch: &str, commit: &str) -> Result<()> {
        let branch = Branch { name: format!("refs/heads/{branch}"), tip: commit.to_owned() };
        let removed = registered.open().map_or(Ok(()), |made| made.remove());
        // A signal that asks for this must not stop it.
        let never = AtomicBool::new(false);
        let git = self.sharing.git.at(self.path()).within(fetch_limit(), &never).confined_to(&self.bare);
        removed.and(without_new_locks(&self.bare, || git.delete_branch(&branch)))
    }

    /// Removes checkouts that killed commands have left half built. Those of other repositories are left to their own next checkout:
    /// their registrations are changed under another lock.
    fn sweep(&self, env: &Tree) {
        let is_ours =
            |half: &HalfBuilt<'_>| half.registered().is_none_or(|named| named.common == self.path());
        for half in half_built(env).iter().filter(|half| is_ours(half)) {
            let git = BareRepo::new(self.sharing.git, self.path(), fetch_limit(), self.sharing.stop);
            if let Err(error) = half.remove(Some((&self.bare, git))) {
                log::warn!("cannot remove {}: {error:#}", half.path().display());
            }
        }
    }
}

/// A checkout that is being built, held so that no other command removes it; removed unless it was placed.
struct Building<'a> {
    env: &'a Tree,
    name: PathBuf,
    folder: Tree,
}

impl<'a> Building<'a> {
    fn begin(env: &'a Tree) -> Result<Building<'a>> {
        let token = &uuid::Uuid::new_v4().simple().to_string()[..12];
        let name = PathBuf::from(format!("{BUILDING}{token}"));
        let making = || format!("make {}", env.path().join(&name).display());
        env.make_dir(&name, 0o755).with_context(making)?;
        let folder = env.plain_subtree(&name).with_context(making)?;
        let _ = folder.try_hold(); // where folders cannot be locked, none is swept
        Ok(Building { env, name, folder })
    }

    /// Moves it into its place, if nothing has come there.
    fn place(&self, work_dir: &Tree, place: &Path) -> Result<()> {
        let moving = || format!("move the checkout to {}", work_dir.path().join(place).display());
        match self.env.move_to(&self.name, work_dir, place) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let message = format!(
                    "{} has just been made by another process",
                    work_dir.path().join(place).display()
                );
                Err(Failure::new(Code::Occupied, message)
                    .hint("move it away, then repeat the command")
                    .into())
            }
            moved => moved.with_context(moving),
        }
    }
}

impl Drop for Building<'_> {
    fn drop(&mut self) {
        // Nothing is there once it was placed.
        if let Err(error) = self.env.remove_all_until(&self.name, &AtomicBool::new(false)) {
            log::warn!("cannot remove {}: {error}", self.folder.path().display());
        }
    }
}

/// What a checkout lacks (decision D24).
fn notes(work_dir: &Tree, place: &Path, target: &Path) -> Vec<String> {
    let shown = super::cache::quoted(&target.display().to_string());
    let mut notes = Vec::new();
    if matches!(work_dir.kind(&place.join(".gitmodules")), Ok(Some(FileKind::File { .. }))) {
        notes.push(format!(
            "its submodules are not checked out: `git -C {shown} submodule update --init --recursive`"
        ));
    }
    let attributes = work_dir.read_start(&place.join(".gitattributes"), MOST_OF_ATTRIBUTES).ok().flatten();
    if attributes.is_some_and(|text| memchr::memmem::find(&text, b"filter=lfs").is_some()) {
        notes.push(format!(
            "it uses Git LFS: where files are pointers, `git -C {shown} lfs pull` fetches their contents"
        ));
    }
    notes
}
