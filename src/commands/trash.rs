//! `execenv trash`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::environment::trash::{delete, entries, half_deleted, restore, size_of, task_of};
use crate::environment::{Deletion, TrashEntry};
use crate::failure::{Code, Failure};
use crate::invocation::{Context, trash_completer};
use crate::layout::names;
use crate::order;
use crate::output::log::Verbosity;
use crate::output::{Answer, Version, ask, columns, counted, escape, show_age, show_bytes, stopped_after};
use crate::sys::remove::Stopped;
use crate::sys::tree::Tree;

/// List, restore or delete removed environments
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:
  execenv trash list
  execenv trash restore 3f9c
  execenv trash empty"
)]
pub struct TrashArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: TrashAction,
}

/// What to do with the trash.
#[derive(Debug, Subcommand)]
pub enum TrashAction {
    /// List the environments in the trash, and when gc deletes each for good
    #[command(after_help = "Example:\n  execenv trash list -o json")]
    List,
    /// Move an environment back to where it was, and reserve it so that gc does not remove it at once
    ///
    /// An environment with a record is leased for the time of the setting `lease`. One without a record counts as new
    /// and is kept for --orphan-ttl of gc.
    #[command(after_help = "Examples:
  execenv trash restore 3f9c
  execenv trash restore 3f9c --to ./rescued")]
    Restore {
        /// The entry: its name, or the environment it was, as ENV: its path, its work dir, its task id,
        /// `<workspace>/<key>`, or at least 4 characters of its key (the newest entry of that environment)
        #[arg(value_name = "ENTRY", add = trash_completer())]
        entry: String,
        /// Restore it as this folder, which must not exist, instead of at its original path
        #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
        to: Option<PathBuf>,
    },
    /// Delete everything in the trash for good
    ///
    /// Asks first on a terminal; if the answer is no, it ends with status 1. A signal such as Ctrl-C stops it, and the next command deletes the rest of the entry in progress.
    #[command(after_help = "Examples:\n  execenv trash empty\n  execenv trash empty --yes")]
    Empty {
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

pub(crate) fn run(args: &TrashArgs, context: &Context) -> Result<Answer> {
    let tree = context.root.open()?;
    let found = match &tree {
        Some(tree) => entries(&context.root, tree)?,
        None => Vec::new(),
    };
    match (&args.action, tree) {
        (TrashAction::List, _) => list(context, found),
        (TrashAction::Restore { entry, to }, Some(tree)) => {
            context.defer_signals()?;
            let entry = choose(&found, entry, &tree, context)?;
            let to = to.as_ref().map(|to| context.absolute(to)).transpose()?;
            restore(&tree, entry, to.as_deref(), (&context.keys, context.settings.lease), context.now)?;
            let place = to.as_ref().unwrap_or(&entry.origin);
            log::info!("moved {} to {}", entry.name, place.display());
            let text = place.display().to_string();
            let (what, hint) =
                (format!("{text} is restored"), format!("`execenv show {text}` prints what it is"));
            let json = TrashRestored { schema: Version, restored: place, entry: &entry.name };
            Ok(Answer::new(text, json).after(what, hint))
        }
        (TrashAction::Restore { entry, .. }, None) => Err(no_entry(entry).into()),
        (TrashAction::Empty { .. }, None) => Ok(Answer::new("", TrashEmptied::default())),
        (TrashAction::Empty { yes }, Some(tree)) => {
            let count = counted(found.len() as u64, "entry", "entries");
            if !found.is_empty() && !yes && ask(&format!("delete {count} for good?")) == Some(false) {
                log::warn!("nothing was deleted");
                return Ok(Answer::new("", TrashEmptied::default()).with_status(Some(Code::Failed)));
            }
            context.defer_signals()?;
            empty(context, &tree, &found)
        }
    }
}

/// Deletes every entry, until it is asked to stop. One that cannot be deleted is reported, and the others are still deleted.
fn empty(context: &Context, tree: &Tree, found: &[TrashEntry]) -> Result<Answer> {
    let (mut deleted, mut bytes, mut failed) = (0, 0, 0);
    let git = context.git();
    let deletion = Deletion::new(&git, &context.keys, &context.hooks.trusted, &context.stop);
    // Before the entries: one that cannot be deleted now is not tried, and reported, twice.
    for name in half_deleted(tree)? {
        failed += u64::from(has_failed(delete(tree, &name, &deletion)));
    }
    context.progress.expect(Some(found.len() as u64), "entries");
    for (done, entry) in found.iter().enumerate() {
        if context.is_stopped() {
            log::warn!("{}", stopped_after(done, found.len(), "entries"));
            break;
        }
        let size = size_of(&context.root, entry);
        let gone = delete(tree, &entry.name, &deletion);
        if gone.as_ref().is_err_and(|error| Stopped::find(error).is_some()) {
            log::warn!(
                "{}; the next command deletes the rest of {}",
                stopped_after(done, found.len(), "entries"),
                entry.name
            );
            break;
        }
        if has_failed(gone) {
            failed += 1;
        } else {
            deleted += 1;
            bytes += size;
            context.progress.count();
            context.progress.add_bytes(size, "deleted");
        }
    }
    let text = match context.settings.log {
        Verbosity::Errors => String::new(),
        _ => format!("deleted {}, {}", counted(deleted, "entry", "entries"), show_bytes(bytes)),
    };
    let json = TrashEmptied { schema: Version, deleted, bytes, failed };
    let what = format!("{} deleted", counted(deleted, "entry is", "entries are"));
    let answer = Answer::new(text, json).with_status((failed > 0).then_some(Code::Incomplete));
    Ok(answer.after(what, "`execenv trash list` shows what is left"))
}

/// Reports an error; one that was asked to end has not failed.
fn has_failed(done: Result<()>) -> bool {
    done.is_err_and(|error| {
        let is_stopped = Stopped::find(&error).is_some();
        if !is_stopped {
            log::error!("{error:#}");
        }
        !is_stopped
    })
}

fn list(context: &Context, mut found: Vec<TrashEntry>) -> Result<Answer> {
    let ttl = context.settings.trash_ttl;
    let time = |entry: &TrashEntry| DateTime::from_timestamp(entry.parsed.at, 0);
    let deleted_after = |entry: &TrashEntry| time(entry).and_then(|at| at.checked_add_signed(ttl));
    for entry in &mut found {
        entry.bytes = size_of(&context.root, entry);
    }
    let header = ["ENTRY", "AGE", "SIZE", "DELETED", "ORIGIN"].map(str::to_owned);
    let lines: Vec<[String; 5]> = found
        .iter()
        .map(|entry| {
            let age = context.now.timestamp().saturating_sub(entry.parsed.at);
            let age = show_age(chrono::Duration::try_seconds(age).unwrap_or_default());
            let origin = escape(&entry.origin.display().to_string());
            let deleted = match deleted_after(entry) {
                Some(at) if at > context.now => format!("in {}", show_age(at - context.now)),
                Some(_) => "by next gc".to_owned(),
                None => "-".to_owned(),
            };
            [escape(&entry.name), age, show_bytes(entry.bytes), deleted, origin]
        })
        .collect();
    let rows: Vec<_> = found
        .iter()
        .map(|entry| TrashRow {
            entry: &entry.name,
            origin: &entry.origin,
            workspace_id: &entry.parsed.workspace,
            key: &entry.parsed.key,
            trashed_at: time(entry),
            deleted_after: deleted_after(entry),
            bytes: entry.bytes,
        })
        .collect();
    let folder = context.root.path().join(names::TRASH);
    let rows_of_text: Vec<_> = std::iter::once(header).chain(lines).collect();
    let text = if found.is_empty() { String::new() } else { columns(&rows_of_text) };
    Ok(Answer::new(text, TrashList { schema: Version, trash: &folder, entries: rows }))
}

/// The entry of this name, else the newest one of the environment that `text` names in any form of ENV.
fn choose<'a>(found: &'a [TrashEntry], text: &str, tree: &Tree, context: &Context) -> Result<&'a TrashEntry> {
    if let Some(entry) = found.iter().find(|entry| entry.name == text) {
        return Ok(entry);
    }
    let path = context.absolute(Path::new(text)).ok().filter(|_| text.contains('/'));
    let forms: [&dyn Fn(&TrashEntry) -> bool; 4] = [
        &|entry| path.as_ref().is_some_and(|path| is_at(entry, path)),
        &|entry| is_at_end_of(entry, text),
        &|entry| !text.contains('/') && task_of(tree, entry).as_deref() == Some(text),
        &|entry| text.len() >= 4 && entry.parsed.key.starts_with(text),
    ];
    for form in forms {
        let named: Vec<&TrashEntry> = found.iter().filter(|entry| form(entry)).collect();
        let Some(newest) = named.last() else { continue };
        let place = |entry: &TrashEntry| (entry.parsed.workspace.clone(), entry.parsed.key.clone());
        let environments = order::set(named.iter().map(|entry| place(entry)));
        if environments.len() == 1 {
            return Ok(newest);
        }
        return Err(Failure::new(
            Code::AmbiguousEnv,
            format!("`{}` names {} environments in the trash", text.escape_debug(), environments.len()),
        )
        .hint("give `<workspace>/<key>`, or the entry's name from `execenv trash list`")
        .into());
    }
    Err(no_entry(text).into())
}

