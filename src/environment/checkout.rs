//! The repository of a work dir, while it is prepared: found before anything is made, and made in the nameless env root.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::included;
use super::lacking::lacking;
use super::local::LocalDir;
use super::lock::path_lock_shared;
use super::path::quoted;
use super::record::RepositoryRecord;
use super::repository::{NAME, lock_reason};
use super::repository_request::{NEW, RepositoryFrom, RepositoryRequest};
use super::request::Request;
use crate::failure::{Code, Failure};
use crate::git::{Base, BaselinePlan, Fill, Git, Made, NewWorktree, Source};
use crate::layout::names;
use crate::sys::tree::Tree;
use crate::task::agent_branch;

/// The repository that a work dir is going to have.
#[derive(Clone, Debug)]
pub(super) enum Checkout<'a> {
    /// It is a worktree of one that exists.
    Linked(Box<Linked<'a>>),
    /// It is a new one.
    Fresh(Fresh<'a>),
}

/// A new repository for a work dir.
#[derive(Clone, Debug)]
pub(super) struct Fresh<'a> {
    git: &'a Git,
    name: &'a str,
    /// The user's file of patterns that git ignores everywhere.
    excludes: Option<PathBuf>,
}

/// The repository that a work dir is going to be a worktree of.
#[derive(Clone, Debug)]
pub(super) struct Linked<'a> {
    git: &'a Git,
    source: Source,
    named: &'a Path,
    beginning: Beginning,
    agent: String,
    /// Folders that are checked out; empty: all of them.
    sparse: &'a [String],
    /// The key of the environment from which its files are copied.
    continued: Option<&'a str>,
    /// The user has named the repository, now or before.
    is_proved: bool,
    /// The user's file of patterns that git ignores everywhere.
    excludes: Option<PathBuf>,
    /// The file that says which ignored files are brought along.
    include: Option<PathBuf>,
}

/// Where a task's branch begins.
#[derive(Clone, Debug)]
enum Beginning {
    /// At a commit.
    Commit(Base),
    /// At the present state of the checkout that the user's folder lies in.
    Present {
        /// The user's folder.
        local: LocalDir,
        /// The same, relative to the top of the checkout.
        folder: PathBuf,
    },
}

impl<'a> Checkout<'a> {
    /// Finds the repository; changes nothing. `Err` of the inner result: it lies in none, or has no commit, and the work dir is
    /// an empty folder; the text says so.
    ///
    /// # Errors
    /// [`Code::Failed`] where git cannot look, [`Code::Usage`] for a base that is not there, [`Code::BadPath`] for a user's folder
    /// of which no worktree can be made.
    pub(super) fn find(
        git: &'a Git,
        asked: &'a RepositoryRequest,
        request: &Request<'_>,
    ) -> Result<std::result::Result<Checkout<'a>, String>> {
        let (source, named, beginning, excludes) = match &asked.from {
            RepositoryFrom::Existing { path, base } => {
                // A call takes longer to start than to answer, so they run beside each other.
                let (found, excludes) = std::thread::scope(|scope| {
                    let excludes = scope.spawn(|| git.excludes_file());
                    let found = find_existing(git, path, base.as_deref(), request.root.path());
                    (found, excludes.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                });
                match found? {
                    Ok((source, base)) => (source, path, Beginning::Commit(base), excludes?),
                    Err(why) => return Ok(Err(why)),
                }
            }
            RepositoryFrom::Shared { address, source, base, .. } => {
                (source.clone(), address, Beginning::Commit(base.clone()), git.excludes_file()?)
            }
            RepositoryFrom::Continued { path, source, base, .. } => {
                (source.clone(), path, Beginning::Commit(base.clone()), git.excludes_file()?)
            }
            RepositoryFrom::New { name } => {
                let excludes = git.excludes_file()?;
                return Ok(Ok(Checkout::Fresh(Fresh { git, name, excludes })));
            }
            RepositoryFrom::Folder { path } => {
                let (source, beginning) = find_folder(git, path, request)?;
                let excludes = git.excludes_file()?;
                (source, path, beginning, excludes)
            }
        };
        let include = included::patterns(source.top.as_deref(), asked.include.as_deref())?;
        let agent = request.task.agent.name.clone();
        let sparse = match &asked.from {
            RepositoryFrom::Shared { sparse, .. } => sparse,
            _ => [].as_slice(),
        };
        let continued = match &asked.from {
            RepositoryFrom::Continued { key, .. } => Some(key.as_str()),
            _ => None,
        };
        let is_proved = !matches!(&asked.from, RepositoryFrom::Continued { is_proved: false, .. });
        Ok(Ok(Checkout::Linked(Box::new(Linked {
            git,
            source,
            named,
            beginning,
            agent,
            sparse,
            continued,
            is_proved,
            excludes,
            include,
        }))))
    }

    /// The git folder of the repository that the work dir is going to be a worktree of, without links.
    pub(super) fn source(&self) -> Option<&Path> {
        match self {
            Checkout::Linked(linked) => Some(&linked.source.common),
            Checkout::Fresh(..) => None,
        }
    }

