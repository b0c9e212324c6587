//! `execenv trust`.

pub(crate) mod document;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

use document::{ReviewedDocument, TrustDocument, TrustList, TrustRemoved};

use crate::environment::{PROJECT_FILE, ProjectFile, Reviewed, TrustedEntry, quoted};
use crate::failure::{Code, Failure};
use crate::invocation::{Context, show_duration};
use crate::output::{Answer, Version, ask, counted, document, escape, note};
use crate::sys::tree::Tree;

/// Allow the setup and teardown commands that a repository names in its .execenv.json
///
/// `prepare` and `reuse` run the setup commands of the file at the top of the work dir, in the work dir, before the environment is
/// ready; `cleanup`, `gc` and a failed `prepare` run the teardown commands. They run only if you have trusted these very bytes:
/// after any change of the file, trust it again. `trust` prints every command and asks; if the answer is no, it ends with status 1. No other command asks. Without trust
/// `prepare` ends with status 2, and teardown commands are left out and named.
///
/// The commands run as you, outside of any sandbox of the agent's. Trust covers the file, not the scripts and configurations that its commands
/// read: in a work dir, an agent may have changed those. So the commands do not run on the work of an agent that ran with `--sandbox`: not in
/// that environment, in a folder of yours in which it has worked, nor in files that begin from one of its commits or from a commit that
/// execenv made of its work. Look at its changes, then `execenv trust DIR`: this says that you have looked at what is checked out in DIR. A
/// commit that you make yourself of the agent's files, or that another tool squashes, is not known as the agent's.
///
/// Commands must be safe to run twice, because a killed command is begun again. Processes that a command leaves are ended with it; a
/// service that another program holds (`docker compose up -d`) goes on.
///
/// The file is one JSON object with `setup` and `teardown` (lists of commands: a text for `sh -c`, or a list of words), `ports` (a list of
/// names, see `prepare --port`), `setup_timeout` (15m) and `teardown_timeout` (2m), for all commands together. What they print is in
/// `logs/setup.log`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  execenv trust ~/project
  execenv trust \"$env/workdir\" --yes && execenv reuse \"$env\"
  execenv trust --list
  execenv trust --remove ~/project")]
pub struct TrustArgs {
    /// Folder with the file [default: the current folder]
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// List what you have trusted, and what agents in a sandbox have written that you have not looked at
    #[arg(long, conflicts_with_all = ["dir", "yes", "remove"])]
    pub list: bool,
    /// Trust no file of this folder any more
    #[arg(long, conflicts_with = "yes")]
    pub remove: bool,
}

pub(crate) fn run(args: &TrustArgs, context: &Context) -> Result<Answer> {
    if args.list {
        return list(context);
    }
    let folder = context.absolute(args.dir.as_deref().unwrap_or(Path::new(".")))?;
    // One name, however the folder is named; one that is gone keeps its name.
    let folder = folder.canonicalize().unwrap_or(folder);
    if args.remove {
        return remove(&folder, context);
    }
    let opened = Tree::open(&folder).with_context(|| format!("open {}", folder.display()))?;
    let path = folder.join(PROJECT_FILE);
    let file = ProjectFile::read(&opened, &path.display().to_string())?;
    let is_work_dir = context.root.path().canonicalize().is_ok_and(|root| folder.starts_with(root));
    let reviewed = context.hooks.trusted.review(&folder, is_work_dir, &context.git())?;
    for above in &reviewed.above {
        let above = quoted(above);
        log::warn!(
            "an agent in a sandbox has worked in {above}, which this is a part of: `execenv trust {above}`"
        );
    }
    if file.is_none() && reviewed.is_empty() {
        let message = format!("{} has no {PROJECT_FILE}", folder.display());
        return Err(Failure::new(Code::Usage, message)
            .hint("name the folder with the file: the top of a repository or of a work dir")
            .into());
    }
    let answer = |is_trusted, is_done: bool| {
        let reviewed = if is_done { reviewed.clone() } else { Reviewed::default() };
        answer(&path, file.as_ref(), is_trusted, &reviewed)
    };
    if let Some(unknown) = file.as_ref().and_then(ProjectFile::unknown_keys) {
        log::warn!("{unknown}");
    }
    let commands = file.as_ref().filter(|file| file.has_commands());
    if commands.is_none() && file.is_some() {
        note(&format!("{} names no commands, so that there is nothing to trust", path.display()));
        if reviewed.is_empty() {
            return Ok(answer(false, false));
        }
    }
    let is_known = commands.map(|file| context.hooks.trusted.has(&file.digest)).transpose()?;
    if is_known == Some(false) || !reviewed.is_empty() {
        if let Some(file) = commands {
            note(&format!("{} names these commands", path.display()));
            shown(file).iter().for_each(|line| note(line));
            note(
                "they run as you, outside of any sandbox, in work dirs in which an agent may have changed every other file",
            );
        }
        marked(&folder, &reviewed).iter().for_each(|line| note(line));
        let count = commands.map_or(0, |file| file.setup.len() + file.teardown.len());
        let count = counted(count as u64, "command", "commands");
        let question = match (commands, reviewed.is_empty()) {
            (Some(_), true) => format!("trust {count}?"),
            (Some(_), false) => format!("have you looked at its changes, and trust {count}?"),
            (None, _) => "have you looked at its changes?".to_owned(),
        };
        match if args.yes { Some(true) } else { ask(&question) } {
            Some(true) => {}
            Some(false) => {
                log::warn!("nothing was trusted");
                // What comes after it in a script relies on the trust.
                return Ok(answer(false, false).with_status(Some(Code::Failed)));
            }
            None => {
                let message = "`trust` asks, and this is no terminal";
                return Err(Failure::new(Code::Usage, message)
                    .hint("look at what is named above, then repeat the command with `--yes`")
                    .into());
            }
        }
    }
    context.defer_signals()?;
    if let Some(file) = commands {
        // The bytes that were shown: the file is not read again.
        context.hooks.trusted.add(&path, &file.digest, context.now)?;
    }
    if !reviewed.is_empty() {
        context.hooks.trusted.clear(&reviewed)?;
    }
    Ok(answer(commands.is_some(), true))
}

