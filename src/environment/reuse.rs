//! Reusing an environment for a new task document: old sidecars are removed, new ones are written, the agent's work stays.

use std::path::Path;

use anyhow::{Context, Result};

use super::contents::Contents;
use super::excluded::exclude_sidecars;
use super::exposed::{exposed_env, exposed_sidecars};
use super::found_work_dir::{agent_dir, ensure_dirs};
use super::homes::Logins;
use super::local::LocalDir;
use super::lock::{EnvLock, path_lock};
use super::locked::LockedEnv;
use super::lookup::FoundEnv;
use super::places::{KNOWN_BY_NAME, every_place};
use super::ports::reserve;
use super::record::{Durability, EnvStatus, Meta, Own, SCHEMA};
use super::request::{
    Prepared, Request, SealFor, launch_of, managed_proof, own_of, platform_mark, provider_of,
};
use super::setup::{self, Before, Origin, Scene};
use super::user_folder::{By, UserFolder};
use super::work_dir::WorkDir;
use super::{homes, stores};
use crate::failure::{Code, Failure};
use crate::git::Checkout;
use crate::layout::names;
use crate::provider::plan::HomePlan;
use crate::sidecar::{Grounds, Manifest, Site, infer, reclaim_skill_dirs, take_back};
use crate::sys::tree::Tree;

/// Reuses an environment with a new task document.
///
/// # Errors
/// 3 when its work dir is gone, 4 when it is in use, 5 when a place is taken.
pub fn reuse(request: &Request<'_>, found: FoundEnv) -> Result<Prepared> {
    let (contents, warnings) = contents_of(request)?;
    // What was found may have been changed until the lock was taken.
    refresh(request, &contents, LockedEnv::acquire(found)?, warnings).map(|(prepared, _)| prepared)
}

/// The same for an environment that is locked already, and stays so.
///
/// # Errors
/// As [`reuse`].
pub fn reuse_held(request: &Request<'_>, found: LockedEnv) -> Result<(Prepared, EnvLock)> {
    let (contents, warnings) = contents_of(request)?;
    refresh(request, &contents, found, warnings)
}

/// The input, checked before anything is touched, and warnings about it.
fn contents_of<'a>(request: &Request<'a>) -> Result<(Contents<'a>, Vec<String>)> {
    let (provider, warnings) = provider_of(request.task);
    Ok((Contents::new(request.task, provider, request.platform, request.sidecars)?, warnings))
}

