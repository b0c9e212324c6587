//! Claude Code.

mod home;
pub mod launch;

pub use self::home::{SETTINGS, plan};
