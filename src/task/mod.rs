//! What a task is: its document, its kind, its ids.

mod branch;
mod claim;
mod document;
mod ids;
mod kind;

pub use branch::agent_branch;
pub(crate) use branch::is_branch_of;
pub use claim::{FoldedComment, IssueStatus, SiblingRun};
#[cfg(test)]
pub use document::Agent;
pub(crate) use document::parse as parse_json;
pub use document::{
    DisabledSkill, ExecutionMode, ProjectResource, Repository, Skill, SkillFile, TaskDocument, TriggerSource,
    not_served, parse_document,
};
pub(crate) use ids::hex;
pub use ids::{EnvKey, TaskId, WorkspaceId, safe_token};
pub use kind::TaskKind;