fn refresh(
    request: &Request<'_>,
    contents: &Contents<'_>,
    found: LockedEnv,
    mut warnings: Vec<String>,
) -> Result<(Prepared, EnvLock)> {
    let env = &found.env;
    let meta = found.require_meta()?;
    meta.refuse_newer(&env.tree)?;
    warnings.extend(found.without_record());
    if let Err(error) = found.reattach(request.keys) {
        warnings.push(format!("its repository does not know the work dir: {error:#}"));
    }
    for (word, its, the_tasks) in found.identity().differences(request.task) {
        warnings.push(format!(
            "the environment was made for the {word} `{}`, the task is of the {word} `{}`: what the other left in the \
             work dir stays there",
            its.escape_debug(),
            the_tasks.escape_debug()
        ));
    }
    let manifest = Manifest::load(&env.tree)?;
    let folder = found.user_folder(manifest.as_ref(), request.trust())?;
    let is_proved = folder.as_ref().is_none_or(|folder| folder.by == By::Proof);
    let (work_tree, kind) = match folder {
        Some(UserFolder { tree, path, .. }) => {
            let identity = tree.identity().with_context(|| format!("look at {}", path.display()))?;
            (tree, WorkDir::UserFolder { path, identity: Some(identity) })
        }
        None => (found.open_work_dir(request.trust())?, WorkDir::Managed),
    };
    let work_dir = kind.path(&env.path);
    let below = found.agent_folder();
    let agents = agent_dir(work_dir.clone(), below);
    ensure_dirs(&work_tree, below)?;
    let _path_lock = if kind.is_user_folder() {
        let root = request.root.open_or_create()?;
        let local = LocalDir::check(&work_dir, request.home.as_deref(), request.root)?;
        let path_lock = path_lock(&root, &local.canonical)?;
        // After a clean-up another environment may use the folder (decision D20).
        local.refuse_second_user(request.root, &root, Some(&env.path))?;
        // Another task would have put its own brief into the place of ours.
        let record = manifest.as_ref().and_then(|manifest| manifest.record.as_ref());
        if !record.is_some_and(|record| record.is_recognised_in(&work_tree)) {
            warnings.extend(local.take_over(request, Some(&env.path))?);
        }
        if manifest.as_ref().is_none_or(Manifest::is_taken_back) {
            warnings.extend(local.unknown_task()?);
        }
        Some(path_lock)
    } else {
        None
    };

    if let Some(root) = env.path.parent().and_then(Path::parent).and_then(|root| Tree::open(root).ok()) {
        warnings.extend(platform_mark(request, &root));
    }
    let own = meta.own_or_rebuilt(&env.tree);
    let ground = found.ground(&work_tree);
    let was_sandboxed = found.was_sandboxed();
    let before = Before { record: own.setup.as_ref(), was_sandboxed, ground: &ground };
    let origin = Origin::folder(&work_dir);
    let setup = setup::decide(&request.setup, request.hooks, &work_tree, &origin, before)?;
    warnings.extend(setup.warnings.iter().cloned());
    found.recover_homes()?;
    let git_folders = || found.written_by_commits(&request.git(), request.keys);
    let home_plan = contents.home_plan(
        request,
        &env.path,
        &agents,
        kind.is_user_folder(),
        Some(&env.tree),
        &git_folders,
    )?;
    if !home_plan.stores.is_empty() {
        let root = request.root.open_or_create()?;
        stores::mount(&root, &home_plan.stores)?;
        stores::fill(&root, &home_plan.store_files)?;
    }
    // Built before anything is removed: a failure leaves the environment unchanged.
    let new_homes = found.stage_homes(&home_plan)?;

    let old_seal = request.keys.seal(&env.key());
    let logins = Logins::recorded(&env.tree, old_seal.as_ref()).and_planned(&home_plan);
    warnings.extend(logins.settle(&env.tree, request.renewed_logins).or_stuck()?);

    // Where no port is left, the environment stays as it is.
    if let Some(digest) = &setup.accepted {
        warnings.extend(request.prove_commands(&env.tree, &env.key(), digest)?);
    }
    let ports = {
        // That of the environment, which may be another one than the request's.
        let root = env.path.parent().and_then(Path::parent).unwrap_or(request.root.path());
        let root = Tree::open(root).with_context(|| format!("open {}", root.display()))?;
        let seed = request.task_id.to_string();
        reserve(&root, &request.hooks.port_range, &seed, &setup.ports, &own.ports)?
    };
    // Also taken before anything is removed: the new task must be recorded before its sidecars are written.
    let record = Meta::lock(&env.tree)?;
    let mut manifest = match manifest {
        Some(manifest) => manifest,
        None if kind.is_user_folder() => infer(&work_tree, &work_dir, &KNOWN_BY_NAME)?,
        None => Manifest::default(),
    };
    manifest.move_to(&work_dir);
    let before = manifest.clone();
    let seal = request.seal(&env.key(), SealFor::of(kind.is_user_folder(), &home_plan), &mut warnings)?;
    let site = Site {
        is_user_folder: kind.is_user_folder(),
        seal: seal.as_ref().filter(|_| kind.is_user_folder()),
        ..Site::managed(&env.tree, &work_tree, &work_dir)
    };
    // What the user's word alone speaks for is undone with care, and does not become a proof.
    let places = every_place();
    let old_site = match is_proved {
        true => site,
        false => Site { seal: None, grounds: Grounds::Word(&places), ..site },
    };
    let earlier = manifest.earlier(&old_site);
    manifest.announce_taking_back(&env.tree, old_site.seal)?;
    // Every provider's names: the provider may have changed since (decision D19).
    let reclaimed = reclaim_skill_dirs(&old_site, &manifest, &places.skills);
    let taken = take_back(&old_site, &mut manifest, &places.briefs)?;
    if let Some(error) = reclaimed.errors.iter().chain(&taken.errors).next() {
        return Err(Failure::new(
            Code::Incomplete,
            format!("the old sidecars could not be taken back: {error}"),
        )
        .hint(format!("mend the cause, then try again; or `execenv cleanup {}`", env.path.display()))
        .into());
    }
    for copy in reclaimed.copies.iter().chain(&taken.copies) {
        warnings.push(format!("a sidecar was edited; a copy is at {}", env.path.join(copy).display()));
    }

    let plan = contents.plan(&work_tree, below, &home_plan)?;
    warnings.extend(plan.warnings.iter().chain(&home_plan.warnings).cloned());
    // Until the last sidecar is written, the manifest says that no run may start here.
    new_homes.map_or(Ok(()), |new_homes| new_homes.carry_out())?;
    let launch = launch_of(request, &found.work_dir);
    launch.store(&env.tree, seal.as_ref())?;
    if let Some(file) = launch.file() {
        env.tree.sync_all_of(&file).context("sync the launch folder")?;
    }
    homes::store_logins(&env.tree, &home_plan, seal.as_ref())?;
    // multica compares its proof with the marker in the work dir, which names this task now.
    if let Some(proof) = managed_proof(request, &found.work_dir)
        && env.tree.read(Path::new(names::MANAGED), proof.len() as u64).ok().flatten().as_ref()
            != Some(&proof)
    {
        env.tree
            .replace(Path::new(names::MANAGED), &proof, 0o644, names::TEMPORARY)
            .with_context(|| format!("write {}", env.path.join(names::MANAGED).display()))?;
    }
    let renewed = |meta: &Meta| {
        let mut meta = refreshed(request, &found, meta, &kind, &home_plan);
        if let Some(own) = meta.own.as_mut() {
            own.setup.clone_from(&setup.record);
            own.ports.clone_from(&ports.records);
        }
        meta
    };
    let changed = record.change(&env.tree, Durability::Synced, |meta| *meta = renewed(meta))?;
    let meta = match changed {
        Some(meta) => meta,
        None => {
            let meta = renewed(&meta);
            meta.restore(&env.tree)?;
            meta
        }
    };
    drop(ports);
    let token = uuid::Uuid::new_v4().simple().to_string()[..12].to_owned();
    let applied = plan.apply(&site, &token, &earlier);
    let manifest = match applied {
        Ok(manifest) => manifest,
        Err(error) => {
            if let Ok(Some(mut half)) = Manifest::load(&env.tree) {
                take_back(&site, &mut half, &[])?;
            }
            return Err(error);
        }
    };
    // The record is a claim: nothing is hidden in a repository of the user's.
    if let Some(made) = meta.own.as_ref().and_then(|own| own.repository.as_ref())
        && !kind.is_user_folder()
    {
        let git = request.git();
        let checkout = || Checkout::open(&git, &work_tree);
        let excluded = git.excludes_file().and_then(|users| {
            let users = users.as_deref();
            exclude_sidecars(&env.tree, checkout, &plan, Some(&before), users, &env.path, made)
        });
        warnings.extend(excluded.err().map(|error| format!("git shows files of execenv: {error:#}")));
    }
    let lock = found.lock_handle().context("duplicate the handle of the lock")?;
    let scene = Scene {
        env: &env.tree,
        env_root: &env.path,
        lock: &lock,
        work_dir: &work_dir,
        agent_dir: &agents,
        now: request.now,
    };
    let meta = setup::carry_out(&setup, request.hooks, &scene, &meta)?.unwrap_or(meta);
    drop(lock);
    meta.show_lease(&env.tree);
    warnings.extend(exposed_env(&env.tree));
    if kind.is_user_folder() {
        warnings.extend(exposed_sidecars(&work_tree, &plan));
    }
    let (found, lock) = found.into_parts();
    let env = &found.env;
    if !home_plan.caches.is_empty() {
        stores::keep(&request.root.open_or_create()?, &home_plan.caches);
    }
    let prepared = Prepared {
        root_dir: env.path.clone(),
        work_dir: agents,
        meta,
        files: manifest.files,
        dirs: manifest.dirs,
        private_env: homes::private_files(&env.tree, &request.task.provider)?,
        warnings,
        reused: true,
        replaced: None,
        pending: None,
    };
    Ok((prepared, lock))
}

