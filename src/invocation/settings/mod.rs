//! Settings: flag, then variable, then configuration file, then default; each with its type and its origin.

mod file;
mod resolve;
mod rows;
mod setting;
mod value;

pub use rows::{SETTINGS, Settings, describe_setting};
pub use setting::{Origin, Setting};
pub use value::{CODEX_SANDBOXES, MCP_MODES};
