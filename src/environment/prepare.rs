//! Making an environment.
//!
//! Order, and why: the whole env root is built under a hidden name, then moved to its place by one rename. A managed work dir is complete at that moment. A user's folder is changed only after that, by the
//! journal that already lies in the env root. So a crash leaves nothing, or a nameless folder (taken away by
//! `doctor --fix` or `gc`), or an announced round of sidecars (taken back by the next command that sees it).

mod setting_up;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::busy::{Held, busy};
use super::checkout::Checkout;
use super::commits::written_in;
use super::contents::Contents;
use super::excluded::exclude_sidecars;
use super::exposed::{exposed_env, exposed_sidecars};
use super::found_work_dir::{agent_dir, ensure_dirs};
use super::held_work::refuse_reserved_work;
use super::homes::{self, private_file};
use super::lock::{EnvLock, path_lock, staging_lock};
use super::locked::LockedRoot;
use super::lookup::{self, FoundEnv, is_gone};
use super::ports::reserve;
use super::record::{Durability, EnvStatus, Identity, Meta, Own, RepositoryRecord, SCHEMA, SetupRecord};
use super::repository::{Deletion, place_of, release_staged};
use super::request::{
    Existing, Prepared, Request, SealFor, launch_of, managed_proof, own_of, platform_mark, provider_of,
};
use super::root::{EnvRoot, WorkspacesRoot};
use super::setup::{self, Setup};
use super::staged::release_left;
use super::user_folder::By;
use super::work_dir::WorkDir;
use super::{record, repository_proof, stores, trash};
use crate::environment::local::LocalDir;
use crate::failure::{Code, Failure};
use crate::git::Git;
use crate::layout::names;
use crate::order;
use crate::provider::Provider;
use crate::provider::plan::HomePlan;
use crate::sidecar::{Earlier, Folder, Inventory, Manifest, SidecarPlan, Site, State, take_back};
use crate::sys::silent::{self, is_one_path};
use crate::sys::tree::{FileKind, Tree};

/// Prepares an environment. Any failure leaves nothing behind.
///
/// # Errors
/// Status 2 for bad input, 4 when it or the folder is in use, 5 when a place is taken.
pub fn prepare(request: &Request<'_>) -> Result<Prepared> {
    prepare_and_hold(request).map(|(prepared, _)| prepared)
}

/// The same; the environment stays locked. Its lock is taken before it gets its name, so that no other process ever has it.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_and_hold(request: &Request<'_>) -> Result<(Prepared, EnvLock)> {
    let (provider, mut warnings) = provider_of(request.task);
    if let Some(Provider { name, dialects: [], .. }) = provider
        && *name != crate::provider::COMMAND.name
    {
        warnings.push(format!(
            "`run` does not start {name} by itself in this version: `execenv run ENV -- PROGRAM`"
        ));
    }
    let contents = Contents::new(request.task, provider, request.platform, request.sidecars)?;
    let local = match &request.local_dir {
        Some(dir) => Some(LocalDir::check(dir, request.home.as_deref(), request.root)?),
        None => None,
    };
    let git = request.git();
    let checkout = match &request.repository {
        Some(asked) => {
            Checkout::find(&git, asked, request)?.inspect_err(|why| warnings.push(why.clone())).ok()
        }
        None => None,
    };
    let root = request.root.open_or_create()?;
    warnings.extend(platform_mark(request, &root));
    if checkout.is_some() {
        release_left(request, &root);
    }
    let _staging = staging_lock(&root)?;
    let workspace = Path::new(request.workspace_id.as_str());
    root.ensure_dir(workspace, 0o755)
        .with_context(|| format!("make the workspace {}", request.root.path().join(workspace).display()))?;
    let _path_lock = match &local {
        Some(local) => Some(path_lock(&root, &local.canonical)?),
        None => None,
    };
    // Another process may take the key between looking and placing: look again then.
    for _ in 0..16 {
        let slot = find_slot(request, &root)?;
        let (local, checkout) = (local.as_ref(), checkout.as_ref());
        let placing = Placing { request, root: &root, contents: &contents, local, checkout, git: &git };
        let done = match slot {
            Slot::Free(place) => placing.fresh(&place)?,
            Slot::Own(place, _) if request.existing == Existing::Keep => {
                return return_existing(&place.path(request.root), request, local);
            }
            Slot::Own(place, env) => placing.replace(&place, env)?,
        };
        if let Some((mut prepared, lock)) = done {
            warnings.append(&mut prepared.warnings);
            prepared.warnings = warnings;
            return Ok((prepared, lock));
        }
    }
    // Some other process got it each time: it is in use.
    Err(Failure::new(
        Code::EnvBusy,
        format!("others keep making the environment of task {}", request.task_id),
    )
    .hint("wait for them to end, then try again")
    .into())
}

