//! The options that make the work dir a worktree of a repository.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use super::addressed::Addressed;
use crate::environment::{NEW_REPOSITORY, RepositoryFrom, RepositoryRequest, Request};
use crate::failure::{Code, Failure};
use crate::git::check_sparse;
use crate::invocation::Context;
use crate::sys::silent::is_one_path;
use crate::task::{ExecutionMode, TaskDocument};

/// The repository
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct WorktreeArgs {
    /// Make the work dir a git worktree of this repository, on a new branch `agent/<agent>/<key>`
    ///
    /// REPO is a folder in the repository, a bare one, or a worktree of it. Its index, HEAD, configuration, hooks and working
    /// files stay as they are. Hooks do not run; filters such as git-lfs do. If the folder is in no repository, or the
    /// repository has no commit, the work dir is an empty folder, and a warning says so. The workspaces root must not lie among the
    /// repository's files, unless git ignores it there. REPO can also be an address (https,
    /// http, ssh, git, USER@HOST:PATH): the work dir is a worktree of the clone that all environments of the workspace share, as
    /// `execenv checkout` makes it. `new://` or `new://NAME` makes the work dir a
    /// new repository of its own (type `directory`): no remote, one empty commit on the branch that `init.defaultBranch` of your
    /// configuration names, else `main`. It goes with the environment.
    #[arg(long, value_name = "REPO", value_hint = clap::ValueHint::DirPath, conflicts_with = "local_dir")]
    pub repo: Option<PathBuf>,
    /// With --repo: the branch, tag or commit to begin from [default: the default branch of origin, else HEAD]
    #[arg(long, value_name = "REF", requires = "repo")]
    pub base: Option<String>,
    /// With --repo and an address: check out only this folder of the repository, and the files in the folders above; can be repeated
    #[arg(long, value_name = "DIR", requires = "repo")]
    pub sparse: Vec<String>,
    /// With --repo and an address: if the repository is not shared yet, clone it without the contents of files; git fetches them when it needs them
    #[arg(long, requires = "repo")]
    pub partial: bool,
    /// With --local-dir: the work dir is a git worktree of the folder's repository, with its uncommitted changes; the folder stays as it is
    ///
    /// The branch `agent/<agent>/<key>` begins with one commit of what the checkout holds at present: tracked changes, and files that
    /// are neither tracked nor ignored (at most 2,000 and 200 MiB). `git diff` from that commit is the agent's work alone. The agent
    /// runs in the same folder of the worktree as DIR is of its repository. What a commit cannot hold (changes in a submodule, another
    /// repository, a merge with conflicts) is an error. The folder's index, files and stashes are only read. A task document asks for
    /// the same by `"execution_mode": "worktree"` in the project's resource for DIR.
    #[arg(long, requires = "local_dir", conflicts_with_all = ["inventory", "repo"])]
    pub worktree: bool,
    /// With --repo or --worktree: bring along the ignored files that match the patterns in this file [default: .worktreeinclude of the checkout, if there is one]
    ///
    /// The patterns have the syntax of .gitignore. Copied are files that git does not track in the checkout and ignores in the
    /// worktree, such as `.env`: at most 2,000 files and 200 MiB, with their modes, and relative links. Files that the branch has, nested
    /// repositories and the worktree folders of other tools are left out. `cleanup` removes the copies.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub include: Option<PathBuf>,
}

