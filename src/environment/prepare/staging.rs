//! An env root is built under a nameless place.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::placing::{Placing, Staged};
use super::slot::Place;
use crate::environment::checkout::Checkout;
use crate::environment::commits::written_in;
use crate::environment::excluded::exclude_sidecars;
use crate::environment::exposed::exposed_env;
use crate::environment::found_work_dir::{agent_dir, ensure_dirs};
use crate::environment::homes::{self, private_file};
use crate::environment::lock::EnvLock;
use crate::environment::ports::reserve;
use crate::environment::record::{self, EnvStatus, Meta, Own, RepositoryRecord, SCHEMA};
use crate::environment::repository::place_of;
use crate::environment::request::{SealFor, launch_of, managed_proof, own_of};
use crate::environment::work_dir::WorkDir;
use crate::environment::{repository_proof, stores};
use crate::layout::names;
use crate::order;
use crate::provider::plan::HomePlan;
use crate::sidecar::{Earlier, Folder, Inventory, Site, State};
use crate::sys::tree::Tree;

/// More handles than taking sidecars back and removing an env root need at a time.
const SPARE_HANDLES: usize = 12;

impl Placing<'_> {
    /// Builds the env root under a nameless place and locks it there.
    pub(super) fn stage(&self, at: &Place) -> Result<Staged> {
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
                setup = self.decide_setup(&folder, &local.path, None)?;
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
                setup = self.decide_setup(&work_tree, &work_dir.path(&final_root), repository.as_ref())?;
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
            own.from_sandbox = self.is_from_sandbox(&setup);
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
