//! `execenv hook`: makes and removes environments for an agent CLI that asks for worktrees itself.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::announce::undo;
use super::cleanup::failure_of;
use super::read_task::Task;
use super::task_input::TaskInput;
use crate::environment::{
    CleanupOptions, Existing, OnUntrusted, Prepared, RepositoryFrom, RepositoryRequest, Request,
    SetupRequest, Sidecars, cleanup, prepare,
};
use crate::failure::{Code, Failure};
use crate::invocation::{Context, UserInput};
use crate::output::{Answer, Deed, Format, answer, log::note};

/// Begins the ids of the tasks whose environments a hook has made.
const TASKS: &str = "claude-worktree-";
/// The most characters of a worktree's name in such an id, and how many digits of the repository's digest.
const MOST_OF_A_NAME: usize = 60;
const DIGITS: usize = 12;

/// Make and remove environments for an agent CLI that asks for worktrees itself
///
/// Claude Code makes git worktrees for `claude --worktree`, for isolated subagents and for background sessions. With the two
/// lines below in one of its settings files, it calls execenv instead.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:
  execenv hook claude < event.json
  claude --worktree fix-login        # with the two lines in ~/.claude/settings.json"
)]
pub struct HookArgs {
    /// The agent CLI.
    #[command(subcommand)]
    pub agent: HookAgent,
}

/// The agent CLI that calls.
#[derive(Debug, Subcommand)]
pub enum HookAgent {
    /// Speak Claude Code's hooks WorktreeCreate and WorktreeRemove: JSON on standard input, the path on standard output
    ///
    /// WorktreeCreate prepares an environment whose work dir is a worktree of the repository that the session is in, on a new
    /// branch, and prints the path of the work dir. For a name that has an environment already it prints that one. The
    /// worktree is locked in its repository and leased, `gc` keeps it while a process works in it, and `list` shows it.
    ///
    /// Setup commands of the repository run if you have trusted them (`execenv trust`); else they are left out, with a warning.
    ///
    /// WorktreeRemove removes the environment of a worktree that this hook has made. Uncommitted changes are kept, with a status that
    /// is not 0, and Claude Code keeps the worktree then. A branch with commits that are nowhere else stays.
    ///
    /// Claude Code (2.1.332) removes a worktree when a session leaves it. It keeps those of subagents, and that of a session with `-p`
    /// which does not leave it: `cleanup` removes them, and `gc` once their lease and an age are over, unless they hold unsaved
    /// work. For a pull request (`--worktree '#12'`) the worktree is called `pr-12` and begins as any other: execenv fetches nothing.
    #[command(after_help = "Examples:
  execenv hook claude --base HEAD < event.json
  echo '{\"hook_event_name\":\"WorktreeCreate\",\"name\":\"fix-login\",\"cwd\":\"/home/ada/project\"}' | execenv hook claude")]
    Claude(ClaudeHookArgs),
}

/// What the command in the settings file may say.
#[derive(Debug, Args)]
pub struct ClaudeHookArgs {
    /// Branch, tag or commit that a new worktree begins from [default: the default branch of origin, else HEAD]
    #[arg(long, value_name = "REF")]
    pub base: Option<String>,
    /// Workspace of the environments [default: default]
    #[arg(long, value_name = "ID", add = crate::invocation::workspace_completer())]
    pub workspace_id: Option<String>,
}

/// What Claude Code writes to a hook, as far as it matters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    hook_event_name: String,
    /// The folder of the session.
    cwd: PathBuf,
    /// Of WorktreeCreate: what the worktree is to be called.
    name: String,
    /// Of WorktreeRemove.
    worktree_path: PathBuf,
}

pub(crate) fn run(args: &HookArgs, context: &Context) -> Result<u8> {
    let HookAgent::Claude(args) = &args.agent;
    let text = context.read(UserInput::HOOK, Path::new("-"))?;
    let no_event = |why: &str| {
        Failure::new(Code::BadDocument, format!("standard input is not an event of a hook: {why}"))
            .hint("the settings file of Claude Code calls this command: see `execenv man hook`")
    };
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(no_event("it is no JSON object").into()); // a list would count as an object without fields
    }
    let event: Event = serde_json::from_slice(&text).map_err(|error| no_event(&error.to_string()))?;
    context.defer_signals()?;
    match event.hook_event_name.as_str() {
        "WorktreeCreate" => create(&event, args, context),
        "WorktreeRemove" => remove(&event, context),
        "" => Err(no_event("it has no field `hook_event_name`").into()),
        other => {
            let message = format!("`hook claude` does not serve the event `{}`", other.escape_debug());
            Err(Failure::new(Code::Usage, message)
                .hint("name it for WorktreeCreate and WorktreeRemove: see `execenv man hook`")
                .into())
        }
    }
}

