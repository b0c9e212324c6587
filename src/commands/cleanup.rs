//! `execenv cleanup`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use super::cleaned::CleanedDocument;
use crate::environment::{CleanupOptions, CleanupOutcome, CleanupReport, FoundEnv, RenewedLogins, cleanup};
use crate::failure::{Code, Failure};
use crate::invocation::{Context, WaitArgs, env_completer};
use crate::output::log::Verbosity;
use crate::output::{self, Answer, Format, document, escape, stopped_after};

/// Remove what execenv wrote, then the work dir; output/ and logs/ stay
///
/// Your own folder (`prepare --local-dir`) is never removed: `cleanup` restores it, except for what the agent changed.
/// Files that execenv wrote with secrets in them (MCP servers, logins) are removed; the agent's conversations stay, so that
/// `reuse` can continue them. A second `cleanup` changes nothing. Commits that exist nowhere else, stashes and uncommitted
/// changes in the work dir are kept, with status 5, unless --force or --trash is given.
///
/// Teardown commands of the repository (see `execenv trust`) run before anything is removed, if you have trusted the file as it is
/// in the work dir by then. If they do not run, a warning names them; if one fails, the environment is removed all the same, and
/// the status is 1.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv cleanup \"$env\"
  execenv cleanup --all 3f9c 71aa
  execenv cleanup --trash \"$env\" && execenv trash list")]
