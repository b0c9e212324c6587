//! `execenv checkpoint`.

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::repository::{RepositoryArgs, git_under, hold};
use crate::environment::{FoundEnv, PatchRecord};
use crate::failure::Code;
use crate::git::{Change, Git};
use crate::invocation::{Context, WaitArgs, env_completer};
use crate::output::{Answer, Version, counted, escape};
use crate::work::{Wanted, checkpoint};

/// Save the work in an environment as a commit and as a patch
///
/// Saves the working files, also those that are new and not ignored, as a commit beside the branch: HEAD, the index and the
/// branch stay as they are, so that it is allowed while an agent works. `output/checkpoints/N.patch.gz` in the env root holds the
/// difference from a commit that can be found again: the newest one on a remote, else the base of the branch; without either,
/// everything. What execenv put there is left out. `execenv restore` builds the work dir from it. No hook and no filter of the
/// repository runs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv checkpoint \"$env\" -m 'before the rewrite'
  execenv checkpoint \"$env\" -m 'parser done' --on-branch
  execenv checkpoint \"$env\" -m nightly -o json | jq -r .patch.file")]
pub struct CheckpointArgs {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
    /// Message of the commit
    #[arg(short, long, value_name = "MESSAGE")]
    pub message: String,
    /// Commit on the branch that is checked out, and stage everything; not while an agent works, and not during a merge, a rebase or
    /// the like
    #[arg(long)]
    pub on_branch: bool,
    /// End with status 1 where there is nothing to save
    #[arg(long)]
    pub fail_if_clean: bool,
    /// The repository.
    #[command(flatten)]
    pub repository: RepositoryArgs,
    /// The wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

pub(crate) fn run(args: &CheckpointArgs, context: &Context) -> Result<Answer> {
    let until_stopped = |git: Git| git.until(Arc::clone(&context.stop));
    if args.on_branch {
        // It takes HEAD and the index from under an agent; a commit beside the branch does not.
        let env = args.wait.begin().while_busy(context, || hold(&args.env, context))?;
        return save(args, &env, &until_stopped(git_under(&env, context)?), context);
    }
    save(args, &context.find(&args.env)?, &until_stopped(context.git()), context)
}

fn save(args: &CheckpointArgs, found: &FoundEnv, git: &Git, context: &Context) -> Result<Answer> {
    let place = args.repository.find(found, context)?;
    let wanted = Wanted {
        message: &args.message,
        on_branch: args.on_branch,
        manual: true,
        saved: None,
        now: context.now,
    };
    let repository = place.path().to_string_lossy().into_owned();
    let Some(made) = checkpoint(found, &place, wanted, git)? else {
        let json = Checkpointed::Nothing { schema: Version, created: false, repository };
        let code = args.fail_if_clean.then_some(Code::Failed);
        return Ok(Answer::new("nothing to save", json).with_status(code));
    };
    for link in &made.links {
        let path = escape(&link.display().to_string());
        log::warn!("{path} is a repository of its own: which commit it is at is saved, its files are not");
    }
    let record = &made.record;
    if record.patch.is_none() {
        log::warn!(
            "the patch would be longer than 10 MiB: it was not written, and only the commit holds the work"
        );
    }
    let sums = format!("{}, +{} -{}", counted(record.files, "file", "files"), record.added, record.removed);
    let text = format!("checkpoint {}\t{}\t{sums}", record.n, record.sha);
    let json = Checkpointed::Made(Made {
        schema: Version,
        created: true,
        repository,
        n: record.n,
        sha: &record.sha,
        base_sha: Some(record.base_sha.as_str()).filter(|base| !base.is_empty()),
        branch: Some(record.branch.as_str()).filter(|branch| !branch.is_empty()),
        on_branch: args.on_branch,
        files: &made.changes.files,
        added: record.added,
        removed: record.removed,
        patch: record.patch.as_ref(),
        links: made.links.iter().map(|path| path.to_string_lossy()).collect(),
    });
    let hint = format!("`execenv restore {} --from {}` brings it back", found.env.key(), record.n);
    Ok(Answer::new(text, json).after(format!("checkpoint {} was saved", record.n), hint))
}

/// What `checkpoint` saved.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub(crate) enum Checkpointed<'a> {
    /// A checkpoint.
    Made(Made<'a>),
    /// Nothing: no file differs from the last commit.
    Nothing {
        schema: Version,
        /// Whether a checkpoint was made.
        #[cfg_attr(test, schemars(extend("const" = false)))]
        created: bool,
        /// The folder of the repository.
        repository: String,
    },
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Made<'a> {
    schema: Version,
    /// Whether a checkpoint was made.
    #[cfg_attr(test, schemars(extend("const" = true)))]
    created: bool,
    /// The folder of the repository.
    repository: String,
    /// The number of the checkpoint, from 1.
    n: u64,
    /// Its commit.
    sha: &'a str,
    /// The commit that the patch begins from; null: from nothing.
    base_sha: Option<&'a str>,
    /// The branch that is checked out, or null.
    branch: Option<&'a str>,
    /// Whether the commit is on that branch.
    on_branch: bool,
    /// The files that differ from the last commit.
    files: &'a [Change],
    /// How many lines were added; binary files have none.
    added: u64,
    /// How many lines were removed.
    removed: u64,
    /// The patch; null: it would have been longer than 10 MiB.
    patch: Option<&'a PatchRecord>,
    /// Submodules and other repositories, of which only the commit is saved.
    links: Vec<Cow<'a, str>>,
}
