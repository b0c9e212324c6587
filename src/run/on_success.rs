//! How the work of a run is published when its agent has completed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::environment::quoted;
use crate::failure::Code;
use crate::work::publish::To;

/// How the work is published after a run that completed.
#[derive(Debug)]
pub struct OnSuccess {
    /// How.
    pub to: To,
    /// The branch to merge into; of a pull request, the branch that it is for.
    pub into: Option<String>,
    /// The program that opens pull requests, where there is one.
    pub gh: Option<PathBuf>,
    /// Set by a signal that arrives when the agent has ended.
    pub stop: Arc<AtomicBool>,
}

impl OnSuccess {
    /// The command that publishes the work of the environment at `path` in the same way.
    pub(super) fn command(&self, path: &Path) -> String {
        command(self.to, self.into.as_deref(), path)
    }

    /// What to do where the work could not be published for this reason.
    pub(super) fn way_on(&self, path: &Path, code: Code) -> String {
        let again = self.command(path);
        match (code, &self.into) {
            (Code::Conflicts, Some(into)) => format!(
                "merge the branch into the work first (`execenv merge start {} {}`), then {again}",
                quoted(path),
                quoted(Path::new(into))
            ),
            _ => format!("when the cause is removed, {again} publishes it"),
        }
    }
}

/// The command that publishes the work of the environment at `path`.
pub(super) fn command(to: To, into: Option<&str>, path: &Path) -> String {
    let base = into.map(|into| format!(" --base {}", quoted(Path::new(into))));
    format!("`execenv publish {} --to {}{}`", quoted(path), to.word(), base.unwrap_or_default())
}