/// The environment of the request's task, where there is one.
///
/// # Errors
/// When the workspaces root or the record cannot be read.
pub fn find_of_task(request: &Request<'_>) -> Result<Option<FoundEnv>> {
    let root = request.root.open_or_create()?;
    match find_slot(request, &root)? {
        Slot::Free(_) => Ok(None),
        Slot::Own(_, env) => {
            let meta = Meta::load(&env.tree)?;
            Ok(Some(FoundEnv::new(env, meta)))
        }
    }
}

enum Slot {
    Free(Place),
    Own(Place, EnvRoot),
}

/// The first key that is free or ours (decision D1): an env root of another task is never touched. multica may have made
/// one for this task under other names.
fn find_slot(request: &Request<'_>, root: &Tree) -> Result<Slot> {
    let slot = find_key(request, root)?;
    let Slot::Free(_) = slot else { return Ok(slot) };
    let (workspace, task) = (&request.workspace_id, &request.task_id);
    let Some(place) = lookup::made_by_multica_for(request.root, root, workspace, task)? else {
        return Ok(slot);
    };
    let (Some(folder), Some(key)) =
        (place.parent().and_then(Path::to_str), place.file_name().and_then(OsStr::to_str))
    else {
        return Ok(slot);
    };
    let env = EnvRoot::open(&request.root.path().join(&place))?;
    Ok(Slot::Own(Place::new(folder, key), env))
}

fn find_key(request: &Request<'_>, root: &Tree) -> Result<Slot> {
    for key in request.task_id.keys() {
        let place = Place::new(request.workspace_id.as_str(), key.as_str());
        let relative = place.relative();
        match root.kind(&relative).with_context(|| format!("look at {}", relative.display()))? {
            None => return Ok(Slot::Free(place)),
            Some(FileKind::Dir) => {
                let env = match EnvRoot::open(&place.path(request.root)) {
                    Ok(env) => env,
                    Err(error) if is_gone(&error) => return Ok(Slot::Free(place)),
                    Err(error) => return Err(error),
                };
                if owner(&env.tree).as_deref() == Some(request.task_id.as_str()) {
                    return Ok(Slot::Own(place, env));
                }
            }
            Some(_) => {}
        }
    }
    Err(Failure::new(Code::Occupied, format!("every key for the task {} is taken", request.task_id))
        .hint("clean up old environments, or give the task another id")
        .into())
}

/// Whose env root this is (decision D2). An unreadable record names no task.
fn owner(env: &Tree) -> Option<String> {
    let meta = Meta::load(env).ok()?;
    Some(Identity::of(env, meta.as_ref()).task_id).filter(|id| !id.is_empty())
}

/// Where an environment stands below the root.
struct Place {
    workspace: String,
    key: String,
}

impl Place {
    fn new(workspace: &str, key: &str) -> Place {
        Place { workspace: workspace.to_owned(), key: key.to_owned() }
    }

    fn relative(&self) -> PathBuf {
        Path::new(&self.workspace).join(&self.key)
    }

    fn path(&self, root: &WorkspacesRoot) -> PathBuf {
        root.path().join(self.relative())
    }
}

