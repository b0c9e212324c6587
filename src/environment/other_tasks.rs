//! Other environments that work in a user folder: multica's, and those of workspaces roots other than the one in use.
//! Two agents in one folder would read each other's context (decision D20).
//!
//! An agent can write a list that names any folder. So a list of multica's counts only where the folder itself has the
//! traces of a task, and the list belongs to the user of this process and names no file that is older than the environment; then the same is taken out as by `cleanup ENV
//! --local-dir DIR`. One of execenv's own only ever makes this command give up.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::busy::{Held, busy};
use super::local::LocalDir;
use super::locked::LockedRoot;
use super::lookup::FoundEnv;
use super::origin::{MadeBy, made_by};
use super::path::quoted;
use super::places::{CONTEXT, TASK_MARKER};
use super::record::{EnvStatus, Meta};
use super::request::Request;
use super::root::WorkspacesRoot;
use super::trust::Trust;
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::provider;
use crate::sidecar::{Manifest, marker};
use crate::sys::silent::is_one_path;
use crate::sys::tree::Tree;

/// The largest file that is read to look for a task's traces, in bytes.
const MAX_TRACE: u64 = 16 << 20;

/// What an environment has to do with a user folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// It has let go of the folder, or its list has nothing in it.
    None,
    /// execenv made it, and has not cleaned it up.
    Execenvs,
    /// multica made it.
    Multicas,
}

impl LocalDir {
    /// Takes the folder over from other tasks, before ours goes into it: what a task of multica's has left there is taken
    /// out. Returns what a person should know. `own` is the environment that is to work there, if it is there already.
    ///
    /// # Errors
    /// A [`Code::PathBusy`] failure that names the environment which is using the folder; [`Code::Incomplete`] if its
    /// sidecars could not be taken out.
    pub(super) fn take_over(&self, request: &Request<'_>, own: Option<&Path>) -> Result<Vec<String>> {
        let tree = self.open()?;
        let mut warnings = Vec::new();
        if traces(&tree).is_empty() {
            return Ok(warnings);
        }
        for found in claimants(&self.canonical, request.root, &request.other_roots, own) {
            match claim(&found) {
                Claim::None => {}
                Claim::Execenvs => return Err(self.is_used_by(&found)),
                Claim::Multicas => warnings.extend(self.take_back_multicas(found, request)?),
            }
        }
        Ok(warnings)
    }

    /// What to say where the folder has the files of a task whose environment is in no known workspaces root: the context
    /// file, which stays, and another trace, because that file alone may be the user's. Only before ours are there.
    pub(super) fn unknown_task(&self) -> Result<Option<String>> {
        let left = traces(&self.open()?);
        let has_context = left.iter().any(|place| place == Path::new(CONTEXT));
        let places: Vec<String> = left.iter().map(|place| place.display().to_string()).collect();
        Ok((has_context && places.len() > 1).then(|| {
            format!(
                "{} has the files of another task ({}), and no known workspaces root has its environment: the agent may \
                 read that task's context. If that task has ended, clean up its environment first",
                self.path.display(),
                places.join(", ")
            )
        }))
    }

    /// Takes out what a task of multica's has left in the folder, unless it is still at work there.
    fn take_back_multicas(&self, found: FoundEnv, request: &Request<'_>) -> Result<Option<String>> {
        let path = found.env.path.clone();
        let locked = match LockedRoot::try_hold(found.env, true) {
            Ok(locked) => locked.read_even_damaged()?,
            Err(Held::Moved) => return Ok(None),
            Err(held) => return Err(is_at_work(&self.path, &path, &held)),
        };
        if claim(&locked) != Claim::Multicas {
            return Ok(None); // its own daemon was faster
        }
        if let Some(file) = self.older_file(&locked.env.tree)? {
            return Err(self.is_no_list_of_a_task(&path, &file));
        }
        let trust = Trust { local_dir: Some(&self.path), ..request.proof_only() };
        let report = locked.take_sidecars_back(trust, Some(self.identity))?;
        if let Some(error) = report.errors.first() {
            let message = format!(
                "{} was the work dir of {}, whose files could not be taken out: {error}",
                self.path.display(),
                path.display()
            );
            return Err(Failure::new(Code::Incomplete, message)
                .hint(format!(
                    "remove the cause, then `execenv cleanup {} --local-dir {}`",
                    quoted(&path),
                    quoted(&self.path)
                ))
                .into());
        }
        let copies = match report.copies.is_empty() {
            true => String::new(),
            false => format!("; copies are in {}", path.join(names::OUTPUT).join(names::KEPT).display()),
        };
        Ok(Some(format!(
            "{} was the work dir of {}, a task of multica's that is not running: its files were taken out{copies}",
            self.path.display(),
            path.display()
        )))
    }

    /// The first file in an environment's list that was in the folder before that environment was made: no task of it can
    /// have written that file, and so the list may be forged. `None` also where the file systems keep no such times.
    fn older_file(&self, env: &Tree) -> Result<Option<PathBuf>> {
        let looking = || format!("look at {}", env.path().display());
        let (Some(made), Some(manifest)) = (env.stamp().with_context(looking)?.born, Manifest::load(env)?)
        else {
            return Ok(None);
        };
        let tree = self.open()?;
        let is_older = |file: &PathBuf| {
            let inside = file.strip_prefix(&self.canonical).or_else(|_| file.strip_prefix(&self.path));
            inside.ok().and_then(|inside| tree.born(inside)).is_some_and(|born| born < made)
        };
        Ok(manifest.files.into_iter().find(is_older))
    }

