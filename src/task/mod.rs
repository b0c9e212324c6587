//! What a task is: its document, its kind, its ids.

mod document;
mod ids;
mod kind;

pub use document::{
    Agent, DisabledSkill, ProjectResource, Repository, Skill, SkillFile, TaskDocument, TriggerSource,
    parse_document,
};
pub(crate) use ids::hex;
pub use ids::{EnvKey, TaskId, WorkspaceId, safe_token};
pub use kind::Kind;