/// What an agent in a sandbox has changed, one a line.
fn marked(folder: &Path, reviewed: &Reviewed) -> Vec<String> {
    /// How many commits are named.
    const MOST: usize = 5;
    let mut lines: Vec<String> = reviewed
        .folders
        .iter()
        .map(|marked| format!("an agent in a sandbox has changed files in {}", marked.display()))
        .collect();
    if !reviewed.commits.is_empty() {
        let named: Vec<&str> = reviewed.commits.iter().take(MOST).map(String::as_str).collect();
        let more = match reviewed.commits.len().saturating_sub(MOST) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let shown = named.join(", ");
        lines.push(format!(
            "what is checked out in {} has commits with the work of an agent in a sandbox: {shown}{more}",
            folder.display()
        ));
    }
    lines
}

/// The commands, one a line.
fn shown(file: &ProjectFile) -> Vec<String> {
    let lines = |what: &'static str, commands: &[_], limit: std::time::Duration| {
        let limit = chrono::Duration::from_std(limit).map(show_duration).unwrap_or_default();
        let head = format!("{what} (at most {limit}):");
        let commands: Vec<String> =
            commands.iter().enumerate().map(|(at, command)| format!("  {}. {command}", at + 1)).collect();
        if commands.is_empty() { Vec::new() } else { std::iter::once(head).chain(commands).collect() }
    };
    let mut all = lines("setup", &file.setup, file.setup_timeout);
    all.extend(lines("teardown", &file.teardown, file.teardown_timeout));
    all
}

fn answer(path: &Path, file: Option<&ProjectFile>, is_trusted: bool, reviewed: &Reviewed) -> Answer {
    let texts = |commands: &[_]| commands.iter().map(ToString::to_string).collect::<Vec<String>>();
    let digest = file.map(|file| file.digest.as_str());
    let json = document(TrustDocument {
        schema: Version,
        path: path.to_string_lossy(),
        sha256: digest,
        setup: file.map(|file| texts(&file.setup)).unwrap_or_default(),
        teardown: file.map(|file| texts(&file.teardown)).unwrap_or_default(),
        ports: file.into_iter().flat_map(|file| &file.ports).map(ToString::to_string).collect(),
        trusted: is_trusted,
        reviewed: ReviewedDocument { folders: &reviewed.folders, commits: &reviewed.commits },
    });
    let trusted = is_trusted
        .then(|| format!("trusted\t{}\t{}", digest.unwrap_or_default(), escape(&path.display().to_string())));
    let folders = reviewed.folders.iter().map(|folder| escape(&folder.display().to_string()));
    let marks = folders.chain(reviewed.commits.iter().cloned()).map(|mark| format!("reviewed\t{mark}"));
    let text: Vec<String> = trusted.into_iter().chain(marks).collect();
    let done = Answer::new(text.join("\n"), json);
    match is_trusted {
        true => done.after(format!("{} is trusted", path.display()), "`execenv trust --list` shows what is"),
        false => done,
    }
}

fn list(context: &Context) -> Result<Answer> {
    let (entries, marks) = (context.hooks.trusted.entries()?, context.hooks.trusted.marks()?);
    let line = |entry: &TrustedEntry| {
        let at = entry.trusted_at.map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string());
        let at = at.unwrap_or_else(|| "-".to_owned());
        let digest: String = entry.sha256.chars().take(12).collect();
        format!("{}\t{at}\t{}", escape(&digest), escape(&entry.path))
    };
    let folders = marks.folders.iter().map(|folder| escape(&folder.display().to_string()));
    let commits = marks.commits.iter().cloned();
    let runs = marks.runs.iter().map(|run| escape(&run.env.display().to_string()));
    let marked = folders.chain(commits).chain(runs).map(|mark| format!("sandboxed\t-\t{mark}"));
    let text = entries.iter().map(line).chain(marked).collect::<Vec<_>>().join("\n");
    Ok(Answer::new(text, document(TrustList { schema: Version, trusted: &entries, sandboxed: &marks })))
}

fn remove(folder: &Path, context: &Context) -> Result<Answer> {
    context.defer_signals()?;
    let path = folder.join(PROJECT_FILE);
    let gone = context.hooks.trusted.remove(&path)?;
    if gone.is_empty() {
        note(&format!("{} was not trusted", path.display()));
    }
    let left = context.hooks.trusted.entries()?;
    for digest in gone.iter().filter(|digest| left.iter().any(|entry| entry.sha256 == **digest)) {
        log::warn!(
            "the same bytes (sha256 {digest}) are still trusted, as another path: `execenv trust --list`"
        );
    }
    let text = gone.iter().map(|digest| format!("removed\t{digest}")).collect::<Vec<_>>().join("\n");
    let json = document(TrustRemoved { schema: Version, path: path.to_string_lossy(), removed: &gone });
    Ok(Answer::new(text, json))
}