/// Prints the work dir of an environment for the worktree that is asked for.
fn create(event: &Event, args: &ClaudeHookArgs, context: &Context) -> Result<u8> {
    let cwd = absolute(&event.cwd, "cwd")?;
    let git = context.git();
    let source = git.source(cwd).with_context(|| format!("look for the repository of {}", cwd.display()))?;
    let Some(source) = source else {
        let message =
            format!("{} is in no git repository, so there is nothing to make a worktree of", cwd.display());
        return Err(Failure::new(Code::Failed, message).hint("begin the session in a git repository").into());
    };
    let task = task(event, args, &source.common).read(context)?.with_sidecars(Sidecars::None);
    let prepared = match prepared(&task, event, args, Existing::Keep, context) {
        Err(error) if Failure::code_of(&error) == Code::WorkDirGone => {
            prepared(&task, event, args, Existing::Replace, context)?
        }
        prepared => prepared?,
    };
    let own = prepared.meta.own.clone().unwrap_or_default();
    let refused = if own.repository.is_none() {
        Some(format!("{} has no commit, so there is nothing to make a worktree of", cwd.display()))
    } else {
        context.is_stopped().then(|| "interrupted by a signal".to_owned())
    };
    if let Some(why) = refused {
        let code = if context.is_stopped() { Code::Interrupted } else { Code::Failed };
        let end = if prepared.reused { String::new() } else { format!("; {}", undo(&prepared, context)) };
        return Err(Failure::new(code, format!("{why}{end}")).into());
    }
    task.tell(&prepared);
    let path = prepared.work_dir.display().to_string();
    // Claude Code reads the last line, whatever the format of other answers is set to.
    let built = Answer::new(path.clone(), ());
    let undo = || if prepared.reused { format!("{path} stays") } else { undo(&prepared, context) };
    answer(&built, Deed::TakenBack(Box::new(undo)), Format::Text)
}

fn prepared(
    task: &Task,
    event: &Event,
    args: &ClaudeHookArgs,
    existing: Existing,
    context: &Context,
) -> Result<Prepared> {
    let from = RepositoryFrom::Existing { path: event.cwd.clone(), base: args.base.clone() };
    let repository = Some(RepositoryRequest { from, include: None });
    // Who calls the hook cannot trust anything: commands that are not trusted are left out, and named.
    let setup = SetupRequest { on_untrusted: OnUntrusted::Skip, ..SetupRequest::default() };
    prepare(&Request { repository, setup, ..task.request(context, None, existing) })
}

/// The task of a worktree: one for each name in a repository.
fn task(event: &Event, args: &ClaudeHookArgs, repository: &Path) -> TaskInput {
    let digest = Sha256::new()
        .chain_update(repository.as_os_str().as_encoded_bytes())
        .chain_update([0])
        .chain_update(&event.name)
        .finalize();
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String =
        event.name.chars().take(MOST_OF_A_NAME).map(|c| if is_plain(c) { c } else { '-' }).collect();
    TaskInput {
        task_id: Some(format!("{TASKS}{name}-{}", &digits[..DIGITS])),
        workspace_id: args.workspace_id.clone(),
        provider: Some("claude".to_owned()),
        agent_name: Some(name),
        no_brief: true,
        ..TaskInput::default()
    }
}

/// Removes the environment of a worktree, unless work would be lost.
fn remove(event: &Event, context: &Context) -> Result<u8> {
    let path = absolute(&event.worktree_path, "worktree_path")?;
    let found = context.find(&path.display().to_string())?;
    let own = found.meta.as_ref().and_then(|meta| meta.own.as_ref());
    if found.work_dir.is_user_folder() || !own.is_some_and(|own| own.task_id.starts_with(TASKS)) {
        let message = format!("{} is no environment that this hook has made", found.env.path.display());
        return Err(Failure::new(Code::Usage, message)
            .hint(format!("`execenv cleanup {}` removes it", found.env.path.display()))
            .into());
    }
    let options = CleanupOptions { all: true, ..CleanupOptions::default() };
    let (trust, git) = (context.trust(None), context.git());
    let report = cleanup(&context.root, found, options, trust, &git, &context.stop, context.now)?;
    for notice in &report.notices {
        log::warn!("{notice}");
    }
    match failure_of(&report).filter(|_| !report.teardown.has_failed()) {
        Some(failure) => Err(failure.into()),
        None => {
            for kept in &report.kept {
                note(&format!("kept {}: {}", kept.path.display(), kept.why));
            }
            Ok(0)
        }
    }
}

fn absolute<'a>(path: &'a Path, field: &str) -> Result<&'a Path, Failure> {
    if path.is_absolute() {
        return Ok(path);
    }
    Err(Failure::new(Code::BadDocument, format!("the event has no absolute path in its field `{field}`"))
        .hint("the settings file of Claude Code calls this command: see `execenv man hook`"))
}
