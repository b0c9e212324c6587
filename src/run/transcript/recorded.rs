//! Which run there is to look at, and what is known of it before its log is read.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::bytes::place_of_last;
use super::story::Story;
use crate::environment::{EnvLock, FoundEnv, Held, Meta, Own};
use crate::failure::{Code, Failure};
use crate::layout::names;
use crate::provider;
use crate::run::log_line::LogLine;
use crate::run::logs::{self, Which};
use crate::run::result::result_file;
use crate::sys::tree::Tree;

/// The longest result that is read, in bytes: several times the longest that a run writes.
const LONGEST_RESULT: u64 = 16 << 20;

/// A run whose logs are there.
#[derive(Debug)]
pub struct Recorded {
    /// Its id; empty where the logs do not say it.
    pub run_id: String,
    /// The provider of its agent; `command`: a program that is none.
    pub provider: String,
    /// What the agent speaks; empty where it is not known, and for a program.
    pub dialect: String,
    /// When it began.
    pub began: Option<DateTime<Utc>>,
    /// How it ended, as its own log says.
    pub end: Option<RunEnd>,
    /// Whether it is on.
    pub is_live: bool,
    /// How often its agent was started.
    pub turns: u32,
    which: Which,
    env: Tree,
    pub(super) story: Option<File>,
    output: RefCell<Option<File>>,
    errors: RefCell<Option<File>>,
    times: RefCell<Option<File>>,
}

/// How a run ended, as its own log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// When.
    pub at: DateTime<Utc>,
    /// The word of its status.
    pub status: String,
    /// The exit status of `execenv run`.
    pub exit_code: u8,
    /// Why it did not complete.
    pub reason: Option<String>,
}

/// The files that a run writes while it goes on.
pub(super) struct Files {
    pub(super) output: Option<File>,
    pub(super) errors: Option<File>,
    pub(super) times: Option<File>,
}

impl Recorded {
    /// The run of an environment. `None`: there is none.
    ///
    /// # Errors
    /// Where something other than a file is in the place of a log; as the system reports them.
    pub fn find(found: &FoundEnv, which: Which) -> Result<Option<Recorded>> {
        let env = &found.env.tree;
        let own = found.meta.as_ref().map(|meta| meta.own_or_rebuilt(env)).unwrap_or_default();
        let is_live = which == Which::Last && own.run.as_ref().is_some_and(|run| is_on(env, &run.id));
        Recorded::of(env, &own, which, is_live)
    }

    pub(super) fn of(env: &Tree, own: &Own, which: Which, is_live: bool) -> Result<Option<Recorded>> {
        let story = open(env, which, names::RUN_LOG)?;
        let output = open(env, which, names::AGENT_LOG)?;
        if story.is_none() && output.is_none() && !is_live {
            return Ok(None);
        }
        let mut recorded = Recorded {
            run_id: String::new(),
            provider: own.provider.clone(),
            dialect: String::new(),
            began: None,
            end: None,
            is_live,
            turns: 0,
            which,
            env: env.try_clone()?,
            story,
            output: RefCell::new(output),
            errors: RefCell::new(open(env, which, names::STDERR_LOG)?),
            // An agent can put anything there, and without it only the times are missing.
            times: RefCell::new(logs::open(env, which, names::AGENT_TIMES).ok().flatten()),
        };
        recorded.learn(own)?;
        Ok(Some(recorded))
    }

    /// Takes from `run.log` what it says of the run, and from the record what it does not say.
    fn learn(&mut self, own: &Own) -> io::Result<()> {
        let mut story = Story::default();
        if let Some(log) = &self.story {
            story.read_on(log)?;
        }
        for told in story.told {
            self.began.get_or_insert(told.at);
            match told.line {
                LogLine::Run { id, provider } => (self.run_id, self.provider) = (id, provider),
                LogLine::Dialect(name) => self.dialect = name,
                LogLine::From(_) => self.turns += 1,
                LogLine::End { status, exit_code, reason } => {
                    self.end = Some(RunEnd { at: told.at, status, exit_code, reason });
                }
                _ => {}
            }
        }
        let Some(run) = own.run.as_ref().filter(|_| self.which == Which::Last) else { return Ok(()) };
        if self.run_id.is_empty() {
            self.run_id.clone_from(&run.id);
        }
        if self.run_id == run.id {
            self.began = run.started_at.or(self.began);
            if self.dialect.is_empty() && self.provider != provider::COMMAND.name {
                self.dialect.clone_from(&run.dialect);
            }
        }
        Ok(())
    }

