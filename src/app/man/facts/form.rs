//! What a manual page says besides what the grammar says: statuses, fields of the JSON answer, files.

use crate::exit::{End, of_command};
use crate::failure::Code::{self, *};
use crate::layout::names;

/// What one page says.
pub(in crate::app::man) struct Facts {
    /// The page, without `execenv-`.
    pub(in crate::app::man) page: &'static str,
    /// The failures that the command can end with, besides those of every command. The exit statuses follow from them. The tests
    /// compare them with what each command they start has returned.
    pub(super) codes: &'static [&'static [Code]],
    /// The fields of its answer with `-o json`, and their meaning. A test compares the outermost ones with real answers.
    pub(in crate::app::man) fields: &'static [(&'static str, &'static str)],
    /// The files that it reads or writes, by their names in the table of the layout.
    pub(in crate::app::man) files: &'static [&'static str],
}

/// What an exit status means.
pub(in crate::app::man) const STATUSES: [(u8, &str); 11] = [
    (0, "done"),
    (1, "it failed, or a part of it did; no file of yours is lost"),
    (2, "wrong usage, or an input that cannot be understood"),
    (3, "there is no such environment, or its work dir is gone"),
    (
        4,
        "busy: a running process uses the environment or the folder, or the environment is reserved and holds work",
    ),
    (
        5,
        "conflict: a merge stopped, unsaved work was kept, or a path is occupied by a file that execenv must not touch",
    ),
    (124, "a time limit ended the agent"),
    (125, "execenv itself failed"),
    (126, "the program could not be started"),
    (127, "the program was not found"),
    (130, "interrupted; 128 and the signal's number"),
];

/// What any command can end with.
pub(super) const EVERY: &[Code] = &[Failed, Usage, BadConfig, Interrupted];
/// Where ENV is looked up, and its state files are read.
pub(super) const FIND: &[Code] = &[BadPath, AmbiguousEnv, NoEnv, UnreadableState];

/// Where the work dir, or a user folder, is opened.
pub(super) const OPEN: &[Code] = &[WorkDirGone, LeavesTree, Unproved];
/// Where the environment is held while it is changed.
pub(super) const HOLD: &[Code] = &[EnvBusy, PathBusy, RootBusy];
/// Where an environment is made or refreshed.
pub(super) const MAKE: &[Code] = &[BadDocument, Occupied, Incomplete, AgentNotStarted, AgentNotFound];
/// What a run of an agent adds.
pub(super) const AGENT: &[Code] =
    &[NoSlot, TimedOut, RunFailed, NoSandbox, GhMissing, Retained, Conflicts, Dirty];
/// Where the files, the index or the branch of a repository are changed.
pub(super) const CHANGE: &[Code] = &[Occupied, Dirty, Conflicts];

pub(super) const PLAIN: &[&[Code]] = &[];
pub(super) const LOOK: &[&[Code]] = &[FIND, OPEN];
/// What the commands of a repository, and ports, add to that.
pub(super) const SETUP: &[Code] = &[Untrusted, SetupFailed, PortTaken];
pub(super) const PREPARE: &[&[Code]] = &[FIND, OPEN, HOLD, MAKE, SETUP];
pub(super) const ENV: &[&[Code]] = &[FIND, OPEN, HOLD, CHANGE];
pub(super) const ORDER: &[&[Code]] = &[FIND, &[NotRunning, NoAnswer]];

impl Facts {
    /// The failures that the command can end with, in the order of the table.
    pub(in crate::app::man) fn codes(&self) -> Vec<Code> {
        let own: Vec<&Code> = self.codes.iter().copied().flatten().chain(EVERY).collect();
        Code::ALL.iter().copied().filter(|code| own.contains(&code)).collect()
    }

    /// Whether the command returns the status of the program that it has started.
    pub(in crate::app::man) fn is_of_program(&self) -> bool {
        ["run", "shell"].contains(&self.page)
    }

    /// The exit statuses of a failure. `run` ends as `prepare` does where it makes the environment, before its agent starts;
    /// `shell` makes none.
    pub(in crate::app::man) fn statuses_of(&self, code: Code) -> Vec<u8> {
        let kinds: &[bool] = match self.page {
            "run" => &[true, false],
            "shell" => &[true],
            _ => &[false],
        };
        kinds.iter().map(|is_run| of_command(End::Failed(code), *is_run, None)).collect()
    }
}

pub(super) const STATE: &[&str] = &[names::META, names::MANIFEST];