fn return_existing(
    path: &Path,
    request: &Request<'_>,
    local: Option<&LocalDir>,
) -> Result<(Prepared, EnvLock)> {
    let found = LockedRoot::acquire(EnvRoot::open(path)?)?.read()?;
    let meta = found.require_meta()?;
    let own = meta.own_or_rebuilt(&found.env.tree);
    let manifest = Manifest::load(&found.env.tree)?.unwrap_or_default();
    let work_dir = found.work_dir_path();
    let is_whole = manifest.is_in_place()
        && !homes::is_unfinished(&found.env.tree)
        && !own.setup.as_ref().is_some_and(SetupRecord::is_unfinished);
    if own.status == EnvStatus::Cleaned || !is_whole || silent::is_dir(&work_dir) != Some(true) {
        return Err(Failure::new(Code::WorkDirGone, format!("{} is not ready for a run", path.display()))
            .hint("prepare it without `--keep-existing`, or `execenv reuse` it")
            .into());
    }
    refuse_other_kind(&found, request, local, &own)?;
    let exports = homes::Exports::of(&own);
    homes::check_exports(&found.env.tree, &exports.variables)?;
    homes::check_needs(&found.env.tree, &own.needs)?;
    homes::renew_store_links(&found.env.tree)?;
    // A folder of which only its path speaks must hold what was prepared.
    if let Some(folder) = found.user_folder(Some(&manifest), request.trust())?
        && folder.by == By::Word
        && !manifest.record.as_ref().is_some_and(|record| record.is_recognised_in(&folder.tree))
    {
        let message = format!("{} is not the folder that was prepared", folder.path.display());
        return Err(Failure::new(Code::Occupied, message)
            .hint("prepare it without `--keep-existing`, or move the prepared folder back to its place")
            .into());
    }
    let until = request.now + request.lease;
    let warnings = exports.warnings.into_iter().chain(found.without_record()).collect();
    let meta = match found.meta {
        Some(_) => {
            Meta::change_own(&found.env.tree, Durability::Synced, |_, own| own.lease_until = Some(until))?
        }
        None => {
            let meta = Meta { own: Some(Own { lease_until: Some(until), ..own.clone() }), ..meta };
            meta.restore(&found.env.tree)?;
            meta
        }
    };
    let (found, lock) = found.into_parts();
    let prepared = Prepared {
        root_dir: path.to_owned(),
        work_dir: found.agent_dir(),
        meta,
        files: manifest.files,
        dirs: manifest.dirs,
        private_env: homes::private_files(&found.env.tree, &own.provider)?,
        warnings,
        reused: true,
        replaced: None,
        pending: None,
    };
    Ok((prepared, lock))
}

/// Refuses to return an environment that is for another folder or another agent CLI than was asked for.
fn refuse_other_kind(
    found: &FoundEnv,
    request: &Request<'_>,
    local: Option<&LocalDir>,
    own: &Own,
) -> Result<()> {
    let path = &found.env.path;
    let is_same_folder = match local {
        None => !found.work_dir.is_user_folder(),
        Some(local) => found.work_dir.claimed().is_some_and(|claimed| is_one_path(claimed, &local.canonical)),
    };
    let asked = &request.task.provider;
    let what = if !is_same_folder {
        match found.work_dir.is_user_folder() {
            true => format!("works in {}", found.work_dir_path().display()),
            false => "works in a managed work dir".to_owned(),
        }
    } else if let Some(asked) = &request.repository
        && own.repository.as_ref().is_none_or(|recorded| recorded.is_worktree() == asked.is_new())
    {
        let what = if asked.is_new() { "has no new repository" } else { "is no worktree of a repository" };
        what.to_owned()
    } else if !asked.is_empty() && *asked != own.provider {
        let provider = if own.provider.is_empty() { "no provider" } else { &own.provider };
        format!("is for {}", provider.escape_debug())
    } else {
        return Ok(());
    };
    Err(Failure::new(Code::Occupied, format!("{} {what}", path.display()))
        .hint("ask for the same, or prepare it anew: without `--keep-existing`")
        .into())
}

/// More handles than taking sidecars back and removing an env root need at a time.
const SPARE_HANDLES: usize = 12;

struct Placing<'a> {
    request: &'a Request<'a>,
    root: &'a Tree,
    contents: &'a Contents<'a>,
    local: Option<&'a LocalDir>,
    checkout: Option<&'a Checkout<'a>>,
    git: &'a Git,
}

