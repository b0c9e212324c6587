//! Claude Code.

mod home;
pub mod launch;

pub(super) use self::home::MEMORY_VARIABLE;
pub use self::home::{SETTINGS, plan};
pub use self::launch::DIALECTS;

/// Seen of 2.1.332: without a terminal it prints the address, and reads the code from its standard input.
pub const AUTH_LOGIN: &[&str] = &["auth", "login"];
