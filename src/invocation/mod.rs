//! What every command gets: settings with their origin, time, signals, bounded input, durations, sizes, waits, completers.

mod complete;
mod context;
mod duration;
mod global;
mod input;
mod server;
mod settings;
mod size;
mod wait;
mod words;

pub(crate) use complete::{
    env_completer, platform_completer, provider_completer, trash_completer, workspace_completer,
};
pub use context::Context;
pub use duration::{parse_duration, show_duration};
pub use global::GlobalArgs;
pub use input::UserInput;
pub use server::{ServerArgs, connection};
pub use settings::{CODEX_SANDBOXES, MCP_MODES, Origin, SETTINGS, Setting, Settings, describe_setting};
pub use size::parse_size;
pub use wait::WaitArgs;
pub use words::one_of;