/// Whether the environment, or its work dir, was at this path.
fn is_at(entry: &TrashEntry, path: &Path) -> bool {
    let env_root = match entry.parsed.work_dir_only {
        true => entry.origin.parent().unwrap_or(&entry.origin),
        false => &entry.origin,
    };
    path == env_root || path == env_root.join(names::WORK_DIR)
}

/// Whether the text ends with `<workspace>/<key>`, of which the key may be shortened: the root may be written otherwise.
fn is_at_end_of(entry: &TrashEntry, text: &str) -> bool {
    let mut parts = text.rsplit('/').filter(|part| !part.is_empty());
    let key = parts.next().unwrap_or_default();
    let is_key = key.len() >= 4 && entry.parsed.key.starts_with(key);
    is_key && parts.next() == Some(&entry.parsed.workspace)
}

fn no_entry(text: &str) -> Failure {
    Failure::new(Code::NoEnv, format!("no entry `{}` in the trash", text.escape_debug()))
        .hint("list the entries: `execenv trash list`")
}

/// The environments in the trash.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct TrashList<'a> {
    schema: Version,
    /// The folder.
    trash: &'a Path,
    /// Its entries, the oldest first.
    entries: Vec<TrashRow<'a>>,
}

/// An environment in the trash.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct TrashRow<'a> {
    /// The name of the entry, as `trash restore` takes it.
    entry: &'a str,
    /// The path that it had.
    origin: &'a Path,
    /// Its workspace.
    workspace_id: &'a str,
    /// Its key.
    key: &'a str,
    /// When it was put here; null: not known.
    trashed_at: Option<DateTime<Utc>>,
    /// When `gc` deletes it for good; null: not known.
    deleted_after: Option<DateTime<Utc>>,
    /// Its size in bytes.
    bytes: u64,
}

/// An environment that was restored from the trash.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct TrashRestored<'a> {
    schema: Version,
    /// The path to which it was moved.
    restored: &'a Path,
    /// The name that its entry had.
    entry: &'a str,
}

/// What `trash empty` deleted.
#[derive(Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct TrashEmptied {
    schema: Version,
    /// How many entries were deleted.
    deleted: u64,
    /// Their size in bytes.
    bytes: u64,
    /// How many entries could not be deleted.
    failed: u64,
}
