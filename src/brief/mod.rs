//! The texts that the agent reads: pure functions, task to text.
//!
//! - [`render()`] writes the runtime brief, which goes into the marker block of `CLAUDE.md`, `AGENTS.md` …
//! - [`issue_context()`] writes `.agent_context/issue_context.md`, the facts of this task
//! - [`resources_json`] writes `.multica/project/resources.json`
//! - [`Role`] tells an agent its part in a larger task, in its system prompt
//! - [`compose_prompt`] and [`turn_notes`](turn::turn_notes) write the message of one turn
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
mod render;
mod resources;
mod role;
mod safety;
mod sanitize;
mod scene;
mod surroundings;
#[cfg(test)]
mod tests;
mod turn;
mod workflow;

pub use issue_context::issue_context;
pub use marker_text::{BEGIN, END};
pub use platform::Platform;
pub use prompt::compose_prompt;
pub use render::render;
pub use resources::resources_json;
pub use role::{Role, with_history};
pub use sanitize::defuse_markers;
pub use scene::{BriefOptions, HostOs, Session};
pub use turn::TurnOptions;
