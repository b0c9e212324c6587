//! Runs commands one after the other, each as an agent is run: below a guard, in a process group of its own, with a limit of
//! time. Nothing of a command outlives it, and the guard keeps the environment's lock until that is so.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::log::{LastWords, Log};
use super::project_file::Command;
use crate::layout::names;
use crate::protocol::{Event, Raw};
use crate::supervise::environment::Variables;
use crate::supervise::{
    self, AgentCommand, Bounds, Guard, Interrupts, Limits, Requests, RunOutcome, RunStatus, Used,
    find_program,
};
use crate::sys::tree::Tree;

/// The time between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);
const SHELL: &str = "/bin/sh";

/// Where commands run, and with what.
pub(super) struct Place<'a> {
    /// The env root, whose log they write.
    pub(super) env: &'a Tree,
    /// A handle on the lock of the environment.
    pub(super) lock: &'a File,
    /// The folder in which they run.
    pub(super) folder: &'a Path,
    pub(super) variables: &'a Variables,
    /// For all of them together.
    pub(super) limit: Duration,
    pub(super) stop: &'a Arc<AtomicBool>,
    /// What they are, for the log and messages: `setup`.
    pub(super) what: &'static str,
}

/// How a list of commands ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Each ended well.
    Done,
    /// One did not; those after it did not run.
    Broken(Broken),
    /// The limit of time was reached.
    TimedOut(Broken),
    /// A signal asked for it.
    Stopped,
}

/// A command that did not end well.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Broken {
    /// The command, how it ended, in one sentence.
    pub(super) what: String,
    /// The last lines that it printed.
    pub(super) words: Vec<String>,
}

impl Place<'_> {
    /// Runs the commands until one fails.
    ///
    /// A log that cannot be written, because an agent has spoiled it or the disk is full, is no reason not to do what was asked for.
    ///
    /// # Errors
    /// When no process can be started at all.
    pub(super) fn run(&self, commands: &[Command]) -> Result<End> {
        let begun = Instant::now();
        let path = Path::new(names::LOGS).join(names::SETUP_LOG);
        let lost = |error: std::io::Error| {
            let path = self.env.path().join(&path);
            log::warn!("{} cannot be written, so it lacks what the commands print: {error}", path.display());
        };
        let mut log = Log::new(self.open_log(&path).map_err(&lost).ok());
        let mut end = End::Done;
        for command in commands {
            log::info!("{}: {command}", self.what);
            let _ = log.take(format!("[{}] {command}\n", self.what).as_bytes()).map_err(&lost);
            let left = self.limit.saturating_sub(begun.elapsed());
            end = self.one(command, left, &mut log)?;
            if end != End::Done {
                break;
            }
        }
        let _ = log.end().map_err(&lost);
        Ok(end)
    }

    fn open_log(&self, path: &Path) -> std::io::Result<File> {
        self.env.ensure_dir(Path::new(names::LOGS), 0o755)?;
        let previous = Path::new(names::LOGS).join(format!("{}.previous", names::SETUP_LOG));
        self.env.keep_previous(path, &previous)?;
        self.env.open_log(path)
    }

    fn one(&self, command: &Command, left: Duration, log: &mut Log) -> Result<End> {
        let broken = |what: String, words| Broken {
            what: format!("the {} command `{command}` {what}", self.what),
            words,
        };
        let timed_out =
            || format!("did not end within {:?}, the limit for all commands together", self.limit);
        if left.is_zero() {
            return Ok(End::TimedOut(broken(timed_out(), Vec::new())));
        }
        let (program, args) = match self.program(command) {
            Ok(found) => found,
            Err(why) => return Ok(End::Broken(broken(format!("cannot be started: {why}"), Vec::new()))),
        };
        let mut words = LastWords::default();
        let mut lost = None;
        let outcome = {
            let mut sink = |event: Event<'_>| {
                if let Event::Output(bytes) | Event::Errors(bytes) = event {
                    words.take(bytes);
                    // A full disk takes no log, and is no reason to end what was asked for.
                    lost = lost.take().or_else(|| log.take(bytes).err());
                }
                Ok(())
            };
            let command = AgentCommand {
                provider: crate::provider::COMMAND.name.to_owned(),
                program,
                args,
                work_dir: self.folder.to_owned(),
                env: with_pwd(self.variables, self.folder),
                jail: None,
                run_id: uuid::Uuid::new_v4().to_string(),
                resume: None,
                limits: limits(left),
                lock: self.lock.try_clone().context("duplicate the handle of the lock")?,
                slots: Vec::new(),
                log: None,
                times: None,
                stderr_log: None,
            };
            let interrupts = Interrupts::of_command(Arc::clone(self.stop));
            let mut requests = Requests::new(&interrupts, None);
            let mut conversation = Raw::new(None);
            supervise::run(Guard::begin()?, command, &mut conversation, &mut requests, &mut sink, &mut |_| {
                Ok(())
            })
        };
        if let Some(error) = lost {
            log::warn!("{} is not complete: {error}", names::SETUP_LOG);
        }
        Ok(match outcome {
            Ok(outcome) => match outcome.verdict.status {
                RunStatus::Completed => End::Done,
                RunStatus::Timeout => End::TimedOut(broken(timed_out(), words.lines())),
                RunStatus::Interrupted | RunStatus::Killed if self.is_stopped() => End::Stopped,
                _ => End::Broken(broken(how(&outcome), words.lines())),
            },
            Err(error) => End::Broken(broken(format!("cannot be started: {error:#}"), Vec::new())),
        })
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// The program of a command, and its arguments. A path is one below the folder.
    fn program(&self, command: &Command) -> Result<(PathBuf, Vec<OsString>), String> {
        match command {
            Command::Shell(text) => Ok((SHELL.into(), vec!["-c".into(), text.into()])),
            Command::Words(words) => {
                let (name, args) = words.split_first().ok_or("it is empty")?;
                let path = if name.contains('/') { Some(self.folder.join(name)) } else { None };
                let search = self.variables.iter().find(|(name, _)| name == "PATH");
                let search = search.map_or(OsStr::new(""), |(_, path)| path);
                let program =
                    find_program(path.as_deref(), None, name, search).map_err(|failure| failure.message)?;
                Ok((program, args.iter().map(OsString::from).collect()))
            }
        }
    }
}

fn with_pwd(variables: &Variables, folder: &Path) -> Variables {
    let others = variables.iter().filter(|(name, _)| name != "PWD").cloned();
    others.chain([("PWD".into(), folder.into())]).collect()
}

fn limits(total: Duration) -> Limits {
    Limits {
        total: Some(total),
        idle: None,
        tool: None,
        mute: &[],
        kill_grace: GRACE,
        bounds: Bounds::default(),
        used: Used::default(),
        since: None,
        log: None,
        memory: None,
    }
}

fn how(outcome: &RunOutcome) -> String {
    match (outcome.verdict.exit.code, outcome.verdict.exit.signal) {
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "failed".to_owned(),
    }
}
