//! `execenv trust`.

pub(crate) mod document;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

use document::{TrustDocument, TrustList, TrustRemoved};

use crate::environment::{PROJECT_FILE, ProjectFile, TrustedEntry};
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
/// read: in a work dir, an agent may have changed those. After a run with `--sandbox` the commands are left out in that environment for
/// that reason; in another environment that begins from the agent's files or commits they run. The other ones must be safe to run twice, because a killed command is begun again. Processes that a command leaves are ended with it; a
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
    /// List what you have trusted
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
    let Some(file) = ProjectFile::read(&opened, &path.display().to_string())? else {
        let message = format!("{} has no {PROJECT_FILE}", folder.display());
        return Err(Failure::new(Code::Usage, message)
            .hint("name the folder with the file: the top of a repository or of a work dir")
            .into());
    };
    if let Some(unknown) = file.unknown_keys() {
        log::warn!("{unknown}");
    }
    if !file.has_commands() {
        note(&format!("{} names no commands, so that there is nothing to trust", path.display()));
        return Ok(answer(&path, &file, false));
    }
    let is_known = context.hooks.trusted.has(&file.digest)?;
    if !is_known {
        note(&format!("{} names these commands", path.display()));
        shown(&file).iter().for_each(|line| note(line));
        note(
            "they run as you, outside of any sandbox, in work dirs in which an agent may have changed every other file",
        );
        let count = counted((file.setup.len() + file.teardown.len()) as u64, "command", "commands");
        match if args.yes { Some(true) } else { ask(&format!("trust {count}?")) } {
            Some(true) => {}
            Some(false) => {
                log::warn!("nothing was trusted");
                // What comes after it in a script relies on the trust.
                return Ok(answer(&path, &file, false).with_status(Some(Code::Failed)));
            }
            None => {
                let message = "`trust` asks, and this is no terminal";
                return Err(Failure::new(Code::Usage, message)
                    .hint("look at the commands above, then repeat the command with `--yes`")
                    .into());
            }
        }
    }
    context.defer_signals()?;
    // The bytes that were shown: the file is not read again.
    context.hooks.trusted.add(&path, &file.digest, context.now)?;
    Ok(answer(&path, &file, true))
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

fn answer(path: &Path, file: &ProjectFile, is_trusted: bool) -> Answer {
    let texts = |commands: &[_]| commands.iter().map(ToString::to_string).collect::<Vec<String>>();
    let json = document(TrustDocument {
        schema: Version,
        path: path.to_string_lossy(),
        sha256: &file.digest,
        setup: texts(&file.setup),
        teardown: texts(&file.teardown),
        ports: file.ports.iter().map(ToString::to_string).collect(),
        trusted: is_trusted,
    });
    let text = match is_trusted {
        true => format!("trusted\t{}\t{}", file.digest, escape(&path.display().to_string())),
        false => String::new(),
    };
    let done = Answer::new(text, json);
    match is_trusted {
        true => done.after(format!("{} is trusted", path.display()), "`execenv trust --list` shows what is"),
        false => done,
    }
}

fn list(context: &Context) -> Result<Answer> {
    let entries = context.hooks.trusted.entries()?;
    let line = |entry: &TrustedEntry| {
        let at = entry.trusted_at.map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string());
        let at = at.unwrap_or_else(|| "-".to_owned());
        let digest: String = entry.sha256.chars().take(12).collect();
        format!("{}\t{at}\t{}", escape(&digest), escape(&entry.path))
    };
    let text = entries.iter().map(line).collect::<Vec<_>>().join("\n");
    Ok(Answer::new(text, document(TrustList { schema: Version, trusted: &entries })))
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
