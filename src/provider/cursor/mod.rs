//! Cursor.

mod approval;
mod home;
mod javascript;
mod launch;

pub use self::home::plan;
pub(super) use self::home::{AUTH_VARIABLE, DATA_VARIABLE, FOLDER, MCP_FILE};
pub use self::launch::{DIALECTS, OWN_ARGUMENTS};
