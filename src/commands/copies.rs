//! The options by which a new work dir begins with files of other environments.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Args;

use super::addressed::WAIT_FOR_SHARED;
use crate::environment::{
    CopiedFrom, EnvLock, Files, FoundEnv, LockedRoot, RepositoryFrom, RepositoryRequest, own_files,
};
use crate::failure::{Code, Failure};
use crate::git::{Base, Shared, Source};
use crate::invocation::{Context, env_completer};
use crate::layout::names;
use crate::repos::repo_lock;
use crate::sys::lock::FileLock;
use crate::sys::tree::Tree;
use crate::work::Place;

/// Files of other environments
#[derive(Debug, Default, Args)]
pub struct CopyArgs {
    /// Begin with all files of this environment's work dir, on a new branch from its HEAD
    ///
    /// Changed and new files are copied as they are, ignored ones too, without execenv's own files. If the work dir is a git worktree,
    /// the new one is a worktree of the same repository, in which nothing is staged. The other environment is not changed; it must
    /// not be in use meanwhile. `execenv merge check` knows that the new branch contains the other one. At most 2,000,000 files and 20
    /// GiB are copied.
    #[arg(long, value_name = "ENV", add = env_completer(), conflicts_with_all = ["local_dir", "repo"])]
    pub continue_from: Option<String>,
    /// With --continue-from or --copy-from: also while an agent runs there; a file that it is writing may be copied half
    #[arg(long)]
    pub while_running: bool,
    /// Copy this file or folder of another environment's work dir to the same path; can be repeated
    ///
    /// FILE is relative to that work dir. A file that is there already is replaced, folders are merged, links are copied as links. If
    /// FILE does not exist, a warning says so.
    #[arg(long, value_name = "FILE", requires = "copy_from", conflicts_with = "local_dir")]
    pub copy: Vec<PathBuf>,
    /// The environment that --copy is about
    #[arg(long, value_name = "ENV", add = env_completer(), requires = "copy")]
    pub copy_from: Option<String>,
}

/// The other environments, held while files of theirs are copied.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pub(super) copied: Vec<CopiedFrom>,
    pub(super) repository: Option<RepositoryRequest>,
    _locks: Vec<EnvLock>,
    _shared: Option<FileLock>,
}

impl CopyArgs {
    /// Finds, locks and opens the other environments.
    ///
    /// # Errors
    /// [`Code::NoEnv`] and its kin; [`Code::EnvBusy`] where one is in use; [`Code::Usage`] for a path out of a work dir.
    pub(super) fn open(&self, context: &Context) -> Result<Sources> {
        let named = CopiedFrom::check(&self.copy)?;
        let mut sources = Sources::default();
        if let Some(env) = &self.continue_from {
            let found = self.hold(env, context, &mut sources)?;
            let work_dir = found.open_work_dir(context.trust(None))?;
            sources.follow(&found, &work_dir, context)?;
            let own = own_files(&found, &work_dir)?;
            sources.copied.push(CopiedFrom {
                work_dir,
                own,
                from_sandbox: found.was_sandboxed(),
                files: Files::All,
                stop: Arc::clone(&context.stop),
            });
        }
        if let Some(env) = &self.copy_from {
            let found = self.hold(env, context, &mut sources)?;
            let work_dir = found.open_work_dir(context.trust(None))?;
            let own = own_files(&found, &work_dir)?;
            sources.copied.push(CopiedFrom {
                work_dir,
                own,
                from_sandbox: found.was_sandboxed(),
                files: Files::Named(named),
                stop: Arc::clone(&context.stop),
            });
        }
        Ok(sources)
    }

    fn hold(&self, env: &str, context: &Context, sources: &mut Sources) -> Result<FoundEnv> {
        let found = context.find(env)?;
        let is_held = sources.copied.iter().any(|held| held.work_dir.path().starts_with(&found.env.path));
        if self.while_running || is_held {
            return Ok(found);
        }
        let path = found.env.path.clone();
        let (found, lock) = match LockedRoot::acquire(found.env) {
            Ok(locked) => locked.read()?.into_parts(),
            Err(error) => {
                let hint = "wait until it ends, or take the files as they are: `--while-running`";
                return Err(match Failure::code_of(&error) {
                    Code::EnvBusy => {
                        let message = format!("{} is in use: its files may be half written", path.display());
                        error.context(Failure::new(Code::EnvBusy, message).hint(hint))
                    }
                    _ => error,
                });
            }
        };
        sources._locks.push(lock);
        Ok(found)
    }
}

impl Sources {
    /// The repository of an environment that is continued.
    fn follow(&mut self, found: &FoundEnv, work_dir: &Tree, context: &Context) -> Result<()> {
        let path = work_dir.path().to_owned();
        let looking = || format!("look for the repository of {}", path.display());
        if work_dir.kind(Path::new(".git")).with_context(looking)?.is_none() {
            return Ok(());
        }
        let git = context.git();
        // What the repository leads to may be out of the agent's reach.
        let place = Place::find(found, Some(Path::new(".")), context.trust(None))?;
        let checkout = place.checkout(&git)?;
        let common = checkout.git_dir().canonicalize().with_context(looking)?;
        if !found.work_dir.is_user_folder() && common.starts_with(path.canonicalize().with_context(looking)?)
        {
            let message =
                format!("{} is a repository of its own, which goes with its environment", path.display());
            return Err(Failure::new(Code::Failed, message)
                .hint("make a copy of it with `execenv clone ENV DIR`, then `execenv prepare --repo DIR`; or copy files with `--copy`")
                .into());
        }
        if checkout.is_sparse() {
            // The files that are not there would count as removed.
            return Err(Failure::new(Code::Failed, format!("{} is a sparse checkout", path.display()))
                .hint("commit there, then `execenv prepare --repo DIR --base BRANCH`; or copy files with `--copy`")
                .into());
        }
        let head = checkout.head()?;
        let Some(commit) = head.commit else {
            return Err(Failure::new(Code::Failed, format!("{} has no commit yet", path.display()))
                .hint("make a first commit there, or copy its files with `--copy`")
                .into());
        };
        let root = found.env.path.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
        let root = Tree::open(root).with_context(|| format!("open {}", root.display()))?;
        let real = root.path().canonicalize().with_context(looking)?;
        let shared = common.strip_prefix(real.join(names::REPOS)).ok().map(Path::to_owned);
        if let Some(below) = &shared {
            self._shared =
                repo_lock(&root, &Path::new(names::REPOS).join(below), WAIT_FOR_SHARED, &context.stop)?;
        }
        let source = Source { common, top: None, shared: shared.map(|_| Shared { remote: None }) };
        let base = Base { name: head.branch.unwrap_or_else(|| "HEAD".to_owned()), commit };
        let keys = context.trust(None).keys;
        let is_proved = place.is_users(&checkout) || found.has_proof_of(&source.common, keys);
        let from = RepositoryFrom::Continued { path, key: found.env.key(), source, base, is_proved };
        self.repository = Some(RepositoryRequest { from, include: None });
        Ok(())
    }
}