    /// The top of the working files of the user's that the work dir is going to be a worktree of: ignored ones may come along.
    pub(super) fn top(&self) -> Option<&Path> {
        match self {
            Checkout::Linked(linked) => linked.source.top.as_deref(),
            Checkout::Fresh(..) => None,
        }
    }

    /// The git folder of the repository, if the user has named it: the environment gets a proof of it. What an agent has made its work dir a
    /// worktree of is not the user's because the work goes on there.
    pub(super) fn proved(&self) -> Option<&Path> {
        match self {
            Checkout::Linked(linked) if linked.is_proved => Some(&linked.source.common),
            Checkout::Linked(_) | Checkout::Fresh(_) => None,
        }
    }

    /// The folder of the work dir in which the agent runs, relative to it.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Checkout::Linked(linked) => match &linked.beginning {
                Beginning::Present { folder, .. } => folder,
                Beginning::Commit(_) => Path::new(""),
            },
            Checkout::Fresh(..) => Path::new(""),
        }
    }

    /// The user's file of patterns that git ignores everywhere.
    pub(super) fn excludes(&self) -> Option<&Path> {
        match self {
            Checkout::Linked(linked) => linked.excludes.as_deref(),
            Checkout::Fresh(fresh) => fresh.excludes.as_deref(),
        }
    }

    /// Makes the repository in `folder`, which is going to be the work dir at `place` of the environment of this key, whose env
    /// root is `env`. Returns what the record says of it, and what the user should know.
    ///
    /// # Errors
    /// As git reports them; nothing is left of it outside of the env root then.
    pub(super) fn make(
        &self,
        request: &Request<'_>,
        root: &Tree,
        env: &Tree,
        folder: &Tree,
        at: (&Path, &str),
    ) -> Result<(RepositoryRecord, Vec<String>)> {
        match self {
            Checkout::Linked(linked) => {
                let (record, notices) = linked.make(request, root, env, folder, at)?;
                Ok((RepositoryRecord { recorded_folder: self.folder().to_owned(), ..record }, notices))
            }
            Checkout::Fresh(fresh) => Ok((make_fresh(fresh, request, folder, at.0)?, Vec::new())),
        }
    }
}

/// Makes a new repository in the empty `folder`, the work dir at `place`.
fn make_fresh(
    Fresh { git, name, .. }: &Fresh<'_>,
    request: &Request<'_>,
    folder: &Tree,
    place: &Path,
) -> Result<RepositoryRecord> {
    let by = git.committer(request.git_identity.as_ref());
    let fresh = git.init(folder.path(), &by).context("make a new repository")?;
    Ok(RepositoryRecord {
        git_dir: place.join(".git"),
        source: format!("{NEW}{name}").into(),
        base: fresh.branch.clone(),
        branch: fresh.branch,
        base_commit: fresh.commit,
        ..RepositoryRecord::default()
    })
}

impl Linked<'_> {
    /// Makes the worktree.
    fn make(
        &self,
        request: &Request<'_>,
        root: &Tree,
        env: &Tree,
        folder: &Tree,
        (place, key): (&Path, &str),
    ) -> Result<(RepositoryRecord, Vec<String>)> {
        let (base, mut notices) = match &self.beginning {
            Beginning::Commit(base) => (base.clone(), Vec::new()),
            Beginning::Present { local, .. } => self.present(local, request, root, env)?,
        };
        let new = NewWorktree {
            source: &self.source,
            folder,
            place,
            branch: &agent_branch(&self.agent, key),
            commit: &base.commit,
            // Never the name of another environment of the task: what is left of a killed prepare is found by it.
            name: &format!("{NAME}{key}-{}", &uuid::Uuid::new_v4().simple().to_string()[..12]),
            reason: &lock_reason(place),
            sparse: self.sparse,
            files: if self.continued.is_some() { Fill::Index } else { Fill::Files },
        };
        let doing = || format!("make a worktree of {}", self.named.display());
        let Made { registered, branch } = self.git.make_worktree(&new).with_context(doing)?;
        notices.extend(self.include(folder, root.path())?);
        notices.extend(lacking(self.git, folder));
        let record = RepositoryRecord {
            git_dir: registered.common,
            source: self.named.to_owned(),
            branch,
            base: base.name,
            base_commit: base.commit,
            worktree: registered.name,
            continued_from: self.continued.unwrap_or_default().to_owned(),
            ..RepositoryRecord::default()
        };
        Ok((record, notices))
    }

    /// The present state of the user's folder as a commit. No process puts sidecars into the folder meanwhile.
    fn present(
        &self,
        local: &LocalDir,
        request: &Request<'_>,
        root: &Tree,
        env: &Tree,
    ) -> Result<(Base, Vec<String>)> {
        let _reading = path_lock_shared(root, &local.canonical)?;
        local.refuse_second_user(request.root, root, None)?;
        let by = self.git.committer(request.git_identity.as_ref());
        let index = (env, Path::new(names::SNAPSHOT_INDEX));
        let top = self.source.top.as_deref().unwrap_or(&local.canonical);
        let plan = BaselinePlan { top, index, by: &by, scratch: included::scratch };
        let doing = || format!("commit the present state of {}", local.path.display());
        let baseline = match self.git.baseline(&plan).with_context(doing)? {
            Ok(baseline) => baseline,
            Err(why) => {
                let message = format!(
                    "{} {why}: the worktree would not have everything that is there",
                    local.path.display()
                );
                return Err(Failure::new(Code::Failed, message)
                    .hint("commit, stash, ignore or move it; or leave out `--worktree`: the agent works in the folder itself then (in_place)")
                    .into());
            }
        };
        let hidden = (baseline.hidden > 0).then(|| {
            let what = if baseline.hidden == 1 { "1 changed file" } else { "some changed files" };
            format!(
                "{what} of {} that git is told not to look at (skip-worktree, assume-unchanged) is not in the worktree as changed",
                local.path.display()
            )
        });
        Ok((Base { name: baseline.name, commit: baseline.commit }, hidden.into_iter().collect()))
    }

    /// Copies the ignored files that the worktree is to have, too. Returns what the user should know.
    ///
    /// # Errors
    /// As git and the system report them.
    fn include(&self, worktree: &Tree, root: &Path) -> Result<Vec<String>> {
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
}

