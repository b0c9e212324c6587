//! Linked worktrees that execenv makes and removes.
//!
//! `git worktree add` reads every registration that a repository has, which takes long where hundreds of tasks share one, and
//! gives the registration a name of its own choice. So the registration is written here, as gitrepository-layout(5) says,
//! and git fills the worktree (`read-tree`). Where a worktree needs more than that layout (sparse checkouts, settings of
//! one worktree, a reftable), git makes it.
//!
//! A registration is locked from its first moment, so that no `git worktree prune` drops it while the environment is built, moved
//! or in the trash.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::fill::Empty;
use super::program::Git;
use super::quiet::Quiet;
use super::refs::Branch;
use super::reftable::{TABLES, has_tables};
use super::registration::{Registered, TEMPORARY, WORKTREES, line};
use super::repository::Repository;
use super::source::{Shared, Source};
use super::sparse::{names_settings_of_worktrees, write_settings, write_sparse};
use crate::sys::tree::Tree;

/// What a folder of a repository with linked worktrees of its own kind holds: git makes its worktrees.
const SPECIAL: [&str; 3] = ["config.worktree", "info/sparse-checkout", TABLES];
/// The longest that the files of a worktree may take to be written: filters may fetch them.
const FILLING: Duration = Duration::from_secs(30 * 60);
/// How many names are tried for a branch or a registration.
const TRIES: u32 = 1000;

/// What of its commit a new worktree gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// All.
    Files,
    /// The index: the files come from elsewhere.
    Index,
}

/// A worktree that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewWorktree<'a> {
    /// The repository.
    pub source: &'a Source,
    /// The empty folder that becomes the worktree.
    pub folder: &'a Tree,
    /// The path that the folder will have: the registration names it.
    pub place: &'a Path,
    /// The branch to create, without `refs/heads/`; where it is taken, with a number.
    pub branch: &'a str,
    /// The commit to begin from.
    pub commit: &'a str,
    /// The name of the registration; where it is taken, with a number.
    pub name: &'a str,
    /// Why the registration is locked, for `git worktree list -v`.
    pub reason: &'a str,
    /// What of the commit is written.
    pub files: Fill,
    /// Folders of a shared repository that are checked out; empty: all of them.
    pub sparse: &'a [String],
}

/// A worktree that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its registration.
    pub registered: Registered,
    /// Its branch, without `refs/heads/`.
    pub branch: String,
}

impl Git {
    /// Makes a linked worktree with a new branch. Nothing is left behind where it fails. Where the program is killed, the
    /// folder's `.git` file names the registration, and that the branch.
    ///
    /// # Errors
    /// As git and the system report them.
    pub fn make_worktree(&self, new: &NewWorktree<'_>) -> Result<Made> {
        let common = open(&new.source.common)?;
        if new.files == Fill::Index {
            return self.add_index(new, &common);
        }
        if let Some(shared) = &new.source.shared {
            return self.make_shared(new, &common, shared);
        }
        let is_special = SPECIAL.iter().any(|name| !matches!(common.kind(Path::new(name)), Ok(None)));
        let made = if is_special { self.add_by_git(new, &common) } else { self.add(new, &common) }?;
        // Filters are git's business, and may fetch; hooks do not run.
        let repository = self.at(new.folder.path()).within(FILLING, self.stop());
        match repository.network(["read-tree", "-m", "-u", new.commit]).output() {
            Ok(_) => Ok(made),
            Err(error) => {
                self.undo(new, &common, Some(&made.registered), Some(&made.branch));
                Err(error)
            }
        }
    }

    /// Makes a worktree of which only the index is there.
    fn add_index(&self, new: &NewWorktree<'_>, common: &Tree) -> Result<Made> {
        let by_git = new.source.shared.is_none() && has_tables(common);
        let made = if by_git { self.add_by_git(new, common) } else { self.add(new, common) }?;
        let own = common.path().join(made.registered.folder());
        let empty = Empty { folder: new.folder, own: &own, common, remote: None };
        match self.fill_index(empty, new.commit, new.source.shared.is_some()) {
            Ok(()) => Ok(made),
            Err(error) => {
                self.undo(new, common, Some(&made.registered), Some(&made.branch));
                Err(error)
            }
        }
    }

    /// The same in a repository that every agent can write: nothing that it names is run, and git writes nowhere else.
    fn make_shared(&self, new: &NewWorktree<'_>, common: &Tree, shared: &Shared) -> Result<Made> {
        let made = self.add(new, common)?;
        let own = common.path().join(made.registered.folder());
        let empty = Empty { folder: new.folder, own: &own, common, remote: shared.remote.as_ref() };
        // Settings say which folders are there, and what git must not show.
        let allowed = match (new.sparse, names_settings_of_worktrees(common)) {
            ([], true) => Ok(()),
            _ => self.writing(new, common).allow_settings_of_worktrees(common),
        };
        let filled = allowed
            .and_then(|()| match new.sparse {
                [] => Ok(()),
                folders => {
                    write_sparse(common, &made.registered.folder(), folders)?;
                    write_settings(common, &made.registered.folder())
                }
            })
            .and_then(|()| self.fill(empty, new.commit));
        match filled {
            Ok(()) => Ok(made),
            Err(error) => {
                self.undo(new, common, Some(&made.registered), Some(&made.branch));
                Err(error)
            }
        }
    }

