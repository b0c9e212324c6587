//! Claude Code.

mod home;

pub use self::home::{SETTINGS, plan};
