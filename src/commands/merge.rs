//! `execenv merge`.

mod documents;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::repository::{RepositoryArgs, git_under, hold};
use crate::environment::{FoundEnv, LockedEnv};
use crate::failure::{Code, Failure};
use crate::git::{Conflict, ConflictKind};
use crate::invocation::{Context, WaitArgs, env_completer};
use crate::output::{self, Answer, Format, Version, columns, counted, document, escape, show_age};
use crate::work::Place;
use crate::work::merge::{Completeness, Desk, Resolution, StartOptions, Started, resolution_words};
pub(crate) use documents::{
    MergeAborted, MergeCheck, MergeCommitted, MergeList, MergeResolved, MergeSkipped, MergeStarted,
    MergeStatus,
};
pub(super) use documents::{Shown, shown};
use documents::{rows, word};

/// Merge the branches of tasks into the branch of one environment, step by step
///
/// Each call does one step: `start` merges a branch into the index and the files, `resolve` settles a conflict, `commit` makes the
/// commit. Git knows of the merge, so that `git status`, `git commit` and `git merge --abort` in the work dir do what they
/// always do. Hooks, filters and merge drivers that the repository names do not run. `check` says whether all branches are
/// merged or skipped.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:
  execenv merge list \"$env\"
  execenv merge start \"$env\" agent/coder/3f9c00000001 --commit
  execenv merge resolve \"$env\" src/main.rs theirs && execenv merge commit \"$env\"
  execenv merge check \"$env\""
)]
pub struct MergeArgs {
    /// The step.
    #[command(subcommand)]
    pub action: MergeAction,
}

/// The environment of a step that changes its files
#[derive(Debug, Args)]
pub struct Changed {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
    /// The repository.
    #[command(flatten)]
    pub repository: RepositoryArgs,
    /// The wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// The environment of a step that only looks
#[derive(Debug, Args)]
pub struct Looked {
    /// Environment: a path, a task id, or 4 or more characters of its key
    #[arg(value_name = "ENV", add = env_completer())]
    pub env: String,
    /// The repository.
    #[command(flatten)]
    pub repository: RepositoryArgs,
}

/// The step of a merge.
#[derive(Debug, Subcommand)]
pub enum MergeAction {
    /// List the branches of tasks, and what has become of each
    ///
    /// These are the branches `agent/*/*` and `makima/*`, but the one that is checked out; the oldest first. `older`: a branch that
    /// was there before the environment, which `check` does not count.
    #[command(
        after_help = "Example:\n  execenv merge list \"$env\" -o json | jq '.branches[] | select(.status == \"unmerged\")'"
    )]
    List(Looked),
    /// Merge a branch into the index and the files, without a commit
    ///
    /// Status 5: it stopped at conflicts, which it lists; or uncommitted changes or a merge in progress are in the way, and nothing
    /// was changed.
    #[command(after_help = "Examples:
  execenv merge start \"$env\" agent/coder/3f9c00000001
  execenv merge start \"$env\" 3f9c --commit --squash")]
    Start {
        /// The environment.
        #[command(flatten)]
        at: Changed,
        /// Branch to merge: its name, its task, or an environment
        #[arg(value_name = "BRANCH")]
        branch: String,
        /// Commit it too, if nothing conflicts
        #[arg(long)]
        commit: bool,
        /// Make a commit with one parent, which has all changes of the branch
        #[arg(long)]
        squash: bool,
        /// Message of the commit
        #[arg(short, long, value_name = "TEXT", requires = "commit")]
        message: Option<String>,
    },
    /// Show the merge in progress, and what is still to be resolved
    #[command(after_help = "Example:\n  execenv merge status \"$env\" -o json | jq -r '.conflicts[].path'")]
    Status(Looked),
    /// Resolve conflicts: by one side's version, or by the file as it is now
    ///
    /// `ours` is the branch of the environment, `theirs` the one that is merged; a file that the side does not have is removed.
    /// `edited` takes the file from the work dir. An edited file that is written over is kept by a ref, which is named.
    #[command(after_help = "Examples:
  execenv merge resolve \"$env\" src/main.rs theirs
  execenv merge resolve \"$env\" a.txt b.txt edited
  execenv merge resolve \"$env\" --all ours")]
    Resolve {
        /// The environment.
        #[command(flatten)]
        at: Changed,
        /// Files, relative to the repository, and last: `ours`, `theirs` or `edited`
        #[arg(value_name = "FILE… SIDE", required = true)]
        words: Vec<String>,
        /// Every file with a conflict
        #[arg(long)]
        all: bool,
    },
    /// Commit the merge in progress, and record what was merged
    ///
    /// A merge that was committed by hand is recorded. Status 5: conflicts are still to be resolved.
    #[command(after_help = "Example:\n  execenv merge commit \"$env\" -m 'Merge the parser'")]
    Commit {
        /// The environment.
        #[command(flatten)]
        at: Changed,
        /// Message [default: the one that `start` proposed]
        #[arg(short, long, value_name = "TEXT")]
        message: Option<String>,
        /// Make a commit with one parent
        #[arg(long)]
        squash: bool,
    },
    /// Take the merge in progress back
    ///
    /// Files that the merge did not change stay as they are. Files of the merge that were edited by hand are kept by a ref, which is
    /// named. Without a merge in progress nothing happens.
    #[command(after_help = "Example:\n  execenv merge abort \"$env\"")]
    Abort(Changed),
    /// Leave the branch of a task out on purpose, so that `check` does not miss it
    #[command(
        override_usage = "execenv merge skip [OPTIONS] <ENV> <BRANCH> <REASON>\n       execenv merge skip [OPTIONS] <ENV> <BRANCH> --undo",
        after_help = "Examples:
  execenv merge skip \"$env\" 3f9c00000001 'superseded by the second attempt'
  execenv merge skip \"$env\" 3f9c00000001 --undo"
    )]
    Skip {
        /// The environment.
        #[command(flatten)]
        at: Looked,
        /// Branch to leave out: its name, its task, or an environment
        #[arg(value_name = "BRANCH")]
        branch: String,
        /// Why
        #[arg(value_name = "REASON", required_unless_present = "undo", conflicts_with = "undo")]
        reason: Option<String>,
        /// It is to be merged after all
        #[arg(long)]
        undo: bool,
    },
    /// Check that the branch of every task is merged or skipped
    ///
    /// Status 0: all are; status 5: at least one is neither. Branches that were there before the environment are not counted. The
    /// branch of a task that another one continues (`prepare --continue-from`) is merged with that one, unless it has commits from
    /// after that.
    #[command(
        after_help = "Example:\n  execenv merge check \"$env\" && execenv publish \"$env\" --to branch"
    )]
    Check(Looked),
}