    fn is_no_list_of_a_task(&self, env: &Path, file: &Path) -> anyhow::Error {
        let message = format!(
            "the list of {} says that a task of multica's put {} there, but the file is older than that environment: an \
             agent may have written the list",
            env.display(),
            file.display()
        );
        let (env, path) = (quoted(env), quoted(&self.path));
        Failure::new(Code::Unproved, message)
            .hint(format!(
                "if the list is right: `execenv cleanup {env} --local-dir {path}`; if not: `execenv cleanup --all --forget \
                 {env}`"
            ))
            .into()
    }

    fn is_used_by(&self, found: &FoundEnv) -> anyhow::Error {
        let (path, env) = (self.path.display(), found.env.path.display());
        Failure::new(Code::PathBusy, format!("{path} is the work dir of {env}"))
            .hint(format!("end that one first: `execenv cleanup {}`", quoted(&found.env.path)))
            .into()
    }
}

impl FoundEnv {
    /// Refuses to use an environment in whose user folder a task of multica's is at work by now.
    ///
    /// # Errors
    /// A [`Code::PathBusy`] failure that names the other environment.
    pub(crate) fn refuse_other_task(&self, other_roots: &[PathBuf], trust: Trust<'_>) -> Result<()> {
        if !self.work_dir.is_user_folder() {
            return Ok(());
        }
        let manifest = Manifest::load(&self.env.tree)?;
        let Some(folder) = self.user_folder(manifest.as_ref(), trust)? else { return Ok(()) };
        // Another task would have put its own brief into the place of ours.
        if manifest.and_then(|it| it.record).is_some_and(|record| record.is_recognised_in(&folder.tree)) {
            return Ok(());
        }
        let canonical =
            folder.path.canonicalize().with_context(|| format!("look at {}", folder.path.display()))?;
        let above = self.env.path.parent().and_then(Path::parent).unwrap_or(&self.env.path);
        let root = WorkspacesRoot::new(above.to_owned());
        for found in claimants(&canonical, &root, other_roots, Some(&self.env.path)) {
            if claim(&found) != Claim::Multicas {
                continue;
            }
            let env = found.env.path.clone();
            match LockedRoot::try_hold(found.env, false) {
                Ok(_) | Err(Held::NoLockFile | Held::Moved) => {}
                Err(held) => return Err(is_at_work(&folder.path, &env, &held)),
            }
        }
        Ok(())
    }
}

/// The failure for a folder in which an environment of multica's is at work.
fn is_at_work(folder: &Path, env: &Path, held: &Held) -> anyhow::Error {
    let (shown, why) = (folder.display(), busy(env, held));
    Failure::new(Code::PathBusy, format!("{shown} is the work dir of a task of multica's: {why}"))
        .hint("wait for that task to end, then try again")
        .into()
}

/// The places in a folder at which a task has left something: the marked block, the context file, multica's marker.
fn traces(tree: &Tree) -> Vec<PathBuf> {
    let read = |path: &Path| tree.read(&tree.resolve(path).ok()?, MAX_TRACE).ok()?;
    let has_block = |path: &&str| read(Path::new(path)).is_some_and(|bytes| marker::locate(&bytes).is_some());
    let mut found: Vec<PathBuf> =
        provider::every_brief_file().into_iter().filter(has_block).map(PathBuf::from).collect();
    if matches!(tree.kind(Path::new(CONTEXT)), Ok(Some(_))) {
        found.push(CONTEXT.into());
    }
    let task: Option<Value> =
        read(Path::new(TASK_MARKER)).and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if task.is_some_and(|task| task["managed_by"] == "multica-daemon-task") {
        found.push(TASK_MARKER.into());
    }
    found
}

/// The environments, other than `own`, whose files say that they work in a folder. What cannot be read is left out.
fn claimants(
    folder: &Path,
    root: &WorkspacesRoot,
    other_roots: &[PathBuf],
    own: Option<&Path>,
) -> Vec<FoundEnv> {
    let others = other_roots.iter().cloned().map(WorkspacesRoot::new);
    let mut seen = Vec::new();
    let mut found = Vec::new();
    for root in std::iter::once(root.clone()).chain(others) {
        let Ok(Some(tree)) = root.open() else { continue };
        let Ok(identity) = tree.identity() else { continue };
        if seen.contains(&identity) {
            continue;
        }
        seen.push(identity);
        for workspace in root.workspaces(&tree).unwrap_or_default() {
            for key in root.keys(&tree, &workspace).unwrap_or_default() {
                let path = root.path().join(&workspace).join(key);
                let Ok(env) = FoundEnv::open_even_damaged(&path) else { continue };
                let is_it = env.work_dir.claimed().is_some_and(|claimed| is_one_path(claimed, folder));
                if is_it && Some(path.as_path()) != own {
                    found.push(env);
                }
            }
        }
    }
    found
}

/// What an environment that names a folder has to do with it.
fn claim(found: &FoundEnv) -> Claim {
    let record = Meta::load(&found.env.tree);
    let is_cleaned = found
        .meta
        .as_ref()
        .and_then(|meta| meta.own.as_ref())
        .is_some_and(|own| own.status == EnvStatus::Cleaned);
    let Ok(manifest) = Manifest::load(&found.env.tree) else { return Claim::None };
    if is_cleaned || manifest.as_ref().is_some_and(Manifest::is_taken_back) {
        return Claim::None;
    }
    match (made_by(&found.env.tree, &record), manifest) {
        (MadeBy::Execenv, _) => Claim::Execenvs,
        (_, Some(_)) if is_this_users(&found.env.tree) => Claim::Multicas,
        _ => Claim::None,
    }
}

/// Whether the list of an environment belongs to the user of this process.
fn is_this_users(env: &Tree) -> bool {
    let attributes = env.attributes(Path::new(names::MANIFEST));
    attributes.is_ok_and(|attributes| attributes.owner.0 == rustix::process::geteuid().as_raw())
}
