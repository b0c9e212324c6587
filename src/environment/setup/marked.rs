//! Whether the commands of a repository would read what an agent in a sandbox has written: asked only where commands are to run
//! that the user has trusted, and where there are marks.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::hooks::Hooks;
use super::marks::{Marks, OpenRun, Reviewed};
use super::trusted::TrustedFile;
use crate::environment::lookup::FoundEnv;
use crate::environment::path::quoted;
use crate::git::{Checkout, Git, Registered};
use crate::layout::names;
use crate::sys::silent;
use crate::sys::tree::Tree;

/// Where commands are to run, and where its files are from.
#[derive(Clone, Debug, Default)]
pub(in crate::environment) struct Ground<'a> {
    /// Folders of the user's, without links.
    pub(in crate::environment) folders: Vec<PathBuf>,
    /// Repositories, which may lie in the work dir of another environment.
    pub(in crate::environment) repositories: Vec<PathBuf>,
    /// Working files whose HEAD they begin from.
    pub(in crate::environment) at: Vec<At<'a>>,
}

/// Working files.
#[derive(Clone, Copy, Debug)]
pub(in crate::environment) enum At<'a> {
    /// In a folder of the user's, perhaps below the top of its repository: trusted as the user's own git trusts it.
    Users(&'a Path),
    /// In a work dir; it has no repository, or is the top of one.
    WorkDir(&'a Tree),
    /// The same where execenv has just made it, and it has not got its place.
    New(&'a Tree),
}

/// What is marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::environment) enum Mark {
    /// A folder of the user's.
    Folder(PathBuf),
    /// A commit.
    Commit(String),
    /// The work dir of an environment.
    Environment(PathBuf),
}

impl Mark {
    /// What to do about it.
    pub(super) fn way_on(&self) -> String {
        match self {
            Mark::Folder(folder) => {
                format!("look at its changes, then `execenv trust {}`", quoted(folder))
            }
            Mark::Commit(commit) => format!(
                "look at its changes (`git show {commit}`), then `execenv trust DIR`, where DIR is a folder that has it checked out, \
                 such as a work dir that was prepared with `--no-setup`: `execenv reuse` runs the commands there"
            ),
            Mark::Environment(env) => format!(
                "make a copy of its work (`execenv clone {} DIR`), look at it, then `execenv trust DIR` and begin from there",
                quoted(env)
            ),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mark::Folder(place) | Mark::Environment(place) => {
                write!(f, "an agent in a sandbox has worked in {}", place.display())
            }
            Mark::Commit(commit) => write!(
                f,
                "the commit {} is from an agent in a sandbox, and the files begin from it",
                &commit[..commit.len().min(12)]
            ),
        }
    }
}

/// The first mark on a ground; `None`: nothing there is marked.
///
/// # Errors
/// Where git cannot say, which counts as marked.
pub(in crate::environment) fn mark_on(ground: &Ground<'_>, marks: &Marks, git: &Git) -> Result<Option<Mark>> {
    if let Some(env) = ground.repositories.iter().find_map(|repository| sandboxed_around(repository)) {
        return Ok(Some(Mark::Environment(env)));
    }
    if let Some(folder) = ground.folders.iter().find_map(|folder| marks.folder_of(folder)) {
        return Ok(Some(Mark::Folder(folder.to_owned())));
    }
    if marks.commits.is_empty() && marks.runs.is_empty() {
        return Ok(None);
    }
    let mut commits = marks.commits.clone();
    for run in &marks.runs {
        commits.extend(written_by(run, git)?);
    }
    for at in &ground.at {
        let found = at.leading_to(&commits, git).context("look for commits of agents in a sandbox")?;
        if let Some(commit) = found.0.into_iter().next() {
            return Ok(Some(Mark::Commit(commit)));
        }
    }
    Ok(None)
}

/// Whether something on a ground is marked, or that cannot be known.
pub(in crate::environment) fn may_be_marked(ground: &Ground<'_>, hooks: &Hooks) -> bool {
    let marks = hooks.trusted.marks();
    let mark = marks.and_then(|marks| mark_on(ground, &marks, &hooks.git()));
    mark.map_or(true, |mark| mark.is_some())
}

/// The environment in whose work dir a path lies, if it has what an agent in a sandbox wrote.
fn sandboxed_around(path: &Path) -> Option<PathBuf> {
    let work_dirs = path.ancestors().filter(|above| above.ends_with(names::WORK_DIR));
    let mut found = work_dirs.filter_map(|work_dir| FoundEnv::open(work_dir.parent()?).ok());
    found.find(|found| found.meta.is_some() && found.was_sandboxed()).map(|found| found.env.path)
}

impl At<'_> {
    /// Those of some commits that lead to what is checked out, and what that is.
    fn leading_to(self, commits: &[String], git: &Git) -> Result<(Vec<String>, Vec<String>)> {
        let checkout = match self {
            At::Users(path) => {
                let Some((common, heads)) = git.heads_around(path)? else { return Ok(Default::default()) };
                return Ok((git.at(&common).leading_to(commits, &heads)?, heads));
            }
            At::WorkDir(folder) | At::New(folder) if !has_repository(folder)? => {
                return Ok(Default::default());
            }
            At::WorkDir(folder) => Checkout::open(git, folder)?,
            At::New(folder) => Checkout::just_made(git, folder)?,
        };
        let heads = checkout.heads()?;
        Ok((checkout.shared().leading_to(commits, &heads)?, heads))
    }
}