impl WorktreeArgs {
    /// The request with the repository that was asked for, by these options or by the task document.
    ///
    /// # Errors
    /// A [`Code::Usage`] failure for options that do not go together, [`Code::BadDocument`] for a mode that is not known; when a path
    /// cannot be made absolute.
    pub(super) fn apply<'a>(&self, request: Request<'a>, context: &Context) -> Result<Request<'a>> {
        let include = self.include.as_ref().map(|file| context.absolute(file)).transpose()?;
        if let Some(name) = self.new_name() {
            self.refuse_of_addresses()?;
            let from = self.new_repository(name)?;
            return Ok(Request { repository: Some(RepositoryRequest { from, include: None }), ..request });
        }
        if let Some(repo) = &self.repo {
            if self.addressed(context)?.is_some() {
                self.refuse_include("the shared clone of an address has no working files")?;
                return Ok(request);
            }
            self.refuse_of_addresses()?;
            let from = RepositoryFrom::Existing { path: context.absolute(repo)?, base: self.base.clone() };
            return Ok(Request { repository: Some(RepositoryRequest { from, include }), ..request });
        }
        // clap asks for --repo only where no other option excludes it.
        if self.base.is_some() {
            return Err(Failure::new(Code::Usage, "`--base` is for `--repo`")
                .hint("a worktree of a folder begins with what is checked out there")
                .into());
        }
        if let Some(path) = request.local_dir.clone()
            && self.is_worktree(&path, request.task)?
        {
            if request.inventory {
                let message = "`--inventory` has no use: the task document asks for a worktree of the folder";
                return Err(Failure::new(Code::Usage, message).hint("leave out `--inventory`").into());
            }
            let repository = Some(RepositoryRequest { from: RepositoryFrom::Folder { path }, include });
            return Ok(Request { repository, local_dir: None, ..request });
        }
        if include.is_some() {
            return Err(Failure::new(Code::Usage, "`--include` is for a worktree")
                .hint("add `--repo DIR`, or `--local-dir DIR --worktree`")
                .into());
        }
        Ok(request)
    }

    /// The repository that was asked for by its address.
    ///
    /// # Errors
    /// A [`Code::Usage`] failure for an address, or a folder in it, of which nothing is checked out.
    pub(super) fn addressed(&self, context: &Context) -> Result<Option<Addressed>> {
        let Some(repo) = self.repo.as_deref().filter(|_| self.new_name().is_none()) else { return Ok(None) };
        check_sparse(&self.sparse)?;
        let addressed = Addressed::read(repo, context)?;
        Ok(addressed.map(|addressed| addressed.with(self.base.as_deref(), &self.sparse, self.partial)))
    }

    /// The name of the new repository that was asked for.
    fn new_name(&self) -> Option<&str> {
        self.repo.as_deref()?.to_str()?.strip_prefix(NEW_REPOSITORY)
    }

    /// Refuses options that are for addresses only.
    fn refuse_of_addresses(&self) -> Result<()> {
        for (option, is_given) in [("--sparse", !self.sparse.is_empty()), ("--partial", self.partial)] {
            if is_given {
                let message = format!("`{option}` is for a repository that `--repo` names by its address");
                let hint = "a worktree of a folder has all files; give the address from which it was cloned";
                return Err(Failure::new(Code::Usage, message).hint(hint).into());
            }
        }
        Ok(())
    }

    fn refuse_include(&self, why: &str) -> Result<()> {
        if self.include.is_none() {
            return Ok(());
        }
        Err(Failure::new(Code::Usage, "`--include` has nothing to bring along").hint(why).into())
    }

    fn new_repository(&self, name: &str) -> Result<RepositoryFrom> {
        let usage = |message: String, hint: &str| Failure::new(Code::Usage, message).hint(hint);
        if name.chars().any(|c| c.is_control() || c == '/') {
            let message = format!("`--repo {NEW_REPOSITORY}{}`: that is no name", name.escape_debug());
            return Err(
                usage(message, "`--repo new://` or `--repo new://NAME`, without a slash in NAME").into()
            );
        }
        for (option, is_given) in [("--base", self.base.is_some()), ("--include", self.include.is_some())] {
            if is_given {
                let message = format!("`{option}` does not go with a new repository");
                return Err(
                    usage(message, "a new repository has no commit and no files to begin from").into()
                );
            }
        }
        Ok(RepositoryFrom::New { name: name.to_owned() })
    }

    fn is_worktree(&self, folder: &Path, task: &TaskDocument) -> Result<bool> {
        let asked = task.execution_mode(|path| is_one_path(Path::new(path), folder))?;
        Ok(self.worktree || asked == Some(ExecutionMode::Worktree))
    }
}
