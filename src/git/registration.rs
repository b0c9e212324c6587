//! The registration of a linked worktree in its repository: found, read, changed and removed, as gitrepository-layout(5) has it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use super::operation::pending;
use super::program::Git;
use super::reftable::has_tables;
use super::repository::Repository;
use super::worktree::Worktree;
use crate::layout::names;
use crate::order;
use crate::sys::silent;
use crate::sys::tree::{FileKind, Tree};

/// Where git keeps registrations, in the git folder that all worktrees share.
pub(super) const WORKTREES: &str = "worktrees";
/// The temporary name of a file that is replaced.
pub(super) const TEMPORARY: &str = names::TEMPORARY;
/// The largest file of a registration that is read, in bytes.
const MOST_OF_A_FILE: u64 = 16 << 10;

/// A worktree's registration in its repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The git folder that all worktrees share.
    pub common: PathBuf,
    /// The registration's name.
    pub name: String,
}

/// A path as a line of a file.
pub(super) fn line(path: &Path) -> Vec<u8> {
    [path.as_os_str().as_bytes(), b"\n"].concat()
}

impl Registered {
    /// The registration of this name; `None`: that is no name of one.
    pub fn new(common: &Path, name: &str) -> Option<Registered> {
        let mut parts = Path::new(name).components();
        let is_name = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
        (common.is_absolute() && is_name)
            .then(|| Registered { common: common.to_owned(), name: name.to_owned() })
    }

    /// The registration that the `.git` file of a folder names. `None`: it is no linked worktree.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn named_in(folder: &Tree) -> Result<Option<Registered>> {
        let git = Path::new(".git");
        let reading = || format!("read {}", folder.path().join(git).display());
        if !matches!(folder.kind(git).with_context(reading)?, Some(FileKind::File { .. })) {
            return Ok(None);
        }
        let text = folder.read(git, MOST_OF_A_FILE).with_context(reading)?.unwrap_or_default();
        let path = text.strip_prefix(b"gitdir: ").map(|path| path.strip_suffix(b"\n").unwrap_or(path));
        let Some(path) = path.map(|path| folder.path().join(OsStr::from_bytes(path))) else {
            return Ok(None);
        };
        let name = path.file_name().and_then(OsStr::to_str);
        let worktrees = path.parent().filter(|above| above.ends_with(WORKTREES));
        let common = worktrees.and_then(Path::parent);
        Ok(name.zip(common).and_then(|(name, common)| Registered::new(common, name)))
    }

    /// Its path: the worktree's own git folder.
    pub fn git_dir(&self) -> PathBuf {
        self.common.join(self.folder())
    }

    /// Notes which branch is checked out.
    pub(super) fn set_head(&self, common: &Tree, branch: &str) -> Result<()> {
        let head = self.folder().join("HEAD");
        common
            .replace(&head, format!("ref: refs/heads/{branch}\n").as_bytes(), 0o644, TEMPORARY)
            .with_context(|| format!("write {}", common.path().join(&head).display()))
    }

    /// Its path, relative to the git folder that all worktrees share.
    pub(super) fn folder(&self) -> PathBuf {
        Path::new(WORKTREES).join(&self.name)
    }

    /// The registration with its repository, open. `None`: it is not there, or its disk does not answer.
    pub fn open(&self) -> Option<Registration> {
        // Whoever can put a link on the way could lead each look elsewhere.
        let common = silent::resolve(&self.common).and_then(|real| Tree::open_unlinked(&real).ok())?;
        let folder = common.plain_subtree(&self.folder()).ok()?;
        Some(Registration { common, folder, name: self.name.clone() })
    }
}

/// A registration whose repository is open: what it says is read, and what it holds is removed, in the same folder, whatever its
/// path leads to meanwhile.
#[derive(Debug)]
pub struct Registration {
    common: Tree,
    folder: Tree,
    /// Its name.
    pub name: String,
}

impl Registration {
    /// The path of the git folder that all worktrees share, without links.
    pub fn common(&self) -> &Path {
        self.common.path()
    }

    /// Its path: the worktree's own git folder.
    pub fn git_dir(&self) -> &Path {
        self.folder.path()
    }

    /// Whether it is the one of this name.
    pub fn is(&self, named: &Registered) -> bool {
        self.name == named.name && silent::resolve(&named.common).as_deref() == Some(self.common())
    }

    /// Its repository. Calls that write can write only there, where the system can confine them.
    pub fn repository<'a>(&'a self, git: &'a Git) -> Repository<'a> {
        git.at(self.common.path()).around(std::slice::from_ref(&self.common))
    }

    /// Whether the path of the repository leads to it now.
    pub fn is_at_its_path(&self) -> bool {
        self.common.is_at_its_path()
    }

    /// Whether nothing is in its folder yet, or any more, but an empty lock at most.
    pub fn is_empty(&self) -> bool {
        let names = self.folder.names(Path::new("")).unwrap_or_else(|_| vec!["unknown".into()]);
        let is_lock = |name: &std::ffi::OsString| {
            name == "locked"
                && matches!(self.folder.kind(Path::new(name)), Ok(Some(FileKind::File { len: 0, .. })))
        };
        names.iter().all(is_lock)
    }

    /// One of its files, without the line end.
    pub(super) fn read(&self, name: &str) -> Option<Vec<u8>> {
        read_line(&self.folder, Path::new(name))
    }

    /// The folder that the registration names.
    pub fn place(&self) -> Option<PathBuf> {
        let git = self.read("gitdir").filter(|path| !path.is_empty())?;
        let git = self.folder.path().join(OsStr::from_bytes(&git)); // it may be relative
        git.parent().map(Path::to_owned)
    }

