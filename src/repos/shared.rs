//! A repository of the cache, locked for a checkout: cloned if it is new, else fetched.
//!
//! Nothing of an unfinished clone has the repository's name: it is made under another one, and one rename ends it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};

use super::coauthor;
use super::create::{NewRepo, create, stored};
use super::git_locks::{remove_dead_locks, without_new_locks};
use super::layout::{CLONING, open_bare, stamp_use};
use super::lock::hold_repo;
use super::shape::stands_alone;
use super::url::{RepoUrl, without_user_info};
use crate::failure::{Code, Failure};
use crate::git::{Git, Remote, RemoteHead, Repository, Shared, Source};
use crate::layout::names;
use crate::sys::confine::can_confine;
use crate::sys::lock::FileLock;
use crate::sys::tree::Tree;

/// The longest that a fetch may take, and a clone. A connection that is dead ends sooner.
const FETCH_LIMIT: Duration = Duration::from_secs(600);
const CLONE_LIMIT: Duration = Duration::from_secs(3600);
/// Where the default branch of the remote is noted.
pub(super) const ORIGIN_HEAD: &str = "refs/remotes/origin/HEAD";

/// Which shared repositories are meant, and how they are used.
#[derive(Clone, Copy, Debug)]
pub struct Sharing<'a> {
    /// The open workspaces root.
    pub root: &'a Tree,
    /// The name of the workspace's folder.
    pub workspace: &'a str,
    /// The user's git.
    pub git: &'a Git,
    /// The longest wait for another process that uses the repository.
    pub wait: Duration,
    /// A new clone leaves out what is not checked out.
    pub partial: bool,
    /// What is new is fetched into a clone that is there.
    pub fetch: bool,
    /// The present time.
    pub now: DateTime<Utc>,
    /// Set when the command has to end.
    pub stop: &'a AtomicBool,
}

/// A shared repository, which no other process changes while this is there.
#[derive(Debug)]
pub struct SharedRepo<'a> {
    /// The open repository.
    pub(super) bare: Tree,
    pub(super) url: &'a RepoUrl,
    pub(super) is_partial: bool,
    pub(super) sharing: Sharing<'a>,
    _lock: FileLock,
}

impl<'a> SharedRepo<'a> {
    /// Locks the shared repository of an address, and fetches what is new. Where that fails, a warning says so, and
    /// what was fetched before is used. A repository that is not there yet is cloned.
    ///
    /// # Errors
    /// [`Code::RootBusy`] when another process uses it for too long; as git and the system report them.
    pub fn open(sharing: Sharing<'a>, url: &'a RepoUrl) -> Result<SharedRepo<'a>> {
        if !can_confine() {
            return Err(Failure::new(
                Code::Failed,
                "a shared repository is written only by a git that is confined to it",
            )
            .hint("git is confined by Landlock: Linux 5.13 or later, if it is not switched off")
            .into());
        }
        let folder = Path::new(names::REPOS).join(sharing.workspace);
        let relative = folder.join(url.bare_name());
        let lock = hold_repo(sharing.root, &relative, sharing.wait, sharing.stop)?;
        let there = sharing.root.kind(&relative).ok().flatten().is_some();
        let (bare, is_partial) = match open_bare(sharing.root, &relative) {
            Some(bare) => {
                let is_partial = sharing.refresh(&bare, url)?;
                (bare, is_partial)
            }
            None if there => {
                let path = sharing.root.path().join(&relative);
                let message = format!("{} is no repository", path.display());
                return Err(Failure::new(Code::Occupied, message)
                    .hint(format!(
                        "if nothing uses it, remove it: `rm -r {}`",
                        super::cache::quoted(&path.display().to_string())
                    ))
                    .into());
            }
            None => {
                sharing.clone(&folder, &url.bare_name(), url)?;
                let cloned = open_bare(sharing.root, &relative);
                (cloned.with_context(|| format!("the clone of {url} has just gone"))?, sharing.partial)
            }
        };
        Ok(SharedRepo { bare, url, is_partial, sharing, _lock: lock })
    }

    /// The path of the repository.
    pub fn path(&self) -> &Path {
        self.bare.path()
    }

    /// The repository for calls that change it.
    pub(super) fn git(&self) -> Repository<'_> {
        self.sharing.git.at(self.bare.path()).within(fetch_limit(), self.sharing.stop).confined_to(&self.bare)
    }

    /// Where it is fetched from.
    pub(super) fn remote(&self) -> Remote {
        self.url.remote(self.is_partial)
    }

    /// Does `work` with what worktrees are made from, while no other process changes it.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn hold<T>(&self, work: impl FnOnce(Source) -> Result<T>) -> Result<T> {
        without_new_locks(&self.bare, || work(self.source()))
    }

    /// Lets each commit in its worktrees name the platform's agent as a co-author, or no longer.
    pub fn name_coauthor(&self, is_wanted: bool) {
        if let Err(error) = coauthor::set(&self.bare, is_wanted) {
            log::warn!("{error:#}");
        }
    }

    /// What worktrees are made from.
    pub(super) fn source(&self) -> Source {
        let shared = Shared { remote: self.is_partial.then(|| self.remote()) };
        Source { common: self.path().to_owned(), top: None, shared: Some(shared) }
    }

    /// Fetches a tag, or a commit by its id, which no branch leads to.
    pub(super) fn fetch_one(&self, name: &str) -> Result<()> {
        without_new_locks(&self.bare, || self.git().fetch_one(&self.remote(), name))
    }
}

