//! Agent CLIs ("providers"): what each is, and the homes that it gets in an environment.
//!
//! [`registry`] has one row a provider; everything that differs by provider derives from it. [`plan`] has the types of a
//! plan. A provider's own module or folder plans its home.

pub mod acp;
mod agent_store;
mod antigravity;
pub mod argv;
pub mod claude;
mod cline;
pub mod codex;
pub mod copilot;
pub mod cursor;
pub mod described;
mod description;
pub mod dsh;
#[cfg(test)]
mod fixture;
pub mod gemini;
mod grok;
pub mod hermes;
pub mod homes;
pub mod kilo;
pub mod launch;
pub mod login;
pub mod mcp_channel;
pub mod mcp_file;
mod mcp_reader;
mod mcp_server;
mod omp;
pub mod openclaw;
pub mod opencode;
mod overlay;
mod pi;
pub mod plan;
mod qoder;
pub mod qwen;
pub mod qwenpaw;
mod read;
pub mod reasonix;
pub mod registry;
pub mod row;
mod user_file;
pub mod version;

#[cfg(test)]
pub(crate) use self::description::Description;
pub use self::registry::{
    COMMAND, GENERIC_SKILLS_DIR, all, describe, every_brief_file, every_sidecar, every_skills_dir, find,
    find_or_generic, own_variables, plan_variables,
};
pub use self::row::Provider;