    /// Its folder, open.
    pub(super) fn folder(&self) -> &Tree {
        &self.folder
    }

    /// The branch that is checked out, without `refs/heads/`. Git is asked only where refs are in tables.
    pub fn branch(&self, git: &Git) -> Option<String> {
        if has_tables(&self.folder) {
            let head = self.repository(git).by(self.git_dir()).head_branch();
            return head.inspect_err(|error| log::warn!("{error:#}")).ok().flatten();
        }
        branch_of(self.read("HEAD")?)
    }

    /// Whether another worktree of the repository has this branch checked out, or an operation there moves it when it ends. The
    /// repository's own folder is only looked at for an operation.
    pub fn is_elsewhere(&self, git: &Git, branch: &str) -> bool {
        if pending(&self.common, branch, Some(&self.name)).is_some() {
            return true;
        }
        if has_tables(&self.folder) {
            let full = format!("refs/heads/{branch}");
            let own = usize::from(self.branch(git).as_deref() == Some(branch));
            let has_it = |all: Vec<Worktree>| all.iter().skip(1).filter(|it| it.branch == full).count() > own;
            // Where git cannot say, the branch stays.
            return self.repository(git).worktrees().map_or(true, has_it);
        }
        let Ok(all) = self.common.plain_subtree(Path::new(WORKTREES)) else { return false };
        let names = all.names(Path::new("")).unwrap_or_default();
        let mut others = names.into_iter().filter(|name| *name != *self.name);
        others.any(|other| {
            let head = all.plain_subtree(Path::new(&other)).ok();
            let head = head.and_then(|folder| read_line(&folder, Path::new("HEAD")));
            head.and_then(branch_of).as_deref() == Some(branch)
        })
    }

    /// The folders that git writes when it commits on a branch in this worktree, as far as they are there: none where the refs of the
    /// repository are all in one table, or a link stands on the way. The folder of the branch is made where git has packed all
    /// that was in it.
    pub fn written_by_commits(&self, branch: &str) -> Vec<PathBuf> {
        let of_branch = Path::new("refs/heads").join(branch);
        let Some(refs) = of_branch.parent().filter(|_| !has_tables(&self.common)) else { return Vec::new() };
        let is_there = |path: &Path| self.common.plain_subtree(path).is_ok();
        if !is_there(refs) {
            let mut above: Vec<&Path> =
                refs.ancestors().filter(|path| !path.as_os_str().is_empty()).collect();
            above.reverse();
            let made = above.iter().try_for_each(|path| self.common.ensure_dir(path, 0o755));
            if let Err(error) = made {
                log::warn!("{}: {error}", self.common.path().join(refs).display());
                return Vec::new();
            }
        }
        let folders = [self.folder_path(), "objects".into(), refs.to_owned(), Path::new("logs").join(refs)];
        let there = folders.into_iter().filter(|path| is_there(path));
        there.map(|path| self.common.path().join(path)).collect()
    }

    /// Its folder, relative to the git folder that all worktrees share.
    fn folder_path(&self) -> PathBuf {
        Path::new(WORKTREES).join(&self.name)
    }

    /// Why it is locked; `None`: it is not.
    pub fn lock_reason(&self) -> Option<String> {
        self.read("locked").map(|reason| String::from_utf8_lossy(&reason).into_owned())
    }

    /// Writes another path into the registration: the worktree has moved.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn move_to(&self, place: &Path) -> Result<()> {
        let doing = || format!("note the new path of a worktree in {}", self.common.path().display());
        let line = line(&place.join(".git"));
        self.folder.replace(Path::new("gitdir"), &line, 0o644, TEMPORARY).with_context(doing)
    }

    /// Removes the registration, as `git worktree remove` does; the worktree's files are not touched. What names the worktree
    /// goes last, so that a removal that was cut off is recognised, and finished, by the next one.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn remove(&self) -> Result<()> {
        let common = &self.common;
        let removing =
            || format!("remove the registration {} of a worktree in {}", self.name, common.path().display());
        let mut names = self.folder.names(Path::new("")).with_context(removing)?;
        order::sort_by_key(&mut names, |name| name == "gitdir");
        for name in names {
            self.folder.remove_all(Path::new(&name)).with_context(removing)?;
        }
        // A folder that was put into its place is not empty, or is no one's loss.
        let registrations = common.plain_subtree(Path::new(WORKTREES)).with_context(removing)?;
        registrations.remove_dir(Path::new(&self.name)).with_context(removing)?;
        drop(registrations);
        let _ = common.remove_dir(Path::new(WORKTREES)); // removed only when empty, as git does it
        Ok(())
    }
}

/// The first line of a file of a registration.
fn read_line(folder: &Tree, name: &Path) -> Option<Vec<u8>> {
    let text = folder.read(name, MOST_OF_A_FILE).ok()??;
    Some(text.strip_suffix(b"\n").unwrap_or(&text).to_vec())
}

/// The branch in the text of a HEAD, without `refs/heads/`.
fn branch_of(head: Vec<u8>) -> Option<String> {
    String::from_utf8(head).ok()?.strip_prefix("ref: refs/heads/").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_registration_is_one_component() {
        let common = Path::new("/r/.git");
        for (name, is_name) in
            [("execenv-1", true), ("", false), ("..", false), (".", false), ("a/b", false), ("/a", false)]
        {
            assert_eq!(Registered::new(common, name).is_some(), is_name, "{name:?}");
        }
        assert_eq!(Registered::new(Path::new("r"), "a"), None);
    }
}
