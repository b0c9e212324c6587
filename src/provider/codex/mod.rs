//! Codex.

#[cfg(test)]
mod bench;
mod blocks;
mod config;
mod draft;
mod home;
mod hooks;
pub(super) mod launch;
mod limits;
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

pub(crate) use self::home::CHECKOUT_VARIABLE;
pub(super) use self::home::{FOLDER, HOME_VARIABLE, MINIMUM};
pub use self::home::{NAME, plan};
pub(super) use self::launch::DIALECTS;
pub use self::shell::{allowed_names, shell_policy};
