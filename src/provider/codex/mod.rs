//! Codex.

#[cfg(test)]
mod bench;
mod blocks;
mod config;
mod draft;
mod home;
mod managed;
mod mcp;
mod mirror;
mod models;
mod profiles;
mod sandbox;
mod sessions;
mod shared;
mod shell;
mod skills;
mod source;
mod switches;

pub use self::home::plan;
pub(super) use self::home::{SECRET, secrets_in};
pub use self::sandbox::find_version;
pub use self::sessions::find_rollout;
pub(super) use self::shared::HOME_NAME;
pub use self::shell::{allowed_names, shell_policy};