/// The repository that a folder lies in, and the commit to begin from.
fn find_existing(
    git: &Git,
    path: &Path,
    asked: Option<&str>,
    root: &Path,
) -> Result<std::result::Result<(Source, Base), String>> {
    let shown = path.display();
    if !path.is_dir() {
        let what = if path.exists() { "is not a folder" } else { "does not exist" };
        return Err(Failure::new(Code::BadPath, format!("`--repo {shown}` {what}"))
            .hint("name a folder in a git repository")
            .into());
    }
    let found = git.source_and_base(path, asked).map_err(|error| cannot_read(path, error))?;
    let Some((source, found)) = found else {
        return Ok(Err(format!("{shown} is in no git repository: the work dir is an empty folder")));
    };
    refuse_nested(git, &source, path, root)?;
    match (found, asked) {
        (Some(base), _) => Ok(Ok((source, base))),
        (None, Some(asked)) => {
            let message = format!("`--base {}`: {shown} has no such commit", asked.escape_debug());
            Err(Failure::new(Code::Usage, message)
                .hint("name a branch, a tag or a commit of the repository; `git fetch` gets new ones")
                .into())
        }
        (None, None) => Ok(Err(format!("{shown} has no commit yet: the work dir is an empty folder"))),
    }
}

/// The checkout that a user's folder lies in.
fn find_folder(git: &Git, path: &Path, request: &Request<'_>) -> Result<(Source, Beginning)> {
    let local = LocalDir::check(path, request.home.as_deref(), request.root)?;
    let refuse = |why: &str, hint: &str| {
        let message = format!("`--worktree`: {} {why}", local.path.display());
        Failure::new(Code::BadPath, message).hint(hint.to_owned())
    };
    let in_place = "or leave out `--worktree`: the agent works in the folder itself then (in_place)";
    let Some(source) = git.source(&local.canonical).map_err(|error| cannot_read(&local.canonical, error))?
    else {
        let hint = format!("`git init` and a first commit make it one; {in_place}");
        return Err(refuse("is not a git repository, nor in one", &hint).into());
    };
    refuse_nested(git, &source, path, request.root.path())?;
    let folder = source.top.as_deref().and_then(|top| local.canonical.strip_prefix(top).ok());
    let Some(folder) = folder.map(Path::to_owned) else {
        return Err(refuse(
            "is not among the working files of its repository",
            "name a folder of a checkout",
        )
        .into());
    };
    let top = source.top.as_deref().unwrap_or(&local.canonical);
    if !git.at(top).has_head()? {
        let hint = format!("make a first commit: `git commit`; {in_place}");
        return Err(refuse("is in a git repository with no commit yet", &hint).into());
    }
    Ok((source, Beginning::Present { local, folder }))
}

/// The failure where git cannot say which repository a folder lies in.
fn cannot_read(path: &Path, error: anyhow::Error) -> anyhow::Error {
    let failure = Failure::new(Code::Failed, format!("git cannot read the repository of {}", path.display()));
    error.context(failure.hint(format!("see what `git -C {} status` says", quoted(path))))
}

/// A root inside of the repository would put every environment into its status, and an agent that searches the folders above its
/// own would find the user's files. Where git ignores the root there, that is what the user wants.
fn refuse_nested(git: &Git, source: &Source, path: &Path, root: &Path) -> Result<()> {
    let real = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let (what, more) = if real.starts_with(&source.common) {
        (format!("the git folder of {}", path.display()), "")
    } else {
        match git.checkout_around(source, root)? {
            Some(top) => (
                format!("the repository of {}, among the files of {}", path.display(), top.display()),
                ", or let `.gitignore` name it",
            ),
            None => return Ok(()),
        }
    };
    let message = format!("the workspaces root {} lies in {what}", real.display());
    Err(Failure::new(Code::BadPath, message)
        .hint(format!("name another root with `--workspaces-root`{more}"))
        .into())
}
