//! Settings: flag, then variable, then configuration file, then default; each with its type and its origin.

mod file;
mod resolve;
mod rows;
mod value;

pub use resolve::{Origin, Setting};
pub use rows::{Row, SETTINGS, Settings, describe_setting};
pub use value::{CODEX_SANDBOXES, MCP_MODES};
