//! The repository of an environment whose work dir is a git worktree: found before anything is made, recorded before it is
//! changed, and released when the work dir goes.
//!
//! Everything about it that the env root says is a claim of the agent's. A registration is removed only if it names the
//! work dir of this environment, a branch only if it carries the environment's key and its commits are held elsewhere.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use serde_json::Map;

use super::included;
use super::path::quoted;
use super::record::RepositoryRecord;
use crate::failure::{Code, Failure};
use crate::git::{Base, Git, Made, NewWorktree, Registered, Source};
use crate::layout;
use crate::layout::names;
use crate::sys::silent;
use crate::sys::tree::Tree;

/// Why a registration is locked; what follows names the environment. `gc` reads it in shared repositories.
const LOCK_REASON: &str = "execenv";
/// Begins the name of a registration.
const NAME: &str = "execenv-";
/// Begins the branch of every task.
const BRANCHES: &str = "agent/";
/// The agent's part of a branch where it has no name, and the most characters that a name gives.
const NO_NAME: &str = "agent";
const MOST_OF_A_NAME: usize = 30;

/// The repository of a work dir.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryRequest {
    /// Where it comes from.
    pub from: RepositoryFrom,
    /// The file with patterns of ignored files to bring along; `None`: `.worktreeinclude` of the checkout.
    pub include: Option<PathBuf>,
}

/// Where the repository of a work dir comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepositoryFrom {
    /// The work dir is a worktree of one that exists.
    Existing {
        /// A folder in it.
        path: PathBuf,
        /// The ref or commit to begin from; `None`: the default branch.
        base: Option<String>,
    },
}

/// A repository and the commit from which a worktree begins.
#[derive(Clone, Debug)]
pub(super) struct Checkout<'a> {
    git: &'a Git,
    source: Source,
    named: &'a Path,
    base: Base,
    branch: String,
    /// The file that says which ignored files are brought along.
    include: Option<PathBuf>,
}

impl<'a> Checkout<'a> {
    /// Finds the repository; changes nothing. `Err` of the inner result: it lies in none, or has no commit, and the work dir is
    /// an empty folder; the text says so.
    ///
    /// # Errors
    /// [`Code::Failed`] where git cannot look, [`Code::Usage`] for a base that is not there.
    pub(super) fn find(
        git: &'a Git,
        asked: &'a RepositoryRequest,
        agent: &str,
        root: &Path,
    ) -> Result<std::result::Result<Checkout<'a>, String>> {
        let RepositoryFrom::Existing { path, base: asked_base } = &asked.from;
        let shown = path.display();
        if !path.is_dir() {
            let what = if path.exists() { "is not a folder" } else { "does not exist" };
            return Err(Failure::new(Code::BadPath, format!("`--repo {shown}` {what}"))
                .hint("name a folder in a git repository")
                .into());
        }
        let looking = || format!("look for the repository of {shown}");
        let Some(source) = git.source(path).with_context(looking)? else {
            return Ok(Err(format!("{shown} is in no git repository: the work dir is an empty folder")));
        };
        refuse_nested(&source, path, root)?;
        let repository = git.at(&source.common);
        let Some(base) = repository.base(asked_base.as_deref())? else {
            return match asked_base {
                Some(base) => {
                    let message = format!("`--base {}`: {shown} has no such commit", base.escape_debug());
                    Err(Failure::new(Code::Usage, message)
                        .hint("name a branch, a tag or a commit of the repository; `git fetch` gets new ones")
                        .into())
                }
                None => Ok(Err(format!("{shown} has no commit yet: the work dir is an empty folder"))),
            };
        };
        let branch = format!("{BRANCHES}{}", agent_part(agent));
        let include = included::patterns(source.top.as_deref(), asked.include.as_deref())?;
        Ok(Ok(Checkout { git, source, named: path, base, branch, include }))
    }

    /// Copies the ignored files that the worktree is to have, too. Returns what the user should know.
    ///
    /// # Errors
    /// As git and the system report them.
    pub(super) fn include(&self, worktree: &Tree, root: &Path) -> Result<Vec<String>> {
        match (&self.source.top, &self.include) {
            (Some(top), Some(patterns)) => {
                let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
                included::include(self.git, top, patterns, worktree, &root)
            }
            (None, Some(patterns)) => Ok(vec![format!(
                "`--include {}` has no effect: {} has no working files",
                patterns.display(),
                self.named.display()
            )]),
            (_, None) => Ok(Vec::new()),
        }
    }

    /// Makes the worktree in `folder`, which is going to be the work dir at `place` of the environment of this key. Returns
    /// what the record says of it.
    ///
    /// # Errors
    /// As git reports them; nothing is left of it then.
    pub(super) fn make(&self, folder: &Tree, place: &Path, key: &str) -> Result<RepositoryRecord> {
        let new = NewWorktree {
            source: &self.source,
            folder,
            place,
            branch: &format!("{}/{key}", self.branch),
            commit: &self.base.commit,
            name: &format!("{NAME}{key}"),
            reason: &lock_reason(place),
        };
        let doing = || format!("make a worktree of {}", self.named.display());
        let Made { registered, branch } = self.git.make_worktree(&new).with_context(doing)?;
        Ok(RepositoryRecord {
            git_dir: registered.common,
            source: self.named.to_owned(),
            branch,
            base: self.base.name.clone(),
            base_commit: self.base.commit.clone(),
            worktree: registered.name,
            other: Map::new(),
        })
    }
}

