//! The runtime brief: which sections a task gets, and in which order.

use super::scene::{BriefOptions, Scene};
use super::{commands, comments, issue, output, people, project, safety, sanitize, workflow};
use crate::task::{TaskDocument, TaskKind};

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
            When::NotQuickCreate => scene.kind != TaskKind::QuickCreate,
            When::Platform => scene.cli.is_some(),
            When::Issue => scene.cli.is_some() && scene.kind == TaskKind::Issue,
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
        kind: TaskKind::of(task),
        cli: options.platform.commands(),
        skills: options.skills,
        os: options.os,
    };
    let sections = SECTIONS.iter().filter(|(when, _)| when.holds(&scene));
    let texts: Vec<String> = sections.filter_map(|(_, section)| section(&scene)).collect();
    sanitize::defuse_markers(&(texts.join("\n\n") + "\n"))
}