/// An env root that is complete but not in its place.
struct Staged {
    tree: Tree,
    name: PathBuf,
    plan: SidecarPlan,
    meta: Meta,
    private_env: BTreeMap<String, PathBuf>,
    key: String,
    token: String,
    /// The digest of the inventory, if there is one.
    inventory: Option<String>,
    setup: Setup,
    /// Handles that undoing it needs, also when the process may open no more.
    spare: Vec<OwnedFd>,
    lock: EnvLock,
}

impl Placing<'_> {
    /// Makes the environment where nothing stands. `None`: another process was faster.
    fn fresh(&self, at: &Place) -> Result<Option<(Prepared, EnvLock)>> {
        let mut warnings = Vec::new();
        if let Some(local) = self.local {
            local.refuse_second_user(self.request.root, self.root, None)?;
            warnings = local.take_over(self.request, None)?;
            warnings.extend(local.unknown_task()?);
        }
        let mut staged = self.stage(at)?;
        staged.plan.warnings.extend(warnings);
        let place = at.relative();
        match self.root.move_to(&staged.name, self.root, &place) {
            Ok(()) => {}
            Err(error) => {
                staged.spare.clear();
                let Staged { name, lock, .. } = staged;
                drop(lock); // SMB keeps a folder in which a file is open
                self.discard(&name, at);
                if error.raw_os_error() == Some(rustix::io::Errno::ACCESS.raw_os_error()) {
                    return Err(self.cannot_place(&place, error));
                }
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::DirectoryNotEmpty
                ) {
                    return Ok(None);
                }
                return Err(error)
                    .with_context(|| format!("make {}", self.request.root.path().join(place).display()));
            }
        }
        let placed = self.refuse_another(&staged, &place).and_then(|()| self.sync_places(at));
        let filled = placed.and_then(|()| self.fill_local(&staged));
        match filled.and_then(|manifest| self.set_up(&mut staged, at).map(|()| manifest)) {
            Ok(manifest) => Ok(Some(self.prepared(at, staged, manifest))),
            Err(error) => {
                self.tear_down(&staged, at);
                self.undo_local(&mut staged);
                if self.may_go(&staged) {
                    self.discard(&place, at);
                }
                Err(error)
            }
        }
    }

    /// Makes the environment where one of the same task stands. `None`: it has gone meanwhile.
    fn replace(&self, at: &Place, old: EnvRoot) -> Result<Option<(Prepared, EnvLock)>> {
        let old_path = old.path.clone();
        let old = match LockedRoot::try_hold(old, true) {
            Ok(locked) => locked,
            Err(Held::Moved) => return Ok(None),
            Err(held) => return Err(busy(&old_path, &held)),
        };
        if let Some(local) = self.local {
            local.refuse_second_user(self.request.root, self.root, Some(&old_path))?;
        }
        let old = old.read()?;
        if self.request.existing == Existing::ReplaceUndone && old.has_completed() {
            let message = format!("another process has just completed the task of {}", old_path.display());
            return Err(Failure::new(Code::EnvBusy, message).hint("repeat the command").into());
        }
        refuse_reserved_work(&old, self.request)?;
        let mut warnings = match self.local {
            Some(local) => local.take_over(self.request, Some(&old_path))?,
            None => Vec::new(),
        };
        // Who names the folder that the old record names says that it may be cleaned up.
        let is_named =
            |claimed: &Path| self.local.is_some_and(|local| is_one_path(claimed, &local.canonical));
        let locked = self.local.map(|local| local.identity);
        match old.recover_with(locked, self.request.proof_only()) {
            Err(error) if Failure::code_of(&error) == Code::Unproved => {
                if !old.work_dir.claimed().is_some_and(is_named) {
                    return Err(error);
                }
                old.recover_with(locked, self.request.trust())?;
            }
            done => drop(done?),
        }
        if let Some(local) = self.local {
            warnings.extend(local.unknown_task()?);
        }
        let teardown = old.tear_down(self.request.proof_only());
        setup::tell_teardown(&old_path, &teardown);
        let mut staged = self.stage(at)?;
        staged.plan.warnings.extend(warnings);
        let place = at.relative();
        let swapped = match self.swap(&staged.name, at) {
            Ok(entry) => entry,
            Err(error) => {
                staged.spare.clear();
                self.discard(&staged.name, at);
                return Err(error);
            }
        };
        // The old environment now lies at the nameless place (or in the trash already).
        let done = self
            .refuse_another(&staged, &place)
            .and_then(|()| self.sync_places(at))
            .and_then(|()| self.fill_local(&staged))
            .and_then(|manifest| self.set_up(&mut staged, at).map(|()| manifest))
            .and_then(|manifest| self.set_aside(&staged.name, at).map(|entry| (manifest, entry)));
        match done {
            Ok((manifest, entry)) => {
                drop(old);
                let (prepared, lock) = self.prepared(at, staged, manifest);
                Ok(Some((Prepared { replaced: entry.or(swapped), ..prepared }, lock)))
            }
            Err(error) => {
                self.tear_down(&staged, at);
                self.undo_local(&mut staged);
                if self.may_go(&staged) && self.root.exchange(&staged.name, &place).unwrap_or(false) {
                    self.discard(&staged.name, at);
                }
                Err(error)
            }
        }
    }

    /// Refuses what stands in the place unless it is what was built: the rename went by a name.
    fn refuse_another(&self, staged: &Staged, place: &Path) -> Result<()> {
        let path = self.root.path().join(place);
        let there = self.root.unlinked_subtree(place).and_then(|tree| tree.identity());
        let there = there.with_context(|| format!("open {}", path.display()))?;
        if there == staged.tree.identity()? {
            return Ok(());
        }
        let message = format!("{} was moved or replaced while it was prepared", path.display());
        Err(Failure::new(Code::Failed, message).hint("prepare it again").into())
    }

    /// The failure for a file system that does not rename a folder in which a file, here the lock, is open.
    fn cannot_place(&self, place: &Path, error: std::io::Error) -> anyhow::Error {
        let path = self.request.root.path().join(place);
        let message = format!("{} cannot be put in its place: {error}", path.display());
        let failure = Failure::new(Code::Failed, message).hint(
            "a workspaces root on SMB is not supported, because SMB renames no folder in which a file is open: \
             name another with `--workspaces-root`. Elsewhere: check the permissions of the root",
        );
        anyhow::Error::new(error).context(failure)
    }

    /// Puts the new env root into the place of the old one, by one step where the file system can; else the old one is
    /// in the trash then, as the returned entry.
    fn swap(&self, staged: &Path, at: &Place) -> Result<Option<String>> {
        let place = at.relative();
        let doing = || format!("replace {}", at.path(self.request.root).display());
        if self.root.exchange(staged, &place).with_context(doing)? {
            return Ok(None);
        }
        let entry = self.set_aside(&place, at)?;
        self.root.move_to(staged, self.root, &place).with_context(doing)?;
        Ok(entry)
    }

    /// Moves what stands there to the trash, and returns the entry's name.
    fn set_aside(&self, from: &Path, at: &Place) -> Result<Option<String>> {
        if self.root.kind(from).with_context(|| format!("look at {}", from.display()))?.is_none() {
            return Ok(None);
        }
        let entry = trash::put_aside_as(self.root, from, &at.workspace, &at.key, false, self.request.now)?;
        // Otherwise a power cut leaves it under its nameless place, from where `gc` moves it to the trash.
        if let Err(error) = self.root.sync_entries(&[names::TRASH, &at.workspace]) {
            log::warn!("sync {}: {error}", self.root.path().join(names::TRASH).display());
        }
        Ok(Some(entry))
    }

    /// Makes the rename that put an env root into its place durable, before anything relies on it: the list of what is put
    /// into a user folder lies there.
    fn sync_places(&self, at: &Place) -> Result<()> {
        self.root.sync_entries(&[at.workspace.as_str(), ""]).context("sync the workspace")
    }

    /// Builds the env root under a nameless place and locks it there.
    fn stage(&self, at: &Place) -> Result<Staged> {
        let token = uuid::Uuid::new_v4().simple().to_string()[..12].to_owned();
        let name = Path::new(&at.workspace).join(format!("{}{}-{token}", names::STAGING, at.key));
        let spare = self.root.spare_handles(SPARE_HANDLES).context("reserve file handles")?;
        let made = self
            .root
            .make_dir(&name, 0o755)
            .map_err(anyhow::Error::from)
            .and_then(|()| self.build(&name, at, &token));
        let made = match made {
            Ok(staged) => Ok(Staged { spare, ..staged }),
            Err(error) => {
                drop(spare);
                self.discard(&name, at);
                Err(error)
            }
        };
        made.with_context(|| format!("build the environment of task {}", self.request.task_id))
    }

    fn build(&self, name: &Path, at: &Place, token: &str) -> Result<Staged> {
        let request = self.request;
        let tree = self.root.subtree(name)?;
        let final_root = at.path(request.root);
        let lock = EnvLock::acquire(&tree, &final_root)?;
        for folder in [names::OUTPUT, names::LOGS] {
            tree.make_dir(Path::new(folder), 0o755)?;
        }
        let write = |name: &str, bytes: &[u8], mode: u32| {
            tree.create_unseen(Path::new(name), bytes, mode).with_context(|| format!("write {name}"))
        };
        write(names::OWNER, request.task_id.as_str().as_bytes(), 0o644)?;
        let work_dir = self.work_dir();
        let mut warnings = Vec::new();
        let below = self.checkout.map_or(Path::new(""), Checkout::folder);
        let agents = agent_dir(work_dir.path(&final_root), below);
        let plan_homes = |git_folders: &dyn Fn() -> Vec<PathBuf>| {
            self.contents.home_plan(request, &final_root, &agents, self.local.is_some(), None, git_folders)
        };
        // They are known once the repository is there, and nothing is made that the provider cannot have.
        let needs_folders = Cell::new(false);
        let mut home_plan = plan_homes(&|| {
            needs_folders.set(true);
            Vec::new()
        })?;
        let source = self.checkout.and_then(Checkout::source);
        let sealed = match source {
            Some(_) => SealFor::Worktree,
            None => SealFor::of(self.local.is_some(), &home_plan),
        };
        let seal = request.seal(&at.key, sealed, &mut warnings)?;
        launch_of(request, &work_dir).store(&tree, seal.as_ref())?;
        stores::mount(self.root, &home_plan.stores)?;
        stores::fill(self.root, &home_plan.store_files)?;
        let mut repository = None;
        let mut applied = None;
        let setup;
        let mut plan = match self.local {
            Some(local) => {
                let folder = local.open()?;
                setup = self.decide_setup(&folder, &local.path, Some(&local.path))?;
                self.contents.plan(&folder, below, &home_plan)?
            }
            None => {
                tree.make_dir(Path::new(names::WORK_DIR), 0o755)?;
                let work_tree = tree.subtree(Path::new(names::WORK_DIR))?;
                if let (Some(source), Some(seal)) = (self.checkout.and_then(Checkout::proved), &seal) {
                    repository_proof::write(&tree, request.root.path(), source, seal)?;
                }
                let excludes = self.checkout.and_then(Checkout::excludes);
                if let Some(checkout) = self.checkout {
                    let (made, notices) = checkout.make(
                        request,
                        self.root,
                        &tree,
                        &work_tree,
                        (&place_of(&final_root), &at.key),
                    )?;
                    repository = Some(made);
                    warnings.extend(notices);
                    ensure_dirs(&work_tree, below)?;
                }
                for copied in request.copied {
                    warnings.extend(copied.copy_to(&work_tree)?);
                }
                setup = self.decide_setup(&work_tree, &work_dir.path(&final_root), None)?;
                let plan = self.contents.plan(&work_tree, below, &home_plan)?;
                let has_files = repository.is_some() || !request.copied.is_empty();
                match has_files.then_some(repository.as_ref()) {
                    // What is there is in the way of sidecars as in a user folder.
                    Some(repository) => {
                        let place = place_of(&final_root);
                        let site = Site::managed(&tree, &work_tree, &place);
                        applied = Some(plan.apply(&site, token, &Earlier::default())?);
                        if let Some(repository) = repository {
                            let made = || crate::git::Checkout::just_made(self.git, &work_tree);
                            exclude_sidecars(&tree, made, &plan, None, excludes, &final_root, repository)?;
                        }
                    }
                    None => plan.apply_unseen(&work_tree)?,
                }
                plan
            }
        };
        if needs_folders.get()
            && let Some(made) = repository.as_ref().filter(|made| made.is_worktree())
        {
            home_plan = plan_homes(&|| written_in(made))?;
        }
        homes::build(&tree, &home_plan)?;
        homes::build_logins(&tree, &final_root, &home_plan, seal.as_ref())?;
        plan.warnings.extend(home_plan.warnings.iter().cloned().chain(warnings));
        let folder = match self.local {
            Some(local) => Some(Folder::of(&local.open()?)?),
            None => None,
        };
        let inventory = self.inventory(&tree)?;
        let mut manifest = plan.announce(&work_dir.path(&final_root), folder, token);
        if let Some(record) = manifest.record.as_mut() {
            record.inventory.clone_from(&inventory);
        }
        if self.local.is_none()
            && let Some(record) = manifest.record.as_mut()
        {
            record.state = State::Applied;
        }
        manifest.prove(seal.as_ref().filter(|_| self.local.is_some()));
        if applied.is_none() {
            write(names::MANIFEST, &manifest.to_bytes(), 0o644)?;
        }
        if let Some(bytes) = managed_proof(request, &work_dir) {
            write(names::MANAGED, &bytes, 0o644)?;
        }
        let is_worktree = repository.as_ref().is_some_and(RepositoryRecord::is_worktree);
        let ports =
            reserve(self.root, &request.hooks.port_range, &request.task_id.to_string(), &setup.ports, &[])?;
        let mut meta = self.meta(&work_dir, &final_root, &home_plan, repository);
        if let Some(own) = meta.own.as_mut() {
            own.setup.clone_from(&setup.record);
            own.ports.clone_from(&ports.records);
        }
        if let Some(digest) = &setup.accepted {
            plan.warnings.extend(request.prove_commands(&tree, &at.key, digest)?);
        }
        write(names::META, &meta.to_bytes(), record::MODE)?;
        drop(ports);
        plan.warnings.extend(setup.warnings.iter().cloned().chain(exposed_env(&tree)));
        meta.show_lease(&tree);
        stores::keep(self.root, &home_plan.caches);
        // The rename to its place may reach the disk before what was written here.
        sync_env(&tree, is_worktree).context("sync the environment")?;
        let private_env = home_plan.private_exports.into_keys();
        let private_env =
            order::map(private_env.map(|name| (name.clone(), private_file(&final_root, &name))));
        let (name, token) = (name.to_owned(), token.to_owned());
        let key = at.key.clone();
        Ok(Staged {
            tree,
            name,
            plan,
            meta,
            private_env,
            key,
            token,
            inventory,
            setup,
            spare: Vec::new(),
            lock,
        })
    }

    /// Records everything that is in the user folder, if that was asked for. Returns the digest for the manifest.
    fn inventory(&self, env: &Tree) -> Result<Option<String>> {
        let Some(local) = self.local.filter(|_| self.request.inventory) else { return Ok(None) };
        let doing = || format!("record what is in {}", local.path.display());
        let (bytes, sha256) =
            Inventory::of(&local.open()?).and_then(|inventory| inventory.to_bytes()).with_context(doing)?;
        env.create_unseen(Path::new(names::INVENTORY), &bytes, 0o600).with_context(doing)?;
        Ok(Some(sha256))
    }

    fn work_dir(&self) -> WorkDir {
        match self.local {
            Some(local) => WorkDir::UserFolder { path: local.path.clone(), identity: Some(local.identity) },
            None => WorkDir::Managed,
        }
    }

    fn meta(
        &self,
        work_dir: &WorkDir,
        env_root: &Path,
        home_plan: &HomePlan,
        repository: Option<RepositoryRecord>,
    ) -> Meta {
        let request = self.request;
        let mut meta = Meta::of_task(
            request.task,
            request.task_id.as_str(),
            request.workspace_id.as_str(),
            work_dir.is_user_folder(),
        );
        meta.own = Some(Own {
            schema: SCHEMA,
            task_id: request.task_id.as_str().to_owned(),
            local_identity: work_dir.identity(),
            status: EnvStatus::Prepared,
            repository,
            prepared_at: Some(request.now),
            ..own_of(request, &work_dir.path(env_root), home_plan)
        });
        meta
    }

    /// The user's folder gets its sidecars; a managed work dir has them already.
    fn fill_local(&self, staged: &Staged) -> Result<Manifest> {
        let Some(local) = self.local else {
            return Ok(staged.plan.announce(&staged.work_dir(), None, &staged.token));
        };
        let work_tree = local.open()?;
        let seal = self.request.keys.seal(&staged.key);
        let site = Site::user_folder(&staged.tree, &work_tree, &local.path, seal.as_ref());
        let earlier = Earlier::first(staged.inventory.clone());
        let manifest = staged.plan.apply(&site, &staged.token, &earlier)?;
        staged.meta.show_lease(&staged.tree);
        Ok(manifest)
    }

    fn undo_local(&self, staged: &mut Staged) {
        staged.spare.clear();
        let Some(local) = self.local else { return };
        let Ok(work_tree) = local.open() else { return };
        let Ok(Some(mut manifest)) = Manifest::load(&staged.tree) else { return };
        let seal = self.request.keys.seal(&staged.key);
        let site = Site::user_folder(&staged.tree, &work_tree, &local.path, seal.as_ref());
        if let Ok(report) = take_back(&site, &mut manifest, &[]) {
            for error in report.errors {
                log::error!("{error}");
            }
        }
    }

    /// Whether an env root of a failed prepare holds no list of sidecars that are still in a user folder.
    fn may_go(&self, staged: &Staged) -> bool {
        if self.local.is_none() {
            return true;
        }
        match Manifest::load(&staged.tree) {
            Ok(Some(manifest)) => {
                let state = manifest.record.map(|record| record.state);
                state == Some(State::TakenBack) && manifest.files.is_empty() && manifest.dirs.is_empty()
            }
            _ => false,
        }
    }

    /// Removes an env root that was not finished, with the worktree that was made for it.
    fn discard(&self, name: &Path, at: &Place) {
        if self.checkout.is_some() {
            let deletion = Deletion::new(self.git, self.request.keys, &self.request.options.stop);
            let env_root = at.path(self.request.root);
            if let Err(error) = release_staged(self.root, name, &env_root, &at.key, &deletion) {
                log::warn!("{error:#}");
                return; // `doctor --fix` finds both
            }
        }
        if let Err(error) = self.root.remove_all(name) {
            log::warn!("cannot remove {}: {error}", self.root.path().join(name).display());
        }
    }

    fn prepared(&self, at: &Place, mut staged: Staged, manifest: Manifest) -> (Prepared, EnvLock) {
        if let Some(work_tree) = self.local.and_then(|local| local.open().ok()) {
            staged.plan.warnings.extend(exposed_sidecars(&work_tree, &staged.plan));
        }
        let prepared = Prepared {
            root_dir: at.path(self.request.root),
            work_dir: staged.agent_dir(),
            files: manifest.files,
            dirs: manifest.dirs,
            private_env: staged.private_env,
            warnings: staged.plan.warnings,
            meta: staged.meta,
            reused: false,
            replaced: None,
            pending: self.request.setup.is_deferred.then_some(staged.setup),
        };
        (prepared, staged.lock)
    }
}

/// Makes a whole env root durable. The files of a worktree may be very many, and git has them.
fn sync_env(env: &Tree, is_worktree: bool) -> io::Result<()> {
    if !is_worktree {
        return env.sync_all(Path::new(""));
    }
    let work_dir = Path::new(names::WORK_DIR);
    for name in env.names(Path::new(""))?.iter().map(Path::new).filter(|name| *name != work_dir) {
        env.sync_all(name)?;
    }
    env.sync_entries(&[&work_dir.join(".git"), work_dir, Path::new("")])
}

impl Staged {
    fn work_dir(&self) -> PathBuf {
        self.meta.own.as_ref().map(|own| own.work_dir.clone()).unwrap_or_default()
    }

    /// The folder in which the agent runs.
    fn agent_dir(&self) -> PathBuf {
        let repository = self.meta.own.as_ref().and_then(|own| own.repository.as_ref());
        agent_dir(self.work_dir(), repository.map_or(Path::new(""), RepositoryRecord::folder))
    }
}
