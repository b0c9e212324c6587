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

pub(super) use self::home::{FOLDER, MINIMUM};
pub use self::home::{NAME, plan};
pub use self::shell::{allowed_names, shell_policy};
