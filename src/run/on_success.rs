//! How the work of a run is published when its agent has completed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::environment::quoted;
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
}

/// The command that publishes the work of the environment at `path`.
pub(super) fn command(to: To, into: Option<&str>, path: &Path) -> String {
    let base = into.map(|into| format!(" --base {}", quoted(Path::new(into))));
    format!("`execenv publish {} --to {}{}`", quoted(path), to.word(), base.unwrap_or_default())
}