fn has_repository(folder: &Tree) -> Result<bool> {
    let git = Path::new(".git");
    let kind = folder.kind(git).with_context(|| format!("look at {}", folder.path().join(git).display()))?;
    Ok(kind.is_some())
}

/// The first commits that the agent of a run has made so far, wherever it may write a branch.
///
/// # Errors
/// Where git cannot say.
pub(in crate::environment) fn written_by(run: &OpenRun, git: &Git) -> Result<Vec<String>> {
    let asking = || format!("look for the commits of a run in {}", run.repository.display());
    // Without the repository nothing can begin from its commits.
    let Some(common) = silent::resolve(&run.repository) else { return Ok(Vec::new()) };
    let repository = git.at(&common);
    let named = Registered::new(&common, &run.worktree).map_or("", |_| run.worktree.as_str());
    let tips = repository.tips(&run.refs, named).with_context(asking)?;
    let new: Vec<String> = tips.into_iter().filter(|tip| !run.known.contains(tip)).collect();
    if new.is_empty() {
        return Ok(Vec::new());
    }
    repository.first_since(&new, &run.known).with_context(asking)
}

impl TrustedFile {
    /// The marks that are about a folder of which the user says that they have looked at it. `is_work_dir`: an agent can have
    /// written its `.git`.
    ///
    /// # Errors
    /// As [`TrustedFile::entries`], and where git cannot say.
    pub fn review(&self, folder: &Path, is_work_dir: bool, git: &Git) -> Result<Reviewed> {
        let marks = self.marks()?;
        let (inside, others): (Vec<_>, Vec<_>) =
            marks.folders.iter().cloned().partition(|marked| marked.starts_with(folder));
        let above = others.into_iter().filter(|marked| folder.starts_with(marked)).collect();
        let mut reviewed = Reviewed { folders: inside, above, ..Reviewed::default() };
        if marks.commits.is_empty() && marks.runs.is_empty() {
            return Ok(reviewed);
        }
        let tree = Tree::open(folder).with_context(|| format!("open {}", folder.display()))?;
        let at = if is_work_dir { At::WorkDir(&tree) } else { At::Users(folder) };
        let mut of_runs = Vec::new();
        for run in &marks.runs {
            of_runs.push((run, written_by(run, git)?));
        }
        let all: Vec<String> =
            marks.commits.iter().chain(of_runs.iter().flat_map(|(_, commits)| commits)).cloned().collect();
        let (leading, heads) = at.leading_to(&all, git)?;
        let is_seen = |commits: &[String]| commits.iter().any(|commit| leading.contains(commit));
        let seen = of_runs.iter().filter(|(_, commits)| is_seen(commits));
        reviewed.runs = seen.map(|(run, _)| ((*run).clone(), heads.clone())).collect();
        reviewed.commits = leading;
        Ok(reviewed)
    }
}