    /// Whether what ran was any program, and no agent that speaks a dialect.
    pub fn is_program(&self) -> bool {
        self.provider == provider::COMMAND.name
    }

    /// The fields of the run's result, where it has ended and its file says so.
    pub fn result(&self) -> Option<Map<String, Value>> {
        let bytes = match self.which {
            Which::Last => self.env.read(&result_file(), LONGEST_RESULT).ok()??,
            Which::Previous => {
                let file = Path::new(names::LOGS).join(names::PREVIOUS_LOGS).join(names::RESULT);
                self.env.read(&file, LONGEST_RESULT).ok()??
            }
        };
        let fields: Map<String, Value> = serde_json::from_slice(&bytes).ok()?;
        let says = |field: &str, text: &str| fields.get(field).and_then(Value::as_str) == Some(text);
        (!self.run_id.is_empty() && says("type", "result") && says("run_id", &self.run_id)).then_some(fields)
    }

    /// Whether the run is on now.
    pub fn is_on(&self) -> bool {
        self.which == Which::Last && is_on(&self.env, &self.run_id)
    }

    /// Its files, as far as they are there: a run that has just begun has not made them all.
    pub(super) fn files(&self) -> io::Result<Files> {
        let open = |file: &RefCell<Option<File>>, name: &str| {
            if file.borrow().is_none() && self.is_live {
                *file.borrow_mut() = logs::open(&self.env, self.which, name)?;
            }
            file.borrow().as_ref().map(File::try_clone).transpose()
        };
        Ok(Files {
            output: open(&self.output, names::AGENT_LOG)?,
            errors: open(&self.errors, names::STDERR_LOG)?,
            times: open(&self.times, names::AGENT_TIMES).unwrap_or_default(),
        })
    }

    /// Where the last lines of all that the agent has printed begin, of a run that is over; 0 where it has printed on standard error,
    /// too: that has lines of its own.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn place_of_last(&self, lines: usize) -> io::Result<u64> {
        let errors =
            self.errors.borrow().as_ref().map_or(Ok(0), |log| log.metadata().map(|log| log.len()))?;
        match &*self.output.borrow() {
            Some(log) if !self.is_live && errors == 0 => place_of_last(log, lines, log.metadata()?.len()),
            _ => Ok(0),
        }
    }

    /// A log as it is, for whoever prints its bytes. `None`: there is none.
    ///
    /// # Errors
    /// As the system reports them.
    pub fn log(&self, name: &str) -> Result<Option<File>> {
        open(&self.env, self.which, name)
    }
}

/// Whether the run with this id holds its environment.
fn is_on(env: &Tree, run_id: &str) -> bool {
    let is_held = matches!(EnvLock::try_acquire(env, false), Err(Held::ByOther | Held::Unknown(_)));
    is_held
        && match Meta::load(env) {
            Ok(meta) => meta
                .and_then(|meta| meta.own)
                .is_some_and(|own| own.status.is_active() && own.run.is_some_and(|run| run.id == run_id)),
            // The agent has damaged it; the run writes it again.
            Err(_) => true,
        }
}

fn open(env: &Tree, which: Which, name: &str) -> Result<Option<File>> {
    logs::open(env, which, name).map_err(|error| {
        let path = env.path().join(names::LOGS).join(name);
        Failure::new(Code::Failed, format!("cannot read the log {}: {error}", path.display()))
            .hint("the agent may have put something else in its place: look with `ls -l`")
            .into()
    })
}
