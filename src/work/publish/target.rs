//! Where the work goes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::order::Job;
use crate::failure::{Code, Failure};
use crate::git::{GitFolder, Repository};
use crate::layout::names;
use crate::repos::RepoUrl;

/// The longest wait for another command that changes the same repository, and how often it is looked whether it has ended.
const WAIT: Duration = Duration::from_secs(10);
const BETWEEN: Duration = Duration::from_millis(20);

/// Where the work goes.
pub(super) enum Target {
    /// The repository that the work dir is a worktree of, or that it is itself, by its git folder.
    Same(PathBuf),
    /// Another repository on this machine, by its git folder.
    Folder(PathBuf),
    /// A repository on a server.
    Remote(RepoUrl),
}

impl Job<'_> {
    /// Where the work goes: the folder that is named, else the repository that the work dir belongs to, else `origin`.
    pub(super) fn target(&self) -> Result<Target> {
        if let Some(folder) = self.order.target {
            return self.repository_at(folder);
        }
        // The shared copy of a remote belongs to no one user: its work goes to the remote.
        let is_shared_copy = self.checkout.is_linked() && self.is_in_cache()?;
        if self.env.work_dir.is_user_folder() || (self.checkout.is_linked() && !is_shared_copy) {
            return Ok(Target::Same(real(self.checkout.git_dir())?));
        }
        let Some(address) = self.checkout.origin()? else {
            return Err(no_origin(self.place.path())
                .hint("`--target DIR` names a repository of yours; `git remote add origin ADDRESS` adds a remote")
                .into());
        };
        self.at_address(&address, self.place.path())
    }

    /// The server of the remote `origin`: of the folder that is named, else of the work dir.
    pub(super) fn server(&self) -> Result<RepoUrl> {
        let (found, at) = match self.order.target {
            None => (self.checkout.origin()?, self.place.path().to_owned()),
            Some(folder) => match self.repository_at(folder)? {
                Target::Same(common) | Target::Folder(common) => {
                    (GitFolder::open(&self.git, &common)?.origin()?, folder.to_owned())
                }
                Target::Remote(url) => return Ok(url),
            },
        };
        let address = found.ok_or_else(|| {
            no_origin(&at).hint("`git remote add origin ADDRESS` adds one; a pull request is opened there")
        })?;
        match self.at_address(&address, &at)? {
            Target::Remote(url) => Ok(url),
            Target::Same(common) | Target::Folder(common) => {
                let message = format!("the remote `origin` is the folder {}", folder_of(&common).display());
                Err(Failure::new(Code::Usage, message)
                    .hint("a pull request needs a server; `--to branch` and `--to merge` work with folders")
                    .into())
            }
        }
    }

    /// The remote `origin`. Its address is in a configuration that an agent can write: it is checked, and the answer names it.
    fn at_address(&self, address: &str, from: &Path) -> Result<Target> {
        let url = RepoUrl::parse(address, |path| Ok(from.join(path)))?;
        match Path::new(url.address()) {
            folder if folder.is_absolute() => self.repository_at(folder),
            _ => Ok(Target::Remote(url)),
        }
    }

    fn repository_at(&self, folder: &Path) -> Result<Target> {
        let absent = || {
            Failure::new(Code::BadPath, format!("{} is in no git repository", folder.display()))
                .hint("`--target` takes the folder of a repository")
        };
        if !folder.is_dir() {
            return Err(absent().into());
        }
        let common = self.git.source(folder)?.ok_or_else(absent)?.common;
        Ok(match common == real(self.checkout.git_dir())? {
            true => Target::Same(common),
            false => Target::Folder(common),
        })
    }

    fn is_in_cache(&self) -> Result<bool> {
        let Some(root) = self.env.env.path.parent().and_then(Path::parent) else { return Ok(false) };
        let cache = root.join(names::REPOS);
        Ok(cache.is_dir() && real(self.checkout.git_dir())?.starts_with(real(&cache)?))
    }

    /// Refuses the default branch of the target, unless it is named: which branch is checked out is the agent's choice.
    pub(super) fn refuse_default(&self, branch: &str, default: Option<&str>) -> Result<()> {
        if self.order.branch.is_some() || default != Some(branch) {
            return Ok(());
        }
        let message = format!("the branch {branch} is checked out, which is the default branch there");
        Err(Failure::new(Code::Usage, message)
            .hint(format!("`--branch NAME` gives the work another name; `--branch {branch}` means that one"))
            .into())
    }
}

fn no_origin(at: &Path) -> Failure {
    Failure::new(Code::Failed, format!("{} has no remote `origin`", at.display()))
}

fn real(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("look at {}", path.display()))
}

/// The folder by which a person knows a repository.
pub(super) fn folder_of(common: &Path) -> &Path {
    common.parent().filter(|_| common.ends_with(".git")).unwrap_or(common)
}

/// Waits until no other command of ours changes refs in the repository. The lock goes with the folder.
///
/// # Errors
/// A [`Code::PathBusy`] failure after 10 s.
pub(super) fn hold(folder: &GitFolder) -> Result<()> {
    let begun = Instant::now();
    loop {
        match folder.tree().try_hold() {
            Ok(true) => return Ok(()),
            Ok(false) if begun.elapsed() < WAIT => std::thread::sleep(BETWEEN),
            Ok(false) => {
                let message =
                    format!("another execenv is at work in {}", folder_of(folder.tree().path()).display());
                return Err(Failure::new(Code::PathBusy, message)
                    .hint("wait for it to end, then try again")
                    .into());
            }
            // Not every file system locks folders. A ref that has moved meanwhile is found in any case.
            Err(error) => {
                log::debug!("lock {}: {error}", folder.tree().path().display());
                return Ok(());
            }
        }
    }
}

/// The default branch of a repository, without `refs/heads/`: that of its remote, else the one that its HEAD names.
///
/// # Errors
/// As git reports them.
pub(super) fn default_branch(repository: &Repository<'_>) -> Result<Option<String>> {
    let found = repository.default_base()?.map(|base| base.name);
    match found.as_deref().map(|name| name.strip_prefix("origin/").unwrap_or(name)) {
        None | Some("HEAD") => repository.head_branch(),
        Some(name) => Ok(Some(name.to_owned())),
    }
}
