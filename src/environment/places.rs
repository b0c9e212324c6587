//! The places of a work dir at which execenv puts anything, whatever the provider.

use crate::provider;
use crate::sidecar::Places;

/// The context file.
pub const CONTEXT: &str = ".agent_context/issue_context.md";
/// multica's marker of a task.
pub(super) const TASK_MARKER: &str = ".multica/daemon_task_context.json";
/// The resources of the task's project.
pub(super) const RESOURCES: &str = ".multica/project/resources.json";
/// Files at places that only execenv and multica use: where the manifest is lost, they are known by their names.
pub(super) const KNOWN_BY_NAME: [&str; 3] = [CONTEXT, TASK_MARKER, RESOURCES];

/// The places of every provider's plan.
pub(crate) fn every_place() -> Places {
    let mut files = provider::every_sidecar();
    files.extend(KNOWN_BY_NAME);
    let mut skills = provider::every_skills_dir();
    skills.push(provider::GENERIC_SKILLS_DIR);
    Places { briefs: provider::every_brief_file(), skills, files }
}