/// Why the registration of the work dir at `place` is locked.
fn lock_reason(place: &Path) -> String {
    format!("{LOCK_REASON}: work dir {}", place.display().to_string().escape_debug())
}

/// A worktree must not lie inside of a repository's git folder, and a root inside of a repository would put every environment
/// into that repository's status.
fn refuse_nested(source: &Source, path: &Path, root: &Path) -> Result<()> {
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    if !root.starts_with(&source.common) {
        return Ok(());
    }
    let message =
        format!("the workspaces root {} lies in the git folder of {}", root.display(), path.display());
    Err(Failure::new(Code::BadPath, message).hint("name another root with `--workspaces-root`").into())
}

/// The agent's part of a branch: lower case, other characters than letters and digits become one dash.
fn agent_part(name: &str) -> String {
    let mut part = String::new();
    for character in name.trim().to_lowercase().chars() {
        match character {
            'a'..='z' | '0'..='9' => part.push(character),
            _ if part.is_empty() || part.ends_with('-') => {}
            _ => part.push('-'),
        }
    }
    part.truncate(MOST_OF_A_NAME); // all of it is ASCII
    let part = part.trim_end_matches('-');
    if part.is_empty() { NO_NAME.to_owned() } else { part.to_owned() }
}

/// What becomes of the task's branch when its worktree goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BranchRule {
    /// It is deleted if other refs hold its commits.
    UnlessOnlyCopy,
    /// It stays.
    Keep,
    /// It is deleted; where no other ref holds its commits, a ref of ours does from then on.
    Always,
}

/// A worktree that goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaving<'a> {
    /// Its files, wherever they lie now; `None`: they are gone.
    pub(super) folder: Option<&'a Tree>,
    /// The path of the work dir when it was in its place.
    pub(super) place: &'a Path,
    /// The environment's key.
    pub(super) key: &'a str,
    /// What the record says.
    pub(super) record: Option<&'a RepositoryRecord>,
}

/// How environments and work dirs are deleted for good.
#[derive(Debug)]
pub(crate) struct Deletion<'a> {
    git: &'a Git,
    branch: BranchRule,
    /// Once it is set, the removal of files ends.
    pub(super) stop: &'a AtomicBool,
    /// What stayed of their repositories, and why: git folders with a text on a branch or a ref.
    kept: RefCell<Vec<(PathBuf, String)>>,
}

