//! What a run takes from its process, and where its events go.

use std::cell::Cell;
use std::ffi::OsString;
use std::io;

use anyhow::Result;
use chrono::{DateTime, Utc};

use super::once::EarlierResult;
use super::result::RunResult;
use super::slots::Slots;
use crate::environment::Trust;
use crate::git::Git;
use crate::protocol::Event;

/// What a run takes from its process.
pub struct Surroundings<'a> {
    /// The variables that execenv was started with.
    pub inherited: &'a Vec<(OsString, OsString)>,
    /// The clock: a run is long.
    pub now: &'a dyn Fn() -> DateTime<Utc>,
    /// What a record can be proved with.
    pub trust: Trust<'a>,
    /// The user's git.
    pub git: &'a Git,
    /// What counts the run against the limits of others.
    pub slots: &'a Slots,
    /// Called when the run has taken the signals: from there on it decides when to stop.
    ///
    /// An error means that one has arrived before.
    pub begins: &'a dyn Fn() -> Result<()>,
    /// Called when the agent has ended and something follows: from there on a signal sets the flag of that (`CleanupAfter::stop`,
    /// `OnSuccess::stop`).
    pub ends: &'a dyn Fn() -> Result<()>,
    /// The number of the signal that has arrived since `ends`.
    pub signal: &'a dyn Fn() -> Option<i32>,
    /// Set as soon as the agent has been started.
    pub has_started: &'a Cell<bool>,
}

/// Where the events of a run go, and its result.
pub trait RunSink {
    /// Takes one event.
    ///
    /// # Errors
    /// Where nothing more can be taken; that ends the run.
    fn event(&mut self, event: &Event<'_>) -> io::Result<()>;

    /// Takes the result, after the last event.
    ///
    /// # Errors
    /// Where it cannot be taken.
    fn result(&mut self, result: &RunResult) -> io::Result<()>;

    /// Takes the result of an earlier run: the only thing that comes.
    ///
    /// # Errors
    /// Where it cannot be taken.
    fn earlier(&mut self, result: &EarlierResult) -> io::Result<()>;
}
