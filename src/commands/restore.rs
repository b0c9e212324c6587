//! `execenv restore`.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use super::dead_run::recover_held;
use super::repository::{RepositoryArgs, git_under, hold};
use crate::environment::{Meta, quoted};
use crate::formats::parse_whole;
use crate::git::Change;
use crate::invocation::{Context, UserInput, WaitArgs, env_completer};
use crate::output::log::note;
use crate::output::{Answer, Version, counted, escape};
use crate::work::{Restoring, Source, restore};

/// Rebuild the work dir of an environment from a checkpoint or a patch
///
/// Brings the files to what was saved, as uncommitted changes on the branch that is checked out. A worktree whose folder is gone is
/// made again first, if its repository still has it registered. Work that is in the folder and would be replaced ends it with
/// status 5; so does a patch that does not fit. Nothing is changed then. A missing commit that `--base` names is fetched, from the
/// remotes of a repository of yours; into one that an agent could have configured, you fetch it. Context file, skills and brief come
/// back with `execenv reuse`, because they are made from the task document.
///
/// Nothing says who wrote a patch in a file. So after `--from FILE` the environment counts as one in which an agent in a sandbox has worked: the
/// commands of the repository's .execenv.json do not run there any more (see `execenv trust`).
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv restore \"$env\"
  execenv restore \"$env\" --from 3
  execenv restore \"$env\" --from work.patch.gz --base origin/main")]
pub struct RestoreArgs {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
    /// Number of a checkpoint, or a file with a patch: plain, compressed by gzip, or either of them as base64 text [default: the
    /// last checkpoint]
    #[arg(long, value_name = "N|FILE", value_hint = clap::ValueHint::FilePath)]
    pub from: Option<PathBuf>,
    /// Commit that the patch begins from [default: as recorded; of a file: the base of the branch]
    #[arg(long, value_name = "REF")]
    pub base: Option<String>,
    /// Commit the result on the branch
    #[arg(long)]
    pub commit: bool,
    /// The repository.
    #[command(flatten)]
    pub repository: RepositoryArgs,
    /// The wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

pub(crate) fn run(args: &RestoreArgs, context: &Context) -> Result<Answer> {
    let source = match &args.from {
        None => Source::Last,
        Some(from) => match from.to_str().and_then(parse_whole) {
            Some(number) => Source::Number(number),
            None => Source::File(context.read(UserInput::PATCH, from)?, from.clone()),
        },
    };
    context.defer_signals()?;
    let env = args.wait.begin().while_busy(context, || hold(&args.env, context))?;
    // What a dead run has left is saved now, and is not what was asked for.
    let dead = env.meta.as_ref().filter(|meta| Meta::status(meta).is_active());
    let newest = dead.and_then(|meta| Some(meta.own.as_ref()?.checkpoints.last()?.n));
    let source = match (source, newest) {
        (Source::Last, Some(n)) => Source::Number(n),
        (source, _) => source,
    };
    let env = recover_held(env, context)?;
    let local_dir = args.repository.local_dir.as_ref().map(|dir| context.absolute(dir)).transpose()?;
    let git = git_under(&env, context)?.until(Arc::clone(&context.stop));
    let wanted = Restoring {
        source,
        base: args.base.as_deref(),
        commit: args.commit,
        inside: args.repository.inside.as_deref(),
        now: context.now,
    };
    let done = restore(&env, &wanted, context.trust(local_dir.as_deref()), &git)?;
    if let (Some(base), Some(address)) = (&done.base, &done.fetched) {
        note(&format!("fetched the commit {} from {}", escape(base), escape(address)));
    }
    if done.lacks_sidecars {
        let key = quoted(Path::new(&env.env.key()));
        note(&format!(
            "context file, skills and brief are not in the work dir: `execenv reuse {key} --task FILE` puts them back"
        ));
    }
    if done.ends_setup {
        note(
            "an agent in a sandbox may have written the patch, so the setup and teardown commands of the repository do not run in \
             this environment any more",
        );
    }
    let written = counted(done.written as u64, "file", "files");
    let state = match (&done.commit, done.changes.files.len() as u64) {
        (Some(_), _) => "all is committed".to_owned(),
        (None, 0) => "nothing is uncommitted".to_owned(),
        (None, files) => {
            let files = counted(files, "file is", "files are");
            format!("{files} uncommitted, +{} -{}", done.changes.added, done.changes.removed)
        }
    };
    let text = format!("restored {written}; {state}");
    let json = RestoreDocument {
        schema: Version,
        repository: done.repository.to_string_lossy(),
        n: done.n,
        base: done.base.as_deref(),
        fetched_from: done.fetched.as_deref(),
        branch: done.branch.as_deref(),
        written: done.written,
        files: &done.changes.files,
        added: done.changes.added,
        removed: done.changes.removed,
        commit: done.commit.as_deref(),
    };
    let what = format!("{} is as it was saved", done.repository.display());
    Ok(Answer::new(text, json).after(what, format!("`execenv diff {}` shows its changes", env.env.key())))
}

/// What `restore` rebuilt.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct RestoreDocument<'a> {
    schema: Version,
    /// The folder of the repository.
    repository: Cow<'a, str>,
    /// The number of the checkpoint; null: it came from a file.
    n: Option<u64>,
    /// The commit that the patch begins from; null: from nothing.
    base: Option<&'a str>,
    /// The address from which that commit was fetched; null: it was there.
    fetched_from: Option<&'a str>,
    /// The branch that is checked out, or null.
    branch: Option<&'a str>,
    /// How many files were written or removed.
    written: usize,
    /// The files that differ from the last commit.
    files: &'a [Change],
    /// How many lines were added; binary files have none.
    added: u64,
    /// How many lines were removed.
    removed: u64,
    /// The commit that was made, with `--commit`; else null.
    commit: Option<&'a str>,
}
