//! `execenv checkout`.

use std::borrow::Cow;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Serialize;

use super::addressed::{MULTICA, WAIT_FOR_SHARED};
use crate::environment::{Exports, FoundEnv};
use crate::failure::{Code, Failure};
use crate::git::check_sparse;
use crate::invocation::{Context, env_completer, parse_duration};
use crate::output::log::note;
use crate::output::{Answer, Deed, Version, answer, escape};
use crate::provider::codex;
use crate::repos::{Checkout, Mode, RepoUrl, SharedRepo, Sharing, Wanted, check_place};
use crate::sys::tree::{FileKind, Tree};
use crate::task::agent_branch;

/// Check out a repository into the work dir, through a clone that all environments share
///
/// The first checkout of a repository clones it into the workspaces root; later ones only fetch what is new. Each gets a folder
/// of its own in the work dir and a new branch `agent/<agent>/<key>` that begins at the default branch, or at --ref. Several
/// repositories can be checked out into one environment, also by the agent during its run: `execenv checkout
/// "$EXECENV_ROOT" URL`. The answer is the path of the folder. If nothing can be fetched, the checkout has what was fetched
/// before, with a warning. For Codex, whose sandbox can write in the work dir only, the folder is a clone that stands alone.
/// A name and a password in URL are used for this call and stored nowhere; better let git's credential helpers supply them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  repo=$(execenv checkout \"$env\" https://github.com/octocat/Hello-World)
  execenv checkout 3f9c git@github.com:octocat/Hello-World.git --ref v1.2
  execenv checkout \"$env\" ~/src/monorepo --sparse apps/web --sparse libs")]
pub struct CheckoutArgs {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
    /// Address of the repository (https, http, ssh, git, USER@HOST:PATH), or a path
    #[arg(value_name = "URL")]
    pub url: String,
    /// Begin at this branch, tag or commit instead of the default branch
    #[arg(long = "ref", value_name = "REF")]
    pub reference: Option<String>,
    /// Check out only this folder of the repository, and the files in the folders above; can be repeated
    #[arg(long, value_name = "DIR")]
    pub sparse: Vec<String>,
    /// If the repository is not shared yet, clone it without the contents of files; git fetches them when it needs them
    #[arg(long)]
    pub partial: bool,
    /// Make a clone that stands alone in the work dir, as for Codex, instead of a worktree of the shared repository
    #[arg(long)]
    pub isolated: bool,
    /// Do not name the platform's agent as a co-author of commits; only multica's tasks do
    #[arg(long)]
    pub no_coauthor: bool,
    /// Wait this long for another process that uses the shared repository, before the command ends with status 4 [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub wait: Option<chrono::Duration>,
}

pub(crate) fn run(args: &CheckoutArgs, context: &Context) -> Result<u8> {
    let url = RepoUrl::parse(&args.url, |path| context.absolute(path))?;
    check_sparse(&args.sparse)?;
    let found = context.find(&args.env)?;
    let work_dir = work_dir(&found, context)?;
    check_place(&work_dir, &url)?;
    context.defer_signals()?;
    check_out(args, context, &found, &work_dir, &url)
}

fn shown(checkout: &Checkout, url: &RepoUrl) -> Answer {
    let Checkout { path, branch, base, mode, notes } = checkout;
    for note_of_it in notes {
        note(note_of_it);
    }
    log::info!("{url}: {} on the new branch {}", escape(&base.name), escape(branch));
    let text = path.display().to_string();
    Answer::new(
        text,
        CheckedOut {
            schema: Version,
            path: path.to_string_lossy(),
            branch_name: branch,
            base: &base.name,
            commit: &base.commit,
            mode: mode.word(),
            notes,
        },
    )
}

/// The folder into which repositories are checked out.
fn work_dir(found: &FoundEnv, context: &Context) -> Result<Tree> {
    if found.work_dir.is_user_folder() {
        let message = format!(
            "{} works in a folder of yours, where execenv checks nothing out",
            found.env.path.display()
        );
        return Err(Failure::new(Code::Usage, message)
            .hint("use `git clone` or `git worktree add` there")
            .into());
    }
    let work_dir = found.open_work_dir(context.trust(None))?;
    if matches!(work_dir.kind(Path::new(".git")), Ok(Some(FileKind::File { .. } | FileKind::Dir))) {
        let message = format!("the work dir {} is a repository itself", work_dir.path().display());
        return Err(Failure::new(Code::Usage, message)
            .hint("prepare an environment without `--repo`, and check out each repository into it")
            .into());
    }
    Ok(work_dir)
}

fn check_out(
    args: &CheckoutArgs,
    context: &Context,
    found: &FoundEnv,
    work_dir: &Tree,
    url: &RepoUrl,
) -> Result<u8> {
    let own = found.require_meta()?.own_or_rebuilt(&found.env.tree);
    // The environment may lie under another root than the one in use.
    let root = found.env.path.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    let root = Tree::open(root).with_context(|| format!("open the workspaces root {}", root.display()))?;
    let git = context.git().until(std::sync::Arc::clone(&context.stop));
    let workspace = found.env.workspace();
    let wait = match args.wait {
        Some(wait) => wait.to_std().unwrap_or_default(),
        None => WAIT_FOR_SHARED,
    };
    let sharing = Sharing {
        root: &root,
        workspace: &workspace,
        git: &git,
        wait,
        partial: args.partial,
        fetch: true,
        now: context.now,
        stop: &context.stop,
    };
    let exports = Exports::of(&own).variables;
    let is_isolated =
        args.isolated || exports.get(codex::CHECKOUT_VARIABLE).is_some_and(|mode| mode == "isolated");
    let key = found.env.key();
    let branch = agent_branch(&own.agent_name, &key);
    let shared = SharedRepo::open(sharing, url)?;
    let placed = shared.check_out(Wanted {
        env: &found.env.tree,
        work_dir,
        key: &key,
        branch: &branch,
        asked: args.reference.as_deref(),
        mode: if is_isolated { Mode::Isolated } else { Mode::Linked },
        sparse: &args.sparse,
        coauthor: !args.no_coauthor && own.platform == MULTICA,
    })?;
    let built = shown(&placed.checkout, url);
    let path = escape(&placed.checkout.path.display().to_string());
    let undo = || match shared.take_back(placed) {
        Ok(()) => format!("{path} was removed"),
        Err(error) => format!("the checkout was not taken back: {error:#}"),
    };
    answer(&built, Deed::TakenBack(Box::new(undo)), context.settings.output)
}

/// A repository that was checked out into a work dir.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct CheckedOut<'a> {
    schema: Version,
    /// The folder of the checkout.
    path: Cow<'a, str>,
    /// Its branch.
    branch_name: &'a str,
    /// The branch, tag or commit at which the branch begins.
    base: &'a str,
    /// The id of that commit.
    commit: &'a str,
    /// `linked`: a worktree of the shared repository; `isolated`: a clone that stands alone.
    mode: &'static str,
    /// What the checkout lacks, such as submodules.
    notes: &'a [String],
}