/// The record for the new task; what belongs to the environment itself (runs, session) stays.
fn refreshed(
    request: &Request<'_>,
    found: &FoundEnv,
    old: &Meta,
    work_dir: &WorkDir,
    home_plan: &HomePlan,
) -> Meta {
    let kept = old.own_or_rebuilt(&found.env.tree);
    let task_id = if kept.task_id.is_empty() { request.task_id.as_str().to_owned() } else { kept.task_id };
    let mut meta = Meta::of_task(
        request.task,
        request.task_id.as_str(),
        request.workspace_id.as_str(),
        work_dir.is_user_folder(),
    );
    meta.completed_at = old.completed_at;
    meta.other.clone_from(&old.other);
    meta.own = Some(Own {
        schema: SCHEMA,
        task_id,
        status: EnvStatus::Prepared,
        prepared_at: kept.prepared_at,
        used_at: Some(request.now),
        local_identity: work_dir.identity(),
        session: kept.session,
        run: kept.run,
        from_sandbox: kept.from_sandbox,
        repository: kept.repository,
        checkpoints: kept.checkpoints,
        merge: kept.merge,
        last_result: kept.last_result,
        git_identity: request.git_identity.clone().or(kept.git_identity),
        other: kept.other,
        ..own_of(request, &work_dir.path(&found.env.path), home_plan)
    });
    meta
}