    /// The repository for calls that change it.
    fn writing<'a>(&'a self, new: &'a NewWorktree<'_>, common: &'a Tree) -> Repository<'a> {
        let repository = self.at(&new.source.common);
        if new.source.shared.is_some() { repository.confined_to(common) } else { repository }
    }

    fn add(&self, new: &NewWorktree<'_>, common: &Tree) -> Result<Made> {
        let registered = register(new, common)?;
        match self.make_branch(new, common, |branch| registered.set_head(common, branch)) {
            Ok(branch) => Ok(Made { registered, branch }),
            Err(error) => {
                self.undo(new, common, Some(&registered), None);
                Err(error)
            }
        }
    }

    fn add_by_git(&self, new: &NewWorktree<'_>, common: &Tree) -> Result<Made> {
        let repository = self.at(&new.source.common);
        let add = ["worktree", "add", "--no-checkout", "--detach", "--lock", "--reason", new.reason, "--"];
        let added =
            repository.work(add).args([new.folder.path().as_os_str(), OsStr::new(new.commit)]).output();
        let made = added.and_then(|_| {
            let registered = Registered::named_in(new.folder)?;
            let registered = registered.context("git made a worktree without a registration")?;
            let own = registered.git_dir();
            // As above: HEAD names the branch before that is there.
            let branch = self.make_branch(new, common, |branch| {
                let name = format!("refs/heads/{branch}");
                repository.by(&own).work(["symbolic-ref", "HEAD", &name]).output().map(drop)
            })?;
            let made = Made { registered, branch };
            let open = made.registered.open().context("the registration is gone");
            match open.and_then(|open| open.move_to(new.place)) {
                Ok(()) => Ok(made),
                Err(error) => {
                    self.undo(new, common, None, Some(&made.branch));
                    Err(error)
                }
            }
        });
        made.inspect_err(|_| {
            let registered = Registered::named_in(new.folder).ok().flatten();
            self.undo(new, common, registered.as_ref(), None);
        })
    }

    /// Creates the branch, under the first name that is free. `announce` is told each name before.
    fn make_branch(
        &self,
        new: &NewWorktree<'_>,
        common: &Tree,
        announce: impl Fn(&str) -> Result<()>,
    ) -> Result<String> {
        let repository = self.writing(new, common);
        let _quiet = Quiet::in_repository(common.path());
        let mut number = 1;
        loop {
            let branch = numbered(new.branch, number);
            announce(&branch)?;
            let full = format!("refs/heads/{branch}");
            match repository.create_ref(&full, new.commit) {
                Ok(()) => return Ok(branch),
                Err(error) if number >= TRIES || !repository.has_ref(&full)? => {
                    return Err(error.context(format!("create the branch {branch}")));
                }
                Err(_) => number += 1,
            }
        }
    }

    fn undo(
        &self,
        new: &NewWorktree<'_>,
        common: &Tree,
        registered: Option<&Registered>,
        branch: Option<&str>,
    ) {
        let removed = registered.and_then(Registered::open).map_or(Ok(()), |made| made.remove());
        let deleted = branch.map_or(Ok(()), |branch| {
            let made = Branch { name: format!("refs/heads/{branch}"), tip: new.commit.to_owned() };
            self.writing(new, common).delete_branch(&made)
        });
        for trouble in [removed, deleted].into_iter().filter_map(Result::err) {
            log::warn!("{trouble:#}");
        }
    }
}

fn open(path: &Path) -> Result<Tree> {
    Tree::open(path).with_context(|| format!("open {}", path.display()))
}

/// The same name; with a number, if it is not the first try.
fn numbered(name: &str, number: u32) -> String {
    if number == 1 { name.to_owned() } else { format!("{name}-{number}") }
}

/// Registers a worktree, under the first name that is free.
fn register(new: &NewWorktree<'_>, common: &Tree) -> Result<Registered> {
    let registering = || format!("register a worktree in {}", common.path().display());
    common.ensure_dir(Path::new(WORKTREES), 0o755).with_context(registering)?;
    let mut number = 1;
    let registered = loop {
        let name = numbered(new.name, number);
        let registered = Registered { common: common.path().to_owned(), name };
        // Before the registration: whoever finds one that a killed process has left finds it by this.
        let link = [b"gitdir: ", line(&common.path().join(registered.folder())).as_slice()].concat();
        new.folder.replace_unsynced(Path::new(".git"), &link, 0o644, TEMPORARY).with_context(registering)?;
        match common.make_dir(&registered.folder(), 0o755) {
            Ok(()) => break registered,
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists || number >= TRIES => {
                return Err(error).with_context(registering);
            }
            Err(_) => number += 1,
        }
    };
    let folder = registered.folder();
    let locked = format!("{}\n", new.reason);
    let files = [("gitdir", line(&new.place.join(".git"))), ("commondir", b"../..\n".to_vec())];
    // The lock first: no command prunes it from here on. The others are there whole or not at all: to a git that lists
    // worktrees an empty `commondir` is an error.
    let written = common
        .create_unseen(&folder.join("locked"), locked.as_bytes(), 0o644)
        .and_then(|()| {
            files.iter().try_for_each(|(name, bytes)| {
                common.replace_unsynced(&folder.join(name), bytes, 0o644, TEMPORARY)
            })
        })
        .and_then(|()| common.sync_all_of(&folder));
    match written.with_context(registering) {
        Ok(()) => Ok(registered),
        Err(error) => {
            if let Some(Err(trouble)) = registered.open().map(|made| made.remove()) {
                log::warn!("{trouble:#}");
            }
            Err(error)
        }
    }
}