impl<'a> Deletion<'a> {
    pub(crate) fn new(git: &'a Git, stop: &'a AtomicBool) -> Deletion<'a> {
        Deletion { git, branch: BranchRule::UnlessOnlyCopy, stop, kept: RefCell::default() }
    }

    /// The same with another rule for the branches.
    pub(super) fn branches(self, branch: BranchRule) -> Deletion<'a> {
        Deletion { branch, ..self }
    }

    /// What stayed, and why.
    pub(super) fn kept(&self) -> Vec<(PathBuf, String)> {
        self.kept.take()
    }

    /// Takes a worktree out of its repository.
    ///
    /// # Errors
    /// As the system reports them: the next deletion of the same files tries again. A repository that cannot be written is left
    /// as it is.
    pub(super) fn release(&self, leaving: &Leaving<'_>) -> Result<()> {
        match leaving.release(self.git, self.branch) {
            Ok(kept) => {
                for (repository, what) in &kept {
                    log::info!("{}: {what}", repository.display());
                }
                self.kept.borrow_mut().extend(kept);
                Ok(())
            }
            Err(error) if is_never_writable(&error) => {
                log::warn!("a worktree stays registered: {error:#}");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether trying again does not help.
fn is_never_writable(error: &anyhow::Error) -> bool {
    let of_system = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    of_system.is_some_and(|error| {
        matches!(error.kind(), std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem)
    })
}

impl Leaving<'_> {
    /// The registration of this worktree, if it has one: what its `.git` file names, else what the record says.
    pub(super) fn registered(&self) -> Option<Registered> {
        let named = self.folder.and_then(|folder| Registered::named_in(folder).ok().flatten());
        let recorded = self.record.and_then(|record| Registered::new(&record.git_dir, &record.worktree));
        named.into_iter().chain(recorded).find(|registered| self.is_its(registered))
    }

    /// Whether a registration names this environment's work dir: at its place, or where that was before the root moved.
    fn is_its(&self, registered: &Registered) -> bool {
        let Some(place) = registered.place() else {
            // Its making was cut off, of which the lock comes first, or its removal, after which an empty folder is left.
            let reason = registered.lock_reason();
            return reason.map_or_else(|| registered.is_empty(), |reason| reason == lock_reason(self.place));
        };
        if place == self.place || silent::is_one_path(&place, self.place) {
            return true;
        }
        let Some(env_root) = self.place.parent() else { return false };
        layout::former_root(&place, env_root).is_some() && silent::is_missing(&place)
    }

    /// Deletes the task's branch by `rule`, then the registration, by which the next attempt finds both. Returns what stays, and
    /// why. A worktree that the repository does not know, and one whose repository is gone, need nothing.
    ///
    /// # Errors
    /// As the system reports them.
    pub(super) fn release(&self, git: &Git, rule: BranchRule) -> Result<Vec<(PathBuf, String)>> {
        let Some(registered) = self.registered() else { return Ok(Vec::new()) };
        let recorded = self.record.map(|record| record.branch.clone());
        let branches = registered.branch().into_iter().chain(recorded);
        let mut branches: Vec<String> = branches.filter(|branch| self.is_its_branch(branch)).collect();
        branches.dedup();
        let mut kept = Vec::new();
        for branch in branches {
            match self.release_branch(git, &registered, &branch, rule) {
                Ok(what) => kept.extend(what.map(|what| (registered.common.clone(), what))),
                // A branch is in no one's way.
                Err(error) => log::warn!("the branch {branch} stays: {error:#}"),
            }
        }
        registered.remove()?;
        Ok(kept)
    }

    /// Whether a branch is one that `prepare` makes for this environment.
    fn is_its_branch(&self, branch: &str) -> bool {
        let Some((agent, last)) = branch.strip_prefix(BRANCHES).and_then(|rest| rest.split_once('/')) else {
            return false;
        };
        let is_number = |rest: &str| {
            rest.strip_prefix('-').is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        };
        agent_part(agent) == agent
            && last.strip_prefix(self.key).is_some_and(|rest| rest.is_empty() || is_number(rest))
    }

    /// Deletes a branch by `rule`; what stays otherwise.
    fn release_branch(
        &self,
        git: &Git,
        registered: &Registered,
        name: &str,
        rule: BranchRule,
    ) -> Result<Option<String>> {
        let common = registered.common.as_path();
        let repository = git.at(common);
        let Some((branch, worktree)) = repository.branch(name)? else { return Ok(None) };
        let place = registered.place();
        if let Some(other) = worktree.filter(|worktree| Some(worktree) != place.as_ref()) {
            return Ok(Some(format!("the branch {name} is checked out in {}", other.display())));
        }
        if rule == BranchRule::Keep {
            return Ok(Some(format!("the branch {name}, as asked for")));
        }
        let commits = match repository.only_on(&branch)? {
            0 => None,
            1 => Some("1 commit that is nowhere else".to_owned()),
            count => Some(format!("{count} commits that are nowhere else")),
        };
        let kept = match commits {
            None => None,
            Some(commits) if rule == BranchRule::UnlessOnlyCopy => {
                let way = format!("git -C {} branch -D {name}", quoted(common));
                return Ok(Some(format!("the branch {name} has {commits}; `{way}` deletes it")));
            }
            Some(commits) => {
                let kept = repository.keep_commit(&format!("{}/branch", self.key), &branch.tip)?;
                Some(format!("{kept} holds {commits}, of the branch {name}"))
            }
        };
        repository.delete_branch(&branch)?;
        Ok(kept)
    }
}

/// Takes the worktree of an env root that was not finished out of its repository. `name` is its nameless place below the root.
///
/// # Errors
/// As [`Deletion::release`].
pub(crate) fn release_staged(
    root: &Tree,
    name: &Path,
    env_root: &Path,
    key: &str,
    deletion: &Deletion<'_>,
) -> Result<()> {
    let Ok(folder) = root.plain_subtree(&name.join(names::WORK_DIR)) else { return Ok(()) };
    let place = place_of(env_root);
    deletion.release(&Leaving { folder: Some(&folder), place: &place, key, record: None })
}

/// The place of a work dir, for an environment whose env root is, or was, at `env_root`.
pub(super) fn place_of(env_root: &Path) -> PathBuf {
    env_root.join(names::WORK_DIR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agents_name_becomes_a_part_of_a_branch() {
        for (name, expected) in [
            ("Code Reviewer", "code-reviewer"),
            ("my_agent!@#v2", "my-agent-v2"),
            ("a-very-long-name-that-exceeds-thirty-characters-total", "a-very-long-name-that-exceeds"),
            ("", "agent"),
            ("---", "agent"),
            ("日本語テスト", "agent"),
        ] {
            assert_eq!(agent_part(name), expected, "{name}");
        }
    }

    #[test]
    fn only_branches_that_carry_the_key_are_an_environments() {
        let leaving = Leaving { folder: None, place: Path::new("/r/w/k1/workdir"), key: "k1", record: None };
        for (branch, is_its) in [
            ("agent/ada/k1", true),
            ("agent/ada/k1-2", true),
            ("agent/ada/k12", false),
            ("agent/ada/k2", false),
            ("agent/ada/k1-2x", false),
            ("agent/k1", false),
            ("agent/Ada/k1", false),
            ("main", false),
        ] {
            assert_eq!(leaving.is_its_branch(branch), is_its, "{branch}");
        }
    }
}