pub(crate) fn run(args: &MergeArgs, context: &Context) -> Result<Answer> {
    match &args.action {
        MergeAction::List(at) => at.look(context, list),
        MergeAction::Status(at) => at.look(context, status),
        MergeAction::Check(at) => at.look(context, check),
        MergeAction::Skip { at, branch, reason, undo: _ } => {
            at.look(context, |desk, context| skip(desk, branch, reason.as_deref(), context))
        }
        MergeAction::Start { at, branch, commit, squash, message } => {
            let options = StartOptions { commit: *commit, squash: *squash, message: message.as_deref() };
            at.change(context, |desk, env| start(desk, env, branch, options, context))
        }
        MergeAction::Resolve { at, words, all } => {
            at.change(context, |desk, env| resolve(desk, env, words, *all, context))
        }
        MergeAction::Commit { at, message, squash } => at.change(context, |desk, env| {
            let done = desk.commit(env, message.as_deref(), *squash)?;
            if done.was_there {
                output::log::note(&format!("the merge of {} was committed already", escape(&done.branch)));
            }
            let json = document(MergeCommitted {
                schema: Version,
                commit: &done.commit,
                branch: &done.branch,
                squash: done.squash,
            });
            let what = format!("the merge of {} is committed as {}", escape(&done.branch), done.commit);
            Ok(Answer::new(done.commit, json).after(what, hint(env)))
        }),
        MergeAction::Abort(at) => at.change(context, |desk, env| {
            let done = desk.abort(env)?;
            let text = match &done.branch {
                Some(branch) => format!("took the merge of {} back", escape(branch)),
                None => "no merge is in progress".to_owned(),
            };
            let aborted = done.branch.is_some();
            let json = MergeAborted {
                schema: Version,
                aborted,
                branch: done.branch.as_deref(),
                head: &done.head,
                kept: done.kept.as_deref(),
            };
            Ok(if aborted {
                Answer::new(text.clone(), json).after(text, hint(env))
            } else {
                Answer::new(text, json)
            })
        }),
    }
}

