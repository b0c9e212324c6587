//! A problem that `doctor` has found.

use std::path::PathBuf;

use super::document::{DeadRunReport, ProblemReport};
use crate::environment::health::Repair;
use crate::output::escape;

/// A problem in the workspaces root.
pub(super) struct Finding {
    pub(super) path: PathBuf,
    pub(super) complaint: &'static str,
    pub(super) what: String,
    /// What `--fix` does about it; `None`: nothing.
    pub(super) repair: Option<Repair>,
    pub(super) fixed: bool,
    /// What is known of a run that died.
    pub(super) dead: Option<DeadRunReport>,
}

impl Finding {
    /// What was done, what `--fix` would do, or that it can do nothing.
    fn outcome(&self) -> String {
        match (self.repair, self.fixed) {
            (Some(repair), true) => repair.done.to_owned(),
            (Some(repair), false) => format!("--fix {}", repair.would),
            (None, _) => String::new(),
        }
    }

    pub(super) fn row(&self) -> [String; 4] {
        let state = if self.fixed { "fixed" } else { "problem" };
        let outcome = self.outcome();
        let separator = if outcome.is_empty() { "" } else { "; " };
        let text = format!("{}{separator}{outcome}", escape(&self.what));
        [state.to_owned(), self.complaint.to_owned(), escape(&self.path.display().to_string()), text]
    }

    pub(super) fn report(&self) -> ProblemReport {
        ProblemReport {
            path: self.path.to_string_lossy().into_owned(),
            complaint: self.complaint,
            fixed: self.fixed,
            note: self.what.clone(),
            repair: self.repair.map(|repair| if self.fixed { repair.done } else { repair.would }),
            dead: self.dead.clone(),
        }
    }
}
