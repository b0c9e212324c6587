//! The texts that the agent reads: pure functions, task to text.
//!
//! - [`render`] writes the runtime brief, which goes into the marker block of `CLAUDE.md`, `AGENTS.md` …
//! - [`issue_context`] writes `.agent_context/issue_context.md`, the facts of this task
//! - [`resources_json`] writes `.multica/project/resources.json`
//! - [`compose_prompt`] and [`turn_notes`] write the message of one turn
//!
//! Invariants:
//! - The brief stands in front of the whole conversation, so one changed byte discards the agent's prompt cache. It
//!   depends on the agent, the workspace, the project, the skills, the kind and the autopilot, and of the issue only
//!   on whether there is one. What changes from run to run is in the turn notes.
//! - No text names a command of a platform CLI unless there is a platform; all of them come from `platform.rs`.
//! - Text from outside stays in its line, quote or fence, and never forms one of our markers.

mod autopilot;
mod commands;
mod comments;
mod issue;
mod issue_context;
mod marker_text;
mod output;
mod people;
mod platform;
mod project;
mod prompt;
mod resources;
mod safety;
mod sanitize;
#[cfg(test)]
mod tests;
mod turn;
mod workflow;

pub use issue_context::issue_context;
pub use marker_text::{BEGIN, END};
pub use platform::{CliName, Platform};
pub use prompt::compose_prompt;
pub use resources::resources_json;
pub use sanitize::defuse_markers;
pub use turn::{Session, TurnOptions, turn_notes};

use crate::task::{Kind, TaskDocument};
use platform::Commands;

/// The system the agent's shell runs on, which decides how a file is deleted and what a pipe does to text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostOs {
    /// Linux, macOS and other Unix systems.
    Unix,
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
struct Scene<'a> {
    task: &'a TaskDocument,
    kind: Kind,
    /// `None` without a platform.
    cli: Option<Commands<'a>>,
    skills: &'a [String],
    os: HostOs,
}

/// Which tasks get a section, apart from the section's own data.
#[derive(Clone, Copy, PartialEq)]
enum When {
    Always,
    NotQuickCreate,
    /// There is a platform.
    Platform,
    /// There is a platform, and the task works on an issue.
    Issue,
}

impl When {
    fn holds(self, scene: &Scene) -> bool {
        match self {
            When::Always => true,
            When::NotQuickCreate => scene.kind != Kind::QuickCreate,
            When::Platform => scene.cli.is_some(),
            When::Issue => scene.cli.is_some() && scene.kind == Kind::Issue,
        }
    }
}

type Section = fn(&Scene) -> Option<String>;

/// The brief, section by section. Who the agent is and whom it serves comes before what it can do.
const SECTIONS: &[(When, Section)] = &[
    (When::Always, people::intro),
    (When::Always, safety::background_tasks),
    (When::Always, people::identity),
    (When::Always, people::requesting_user),
    (When::Always, people::workspace_context),
    (When::Platform, commands::available),
    (When::Issue, comments::formatting),
    (When::Platform, commands::issue_bodies),
    (When::NotQuickCreate, project::repositories),
    (When::Always, project::context),
    (When::Issue, issue::metadata),
    (When::Issue, issue::precedence),
    (When::Always, workflow::workflow),
    (When::Issue, issue::sub_issues),
    (When::Always, project::skills),
    (When::Issue, comments::mentions),
    (When::Issue, comments::attachments),
    (When::Platform, commands::always_the_cli),
    (When::Always, output::output),
];

/// The runtime brief.
///
/// A plain task stays plain under a platform too: it has the commands and the checkout, but none of an issue's
/// sections, and its result is its final message.
pub fn render(task: &TaskDocument, options: &BriefOptions) -> String {
    let scene = Scene {
        task,
        kind: Kind::of(task),
        cli: options.platform.commands(),
        skills: options.skills,
        os: options.os,
    };
    let sections = SECTIONS.iter().filter(|(when, _)| when.holds(&scene));
    let texts: Vec<String> = sections.filter_map(|(_, section)| section(&scene)).collect();
    sanitize::defuse_markers(&(texts.join("\n\n") + "\n"))
}
