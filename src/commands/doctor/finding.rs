//! A problem that `doctor` has found.

use std::path::PathBuf;

use super::document::{DeadRunReport, ProblemReport};
use super::group::{Line, Mark};
use crate::environment::health::Repair;
use crate::output::escape;

/// A problem in the workspaces root.
pub(super) struct Finding {
    pub(super) about: About,
    pub(super) path: PathBuf,
    pub(super) complaint: &'static str,
    pub(super) what: String,
    /// What `--fix` does about it; `None`: nothing.
    pub(super) repair: Option<Repair>,
    pub(super) fixed: bool,
    /// What a person can do besides.
    pub(super) todo: Option<String>,
    /// What is known of a run that died.
    pub(super) dead: Option<DeadRunReport>,
}

/// What a finding is about: the group that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Root,
    Environments,
    Runs,
    Repositories,
    Trash,
}

impl Finding {
    /// The group that shows it.
    pub(super) fn about(&self) -> About {
        self.about
    }

    /// What is wrong where, and what to do about it or what was done.
    pub(super) fn line(&self) -> Line {
        let path = escape(&self.path.display().to_string());
        let what = format!("{}  {path}: {}", self.complaint, escape(&self.what));
        let mut line = match (self.repair, self.fixed) {
            (Some(repair), true) => Line::new(Mark::Fixed, format!("{what}; {}", repair.done)),
            (None, true) => Line::new(Mark::Fixed, what),
            (Some(repair), false) => {
                Line::new(Mark::Fail, what).todo(format!("`execenv doctor --fix` {}", repair.would))
            }
            (None, false) => Line::new(Mark::Fail, what),
        };
        if let Some(todo) = self.todo.as_ref().filter(|_| !self.fixed) {
            line = line.todo(escape(todo));
        }
        let Some(dead) = &self.dead else { return line };
        line.todo(format!("then `{}` ({})", escape(&dead.next), dead.recoverable))
    }

    pub(super) fn report(&self) -> ProblemReport {
        ProblemReport {
            path: self.path.to_string_lossy().into_owned(),
            complaint: self.complaint,
            fixed: self.fixed,
            note: match (&self.dead, &self.todo) {
                (Some(dead), _) => format!("{}; {}: `{}`", self.what, dead.recoverable, dead.next),
                (None, Some(todo)) => format!("{}; {todo}", self.what),
                (None, None) => self.what.clone(),
            },
            repair: self.repair.map(|repair| if self.fixed { repair.done } else { repair.would }),
            dead: self.dead.clone(),
        }
    }
}