/// How to learn where a merge stands.
fn hint(env: &FoundEnv) -> String {
    format!("`execenv merge status {}` shows where it stands", env.env.key())
}

impl Changed {
    fn change(
        &self,
        context: &Context,
        step: impl FnOnce(&mut Desk<'_>, &LockedEnv) -> Result<Answer>,
    ) -> Result<Answer> {
        context.defer_signals()?;
        let env = self.wait.begin().while_busy(context, || hold(&self.env, context))?;
        let place = self.repository.find(&env, context)?;
        let git = git_under(&env, context)?;
        step(&mut Desk::open(&env, &place, &git, context.now)?, &env)
    }
}

impl Looked {
    fn look(
        &self,
        context: &Context,
        step: impl FnOnce(&mut Desk<'_>, &Context) -> Result<Answer>,
    ) -> Result<Answer> {
        let env: FoundEnv = context.find(&self.env)?;
        let place: Place = self.repository.find(&env, context)?;
        let git = context.git();
        step(&mut Desk::open(&env, &place, &git, context.now)?, context)
    }
}

pub(super) fn lines(conflicts: &[Conflict]) -> String {
    let word = |kind: ConflictKind| serde_json::to_value(kind).ok();
    let line = |it: &Conflict| {
        let kind = word(it.kind());
        let kind = kind.as_ref().and_then(Value::as_str).unwrap_or_default();
        format!("{kind}\t{}", escape(&it.path.to_string_lossy()))
    };
    conflicts.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The key of the environment that a text names, if it names one.
fn key_of(text: &str, context: &Context) -> Option<String> {
    context.find(text).ok().map(|found| found.env.key())
}

fn start(
    desk: &mut Desk<'_>,
    env: &LockedEnv,
    branch: &str,
    options: StartOptions<'_>,
    context: &Context,
) -> Result<Answer> {
    let chosen = desk.chosen(branch, key_of(branch, context).as_deref())?;
    let started = desk.start(env, &chosen, options)?;
    let Started { branch, source, is_up_to_date, conflicts, messages, committed } = &started;
    let commit = committed.as_ref().map(|done| done.commit.as_str());
    let json = MergeStarted {
        schema: Version,
        branch,
        source,
        up_to_date: *is_up_to_date,
        conflicts: shown(conflicts),
        messages,
        commit,
    };
    let branch = escape(branch);
    if !conflicts.is_empty() {
        let key = env.env.key();
        let message = format!(
            "the merge of {branch} stopped at {}",
            counted(conflicts.len() as u64, "conflict", "conflicts")
        );
        let failure = Failure::new(Code::Conflicts, message).hint(format!(
            "`execenv merge resolve {key} FILE ours|theirs|edited`, then `execenv merge commit {key}`; or `execenv merge abort {key}`"
        ));
        output::failure(&failure.into(), context.settings.output == Format::Json);
        let what = format!("the merge of {branch} is in progress");
        let answer = Answer::new(lines(conflicts), json).with_status(Some(Code::Conflicts));
        return Ok(answer.after(what, hint(env)));
    }
    let text = match (is_up_to_date, commit) {
        (true, _) => format!("{branch} is merged already"),
        (false, Some(commit)) => commit.to_owned(),
        (false, None) => {
            format!("merged {branch}: `execenv merge commit {}` makes the commit", env.env.key())
        }
    };
    let what = match commit {
        _ if *is_up_to_date => return Ok(Answer::new(text, json)),
        Some(commit) => format!("{branch} is merged as {commit}"),
        None => format!("the merge of {branch} is in progress"),
    };
    Ok(Answer::new(text, json).after(what, hint(env)))
}

fn resolve(
    desk: &mut Desk<'_>,
    env: &LockedEnv,
    words: &[String],
    all: bool,
    context: &Context,
) -> Result<Answer> {
    let (side, files) = words.split_last().map_or(("", words), |(last, files)| (last.as_str(), files));
    let Some(resolution) = Resolution::parse(side) else {
        let message =
            format!("`{}` is no side of a conflict; sides are {}", escape(side), resolution_words());
        return Err(Failure::new(Code::Usage, message)
            .hint(format!("the side comes last: `execenv merge resolve {} FILE theirs`", env.env.key()))
            .into());
    };
    if all != files.is_empty() {
        let message = if all { "`--all` takes no FILE" } else { "no FILE is given" };
        return Err(Failure::new(Code::Usage, message)
            .hint(format!("`execenv merge resolve {} --all {side}` resolves every conflict", env.env.key()))
            .into());
    }
    let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    let (done, left) = desk.resolve(env, &files, resolution)?;
    let _ = context;
    let json = MergeResolved {
        schema: Version,
        resolved: done.iter().map(|path| path.to_string_lossy()).collect(),
        conflicts: shown(&left),
    };
    let text =
        format!("resolved {}, {} left", counted(done.len() as u64, "conflict", "conflicts"), left.len());
    Ok(Answer::new(text.clone(), json).after(text, hint(env)))
}

fn status(desk: &mut Desk<'_>, _: &Context) -> Result<Answer> {
    let progress = desk.progress()?;
    let state = match (progress.is_merging, progress.is_interrupted) {
        (true, _) => "merging",
        (false, true) => "interrupted",
        (false, false) => "none",
    };
    let json = MergeStatus {
        schema: Version,
        state,
        branch: progress.branch.as_deref(),
        source: progress.source.as_deref(),
        head: progress.head.as_deref(),
        conflicts: shown(&progress.conflicts),
    };
    let branch = escape(progress.branch.as_deref().or(progress.source.as_deref()).unwrap_or_default());
    let mut text = match state {
        "merging" => format!(
            "merging {branch}, {} left",
            counted(progress.conflicts.len() as u64, "conflict", "conflicts")
        ),
        "interrupted" => format!("the merge of {branch} was cut short while it began"),
        _ => "no merge is in progress".to_owned(),
    };
    if !progress.conflicts.is_empty() {
        text = format!("{text}\n{}", lines(&progress.conflicts));
    }
    Ok(Answer::new(text, json))
}

fn list(desk: &mut Desk<'_>, context: &Context) -> Result<Answer> {
    let branches = desk.task_branches()?;
    let json = MergeList { schema: Version, branches: rows(&branches) };
    let header = ["BRANCH", "STATUS", "AGE", "SUBJECT"].map(str::to_owned);
    let rows = branches.iter().map(|branch| {
        let age = branch.committed_at.map(|at| show_age((context.now - at).max(chrono::Duration::zero())));
        [escape(&branch.name), word(branch).to_owned(), age.unwrap_or_default(), escape(&branch.subject)]
    });
    let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
    let text = if branches.is_empty() { String::new() } else { columns(&rows) };
    Ok(Answer::new(text, json))
}

fn skip(desk: &mut Desk<'_>, branch: &str, reason: Option<&str>, context: &Context) -> Result<Answer> {
    if reason.is_some_and(|reason| reason.trim().is_empty()) {
        return Err(Failure::new(Code::Usage, "the reason is empty").hint("say in a few words why").into());
    }
    let found = desk.skip(branch, key_of(branch, context).as_deref(), reason)?;
    let done = if reason.is_some() { "skipped" } else { "to be merged" };
    let json = MergeSkipped { schema: Version, branch: &found.name, task: &found.key, reason };
    let name = escape(&found.name);
    let what = format!("{name} is {done}");
    Ok(Answer::new(format!("{done}\t{name}"), json)
        .after(what, format!("`execenv merge list {}` shows all of them", desk.key())))
}

fn check(desk: &mut Desk<'_>, _: &Context) -> Result<Answer> {
    let all = Completeness::of(desk.task_branches()?);
    let complete = all.is_complete();
    let json = MergeCheck {
        schema: Version,
        can_complete: complete,
        merged: rows(&all.merged),
        skipped: rows(&all.skipped),
        unmerged: rows(&all.unmerged),
        older: rows(&all.older),
    };
    let mut lines: Vec<String> =
        all.unmerged.iter().map(|branch| format!("unmerged\t{}", escape(&branch.name))).collect();
    let (merged, skipped, unmerged) = (all.merged.len(), all.skipped.len(), all.unmerged.len());
    let older = match all.older.len() {
        0 => String::new(),
        older => format!("; not counted: {older} older than the environment (`execenv merge list`)"),
    };
    lines.push(format!("{merged} merged, {skipped} skipped, {unmerged} unmerged{older}"));
    Ok(Answer::new(lines.join("\n"), json).with_status((!complete).then_some(Code::Unmerged)))
}
