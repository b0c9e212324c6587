//! `execenv branch`.

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::repository::{RepositoryArgs, git_under, hold};
use crate::invocation::{Context, WaitArgs, env_completer};
use crate::output::{Answer, Deed, Version, answer, document, escape};
use crate::work;

/// Begin a new branch in the repository of an environment
///
/// Makes the branch where the work is now, or at `--from`, and checks it out. Uncommitted changes stay as they are. A branch
/// that exists, and changes that are in the way of what `--from` holds, end it with status 5; nothing is changed then.
/// It is the branch of the task from then on: `cleanup` deletes it with the worktree if another ref has its commits.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv branch \"$env\" agent/coder/second-try
  execenv branch \"$env\" hotfix --from origin/main")]
pub struct BranchArgs {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
    /// Name of the branch
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Branch, tag or commit where it begins [default: where the work is now]
    #[arg(long, value_name = "REF")]
    pub from: Option<String>,
    /// The repository.
    #[command(flatten)]
    pub repository: RepositoryArgs,
    /// The wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

pub(crate) fn run(args: &BranchArgs, context: &Context) -> Result<u8> {
    let env = args.wait.begin().while_busy(context, || hold(&args.env, context))?;
    let place = args.repository.find(&env, context)?;
    let git = git_under(&env, context)?.until(Arc::clone(&context.stop));
    let made = work::branch(&env, &place, &args.name, args.from.as_deref(), &git)?;
    log::info!("{} was at {}", made.repository.display(), escape(&made.new.before));
    let json = document(Branched {
        schema: Version,
        repository: made.repository.to_string_lossy(),
        branch: &args.name,
        commit: made.new.commit.as_deref(),
        before: &made.new.before,
    });
    let name = escape(&args.name);
    // A signal that has arrived must not stop it.
    let undo = || match git_under(&env, context).and_then(|git| made.take_back(&env, &place, &git)) {
        Ok(()) => format!("the branch {name} was taken back"),
        Err(error) => format!("the branch {name} stays: {error:#}"),
    };
    answer(&Answer::new(&*name, json), Deed::TakenBack(Box::new(undo)), context.settings.output)
}

/// A new branch in the repository of an environment.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Branched<'a> {
    schema: Version,
    /// The folder of the repository.
    repository: Cow<'a, str>,
    /// The new branch, which is checked out now.
    branch: &'a str,
    /// The commit where it begins; null: the repository has none yet.
    commit: Option<&'a str>,
    /// What was checked out before: a branch, in full, or a commit.
    before: &'a str,
}