pub struct CleanupArgs {
    /// Environments: paths, task ids, or 4 or more characters of their keys
    #[arg(value_name = "ENV", add = env_completer(), required = true)]
    pub envs: Vec<String>,
    /// Remove the whole env root, with output/ and logs/
    #[arg(long)]
    pub all: bool,
    /// Move it to the trash instead, from which `execenv trash restore` restores it
    #[arg(long)]
    pub trash: bool,
    /// Continue even if there is unsaved work; that of a git worktree is first saved in its repository, as a ref that is named, or
    /// else the worktree stays. If no other repository has it (a clone in the work dir), the work dir goes to the trash
    #[arg(long)]
    pub force: bool,
    /// Keep the branch of a git worktree, also where its commits are on another branch
    #[arg(long, conflicts_with = "trash")]
    pub keep_branch: bool,
    /// You say that the environment works in this folder of yours, where nothing else proves it; only what is certainly
    /// execenv's is removed from it
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub local_dir: Option<PathBuf>,
    /// With --all: remove the record although execenv's files stay in your folder, and print each of them
    #[arg(long, requires = "all")]
    pub forget: bool,
    /// If the agent renewed a login of yours in its home, and its run could not write it into your own file, do so now;
    /// see `execenv run --keep-login`
    #[arg(long)]
    pub keep_login: bool,
    /// The wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

pub(crate) fn run(args: &CleanupArgs, context: &Context) -> Result<Answer> {
    let CleanupArgs { all, trash, force, keep_branch, forget, keep_login, .. } = *args;
    let renewed_logins = RenewedLogins::of(keep_login);
    let options = CleanupOptions { all, trash, force, keep_branch, forget, renewed_logins, undoes: false };
    let local_dir = args.local_dir.as_ref().map(|dir| context.absolute(dir)).transpose()?;
    let trust = context.trust(local_dir.as_deref());
    // All names are looked up before the first environment is touched.
    let mut found = Vec::new();
    let mut reports = Vec::new();
    let mut broken = Vec::new();
    for env in &args.envs {
        match context.find_even_damaged(env) {
            Ok(env) => found.push(env),
            // An env root that is gone: a second clean-up changes nothing.
            Err(error) => reports.push(already_gone(env, context).ok_or(error)?),
        }
    }
    let all = reports.len() + found.len();
    let git = context.git().until(Arc::clone(&context.stop));
    let mut patience = args.wait.begin();
    if all > 1 {
        context.progress.expect(Some(all as u64), "environments");
    }
    for env in found {
        if !reports.is_empty() && context.is_stopped() {
            log::warn!("{}", stopped_after(reports.len(), all, "environments"));
            break;
        }
        let root_dir = env.env.path.clone();
        let mut env = Some(env);
        // After a wait the environment may be another one, or gone.
        let attempt = || match env.take().map_or_else(|| FoundEnv::open_even_damaged(&root_dir), Ok) {
            Ok(env) => cleanup(&context.root, env, options, trust, &git, &context.stop, context.now),
            Err(_) if root_dir.symlink_metadata().is_err() => {
                Ok(CleanupReport::nothing_to_do(root_dir.clone()))
            }
            Err(error) => Err(error),
        };
        match patience.until_free(context, attempt, in_use) {
            Ok(report) => {
                context.progress.count();
                context.progress.add_bytes(report.bytes, "removed");
                reports.push(report);
            }
            Err(error) if args.envs.len() == 1 => return Err(error),
            // The other environments are still cleaned up and reported.
            Err(error) => {
                let mut report = CleanupReport::nothing_to_do(root_dir);
                report.outcome = CleanupOutcome::Failed;
                report.errors.push(format!("{error:#}"));
                broken.push((report.root_dir.clone(), error));
                reports.push(report);
            }
        }
    }
    for report in &reports {
        let name = report.root_dir.display();
        // The first one is reported as the failure, at the end.
        for error in report.errors.iter().skip(usize::from(code_of(report).is_some())) {
            log::error!("{name}: {error}");
        }
        for removed in &report.removed {
            log::info!("removed {}", removed.display());
        }
        let is_failure = report.teardown.has_failed();
        for notice in report
            .notices
            .iter()
            .filter(|notice| !is_failure || report.teardown.notice().as_ref() != Some(notice))
        {
            log::warn!("{notice}");
        }
        for kept in &report.kept {
            log::warn!("kept {}: {}", kept.path.display(), kept.why);
        }
    }
    let is_broken = |report: &&CleanupReport| broken.iter().any(|(path, _)| *path == report.root_dir);
    let failures = reports.iter().filter(|report| !is_broken(report)).filter_map(failure_of);
    let failures: Vec<anyhow::Error> = failures.map(anyhow::Error::from).collect();
    let failures: Vec<_> = failures.into_iter().chain(broken.into_iter().map(|(_, error)| error)).collect();
    let code = failures.iter().map(Failure::code_of).max_by_key(|code| code.status());
    for failure in &failures {
        output::failure(failure, context.settings.output == Format::Json);
    }
    let documents: Vec<Value> = reports.iter().map(|report| document(CleanedDocument::of(report))).collect();
    let json = match args.envs.len() {
        1 => documents.into_iter().next().unwrap_or_default(),
        _ => Value::Array(documents),
    };
    let text: Vec<String> =
        reports.iter().filter(|_| context.settings.log >= Verbosity::Info).map(line).collect();
    let answer = Answer::new(text.join("\n"), json).with_status(code);
    let done: Vec<String> = reports.iter().filter(|report| !report.removed.is_empty()).map(line).collect();
    Ok(match done.is_empty() {
        true => answer,
        false => answer.after(done.join(", ").replace('\t', " "), "`execenv list` shows what is there"),
    })
}

/// Why a clean-up has to wait.
fn in_use(outcome: &Result<CleanupReport>) -> Option<String> {
    match outcome {
        Ok(report) => failure_of(report),
        Err(error) => Failure::find(error).map(|failure| Failure::new(failure.code, &failure.message)),
    }
    .filter(|failure| failure.code.status() == Code::EnvBusy.status())
    .map(|failure| failure.message)
}

/// The report for the path of an env root that no longer exists.
fn already_gone(env: &str, context: &Context) -> Option<CleanupReport> {
    let root = context.root.path();
    // A path, or `<workspace>/<key>`.
    let path = context.absolute(Path::new(env)).ok()?;
    let place = Some(root.join(env)).filter(|place| {
        path.symlink_metadata().is_err() && place.parent().is_some_and(|workspace| workspace.is_dir())
    });
    let gone = [Some(path), place].into_iter().flatten().filter(|_| env.contains('/')).find(|path| {
        let below = path.strip_prefix(root);
        let is_place = below.is_ok_and(|below| {
            below.components().count() == 2
                && below.components().all(|part| matches!(part, std::path::Component::Normal(_)))
        });
        is_place && path.symlink_metadata().is_err()
    });
    gone.map(CleanupReport::nothing_to_do)
}

fn code_of(report: &CleanupReport) -> Option<Code> {
    match report.outcome {
        CleanupOutcome::Removed | CleanupOutcome::Trashed | CleanupOutcome::Raced => {
            report.teardown.has_failed().then_some(Code::TeardownFailed)
        }
        CleanupOutcome::RetainedLive => Some(Code::EnvBusy),
        CleanupOutcome::RetainedDirty | CleanupOutcome::RetainedUnpushed => Some(Code::Retained),
        CleanupOutcome::RetainedUnreadable | CleanupOutcome::Failed => Some(Code::Incomplete),
    }
}

/// Why a clean-up did not remove all that it was to remove.
pub(super) fn failure_of(report: &CleanupReport) -> Option<Failure> {
    let code = code_of(report)?;
    if code == Code::TeardownFailed {
        let why = report.teardown.why.as_deref().unwrap_or("it failed");
        let message = format!("{}: removed, but its teardown failed: {why}", report.root_dir.display());
        return Some(Failure::new(code, message).hint("end by hand what its setup has started outside"));
    }
    let why = report.errors.first().or_else(|| Some(&report.kept.first()?.why));
    let message =
        format!("{}: {}", report.root_dir.display(), why.map_or("it could not be removed", |why| why));
    if let Some(hint) = &report.hint {
        return Some(Failure::new(code, message).hint(hint));
    }
    let hint = match code {
        Code::EnvBusy => "wait for its run to end, then repeat the command",
        Code::Retained => {
            "push or copy that work first; `--trash` keeps it, `--force` saves it in a repository that stays, else in the trash"
        }
        _ => "fix the cause, then repeat the command",
    };
    Some(Failure::new(code, message).hint(hint))
}

fn line(report: &CleanupReport) -> String {
    let outcome = serde_json::to_value(report.outcome).ok();
    let outcome = outcome.as_ref().and_then(Value::as_str).unwrap_or_default();
    format!("{outcome}\t{}", escape(&report.root_dir.display().to_string()))
}