/// The longest that a call may take that does not clone.
pub(super) fn fetch_limit() -> Duration {
    crate::sys::fault::patience().unwrap_or(FETCH_LIMIT)
}

fn clone_limit() -> Duration {
    crate::sys::fault::patience().unwrap_or(CLONE_LIMIT)
}

impl Sharing<'_> {
    fn check_stop(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Failure::new(Code::Interrupted, "interrupted by a signal").into());
        }
        Ok(())
    }

    /// Fetches what is new; returns whether the repository is a partial clone.
    fn refresh(&self, bare: &Tree, url: &RepoUrl) -> Result<bool> {
        stands_alone(bare)?;
        let git = self.git.at(bare.path()).within(fetch_limit(), self.stop).confined_to(bare);
        let stored = stored(git)?;
        if !url.is_same_repository(&stored.address) {
            let message = format!(
                "{} is the shared clone of {}",
                bare.path().display(),
                without_user_info(&stored.address).escape_debug()
            );
            return Err(Failure::new(Code::Occupied, format!("{message}, not of {url}"))
                .hint(
                    "two addresses give one name: clone this one into the work dir yourself with `git clone`",
                )
                .into());
        }
        if !stored.has_our_refspec {
            without_new_locks(bare, || git.keep_branches_apart())?;
        }
        stamp_use(bare, self.now)?;
        remove_dead_locks(bare);
        if !self.fetch {
            return Ok(stored.is_partial);
        }
        let fetched = without_new_locks(bare, || {
            let remote = url.remote(stored.is_partial);
            let head = git.remote_head(&remote)?;
            git.fetch(&remote)?;
            follow_head(git, &head)
        });
        if let Err(error) = fetched {
            self.check_stop()?;
            log::warn!("cannot fetch {url}: {error:#}; what was fetched before is used");
        }
        Ok(stored.is_partial)
    }

    /// Clones a repository into its place.
    fn clone(&self, folder: &Path, name: &str, url: &RepoUrl) -> Result<()> {
        log::info!("cloning {url}");
        let doing = || format!("make the shared clone of {url}");
        self.root.ensure_dir(Path::new(names::REPOS), 0o755).with_context(doing)?;
        self.root.ensure_dir(folder, 0o755).with_context(doing)?;
        let workspace = self.root.plain_subtree(folder).with_context(doing)?;
        let unfinished = PathBuf::from(format!("{CLONING}{name}"));
        // Left by a killed clone: we have the lock.
        workspace.remove_all(&unfinished).with_context(doing)?;
        let made = self
            .fill(&workspace, &unfinished, url)
            .and_then(|()| Ok(workspace.move_to(&unfinished, &workspace, Path::new(name))?));
        if made.is_err()
            && let Err(error) = workspace.remove_all(&unfinished)
        {
            log::warn!("cannot remove {}: {error}", workspace.path().join(&unfinished).display());
        }
        if made.is_err() {
            let _ = self.root.remove_dir(folder); // an empty one only
        }
        made.or_else(|error| self.check_stop().and(Err(error))).with_context(doing)
    }

    fn fill(&self, workspace: &Tree, unfinished: &Path, url: &RepoUrl) -> Result<()> {
        workspace.make_dir(unfinished, 0o755)?;
        let bare = workspace.plain_subtree(unfinished)?;
        let new = NewRepo {
            address: url.address(),
            is_bare: true,
            is_partial: self.partial,
            is_sparse: false,
            id_length: 40,
            branch: None,
        };
        create(&bare, &new)?;
        let git = self.git.at(bare.path()).within(clone_limit(), self.stop).confined_to(&bare);
        let remote = url.remote(self.partial);
        let head = git.remote_head(&remote)?;
        let Some(id_length) = head.id_length else {
            return Err(Failure::new(Code::Failed, format!("{url} has no commits"))
                .hint("push a first commit to it")
                .into());
        };
        if id_length != new.id_length || head.branch.is_some() {
            bare.remove_all(Path::new("config"))?;
            bare.remove_all(Path::new("HEAD"))?;
            create(&bare, &NewRepo { id_length, branch: head.branch.as_deref(), ..new })?;
        }
        git.fetch(&remote)?;
        follow_head(git, &head)?;
        stamp_use(&bare, self.now)
    }
}

/// Notes the default branch of the remote, if it was fetched.
fn follow_head(git: Repository<'_>, head: &RemoteHead) -> Result<()> {
    let Some(branch) = &head.branch else { return Ok(()) };
    let target = format!("refs/remotes/origin/{branch}");
    if git.has_ref(&target)? {
        git.point(ORIGIN_HEAD, &target)?;
    }
    Ok(())
}
