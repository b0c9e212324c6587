//! What the texts of a task are rendered from.

use super::platform::{Commands, Platform};
use crate::task::{TaskDocument, TaskKind};

/// The system the agent's shell runs on, which decides how a file is deleted and what a pipe does to text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostOs {
    /// Linux, macOS and other Unix systems.
    Unix,
    #[cfg_attr(not(test), expect(dead_code, reason = "execenv itself runs on Unix so far"))]
    /// Windows, where PowerShell 5.1 pipes ASCII.
    Windows,
}

/// What the brief depends on besides the task.
#[derive(Clone, Copy, Debug)]
pub struct BriefOptions<'a> {
    /// What the agent works through.
    pub platform: &'a Platform,
    /// The slugs of the skills that the model may see, in order.
    pub skills: &'a [String],
    /// Where the agent's commands run.
    pub os: HostOs,
}

/// What every section is rendered from.
pub(super) struct Scene<'a> {
    pub(super) task: &'a TaskDocument,
    pub(super) kind: TaskKind,
    /// `None` without a platform.
    pub(super) cli: Option<Commands<'a>>,
    pub(super) skills: &'a [String],
    pub(super) os: HostOs,
}

/// What became of the agent's earlier session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// There was none to go on with.
    New,
    /// The agent goes on with it.
    Resumed,
    /// It was to go on, and could not.
    Lost,
}
