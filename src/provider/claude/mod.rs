//! Claude Code.

mod home;
pub mod launch;

use super::row::{LoginFile, below};

/// Its name in the table.
pub const NAME: &str = "claude";

/// Where it keeps conversations and what belongs to them (2.1.332). Settings, commands and plugins lie beside these, and run programs
/// when the user starts it again: a sandbox does not let an agent write them.
pub(super) const WRITES: &[LoginFile] = &[
    of_configuration("debug"),
    of_configuration("file-history"),
    of_configuration("projects"),
    of_configuration("tasks"),
    of_configuration("todos"),
];

/// What it runs in its shells, also in those of a Claude Code of the user's that works at the same time.
pub(super) const SCRATCH: &[LoginFile] =
    &[of_configuration("session-env"), of_configuration("shell-snapshots")];

const fn of_configuration(folder: &'static str) -> LoginFile {
    below("CLAUDE_CONFIG_DIR", ".claude", folder)
}

pub(super) use self::home::MEMORY_VARIABLE;
pub use self::home::{SETTINGS, plan};
pub use self::launch::DIALECTS;

/// Seen of 2.1.332: without a terminal it prints the address, and reads the code from its standard input.
pub const AUTH_LOGIN: &[&str] = &["auth", "login"];
